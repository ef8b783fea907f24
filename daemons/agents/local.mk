# What a service manager needs.
EXTRA_DIST += daemons/agents/dlmirrord.service.in daemons/agents/check-unit
check_SCRIPTS += daemons/agents/check-unit
if HAVE_SYSTEMD
systemdsystemunit_DATA = daemons/agents/dlmirrord.service
CLEANFILES += daemons/agents/dlmirrord.service
endif
daemons/agents/dlmirrord.service: daemons/agents/dlmirrord.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) $(@D) && sed 's|@sbindir[@]|$(sbindir)|' $(srcdir)/daemons/agents/dlmirrord.service.in >$@.new && mv $@.new $@
