# tests/unit/plog
if HAVE_CMOCKA
plog_test_libs = broker/plog/libplog.a broker/record/librecord.a \
    broker/base/libbase.a $(CMOCKA_LIBS) $(CODECS_LIBS) $(XXHASH_LIBS)
plog_tests = %D%/plog %D%/property %D%/fault %D%/damage %D%/threads \
    %D%/clean
check_PROGRAMS += $(plog_tests)
TESTS += $(plog_tests)
%C%_plog_SOURCES = %D%/plog.c %D%/kit.c %D%/kit.h
%C%_plog_LDADD = $(plog_test_libs)
%C%_property_SOURCES = %D%/property.c %D%/kit.c %D%/kit.h
%C%_property_LDADD = $(plog_test_libs)
%C%_fault_SOURCES = %D%/fault.c %D%/kit.c %D%/kit.h
%C%_fault_LDADD = $(plog_test_libs)
%C%_damage_SOURCES = %D%/damage.c %D%/kit.c %D%/kit.h
%C%_damage_LDADD = $(plog_test_libs)
%C%_threads_SOURCES = %D%/threads.c %D%/kit.c %D%/kit.h
%C%_threads_LDADD = $(plog_test_libs)
%C%_clean_SOURCES = %D%/clean.c %D%/cleankit.c %D%/cleankit.h \
    %D%/kit.c %D%/kit.h
%C%_clean_LDADD = $(plog_test_libs)
endif
