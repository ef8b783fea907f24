# The models: of the hot maps, of claims and gates, of takeover and rejoin; see the head of each.
check_SCRIPTS += test/model/check
EXTRA_DIST += test/model/check test/model/hot.pml test/model/claim.pml test/model/takeover.pml
