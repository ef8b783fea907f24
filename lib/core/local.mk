noinst_LTLIBRARIES += libcore.la
libcore_la_SOURCES = \
	lib/core/hot.c lib/core/hot.h \
	lib/core/census.c \
	lib/core/device.c \
	lib/core/dirty.c \
	lib/core/found.c \
	lib/core/group.c \
	lib/core/lock.c \
	lib/core/members.c \
	lib/core/mlog.c lib/core/mlog.h lib/core/mlog_internal.h \
	lib/core/pace.c \
	lib/core/pages.c \
	lib/core/peers.c \
	lib/core/repair.c \
	lib/core/request.c \
	lib/core/sync.c \
	lib/core/takeover.c \
	lib/core/tell.c \
	lib/core/mutate.h \
	lib/core/types.h
