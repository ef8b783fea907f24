# What a service manager and a shell need.
EXTRA_DIST += daemons/agents/dlmirrord.service.in daemons/agents/dlmirror-activate.service.in \
	daemons/agents/dlmirror-metrics.service.in daemons/agents/dlmirror-metrics.timer daemons/agents/check-unit
check_SCRIPTS += daemons/agents/check-unit
units = daemons/agents/dlmirrord.service daemons/agents/dlmirror-activate.service \
	daemons/agents/dlmirror-metrics.service
if HAVE_SYSTEMD
systemdsystemunit_DATA = $(units) daemons/agents/dlmirror-metrics.timer
CLEANFILES += $(units)
endif

$(units): %: %.in Makefile
	$(AM_V_GEN)$(MKDIR_P) $(@D) && sed 's|@sbindir[@]|$(sbindir)|' $< >$@.new && mv $@.new $@

if HAVE_SYSUSERS
sysusers_DATA = daemons/agents/sysusers.d/dlmirror.conf
endif
if HAVE_TMPFILES
tmpfiles_DATA = daemons/agents/tmpfiles.d/dlmirror.conf
endif
EXTRA_DIST += daemons/agents/sysusers.d/dlmirror.conf daemons/agents/tmpfiles.d/dlmirror.conf daemons/agents/check-system-files
check_SCRIPTS += daemons/agents/check-system-files

if HAVE_BASH_COMPLETION
bashcompletion_DATA = daemons/agents/bash-completion/dlmirror
endif
EXTRA_DIST += daemons/agents/bash-completion/dlmirror daemons/agents/check-completion
program_checks += daemons/agents/check-completion

if HAVE_OCF
ocfdir = $(ocfrootdir)/resource.d/dlmirror
ocf_SCRIPTS = daemons/agents/ocf/dlmirrord daemons/agents/ocf/mirror
ocflibdir = $(ocfrootdir)/lib/dlmirror
ocflib_DATA = daemons/agents/ocf/functions
CLEANFILES += daemons/agents/ocf/functions
endif
daemons/agents/ocf/functions: %: %.in Makefile
	$(AM_V_GEN)$(MKDIR_P) $(@D) && sed 's|@sbindir[@]|$(sbindir)|' $< >$@.new && mv $@.new $@
EXTRA_DIST += daemons/agents/ocf/dlmirrord daemons/agents/ocf/mirror daemons/agents/ocf/functions.in \
	daemons/agents/ocf/metadata.rng daemons/agents/check-ocf
check_SCRIPTS += daemons/agents/check-ocf
