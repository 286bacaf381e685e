# Unit tests of broker/wire. `speed` is built with them and run by hand.
if HAVE_CMOCKA
WIRE_TESTS = %D%/vectors %D%/roundtrip %D%/hostile %D%/frame \
    %D%/layout
check_PROGRAMS += $(WIRE_TESTS) %D%/speed
TESTS += $(WIRE_TESTS)
WIRE_TEST_LIBS = broker/wire/libwire.a broker/base/libbase.a
%C%_vectors_SOURCES = %D%/vectors.c %D%/wiretest.c %D%/wiretest.h \
    %D%/vectors.tbl
%C%_vectors_LDADD = $(WIRE_TEST_LIBS) $(CMOCKA_LIBS)
%C%_roundtrip_SOURCES = %D%/roundtrip.c %D%/wiretest.c %D%/wiretest.h
%C%_roundtrip_LDADD = $(WIRE_TEST_LIBS) $(CMOCKA_LIBS)
%C%_hostile_SOURCES = %D%/hostile.c %D%/wiretest.c %D%/wiretest.h
%C%_hostile_LDADD = $(WIRE_TEST_LIBS) $(CMOCKA_LIBS)
%C%_frame_SOURCES = %D%/frame.c %D%/wiretest.c %D%/wiretest.h
%C%_frame_LDADD = $(WIRE_TEST_LIBS) $(CMOCKA_LIBS)
%C%_layout_SOURCES = %D%/layout.c %D%/wiretest.c %D%/wiretest.h \
    %D%/layout.tbl
%C%_layout_LDADD = $(WIRE_TEST_LIBS) $(CMOCKA_LIBS)
%C%_speed_SOURCES = %D%/speed.c
%C%_speed_LDADD = $(WIRE_TEST_LIBS)
endif
