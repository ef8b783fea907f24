# The DLM for programs
noinst_LTLIBRARIES += liblockspace.la
liblockspace_la_SOURCES = \
	lib/lockspace/backend.h \
	lib/lockspace/lockspace.c lib/lockspace/lockspace.h lib/lockspace/lockspace_internal.h \
	lib/lockspace/libdlm.c lib/lockspace/libdlm.h \
	lib/lockspace/member.c
liblockspace_la_CPPFLAGS = $(AM_CPPFLAGS) $(DLM_CFLAGS)
liblockspace_la_LIBADD = $(DLM_LIBS)
