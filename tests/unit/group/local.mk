# tests/unit/group
EXTRA_DIST += %D%/kit.h %D%/topics.h

if HAVE_CMOCKA
group_test_libs = broker/group/libgroup.a broker/record/librecord.a \
    broker/base/libbase.a $(CMOCKA_LIBS) $(XXHASH_LIBS)
group_tests = %D%/assignor %D%/consumer %D%/consumer_noise %D%/consumer_sim \
    %D%/groups %D%/join %D%/offsets %D%/pattern %D%/session %D%/sim %D%/static %D%/streams %D%/sync
check_PROGRAMS += $(group_tests)
TESTS += $(group_tests)
%C%_assignor_SOURCES = %D%/assignor.c %D%/kit.c
%C%_assignor_LDADD = $(group_test_libs)
%C%_consumer_SOURCES = %D%/consumer.c %D%/kit.c %D%/topics.c
%C%_consumer_LDADD = $(group_test_libs)
%C%_consumer_noise_SOURCES = %D%/consumer_noise.c %D%/kit.c %D%/topics.c
%C%_consumer_noise_LDADD = $(group_test_libs)
%C%_consumer_sim_SOURCES = %D%/consumer_sim.c %D%/kit.c %D%/topics.c
%C%_consumer_sim_LDADD = $(group_test_libs)
%C%_groups_SOURCES = %D%/groups.c %D%/kit.c
%C%_groups_LDADD = $(group_test_libs)
%C%_join_SOURCES = %D%/join.c %D%/kit.c
%C%_join_LDADD = $(group_test_libs)
%C%_offsets_SOURCES = %D%/offsets.c %D%/kit.c
%C%_offsets_LDADD = $(group_test_libs)
%C%_pattern_SOURCES = %D%/pattern.c %D%/kit.c
%C%_pattern_LDADD = $(group_test_libs)
%C%_session_SOURCES = %D%/session.c %D%/kit.c
%C%_session_LDADD = $(group_test_libs)
%C%_sim_SOURCES = %D%/sim.c %D%/kit.c
%C%_sim_LDADD = $(group_test_libs)
%C%_static_SOURCES = %D%/static.c %D%/kit.c
%C%_static_LDADD = $(group_test_libs)
%C%_streams_SOURCES = %D%/streams.c %D%/kit.c %D%/topics.c
%C%_streams_LDADD = $(group_test_libs)
%C%_sync_SOURCES = %D%/sync.c %D%/kit.c
%C%_sync_LDADD = $(group_test_libs)
endif
