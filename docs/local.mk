dist_doc_DATA += docs/from-cmirrord.md docs/from-md-cluster.md docs/sizing.md docs/testing.md
