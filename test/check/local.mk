# ./quickstart check: everything that can be tested.
EXTRA_DIST += .ci/run .shellcheckrc test/check/cppcheck-suppressions test/check/run

# What the tests do not reach; by hand, see CONTRIBUTING.md.
EXTRA_DIST += test/check/coverage

# What the build must keep true, as part of make check.
check_SCRIPTS += test/check/debian-scripts test/check/layers test/check/packages test/check/purity test/check/tsan
program_checks += test/check/metrics test/check/page
EXTRA_DIST += test/check/debian-scripts test/check/layers test/check/metrics test/check/packages test/check/page test/check/purity test/check/tsan
