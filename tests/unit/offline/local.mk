if HAVE_CMOCKA
OFFLINE_TEST_LIBS = tools/offline/liboffline.a tools/libtools.a \
    $(CLIENT_LIBS) broker/txn/libtxn.a broker/partition/libpartition.a \
    broker/epoch/libepoch.a \
    broker/plog/libplog.a broker/record/librecord.a \
    streams/serde/libserde.a proto/libproto.a broker/base/libbase.a \
    $(CMOCKA_LIBS) $(LIBEVENT_LIBS) $(LMDB_LIBS) $(PROTOBUF_C_LIBS) \
    $(CODECS_LIBS) $(XXHASH_LIBS) $(JANSSON_LIBS) -lm
check_PROGRAMS += %D%/check
TESTS += %D%/check
%C%_check_SOURCES = %D%/check.c %D%/kit.c %D%/kit.h
%C%_check_LDADD = $(OFFLINE_TEST_LIBS)
check_PROGRAMS += %D%/salvage
TESTS += %D%/salvage
%C%_salvage_SOURCES = %D%/salvage.c %D%/kit.c %D%/kit.h
%C%_salvage_LDADD = $(OFFLINE_TEST_LIBS)
check_PROGRAMS += %D%/snapshot
TESTS += %D%/snapshot
%C%_snapshot_SOURCES = %D%/snapshot.c %D%/kit.c %D%/kit.h
%C%_snapshot_LDADD = $(OFFLINE_TEST_LIBS)
check_PROGRAMS += %D%/lmdbfile
TESTS += %D%/lmdbfile
%C%_lmdbfile_SOURCES = %D%/lmdbfile.c %D%/kit.c %D%/kit.h
%C%_lmdbfile_LDADD = $(OFFLINE_TEST_LIBS)
check_PROGRAMS += %D%/dump
TESTS += %D%/dump
%C%_dump_SOURCES = %D%/dump.c %D%/kit.c %D%/kit.h
%C%_dump_LDADD = $(OFFLINE_TEST_LIBS)
endif

# what the commands say, on the folder of a server that was killed
dist_check_SCRIPTS += %D%/commands.t
TESTS += %D%/commands.t
