# tests/unit/record
EXTRA_DIST += %D%/help.h %D%/vectors.h

if HAVE_CMOCKA
record_test_libs = broker/record/librecord.a broker/base/libbase.a \
    $(CMOCKA_LIBS) $(CODECS_LIBS) $(XXHASH_LIBS)
record_tests = %D%/batch %D%/build %D%/compress %D%/control %D%/kerr
check_PROGRAMS += $(record_tests)
TESTS += $(record_tests)
%C%_batch_SOURCES = %D%/batch.c
%C%_batch_LDADD = $(record_test_libs)
%C%_build_SOURCES = %D%/build.c
%C%_build_LDADD = $(record_test_libs)
%C%_compress_SOURCES = %D%/compress.c
%C%_compress_LDADD = $(record_test_libs)
%C%_control_SOURCES = %D%/control.c
%C%_control_LDADD = $(record_test_libs)
%C%_kerr_SOURCES = %D%/kerr.c
%C%_kerr_LDADD = $(record_test_libs)

# our snappy against Google's, which no other program links
if HAVE_SNAPPY
check_PROGRAMS += %D%/snap
TESTS += %D%/snap
%C%_snap_SOURCES = %D%/snap.c
%C%_snap_LDADD = $(record_test_libs) -lsnappy
endif
endif
