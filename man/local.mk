dist_man_MANS += man/dlmirror.8 man/dlmirrord.8 man/dlmirror.conf.5 \
	man/dlmirror-disk.5 man/dlmirror-mirrors.5 man/dlmirror-protocol.7
check_SCRIPTS += man/check-man
EXTRA_DIST += man/check-man
# An example, to be copied to sysconfdir: without a file the daemon has the same values.
dist_doc_DATA = etc/dlmirror.conf
