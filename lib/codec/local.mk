noinst_LTLIBRARIES += libcodec.la
libcodec_la_SOURCES = \
	lib/codec/admin.c lib/codec/admin.h \
	lib/codec/disk.c lib/codec/disk.h \
	lib/codec/disk_search.c \
	lib/codec/group.c lib/codec/group.h \
	lib/codec/group_errand.c \
	lib/codec/group_internal.h lib/codec/group_reload.c \
	lib/codec/group_versions.c \
	lib/codec/kmsg.c lib/codec/kmsg.h \
	lib/codec/table.c lib/codec/table.h \
	lib/codec/trace.c lib/codec/trace.h
libcodec_la_CPPFLAGS = $(AM_CPPFLAGS) $(UUID_CFLAGS)
libcodec_la_LIBADD = libbase.la $(UUID_LIBS)
