# What the daemon and the command share.
noinst_LTLIBRARIES += libcommon.la libconfig.la
libcommon_la_SOURCES = \
	daemons/common/bytes.c daemons/common/bytes.h \
	daemons/common/host.c daemons/common/host.h

# Files of configuration, by inih.
libconfig_la_SOURCES = \
	daemons/common/config.c daemons/common/config.h \
	daemons/common/inifile.c daemons/common/inifile.h \
	daemons/common/mirror_file.c daemons/common/mirror_file.h \
	daemons/common/plan_text.c daemons/common/plan_text.h
libconfig_la_CPPFLAGS = $(AM_CPPFLAGS) $(INIH_CFLAGS)
libconfig_la_LIBADD = libcommon.la libbase.la $(INIH_LIBS)
