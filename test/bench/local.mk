# Benchmarks. nulld is the floor that dlmirrord is measured against.
noinst_PROGRAMS += test/bench/nulld
test_bench_nulld_SOURCES = test/bench/nulld.c
test_bench_nulld_LDADD = libcodec.la

# Sixteen nodes in the simulator, in real time. `make check` runs test/bench/sixteen-check.
EXTRA_PROGRAMS += test/bench/sixteen-nodes
check_DATA += test/bench/sixteen-nodes$(EXEEXT)
CLEANFILES += test/bench/sixteen-nodes
test_bench_sixteen_nodes_SOURCES = test/bench/sixteen_nodes.c
test_bench_sixteen_nodes_CPPFLAGS = $(libsim16_la_CPPFLAGS)
test_bench_sixteen_nodes_LDADD = libsim16.la
program_checks += test/bench/sixteen-check
EXTRA_DIST += test/bench/sixteen-check
EXTRA_DIST += test/bench/bench.sh test/bench/one-node test/bench/three-nodes
EXTRA_DIST += test/bench/guest test/bench/guest.sh test/bench/guest-three
