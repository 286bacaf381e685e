# tests/unit/tools
if HAVE_CMOCKA
TOOLS_TESTS = %D%/cli %D%/client %D%/csv %D%/format %D%/http_get %D%/parse \
    %D%/payload %D%/sheet
check_PROGRAMS += $(TOOLS_TESTS)
TESTS += $(TOOLS_TESTS)
TOOLS_TEST_LIBS = tools/libtools.a $(CLIENT_LIBS) streams/serde/libserde.a \
    proto/libproto.a broker/base/libbase.a $(CMOCKA_LIBS) \
    $(PROTOBUF_C_LIBS) $(CODECS_LIBS) $(XXHASH_LIBS) $(JANSSON_LIBS) -lm

%C%_cli_SOURCES = %D%/cli.c
%C%_cli_LDADD = $(TOOLS_TEST_LIBS)
%C%_client_SOURCES = %D%/client.c %D%/fake.c %D%/fake.h
%C%_client_LDADD = $(TOOLS_TEST_LIBS)
%C%_csv_SOURCES = %D%/csv.c
%C%_csv_LDADD = $(TOOLS_TEST_LIBS)
%C%_format_SOURCES = %D%/format.c
%C%_format_LDADD = $(TOOLS_TEST_LIBS)
%C%_http_get_SOURCES = %D%/http_get.c
%C%_http_get_LDADD = $(TOOLS_TEST_LIBS)
%C%_parse_SOURCES = %D%/parse.c
%C%_parse_LDADD = $(TOOLS_TEST_LIBS)
%C%_payload_SOURCES = %D%/payload.c
%C%_payload_LDADD = $(TOOLS_TEST_LIBS)
%C%_sheet_SOURCES = %D%/sheet.c
%C%_sheet_LDADD = $(TOOLS_TEST_LIBS)
endif

# what the commands say, against an appliance
dist_check_SCRIPTS += %D%/commands.t
TESTS += %D%/commands.t
