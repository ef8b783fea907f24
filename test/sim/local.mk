# The simulator: the core, the codecs and the pump, built with their deliberate faults
# (core/mutate.h), in a simulated world. It is no test by itself: `make check` runs test/sim/check;
# `make test/sim/sim` builds it to be used by hand.
EXTRA_PROGRAMS += test/sim/sim
check_DATA = test/sim/sim$(EXEEXT)
CLEANFILES += test/sim/sim
sim_sources = \
	test/sim/agent.c test/sim/agent.h \
	test/sim/change.c test/sim/change.h \
	test/sim/checker.c test/sim/checker.h \
	test/sim/cpg.c test/sim/cpg.h \
	test/sim/faults.c test/sim/faults.h \
	test/sim/fence.c test/sim/fence.h \
	test/sim/jobs.c test/sim/jobs.h \
	test/sim/kernel.h test/sim/kernel_internal.h \
	test/sim/kernel_call.c \
	test/sim/kernel_device.c \
	test/sim/kernel_hash.c \
	test/sim/kernel_log.c \
	test/sim/kernel_mirror.c \
	test/sim/legs.c test/sim/legs.h \
	test/sim/load.c test/sim/load.h \
	test/sim/locks.c test/sim/locks.h \
	test/sim/log.c \
	test/sim/log_ports.c \
	test/sim/logdev.c test/sim/logdev.h \
	test/sim/meter.c test/sim/meter.h \
	test/sim/mover.c test/sim/mover.h \
	test/sim/mutations.c \
	test/sim/node.c test/sim/node.h test/sim/node_internal.h \
	test/sim/queue.c test/sim/queue.h \
	test/sim/random.c test/sim/random.h \
	test/sim/scenario.c test/sim/scenario.h \
	test/sim/shrink.c test/sim/shrink.h \
	test/sim/sim.h \
	test/sim/world.c test/sim/world.h \
	daemons/dlmirrord/pump.c daemons/dlmirrord/pump.h \
	$(libcore_la_SOURCES)
test_sim_sim_SOURCES = test/sim/main.c $(sim_sources)
test_sim_sim_CPPFLAGS = $(AM_CPPFLAGS) -DDLM_MUTATIONS $(UUID_CFLAGS)
test_sim_sim_LDADD = libcodec.la libbase.la $(UUID_LIBS)

# The same with clusters of up to 16 nodes, and so with other runs for the same seeds:
# `make test/sim/sim16`, and test/bench/sixteen-nodes.
EXTRA_LTLIBRARIES = libsim16.la
libsim16_la_SOURCES = $(sim_sources)
libsim16_la_CPPFLAGS = $(test_sim_sim_CPPFLAGS) -DSIM_NODES_MAX=16U
libsim16_la_LIBADD = libcodec.la libbase.la $(UUID_LIBS)
EXTRA_PROGRAMS += test/sim/sim16
CLEANFILES += libsim16.la test/sim/sim16
test_sim_sim16_SOURCES = test/sim/main.c
test_sim_sim16_CPPFLAGS = $(libsim16_la_CPPFLAGS)
test_sim_sim16_LDADD = libsim16.la

program_checks += test/sim/check
EXTRA_DIST += test/sim/check test/sim/kept test/sim/open.txt test/sim/seeds.txt test/sim/slice test/sim/stories

# Writes the traces of the stories anew, after a change that is meant to change them. Read the
# difference.
sim-stories: test/sim/sim$(EXEEXT)
	top_srcdir='$(top_srcdir)' top_builddir='$(top_builddir)' $(top_srcdir)/test/sim/check --update
.PHONY: sim-stories

# Is the model of the kernel as nasty as the kernel?
check_PROGRAMS += test/sim/test_kernel_model
test_sim_test_kernel_model_SOURCES = \
	test/sim/test_kernel_model.c \
	test/sim/checker.c \
	test/sim/kernel_call.c \
	test/sim/kernel_device.c \
	test/sim/kernel_hash.c \
	test/sim/kernel_log.c \
	test/sim/kernel_mirror.c \
	test/sim/legs.c \
	test/sim/load.c \
	test/sim/queue.c \
	test/sim/random.c
test_sim_test_kernel_model_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_sim_test_kernel_model_LDADD = libcodec.la libcore.la libbase.la $(CMOCKA_LIBS)
