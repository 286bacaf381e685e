# tests/unit/retail
if HAVE_CMOCKA
RETAIL_TESTS = %D%/books %D%/play %D%/replay %D%/sales
check_PROGRAMS += $(RETAIL_TESTS)
TESTS += $(RETAIL_TESTS)
RETAIL_TEST_LIBS = $(RETAIL_LIBS) tools/libtools.a $(CLIENT_LIBS) \
    streams/serde/libserde.a proto/libproto.a broker/base/libbase.a \
    $(CMOCKA_LIBS) $(PROTOBUF_C_LIBS) $(CODECS_LIBS) $(XXHASH_LIBS) \
    $(JANSSON_LIBS) -lm

%C%_books_SOURCES = %D%/books.c
%C%_books_LDADD = $(RETAIL_TEST_LIBS)
%C%_play_SOURCES = %D%/play.c
%C%_play_LDADD = $(RETAIL_TEST_LIBS)
%C%_replay_SOURCES = %D%/replay.c
%C%_replay_LDADD = $(RETAIL_TEST_LIBS)
%C%_sales_SOURCES = %D%/sales.c
%C%_sales_LDADD = $(RETAIL_TEST_LIBS)
endif
