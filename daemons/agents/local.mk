# What a service manager needs.
EXTRA_DIST += daemons/agents/dlmirrord.service.in daemons/agents/dlmirror-metrics.service.in \
	daemons/agents/dlmirror-metrics.timer daemons/agents/check-unit
check_SCRIPTS += daemons/agents/check-unit
units = daemons/agents/dlmirrord.service daemons/agents/dlmirror-metrics.service
if HAVE_SYSTEMD
systemdsystemunit_DATA = $(units) daemons/agents/dlmirror-metrics.timer
CLEANFILES += $(units)
endif
$(units): %: %.in Makefile
	$(AM_V_GEN)$(MKDIR_P) $(@D) && sed 's|@sbindir[@]|$(sbindir)|' $< >$@.new && mv $@.new $@
