# Fuzz targets. Adding NAME takes fuzz_NAME.c, seeds in corpus/NAME/, optionally NAME.dict, one line
# in fuzz_programs and one block of three lines. With --enable-fuzz they are libFuzzer programs;
# otherwise `make check` replays their corpora.
fuzz_programs = \
	test/fuzz/fuzz_admin \
	test/fuzz/fuzz_config \
	test/fuzz/fuzz_disk \
	test/fuzz/fuzz_group \
	test/fuzz/fuzz_kmsg \
	test/fuzz/fuzz_mlog \
	test/fuzz/fuzz_table

test_fuzz_fuzz_admin_SOURCES = test/fuzz/fuzz_admin.c $(fuzz_main)
test_fuzz_fuzz_admin_LDFLAGS = $(AM_LDFLAGS) $(fuzz_link)
test_fuzz_fuzz_admin_LDADD = libcodec.la

test_fuzz_fuzz_config_SOURCES = test/fuzz/fuzz_config.c $(fuzz_main)
test_fuzz_fuzz_config_LDFLAGS = $(AM_LDFLAGS) $(fuzz_link)
test_fuzz_fuzz_config_LDADD = libconfig.la

test_fuzz_fuzz_disk_SOURCES = test/fuzz/fuzz_disk.c $(fuzz_main)
test_fuzz_fuzz_disk_LDFLAGS = $(AM_LDFLAGS) $(fuzz_link)
test_fuzz_fuzz_disk_LDADD = libstorage.la

test_fuzz_fuzz_group_SOURCES = test/fuzz/fuzz_group.c test/fuzz/group_modes.h \
	$(fuzz_main)
test_fuzz_fuzz_group_LDFLAGS = $(AM_LDFLAGS) $(fuzz_link)
test_fuzz_fuzz_group_LDADD = libcodec.la

test_fuzz_fuzz_kmsg_SOURCES = test/fuzz/fuzz_kmsg.c $(fuzz_main)
test_fuzz_fuzz_kmsg_LDFLAGS = $(AM_LDFLAGS) $(fuzz_link)
test_fuzz_fuzz_kmsg_LDADD = libcodec.la

test_fuzz_fuzz_mlog_SOURCES = test/fuzz/fuzz_mlog.c test/fuzz/mlog_actions.h \
	test/fuzz/mlog_world.c test/fuzz/mlog_world.h $(fuzz_main)
test_fuzz_fuzz_mlog_LDFLAGS = $(AM_LDFLAGS) $(fuzz_link)
test_fuzz_fuzz_mlog_LDADD = libcodec.la libcore.la libbase.la

test_fuzz_fuzz_table_SOURCES = test/fuzz/fuzz_table.c $(fuzz_main)
test_fuzz_fuzz_table_LDFLAGS = $(AM_LDFLAGS) $(fuzz_link)
test_fuzz_fuzz_table_LDADD = libcodec.la

EXTRA_DIST += test/fuzz/run test/fuzz/corpus test/fuzz/table.dict test/fuzz/config.dict

# The seeds of group and mlog are written by a program, when the messages have changed.
EXTRA_PROGRAMS = test/fuzz/seeds
test_fuzz_seeds_SOURCES = test/fuzz/seeds.c test/fuzz/group_modes.h test/fuzz/mlog_actions.h \
	test/unit/group_samples.c test/unit/group_samples.h
CLEANFILES += test/fuzz/seeds

fuzz-seeds: test/fuzz/seeds
	mkdir -p $(top_srcdir)/test/fuzz/corpus/group $(top_srcdir)/test/fuzz/corpus/mlog
	test/fuzz/seeds $(top_srcdir)/test/fuzz/corpus

if FUZZ
noinst_PROGRAMS += $(fuzz_programs)
fuzz_main = test/fuzz/fuzz.h
fuzz_link = -fsanitize=fuzzer

fuzz-short: $(fuzz_programs)
	@$(top_srcdir)/test/fuzz/run $${FUZZ_SECONDS:-15} $(fuzz_programs)

fuzz-long: $(fuzz_programs)
	@$(top_srcdir)/test/fuzz/run $${FUZZ_SECONDS:-600} $(fuzz_programs)
else
check_PROGRAMS += $(fuzz_programs)
fuzz_main = test/fuzz/replay.c test/fuzz/fuzz.h
fuzz_link =

fuzz-short fuzz-long:
	@echo "$@: nothing done, this build has no fuzz targets: configure with CC=clang --enable-fuzz"
endif

clean-local: clean-fuzz
clean-fuzz:
	rm -rf fuzz-work
.PHONY: fuzz-short fuzz-long fuzz-seeds clean-fuzz
