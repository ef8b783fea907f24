dist_doc_DATA += docs/failures.md docs/first-cluster.md docs/from-cmirrord.md \
	docs/from-md-cluster.md docs/sizing.md docs/testing.md docs/figures.md docs/simulator.md
check_SCRIPTS += docs/check-docs
EXTRA_DIST += docs/check-docs
