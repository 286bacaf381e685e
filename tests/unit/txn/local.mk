# tests/unit/txn
if HAVE_CMOCKA
TXN_TESTS = %D%/sim %D%/step
check_PROGRAMS += $(TXN_TESTS)
TESTS += $(TXN_TESTS)
TXN_TEST_LIBS = broker/txn/libtxn.a broker/partition/libpartition.a \
    broker/epoch/libepoch.a broker/plog/libplog.a \
    broker/record/librecord.a proto/libproto.a broker/base/libbase.a \
    $(CMOCKA_LIBS) $(LMDB_LIBS) $(PROTOBUF_C_LIBS) $(CODECS_LIBS) \
    $(XXHASH_LIBS)
%C%_sim_SOURCES = %D%/sim.c
%C%_sim_LDADD = $(TXN_TEST_LIBS)
%C%_step_SOURCES = %D%/step.c
%C%_step_LDADD = $(TXN_TEST_LIBS)
endif
