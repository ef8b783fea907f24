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
libconfig_la_LIBADD = libcommon.la libmessage.la libbase.la $(INIH_LIBS)

# What they say, and the page about it: all of messages.catalog.
noinst_LTLIBRARIES += libmessage.la
libmessage_la_SOURCES = daemons/common/message.c daemons/common/message.h daemons/common/missing.h
message_headers = daemons/common/message_ids.h daemons/common/message_table.h
nodist_libmessage_la_SOURCES = $(message_headers)
BUILT_SOURCES += $(message_headers)
man_MANS = man/dlmirror-messages.7
message_made = $(message_headers) $(man_MANS)
CLEANFILES += $(message_made)
message_inputs = daemons/common/messages.awk daemons/common/messages.catalog
EXTRA_DIST += $(message_inputs) daemons/common/check-messages
check_SCRIPTS += daemons/common/check-messages

# "make dlmirror" alone knows nothing of BUILT_SOURCES.
$(libmessage_la_OBJECTS) $(libmessage_log_la_OBJECTS) $(libconfig_la_OBJECTS) $(libcommand_la_OBJECTS) \
	$(libdevmap_la_OBJECTS) $(libstorage_la_OBJECTS) $(libgroup_cpg_la_OBJECTS) $(liblocks_la_OBJECTS) \
	$(dlmirror_OBJECTS) $(dlmirrord_OBJECTS): $(message_headers)

$(message_made): $(message_inputs)
	$(AM_V_GEN)$(MKDIR_P) $(@D) && \
		$(AWK) -v target=$(@F) -f $(srcdir)/daemons/common/messages.awk $(srcdir)/daemons/common/messages.catalog >$@.new && \
		mv $@.new $@
