dist_man_MANS += man/dlmirror.8 man/dlmirrord.8 man/dlmirror.conf.5 \
	man/dlmirror-disk.5 man/dlmirror-mirrors.5 man/dlmirror-json.7 man/dlmirror-protocol.7 \
	man/ocf_dlmirror_dlmirrord.7 man/ocf_dlmirror_mirror.7 \
	man/libdlmirror.3 man/dlmirror_connect.3 man/dlmirror_list.3 \
	man/dlmirror_verify.3 man/dlmirror_reload.3 man/dlmirror_errand.3 man/dlmirror_daemon.3 \
	man/dlmirror_map.3 man/dlmirror_events.3 man/dlmirror_heat.3
# Links to these, for the other functions.
dist_man_MANS += man/dlmirror_free.3 man/dlmirror_error.3 man/dlmirror_get.3 \
	man/dlmirror_counters.3 man/dlmirror_verify_stop.3 \
	man/dlmirror_verify_rate.3 man/dlmirror_resync_rate.3 \
	man/dlmirror_suspend.3 man/dlmirror_resume.3 \
	man/dlmirror_log_retry.3 man/dlmirror_log_replace.3 \
	man/dlmirror_reload_status.3 man/dlmirror_errand_result.3 \
	man/dlmirror_daemon_command.3 man/dlmirror_watch.3
check_SCRIPTS += man/check-json
program_checks += man/check-man
EXTRA_DIST += man/check-json man/check-man
# An example, to be copied to sysconfdir: without a file the daemon has the same values.
dist_doc_DATA = etc/dlmirror.conf
