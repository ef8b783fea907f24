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

# How a program uses the library: built here with the tree's warnings for test_client, and by check-example as its
# reader would.
noinst_PROGRAMS += lib/client/example
lib_client_example_SOURCES = lib/client/example.c
lib_client_example_LDADD = libdlmirror.la
exampledir = $(docdir)/examples
dist_example_DATA = lib/client/example.c
program_checks += lib/client/check-example
EXTRA_DIST += lib/client/check-example

# The interface as programs were compiled with it. After a change that is meant, and that they survive:
check_SCRIPTS += lib/client/check-abi
EXTRA_DIST += lib/client/check-abi lib/client/libdlmirror.abi
abi-update: libdlmirror.la
	top_srcdir='$(top_srcdir)' top_builddir='$(top_builddir)' $(top_srcdir)/lib/client/check-abi --update
.PHONY: abi-update
