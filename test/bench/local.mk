# Benchmarks. nulld is the floor that dlmirrord is measured against.
noinst_PROGRAMS += test/bench/nulld
test_bench_nulld_SOURCES = test/bench/nulld.c
test_bench_nulld_LDADD = libcodec.la

EXTRA_DIST += test/bench/one-node test/bench/guest
