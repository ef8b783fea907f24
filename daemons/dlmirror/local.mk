# The command. What is pure is a library, for its unit test.
noinst_LTLIBRARIES += libcommand.la
libcommand_la_SOURCES = \
	daemons/dlmirror/agreement.c daemons/dlmirror/agreement.h \
	daemons/dlmirror/checks.c daemons/dlmirror/checks.h \
	daemons/dlmirror/drawing.c daemons/dlmirror/drawing.h \
	daemons/dlmirror/explanation.c daemons/dlmirror/explanation.h \
	daemons/dlmirror/export.c daemons/dlmirror/export.h \
	daemons/dlmirror/exposition.c daemons/dlmirror/exposition.h \
	daemons/dlmirror/findings.c daemons/dlmirror/findings.h \
	daemons/dlmirror/foreign.c daemons/dlmirror/foreign.h \
	daemons/dlmirror/format.c daemons/dlmirror/format.h \
	daemons/dlmirror/logdev.c daemons/dlmirror/logdev.h \
	daemons/dlmirror/page.c daemons/dlmirror/page.h \
	daemons/dlmirror/picture.c daemons/dlmirror/picture.h \
	daemons/dlmirror/plan.c daemons/dlmirror/plan.h \
	daemons/dlmirror/rates.c daemons/dlmirror/rates.h \
	daemons/dlmirror/spec.c daemons/dlmirror/spec.h \
	daemons/dlmirror/spots.c daemons/dlmirror/spots.h \
	daemons/dlmirror/utf8.c daemons/dlmirror/utf8.h
libcommand_la_LIBADD = libcodec.la libmessage.la

sbin_PROGRAMS += dlmirror
dlmirror_SOURCES = \
	daemons/dlmirror/activate.c \
	daemons/dlmirror/apart.c daemons/dlmirror/apart.h \
	daemons/dlmirror/block.c daemons/dlmirror/block.h \
	daemons/dlmirror/chosen.c daemons/dlmirror/chosen.h \
	daemons/dlmirror/config.c \
	daemons/dlmirror/configured.c daemons/dlmirror/configured.h \
	daemons/dlmirror/course.c daemons/dlmirror/course.h \
	daemons/dlmirror/create.c \
	daemons/dlmirror/daemon.c \
	daemons/dlmirror/deactivate.c \
	daemons/dlmirror/device.c daemons/dlmirror/device.h \
	daemons/dlmirror/dlmirror.c \
	daemons/dlmirror/doctor.c \
	daemons/dlmirror/events.c \
	daemons/dlmirror/explain.c \
	daemons/dlmirror/identity.c daemons/dlmirror/identity.h \
	daemons/dlmirror/import.c \
	daemons/dlmirror/inactive.c daemons/dlmirror/inactive.h \
	daemons/dlmirror/leg.c \
	daemons/dlmirror/list.c \
	daemons/dlmirror/log.c \
	daemons/dlmirror/log_replace.c \
	daemons/dlmirror/map.c \
	daemons/dlmirror/mapper.c daemons/dlmirror/mapper.h \
	daemons/dlmirror/metrics.c \
	daemons/dlmirror/mirrors.c daemons/dlmirror/mirrors.h \
	daemons/dlmirror/nodes.c daemons/dlmirror/nodes.h \
	daemons/dlmirror/region_map.c daemons/dlmirror/region_map.h \
	daemons/dlmirror/reload.c daemons/dlmirror/reload.h \
	daemons/dlmirror/remove.c \
	daemons/dlmirror/rename.c \
	daemons/dlmirror/replace.c daemons/dlmirror/replace.h \
	daemons/dlmirror/report.c \
	daemons/dlmirror/set.c \
	daemons/dlmirror/shared.c daemons/dlmirror/shared.h \
	daemons/dlmirror/show.c \
	daemons/dlmirror/snapshot.c daemons/dlmirror/snapshot.h \
	daemons/dlmirror/status.c \
	daemons/dlmirror/suspend.c \
	daemons/dlmirror/survey.c daemons/dlmirror/survey.h \
	daemons/dlmirror/top.c \
	daemons/dlmirror/ui.c daemons/dlmirror/ui.h \
	daemons/dlmirror/verb.h \
	daemons/dlmirror/verify.c
dlmirror_CPPFLAGS = $(AM_CPPFLAGS) -DSYSCONFDIR='"$(sysconfdir)"' \
	$(CMAP_CFLAGS) $(SMARTCOLS_CFLAGS) $(DEVMAPPER_CFLAGS) $(BLKID_CFLAGS)
dlmirror_LDADD = libcommand.la libconfig.la libdlmirror.la \
	$(CMAP_LIBS) $(SMARTCOLS_LIBS) $(DEVMAPPER_LIBS) $(BLKID_LIBS)
