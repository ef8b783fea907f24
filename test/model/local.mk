# The model of the hot maps; see the head of hot.pml.
check_SCRIPTS += test/model/check
EXTRA_DIST += test/model/check test/model/hot.pml
