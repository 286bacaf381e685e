# tests/unit/api
if HAVE_CMOCKA
API_TESTS = %D%/admin %D%/alter %D%/cluster %D%/configs %D%/consumer_groups %D%/groups %D%/offsets %D%/quotas %D%/random %D%/random_admin %D%/streams_groups \
    %D%/txn %D%/txn_admin %D%/txn_crash
check_PROGRAMS += $(API_TESTS)
TESTS += $(API_TESTS)
API_TEST_LIBS = broker/api/libapi.a broker/net/libnet.a \
    broker/txn/libtxn.a broker/group/libgroup.a broker/partition/libpartition.a \
    broker/epoch/libepoch.a broker/plog/libplog.a broker/wire/libwire.a \
    broker/record/librecord.a proto/libproto.a broker/base/libbase.a \
    $(CMOCKA_LIBS) $(LIBEVENT_LIBS) $(LMDB_LIBS) $(PROTOBUF_C_LIBS) \
    $(CODECS_LIBS) $(XXHASH_LIBS)
API_TEST_KIT = %D%/kit.c %D%/kit.h
API_TXN_KIT = $(API_TEST_KIT) %D%/txn_kit.c %D%/txn_kit.h
%C%_txn_SOURCES = %D%/txn.c $(API_TXN_KIT)
%C%_txn_LDADD = $(API_TEST_LIBS)
%C%_consumer_groups_SOURCES = %D%/consumer_groups.c $(API_TEST_KIT)
%C%_consumer_groups_LDADD = $(API_TEST_LIBS)
%C%_streams_groups_SOURCES = %D%/streams_groups.c $(API_TEST_KIT)
%C%_streams_groups_LDADD = $(API_TEST_LIBS)
%C%_txn_admin_SOURCES = %D%/txn_admin.c $(API_TXN_KIT)
%C%_txn_admin_LDADD = $(API_TEST_LIBS)
%C%_txn_crash_SOURCES = %D%/txn_crash.c $(API_TXN_KIT)
%C%_txn_crash_LDADD = $(API_TEST_LIBS)
%C%_groups_SOURCES = %D%/groups.c $(API_TEST_KIT)
%C%_groups_LDADD = $(API_TEST_LIBS)
%C%_offsets_SOURCES = %D%/offsets.c $(API_TEST_KIT)
%C%_offsets_LDADD = $(API_TEST_LIBS)
%C%_admin_SOURCES = %D%/admin.c $(API_TEST_KIT)
%C%_admin_LDADD = $(API_TEST_LIBS)
%C%_alter_SOURCES = %D%/alter.c $(API_TEST_KIT)
%C%_alter_LDADD = $(API_TEST_LIBS)
%C%_cluster_SOURCES = %D%/cluster.c $(API_TEST_KIT)
%C%_cluster_LDADD = $(API_TEST_LIBS)
%C%_random_admin_SOURCES = %D%/random_admin.c $(API_TEST_KIT)
%C%_random_admin_LDADD = $(API_TEST_LIBS)
%C%_quotas_SOURCES = %D%/quotas.c $(API_TEST_KIT)
%C%_quotas_LDADD = $(API_TEST_LIBS)
%C%_configs_SOURCES = %D%/configs.c $(API_TEST_KIT)
%C%_configs_LDADD = $(API_TEST_LIBS)
%C%_random_SOURCES = %D%/random.c $(API_TEST_KIT)
%C%_random_LDADD = $(API_TEST_LIBS)
endif
