# One block per test program, in the order of the layers they test; each links only what it needs.

# lib/base
check_PROGRAMS += test/unit/test_bits
test_unit_test_bits_SOURCES = test/unit/test_bits.c
test_unit_test_bits_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_unit_test_bits_LDADD = libbase.la $(CMOCKA_LIBS)

check_PROGRAMS += test/unit/test_cursor
test_unit_test_cursor_SOURCES = test/unit/test_cursor.c
test_unit_test_cursor_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_unit_test_cursor_LDADD = libbase.la $(CMOCKA_LIBS)

check_PROGRAMS += test/unit/test_crc32c
test_unit_test_crc32c_SOURCES = test/unit/test_crc32c.c
test_unit_test_crc32c_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_unit_test_crc32c_LDADD = libbase.la $(CMOCKA_LIBS)

# lib/core
check_PROGRAMS += test/unit/test_hot
test_unit_test_hot_SOURCES = test/unit/test_hot.c
test_unit_test_hot_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_unit_test_hot_LDADD = libcore.la libbase.la $(CMOCKA_LIBS)

check_PROGRAMS += test/unit/test_hot_stress
test_unit_test_hot_stress_SOURCES = test/unit/test_hot_stress.c
test_unit_test_hot_stress_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_unit_test_hot_stress_LDADD = libcore.la libbase.la $(CMOCKA_LIBS)

# lib/codec
check_PROGRAMS += test/unit/test_disk
test_unit_test_disk_SOURCES = test/unit/test_disk.c
test_unit_test_disk_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_unit_test_disk_LDADD = libcodec.la $(CMOCKA_LIBS)

check_PROGRAMS += test/unit/test_disk_page
test_unit_test_disk_page_SOURCES = test/unit/test_disk_page.c
test_unit_test_disk_page_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_unit_test_disk_page_LDADD = libcodec.la $(CMOCKA_LIBS)

check_PROGRAMS += test/unit/test_kmsg
test_unit_test_kmsg_SOURCES = test/unit/test_kmsg.c
test_unit_test_kmsg_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_unit_test_kmsg_LDADD = libcodec.la $(CMOCKA_LIBS)

check_PROGRAMS += test/unit/test_table
test_unit_test_table_SOURCES = test/unit/test_table.c
test_unit_test_table_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_unit_test_table_LDADD = libcodec.la $(CMOCKA_LIBS)

check_PROGRAMS += test/unit/test_group_codec
test_unit_test_group_codec_SOURCES = test/unit/test_group_codec.c \
	test/unit/group_samples.c test/unit/group_samples.h
test_unit_test_group_codec_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_unit_test_group_codec_LDADD = libcodec.la $(CMOCKA_LIBS)

check_PROGRAMS += test/unit/test_trace
test_unit_test_trace_SOURCES = test/unit/test_trace.c
test_unit_test_trace_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_unit_test_trace_LDADD = libcodec.la $(CMOCKA_LIBS)

# lib/lockspace
check_PROGRAMS += test/unit/test_lockspace
test_unit_test_lockspace_SOURCES = test/unit/test_lockspace.c test/unit/fake_dlm.c test/unit/fake_dlm.h
test_unit_test_lockspace_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_unit_test_lockspace_LDADD = liblockspace.la $(CMOCKA_LIBS)

# daemons/dlmirrord
check_PROGRAMS += test/unit/test_locks_dlm
test_unit_test_locks_dlm_SOURCES = test/unit/test_locks_dlm.c test/unit/fake_dlm.c test/unit/fake_dlm.h
test_unit_test_locks_dlm_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_unit_test_locks_dlm_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=calloc
test_unit_test_locks_dlm_LDADD = liblocks.la $(CMOCKA_LIBS)

check_PROGRAMS += test/unit/test_reload_course
test_unit_test_reload_course_SOURCES = test/unit/test_reload_course.c \
	daemons/dlmirrord/reload_course.c daemons/dlmirrord/reload_course.h
test_unit_test_reload_course_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_unit_test_reload_course_LDADD = $(CMOCKA_LIBS)

check_PROGRAMS += test/unit/test_reload_note
test_unit_test_reload_note_SOURCES = test/unit/test_reload_note.c daemons/common/plan_text.c \
	daemons/dlmirrord/reload_note.c daemons/dlmirrord/reload_note.h
test_unit_test_reload_note_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_unit_test_reload_note_LDADD = $(CMOCKA_LIBS)

check_PROGRAMS += test/unit/test_pump
test_unit_test_pump_SOURCES = test/unit/test_pump.c
test_unit_test_pump_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_unit_test_pump_LDADD = libpump.la $(CMOCKA_LIBS)

check_PROGRAMS += test/unit/test_control
test_unit_test_control_SOURCES = test/unit/test_control.c daemons/dlmirrord/control.c \
	daemons/dlmirrord/events.c daemons/dlmirrord/log.c daemons/dlmirrord/rate.c \
	daemons/dlmirrord/registry.c daemons/dlmirrord/responder.c daemons/dlmirrord/restore.c \
	daemons/dlmirrord/statefile.c
test_unit_test_control_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(QB_CFLAGS)
test_unit_test_control_LDADD = libmessage_log.la libpump.la libstorage.la libcodec.la libcore.la libbase.la $(CMOCKA_LIBS) $(QB_LIBS)

check_PROGRAMS += test/unit/test_legs
test_unit_test_legs_SOURCES = test/unit/test_legs.c daemons/dlmirrord/events.c \
	daemons/dlmirrord/legs.c daemons/dlmirrord/registry.c
test_unit_test_legs_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(QB_CFLAGS)
test_unit_test_legs_LDADD = libmessage_log.la libpump.la libcodec.la libcore.la libbase.la $(CMOCKA_LIBS) $(QB_LIBS)

check_PROGRAMS += test/unit/test_ports
test_unit_test_ports_SOURCES = test/unit/test_ports.c daemons/dlmirrord/events.c \
	daemons/dlmirrord/ports.c
test_unit_test_ports_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(QB_CFLAGS)
test_unit_test_ports_LDADD = libmessage_log.la libpump.la libcodec.la libcore.la libbase.la $(CMOCKA_LIBS) $(QB_LIBS)

check_PROGRAMS += test/unit/test_marker
test_unit_test_marker_SOURCES = test/unit/test_marker.c daemons/dlmirrord/marker.c
test_unit_test_marker_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(QB_CFLAGS)
test_unit_test_marker_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=open -Wl,--wrap=unlink -Wl,--wrap=pthread_create
test_unit_test_marker_LDADD = libmessage_log.la libbase.la $(CMOCKA_LIBS) $(QB_LIBS)

check_PROGRAMS += test/unit/test_notify
test_unit_test_notify_SOURCES = test/unit/test_notify.c daemons/dlmirrord/notify.c
test_unit_test_notify_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_unit_test_notify_LDADD = $(CMOCKA_LIBS)

check_PROGRAMS += test/unit/test_events
test_unit_test_events_SOURCES = test/unit/test_events.c daemons/dlmirrord/events.c
test_unit_test_events_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(QB_CFLAGS)
test_unit_test_events_LDADD = libmessage_log.la libbase.la $(CMOCKA_LIBS) $(QB_LIBS)

check_PROGRAMS += test/unit/test_flight
test_unit_test_flight_SOURCES = test/unit/test_flight.c daemons/dlmirrord/flight.c
test_unit_test_flight_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_unit_test_flight_LDADD = libcodec.la $(CMOCKA_LIBS)

check_PROGRAMS += test/unit/test_mover
test_unit_test_mover_SOURCES = test/unit/test_mover.c
test_unit_test_mover_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_unit_test_mover_LDADD = libmover.la $(CMOCKA_LIBS)

check_PROGRAMS += test/unit/test_opener
test_unit_test_opener_SOURCES = test/unit/test_opener.c daemons/dlmirrord/opener.c
test_unit_test_opener_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_unit_test_opener_LDADD = libmessage.la $(CMOCKA_LIBS)

check_PROGRAMS += test/unit/test_devmap_parse
test_unit_test_devmap_parse_SOURCES = test/unit/test_devmap_parse.c daemons/dlmirrord/devmap_parse.c
test_unit_test_devmap_parse_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_unit_test_devmap_parse_LDADD = $(CMOCKA_LIBS)

check_PROGRAMS += test/unit/test_suspender
test_unit_test_suspender_SOURCES = test/unit/test_suspender.c
test_unit_test_suspender_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_unit_test_suspender_LDADD = libdevmap.la $(CMOCKA_LIBS)

check_PROGRAMS += test/unit/test_errands
test_unit_test_errands_SOURCES = test/unit/test_errands.c \
	daemons/dlmirrord/errands.c daemons/dlmirrord/runner.c
test_unit_test_errands_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(QB_CFLAGS)
test_unit_test_errands_LDADD = libmessage_log.la libdevmap.la libcodec.la libcore.la libbase.la $(CMOCKA_LIBS) $(QB_LIBS)

check_PROGRAMS += test/unit/test_devmap
test_unit_test_devmap_SOURCES = test/unit/test_devmap.c
test_unit_test_devmap_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_unit_test_devmap_LDADD = libdevmap.la $(CMOCKA_LIBS)

check_PROGRAMS += test/unit/test_responder_stress
test_unit_test_responder_stress_SOURCES = test/unit/test_responder_stress.c \
	daemons/dlmirrord/registry.c daemons/dlmirrord/responder.c
test_unit_test_responder_stress_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_unit_test_responder_stress_LDADD = libcodec.la libcore.la libbase.la $(CMOCKA_LIBS)

# the group port, against a corosync of the test's own
check_PROGRAMS += test/unit/test_group_cpg
test_unit_test_group_cpg_SOURCES = test/unit/test_group_cpg.c
test_unit_test_group_cpg_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(COROSYNC_CFLAGS)
test_unit_test_group_cpg_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=clock_gettime
test_unit_test_group_cpg_LDADD = libgroup_cpg.la $(CMOCKA_LIBS) $(QB_LIBS) -lcorosync_common

# configuration
check_PROGRAMS += test/unit/test_config
test_unit_test_config_SOURCES = test/unit/test_config.c
test_unit_test_config_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_unit_test_config_LDADD = libconfig.la $(CMOCKA_LIBS)

check_PROGRAMS += test/unit/test_agreement
test_unit_test_agreement_SOURCES = test/unit/test_agreement.c
test_unit_test_agreement_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_unit_test_agreement_LDADD = libcommand.la $(CMOCKA_LIBS)

check_PROGRAMS += test/unit/test_plan_text
test_unit_test_plan_text_SOURCES = test/unit/test_plan_text.c
test_unit_test_plan_text_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_unit_test_plan_text_LDADD = libconfig.la $(CMOCKA_LIBS)

check_PROGRAMS += test/unit/test_mirror_file
test_unit_test_mirror_file_SOURCES = test/unit/test_mirror_file.c
test_unit_test_mirror_file_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_unit_test_mirror_file_LDADD = libconfig.la $(CMOCKA_LIBS)

# the daemon's log
check_PROGRAMS += test/unit/test_logging
test_unit_test_logging_SOURCES = test/unit/test_logging.c daemons/dlmirrord/logging.c daemons/dlmirrord/flight.c
test_unit_test_logging_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(QB_CFLAGS)
test_unit_test_logging_LDADD = libmessage_log.la libcodec.la libbase.la $(CMOCKA_LIBS) $(QB_LIBS)

# what daemon and command share
check_PROGRAMS += test/unit/test_host
test_unit_test_host_SOURCES = test/unit/test_host.c
test_unit_test_host_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_unit_test_host_LDADD = libcommon.la $(CMOCKA_LIBS)

# admin messages, the server, and libdlmirror against it
check_PROGRAMS += test/unit/test_client
test_unit_test_client_SOURCES = test/unit/test_client.c daemons/dlmirrord/admin_server.c
test_unit_test_client_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(QB_CFLAGS)
test_unit_test_client_LDADD = libmessage.la libdlmirror.la libcodec.la $(CMOCKA_LIBS) $(QB_LIBS)

# The storage adapter; the rig records what it gives to libaio.
storage_wraps = -Wl,--wrap=io_submit -Wl,--wrap=io_getevents
check_PROGRAMS += test/unit/test_storage test/unit/test_storage_crash test/unit/test_storage_slots
test_unit_test_storage_SOURCES = test/unit/test_storage.c \
	test/unit/storage_rig.c test/unit/storage_rig.h
test_unit_test_storage_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_unit_test_storage_LDFLAGS = $(AM_LDFLAGS) $(storage_wraps)
test_unit_test_storage_LDADD = libstorage.la $(CMOCKA_LIBS)

test_unit_test_storage_crash_SOURCES = test/unit/test_storage_crash.c \
	test/unit/storage_rig.c test/unit/storage_rig.h
test_unit_test_storage_crash_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_unit_test_storage_crash_LDFLAGS = $(AM_LDFLAGS) $(storage_wraps)
test_unit_test_storage_crash_LDADD = libstorage.la $(CMOCKA_LIBS)

test_unit_test_storage_slots_SOURCES = test/unit/test_storage_slots.c \
	test/unit/storage_rig.c test/unit/storage_rig.h
test_unit_test_storage_slots_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_unit_test_storage_slots_LDFLAGS = $(AM_LDFLAGS) $(storage_wraps)
test_unit_test_storage_slots_LDADD = libstorage.la $(CMOCKA_LIBS)

check_PROGRAMS += test/unit/test_admin
test_unit_test_admin_SOURCES = test/unit/test_admin.c
test_unit_test_admin_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_unit_test_admin_LDADD = libcodec.la $(CMOCKA_LIBS)

check_PROGRAMS += test/unit/test_mlog
test_unit_test_mlog_SOURCES = test/unit/test_mlog.c
test_unit_test_mlog_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_unit_test_mlog_LDADD = libcore.la libbase.la $(CMOCKA_LIBS)

check_PROGRAMS += test/unit/test_cluster
test_unit_test_cluster_SOURCES = test/unit/test_cluster.c \
	test/unit/cluster_rig.c test/unit/cluster_rig.h
test_unit_test_cluster_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_unit_test_cluster_LDADD = libcore.la libbase.la $(CMOCKA_LIBS)

check_PROGRAMS += test/unit/test_cluster_device
test_unit_test_cluster_device_SOURCES = test/unit/test_cluster_device.c \
	test/unit/cluster_rig.c test/unit/cluster_rig.h
test_unit_test_cluster_device_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_unit_test_cluster_device_LDADD = libcore.la libbase.la $(CMOCKA_LIBS)

check_PROGRAMS += test/unit/test_cluster_input
test_unit_test_cluster_input_SOURCES = test/unit/test_cluster_input.c \
	test/unit/cluster_rig.c test/unit/cluster_rig.h
test_unit_test_cluster_input_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_unit_test_cluster_input_LDADD = libcore.la libbase.la $(CMOCKA_LIBS)

# the command
check_PROGRAMS += test/unit/test_command
test_unit_test_command_SOURCES = test/unit/test_command.c
test_unit_test_command_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_unit_test_command_LDADD = libcommand.la libcommon.la $(CMOCKA_LIBS)

check_PROGRAMS += test/unit/test_explanation
test_unit_test_explanation_SOURCES = test/unit/test_explanation.c
test_unit_test_explanation_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_unit_test_explanation_LDADD = libcommand.la libcore.la libbase.la $(CMOCKA_LIBS)

check_PROGRAMS += test/unit/test_exposition
test_unit_test_exposition_SOURCES = test/unit/test_exposition.c
test_unit_test_exposition_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_unit_test_exposition_LDADD = libcommand.la libcommon.la $(CMOCKA_LIBS)

check_PROGRAMS += test/unit/test_foreign
test_unit_test_foreign_SOURCES = test/unit/test_foreign.c
test_unit_test_foreign_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_unit_test_foreign_LDADD = libcommand.la libcommon.la $(CMOCKA_LIBS)

check_PROGRAMS += test/unit/test_rates
test_unit_test_rates_SOURCES = test/unit/test_rates.c
test_unit_test_rates_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_unit_test_rates_LDADD = libcommand.la libcommon.la $(CMOCKA_LIBS)

check_PROGRAMS += test/unit/test_spots
test_unit_test_spots_SOURCES = test/unit/test_spots.c
test_unit_test_spots_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_unit_test_spots_LDADD = libcommand.la $(CMOCKA_LIBS)

check_PROGRAMS += test/unit/test_apart
test_unit_test_apart_SOURCES = test/unit/test_apart.c daemons/dlmirror/apart.c
test_unit_test_apart_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_unit_test_apart_LDADD = $(CMOCKA_LIBS)

check_PROGRAMS += test/unit/test_checks
test_unit_test_checks_SOURCES = test/unit/test_checks.c
test_unit_test_checks_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_unit_test_checks_LDADD = libcommand.la libconfig.la $(CMOCKA_LIBS)

check_PROGRAMS += test/unit/test_findings
test_unit_test_findings_SOURCES = test/unit/test_findings.c
test_unit_test_findings_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_unit_test_findings_LDADD = libcommand.la libconfig.la $(CMOCKA_LIBS)

check_PROGRAMS += test/unit/test_page
test_unit_test_page_SOURCES = test/unit/test_page.c
test_unit_test_page_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_unit_test_page_LDADD = libcommand.la libconfig.la $(CMOCKA_LIBS)

check_PROGRAMS += test/unit/test_verbs
test_unit_test_verbs_SOURCES = test/unit/test_verbs.c daemons/dlmirrord/admin_server.c
test_unit_test_verbs_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(QB_CFLAGS)
test_unit_test_verbs_LDADD = libmessage.la libcodec.la $(CMOCKA_LIBS) $(QB_LIBS)
