# tests/unit/serde
if HAVE_CMOCKA
SERDE_TESTS = %D%/pb %D%/proto_json %D%/serde
check_PROGRAMS += $(SERDE_TESTS)
TESTS += $(SERDE_TESTS)
SERDE_TEST_LIBS = streams/serde/libserde.a proto/libproto.a \
    broker/base/libbase.a $(CMOCKA_LIBS) $(PROTOBUF_C_LIBS) $(JANSSON_LIBS) \
    $(XXHASH_LIBS) -lm
SERDE_TEST_COMMON = %D%/random_message.c %D%/random_message.h
SERDE_TEST_PROTO = %D%/sample.pb-c.c %D%/old.pb-c.c
SERDE_TEST_PROTO_H = %D%/sample.pb-c.h %D%/old.pb-c.h
BUILT_SOURCES += $(SERDE_TEST_PROTO_H)
CLEANFILES += $(SERDE_TEST_PROTO) $(SERDE_TEST_PROTO_H)

%C%_pb_SOURCES = %D%/pb.c $(SERDE_TEST_COMMON)
nodist_%C%_pb_SOURCES = $(SERDE_TEST_PROTO)
%C%_pb_LDADD = $(SERDE_TEST_LIBS)
%C%_proto_json_SOURCES = %D%/proto_json.c $(SERDE_TEST_COMMON)
nodist_%C%_proto_json_SOURCES = $(SERDE_TEST_PROTO)
%C%_proto_json_LDADD = $(SERDE_TEST_LIBS)
%C%_serde_SOURCES = %D%/serde.c
%C%_serde_LDADD = $(SERDE_TEST_LIBS)
endif
EXTRA_DIST += %D%/sample.proto %D%/old.proto
