# Adapters that have tests of their own are convenience libraries; the rest is the daemon.
noinst_LTLIBRARIES += libpump.la libdevmap.la libmover.la libstorage.la
libpump_la_SOURCES = \
	daemons/dlmirrord/group_local.c daemons/dlmirrord/group_local.h \
	daemons/dlmirrord/locks_local.c daemons/dlmirrord/locks_local.h \
	daemons/dlmirrord/pump.c daemons/dlmirrord/pump.h

libdevmap_la_SOURCES = \
	daemons/dlmirrord/apart.h \
	daemons/dlmirrord/beside.c daemons/dlmirrord/beside.h \
	daemons/dlmirrord/devmap.c daemons/dlmirrord/devmap.h \
	daemons/dlmirrord/devmap_catalog.c daemons/dlmirrord/devmap_catalog.h \
	daemons/dlmirrord/devmap_ioctl.c daemons/dlmirrord/devmap_ioctl.h \
	daemons/dlmirrord/devmap_load.c daemons/dlmirrord/devmap_load.h \
	daemons/dlmirrord/devmap_names.c \
	daemons/dlmirrord/devmap_parse.c daemons/dlmirrord/devmap_parse.h \
	daemons/dlmirrord/suspender.c daemons/dlmirrord/suspender.h
libdevmap_la_CPPFLAGS = $(AM_CPPFLAGS) $(DEVMAPPER_CFLAGS) $(BLKID_CFLAGS)
libdevmap_la_LIBADD = libmessage.la $(DEVMAPPER_LIBS) $(BLKID_LIBS)

libmover_la_SOURCES = \
	daemons/dlmirrord/mover.c daemons/dlmirrord/mover.h daemons/dlmirrord/mover_internal.h
libmover_la_LIBADD = libdevmap.la

libstorage_la_SOURCES = \
	daemons/dlmirrord/storage.c daemons/dlmirrord/storage.h \
	daemons/dlmirrord/storage_aio.c daemons/dlmirrord/storage_internal.h \
	daemons/dlmirrord/storage_claim.c \
	daemons/dlmirrord/storage_job.c \
	daemons/dlmirrord/storage_load.c \
	daemons/dlmirrord/storage_slot.c
libstorage_la_LIBADD = libcodec.la libdevmap.la libmessage.la $(AIO_LIBS)

noinst_LTLIBRARIES += libmessage_log.la
libmessage_log_la_SOURCES = daemons/dlmirrord/message_log.c daemons/dlmirrord/message_log.h
libmessage_log_la_CPPFLAGS = $(AM_CPPFLAGS) $(QB_CFLAGS)
libmessage_log_la_LIBADD = libmessage.la $(QB_LIBS)

noinst_LTLIBRARIES += libgroup_cpg.la
libgroup_cpg_la_SOURCES = \
	daemons/dlmirrord/group_cpg.c daemons/dlmirrord/group_cpg.h \
	daemons/dlmirrord/group_cpg_internal.h \
	daemons/dlmirrord/group_cpg_link.c \
	daemons/dlmirrord/group_cpg_order.c
libgroup_cpg_la_CPPFLAGS = $(AM_CPPFLAGS) $(QB_CFLAGS) $(COROSYNC_CFLAGS)
libgroup_cpg_la_LIBADD = libbase.la libmessage_log.la

noinst_LTLIBRARIES += liblocks.la
liblocks_la_SOURCES = \
	daemons/dlmirrord/locks_dlm.c daemons/dlmirrord/locks_dlm.h daemons/dlmirrord/locks_dlm_internal.h \
	daemons/dlmirrord/locks_dlm_look.c \
	daemons/dlmirrord/locks_dlm_queue.c
liblocks_la_CPPFLAGS = $(AM_CPPFLAGS) $(DLM_CFLAGS)
liblocks_la_LIBADD = liblockspace.la libmessage.la $(DLM_LIBS)

sbin_PROGRAMS += dlmirrord
dlmirrord_SOURCES = \
	daemons/dlmirrord/admin.h daemons/dlmirrord/admin_server.c \
	daemons/dlmirrord/admin_source.c \
	daemons/dlmirrord/clock.h \
	daemons/dlmirrord/cluster.c daemons/dlmirrord/cluster.h \
	daemons/dlmirrord/control.c \
	daemons/dlmirrord/daemon.c daemons/dlmirrord/daemon.h \
	daemons/dlmirrord/errands.c daemons/dlmirrord/errands.h \
	daemons/dlmirrord/events.c daemons/dlmirrord/events.h \
	daemons/dlmirrord/flight.c daemons/dlmirrord/flight.h \
	daemons/dlmirrord/handoff.h \
	daemons/dlmirrord/handover.c daemons/dlmirrord/handover.h \
	daemons/dlmirrord/kernel_netlink.c daemons/dlmirrord/kernel_netlink.h \
	daemons/dlmirrord/legs.c \
	daemons/dlmirrord/log.c \
	daemons/dlmirrord/log_device.c \
	daemons/dlmirrord/logging.c daemons/dlmirrord/logging.h \
	daemons/dlmirrord/main.c \
	daemons/dlmirrord/marker.c \
	daemons/dlmirrord/notify.c daemons/dlmirrord/notify.h \
	daemons/dlmirrord/opener.c daemons/dlmirrord/opener.h \
	daemons/dlmirrord/ports.c \
	daemons/dlmirrord/registry.c daemons/dlmirrord/registry.h \
	daemons/dlmirrord/reload.c daemons/dlmirrord/reload.h \
	daemons/dlmirrord/halt.c \
	daemons/dlmirrord/rate.c \
	daemons/dlmirrord/reload_course.c daemons/dlmirrord/reload_course.h \
	daemons/dlmirrord/reload_note.c daemons/dlmirrord/reload_note.h \
	daemons/dlmirrord/responder.c daemons/dlmirrord/responder.h \
	daemons/dlmirrord/restore.c daemons/dlmirrord/restore.h \
	daemons/dlmirrord/runner.c daemons/dlmirrord/runner.h \
	daemons/dlmirrord/statefile.c daemons/dlmirrord/statefile.h \
	daemons/dlmirrord/stats.h \
	daemons/dlmirrord/supervisor.c daemons/dlmirrord/supervisor.h \
	daemons/dlmirrord/thread.h \
	daemons/dlmirrord/timers.c
dlmirrord_CPPFLAGS = $(AM_CPPFLAGS) -DSYSCONFDIR='"$(sysconfdir)"' \
	$(QB_CFLAGS) $(DEVMAPPER_CFLAGS) $(BLKID_CFLAGS)
dlmirrord_LDADD = libconfig.la libmessage_log.la libgroup_cpg.la liblocks.la libpump.la libstorage.la libmover.la libdevmap.la libcodec.la libcore.la libbase.la \
	$(QB_LIBS) $(COROSYNC_LIBS)
