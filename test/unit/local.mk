# what test/unit builds

check_PROGRAMS += test_mover
test_mover_SOURCES = test/unit/test_mover.c
test_mover_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
test_mover_LDADD = libmover.la $(CMOCKA_LIBS)
