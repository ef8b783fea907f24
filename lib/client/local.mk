# The two files of other libraries are compiled into it, so that it needs no more than libqb.
lib_LTLIBRARIES += libdlmirror.la
libdlmirror_la_SOURCES = \
	lib/client/client.c \
	lib/codec/admin.c lib/codec/admin.h \
	lib/base/cursor.c lib/base/cursor.h
libdlmirror_la_CFLAGS = $(AM_CFLAGS) $(QB_CFLAGS)
libdlmirror_la_LDFLAGS = $(AM_LDFLAGS) -version-info $(LIBDLMIRROR_VERSION) \
	-Wl,--version-script=$(top_srcdir)/lib/client/libdlmirror.map
libdlmirror_la_LIBADD = $(QB_LIBS)
EXTRA_libdlmirror_la_DEPENDENCIES = lib/client/libdlmirror.map

pkgconfig_DATA += lib/client/dlmirror.pc
check_SCRIPTS += lib/client/check-symbols
EXTRA_DIST += lib/client/libdlmirror.map lib/client/check-symbols
