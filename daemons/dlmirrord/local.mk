sbin_PROGRAMS += dlmirrord
dlmirrord_SOURCES = \
	daemons/common/host.c daemons/common/host.h \
	daemons/dlmirrord/admin.h daemons/dlmirrord/admin_server.c \
	daemons/dlmirrord/admin_source.c \
	daemons/dlmirrord/clock.h \
	daemons/dlmirrord/config.c daemons/dlmirrord/config.h \
	daemons/dlmirrord/control.c \
	daemons/dlmirrord/daemon.c daemons/dlmirrord/daemon.h \
	daemons/dlmirrord/devmap.c daemons/dlmirrord/devmap.h \
	daemons/dlmirrord/devmap_ioctl.c daemons/dlmirrord/devmap_ioctl.h \
	daemons/dlmirrord/devmap_names.c \
	daemons/dlmirrord/devmap_parse.c daemons/dlmirrord/devmap_parse.h \
	daemons/dlmirrord/handoff.h \
	daemons/dlmirrord/handover.c daemons/dlmirrord/handover.h \
	daemons/dlmirrord/kernel_netlink.c daemons/dlmirrord/kernel_netlink.h \
	daemons/dlmirrord/legs.c \
	daemons/dlmirrord/logging.c daemons/dlmirrord/logging.h \
	daemons/dlmirrord/main.c \
	daemons/dlmirrord/marker.c \
	daemons/dlmirrord/mover.c daemons/dlmirrord/mover.h daemons/dlmirrord/mover_internal.h \
	daemons/dlmirrord/pump.c \
	daemons/dlmirrord/registry.c daemons/dlmirrord/registry.h \
	daemons/dlmirrord/responder.c daemons/dlmirrord/responder.h \
	daemons/dlmirrord/statefile.c daemons/dlmirrord/statefile.h \
	daemons/dlmirrord/stats.h \
	daemons/dlmirrord/storage.h daemons/dlmirrord/storage_aio.c \
	daemons/dlmirrord/supervisor.c daemons/dlmirrord/supervisor.h
dlmirrord_CPPFLAGS = $(AM_CPPFLAGS) -DSYSCONFDIR='"$(sysconfdir)"' \
	$(QB_CFLAGS) $(DEVMAPPER_CFLAGS) $(BLKID_CFLAGS) $(INIH_CFLAGS)
dlmirrord_LDADD = libcodec.la libcore.la libbase.la \
	$(QB_LIBS) $(DEVMAPPER_LIBS) $(BLKID_LIBS) $(INIH_LIBS) $(AIO_LIBS)
