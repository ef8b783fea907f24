noinst_LTLIBRARIES += libbase.la
libbase_la_SOURCES = \
	lib/base/bits.c lib/base/bits.h \
	lib/base/crc32c.c lib/base/crc32c.h \
	lib/base/cursor.c lib/base/cursor.h
libbase_la_CPPFLAGS = $(AM_CPPFLAGS) $(ISAL_CFLAGS)
libbase_la_LIBADD = $(ISAL_LIBS)
