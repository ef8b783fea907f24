noinst_LTLIBRARIES += libcore.la
libcore_la_SOURCES = \
	lib/core/hot.c lib/core/hot.h \
	lib/core/mlog.h lib/core/types.h
