# tests/story: what a person does with the program, from outside
dist_check_SCRIPTS += %D%/serve.t
TESTS += %D%/serve.t
dist_check_SCRIPTS += %D%/demo.t
TESTS += %D%/demo.t
dist_check_SCRIPTS += %D%/retail.t
TESTS += %D%/retail.t
dist_check_SCRIPTS += %D%/compact.t
TESTS += %D%/compact.t
dist_check_SCRIPTS += %D%/library.t
TESTS += %D%/library.t
EXTRA_DIST += %D%/README.md %D%/lib.sh

# A running broker among liars; everything in it comes from the wire's tables.
check_PROGRAMS += %D%/hostile
TESTS += %D%/hostile
%C%_hostile_SOURCES = %D%/hostile.c %D%/walk.c %D%/walk.h \
    tests/crash/rig.c tests/crash/rig.h
%C%_hostile_LDADD = broker/wire/libwire.a broker/record/librecord.a \
    broker/base/libbase.a $(CODECS_LIBS) $(XXHASH_LIBS) -lpthread
