# ./quickstart check: everything that can be tested.
EXTRA_DIST += .ci/run .shellcheckrc test/check/cppcheck-suppressions test/check/run
