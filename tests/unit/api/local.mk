# tests/unit/api
if HAVE_CMOCKA
API_TESTS = %D%/admin %D%/configs %D%/groups %D%/offsets %D%/random
check_PROGRAMS += $(API_TESTS)
TESTS += $(API_TESTS)
API_TEST_LIBS = broker/api/libapi.a broker/net/libnet.a \
    broker/group/libgroup.a broker/partition/libpartition.a \
    broker/epoch/libepoch.a broker/plog/libplog.a broker/wire/libwire.a \
    broker/record/librecord.a proto/libproto.a broker/base/libbase.a \
    $(CMOCKA_LIBS) $(LIBEVENT_LIBS) $(LMDB_LIBS) $(PROTOBUF_C_LIBS) \
    $(CODECS_LIBS) $(XXHASH_LIBS)
API_TEST_KIT = %D%/kit.c %D%/kit.h
%C%_groups_SOURCES = %D%/groups.c $(API_TEST_KIT)
%C%_groups_LDADD = $(API_TEST_LIBS)
%C%_offsets_SOURCES = %D%/offsets.c $(API_TEST_KIT)
%C%_offsets_LDADD = $(API_TEST_LIBS)
%C%_admin_SOURCES = %D%/admin.c $(API_TEST_KIT)
%C%_admin_LDADD = $(API_TEST_LIBS)
%C%_configs_SOURCES = %D%/configs.c $(API_TEST_KIT)
%C%_configs_LDADD = $(API_TEST_LIBS)
%C%_random_SOURCES = %D%/random.c $(API_TEST_KIT)
%C%_random_LDADD = $(API_TEST_LIBS)
endif
