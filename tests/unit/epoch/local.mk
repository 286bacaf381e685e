if HAVE_CMOCKA
EPOCH_TEST_LIBS = broker/epoch/libepoch.a broker/plog/libplog.a \
    broker/record/librecord.a proto/libproto.a broker/base/libbase.a \
    $(CMOCKA_LIBS) $(LMDB_LIBS) $(PROTOBUF_C_LIBS) $(CODECS_LIBS) \
    $(XXHASH_LIBS)
EPOCH_TESTS = %D%/journal %D%/leaders %D%/overlay %D%/seq
check_PROGRAMS += $(EPOCH_TESTS)
TESTS += $(EPOCH_TESTS)
%C%_journal_SOURCES = %D%/journal.c
%C%_journal_LDADD = $(EPOCH_TEST_LIBS)
%C%_leaders_SOURCES = %D%/leaders.c
%C%_leaders_LDADD = $(EPOCH_TEST_LIBS)
%C%_overlay_SOURCES = %D%/overlay.c
%C%_overlay_LDADD = $(EPOCH_TEST_LIBS)
%C%_seq_SOURCES = %D%/seq.c
%C%_seq_LDADD = $(EPOCH_TEST_LIBS)
endif
