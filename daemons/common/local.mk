# What the daemon and the command share.
noinst_LTLIBRARIES += libcommon.la
libcommon_la_SOURCES = daemons/common/host.c daemons/common/host.h
