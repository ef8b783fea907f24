# The rig: shell scripts and C tools. agent.c and remote.c belong to the image and are built by test/vm/setup.
noinst_PROGRAMS += test/vm/compare-legs test/vm/kernel-probe test/vm/reload-table test/vm/wtimer
test_vm_compare_legs_SOURCES = test/vm/compare_legs.c
test_vm_kernel_probe_SOURCES = test/vm/kernel_probe.c
test_vm_kernel_probe_LDADD = libcodec.la
test_vm_reload_table_SOURCES = test/vm/reload_table.c
test_vm_reload_table_LDADD = libdevmap.la
test_vm_wtimer_SOURCES = test/vm/wtimer.c

noinst_PROGRAMS += test/vm/group-probe
test_vm_group_probe_SOURCES = test/vm/group_probe.c
test_vm_group_probe_CPPFLAGS = $(AM_CPPFLAGS) $(QB_CFLAGS) $(COROSYNC_CFLAGS)
test_vm_group_probe_LDADD = libgroup_cpg.la $(COROSYNC_LIBS) $(QB_LIBS)

noinst_PROGRAMS += test/vm/lockspace-probe
test_vm_lockspace_probe_SOURCES = test/vm/lockspace_probe.c
test_vm_lockspace_probe_LDADD = liblocks.la

VM_SCENARIOS = \
	test/vm/scenarios/cluster-array-fails \
	test/vm/scenarios/cluster-configured \
	test/vm/scenarios/cluster-cut-legs \
	test/vm/scenarios/cluster-daemon-kill \
	test/vm/scenarios/cluster-daemon-stop \
	test/vm/scenarios/cluster-failures \
	test/vm/scenarios/cluster-from-md \
	test/vm/scenarios/cluster-gfs2 \
	test/vm/scenarios/cluster-join-leave \
	test/vm/scenarios/cluster-leg-error \
	test/vm/scenarios/cluster-log-error \
	test/vm/scenarios/cluster-log-replace \
	test/vm/scenarios/cluster-many-die \
	test/vm/scenarios/cluster-pacemaker \
	test/vm/scenarios/cluster-partition \
	test/vm/scenarios/cluster-power-cut \
	test/vm/scenarios/cluster-power-cut-join \
	test/vm/scenarios/cluster-power-cut-repair \
	test/vm/scenarios/cluster-power-cut-resync \
	test/vm/scenarios/cluster-reload \
	test/vm/scenarios/cluster-reload-in-step \
	test/vm/scenarios/cluster-resync \
	test/vm/scenarios/cluster-rig \
	test/vm/scenarios/cluster-rolling-restart \
	test/vm/scenarios/cluster-services-kill \
	test/vm/scenarios/cluster-upgrade \
	test/vm/scenarios/cluster-soak \
	test/vm/scenarios/command \
	test/vm/scenarios/configured \
	test/vm/scenarios/core-marks \
	test/vm/scenarios/cluster-cpg-views \
	test/vm/scenarios/create-write-status \
	test/vm/scenarios/daemon-kill \
	test/vm/scenarios/daemon-restart \
	test/vm/scenarios/daemon-stop \
	test/vm/scenarios/cluster-dlm-locks \
	test/vm/scenarios/documents \
	test/vm/scenarios/flight-record \
	test/vm/scenarios/from-lvm \
	test/vm/scenarios/interrupted \
	test/vm/scenarios/kernel-failures \
	test/vm/scenarios/kernel-log \
	test/vm/scenarios/kernel-order \
	test/vm/scenarios/kernel-states \
	test/vm/scenarios/leg-error \
	test/vm/scenarios/log-device-error \
	test/vm/scenarios/many-mirrors \
	test/vm/scenarios/power-cut \
	test/vm/scenarios/reload-grow-shrink \
	test/vm/scenarios/reload-in-step \
	test/vm/scenarios/removed-while-away \
	test/vm/scenarios/request-in-flight \
	test/vm/scenarios/reset-killed \
	test/vm/scenarios/restart-fails \
	test/vm/scenarios/sigterm-refused \
	test/vm/scenarios/slow-log-device \
	test/vm/scenarios/single-thread \
	test/vm/scenarios/state-lost \
	test/vm/scenarios/table-again \
	test/vm/scenarios/table-loaded \
	test/vm/scenarios/takeover-from-kernel \
	test/vm/scenarios/wrong-owner

EXTRA_DIST += test/vm/agent.c test/vm/cluster.sh test/vm/common.sh test/vm/guest-cluster test/vm/guest-fence test/vm/guest-init \
	test/vm/guest-initrd test/vm/lib.sh test/vm/node test/vm/probe.sh test/vm/remote.c test/vm/tsc_khz.c test/vm/run test/vm/setup test/vm/soak \
	test/vm/demo test/vm/shell $(VM_SCENARIOS)

# the files of the nodes that are a whole Debian
EXTRA_DIST += test/vm/guest-ipmilan test/vm/debian/rig-begin test/vm/debian/rig-ready.service test/vm/debian/rig.service
