# what daemons/dlmirrord builds

noinst_LTLIBRARIES += libdevmap.la libmover.la
libdevmap_la_SOURCES = \
	daemons/dlmirrord/devmap.c daemons/dlmirrord/devmap.h \
	daemons/dlmirrord/devmap_ioctl.c daemons/dlmirrord/devmap_ioctl.h \
	daemons/dlmirrord/devmap_names.c \
	daemons/dlmirrord/devmap_parse.c daemons/dlmirrord/devmap_parse.h
libdevmap_la_CPPFLAGS = $(AM_CPPFLAGS) $(DEVMAPPER_CFLAGS) $(BLKID_CFLAGS)
libdevmap_la_LIBADD = $(DEVMAPPER_LIBS) $(BLKID_LIBS)

libmover_la_SOURCES = \
	daemons/dlmirrord/mover.c daemons/dlmirrord/mover.h daemons/dlmirrord/mover_internal.h
libmover_la_LIBADD = libdevmap.la
