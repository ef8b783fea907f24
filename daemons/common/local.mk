# What the daemon and the command share. config.c is built into each: it needs inih.
noinst_LTLIBRARIES += libcommon.la
libcommon_la_SOURCES = daemons/common/host.c daemons/common/host.h
