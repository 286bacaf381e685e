# tests/unit/partition
if HAVE_CMOCKA
PARTITION_TEST_LIBS = broker/partition/libpartition.a \
    broker/epoch/libepoch.a broker/plog/libplog.a broker/record/librecord.a \
    proto/libproto.a broker/base/libbase.a $(CMOCKA_LIBS) $(LMDB_LIBS) \
    $(PROTOBUF_C_LIBS) $(CODECS_LIBS) $(XXHASH_LIBS)
PARTITION_TESTS = %D%/clean %D%/producer %D%/stable
check_PROGRAMS += $(PARTITION_TESTS)
TESTS += $(PARTITION_TESTS)
%C%_clean_SOURCES = %D%/clean.c
%C%_clean_LDADD = $(PARTITION_TEST_LIBS)
%C%_producer_SOURCES = %D%/producer.c
%C%_producer_LDADD = $(PARTITION_TEST_LIBS)
%C%_stable_SOURCES = %D%/stable.c
%C%_stable_LDADD = $(PARTITION_TEST_LIBS)
endif
