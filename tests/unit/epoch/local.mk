if HAVE_CMOCKA
EPOCH_TEST_LIBS = broker/epoch/libepoch.a broker/plog/libplog.a \
    broker/record/librecord.a proto/libproto.a broker/base/libbase.a \
    $(CMOCKA_LIBS) $(LMDB_LIBS) $(PROTOBUF_C_LIBS) $(CODECS_LIBS) \
    $(XXHASH_LIBS)
check_PROGRAMS += %D%/seq
TESTS += %D%/seq
%C%_seq_SOURCES = %D%/seq.c
%C%_seq_LDADD = $(EPOCH_TEST_LIBS)
endif
