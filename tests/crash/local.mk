# tests/crash: power cuts at every call, on a folder that is watched. See
# README.md. LMDB must be linked statically: --wrap reaches no shared library.
CRASH_LIBS = broker/epoch/libepoch.a broker/plog/libplog.a \
    broker/record/librecord.a proto/libproto.a broker/base/libbase.a \
    -l:liblmdb.a $(PROTOBUF_C_LIBS) \
    $(CODECS_LIBS) $(XXHASH_LIBS)
CRASH_WRAP = -Wl,--wrap=open -Wl,--wrap=close -Wl,--wrap=pwrite \
    -Wl,--wrap=pwritev -Wl,--wrap=write -Wl,--wrap=writev \
    -Wl,--wrap=fdatasync -Wl,--wrap=fsync -Wl,--wrap=ftruncate \
    -Wl,--wrap=posix_fallocate -Wl,--wrap=rename -Wl,--wrap=unlink \
    -Wl,--wrap=mkdir -Wl,--wrap=rmdir -Wl,--wrap=eventfd

noinst_LIBRARIES += %D%/libcrash.a
%C%_libcrash_a_SOURCES = \
    %D%/crew.c %D%/crew.h \
    %D%/cut.c %D%/cut.h \
    %D%/effects.c \
    %D%/found.c \
    %D%/host.c %D%/host.h \
    %D%/image.c %D%/image.h \
    %D%/model.c %D%/model.h \
    %D%/place.c \
    %D%/rng.h \
    %D%/trace.c %D%/trace.h \
    %D%/work.c %D%/work.h %D%/work_priv.h \
    %D%/wrap.c %D%/wrap.h

check_PROGRAMS += %D%/states
TESTS += %D%/states
%C%_states_SOURCES = %D%/states.c
%C%_states_LDFLAGS = $(AM_LDFLAGS) $(CRASH_WRAP)
%C%_states_LDADD = %D%/libcrash.a $(CRASH_LIBS)

check_PROGRAMS += %D%/faults
TESTS += %D%/faults
%C%_faults_SOURCES = %D%/faults.c
%C%_faults_LDFLAGS = $(AM_LDFLAGS) $(CRASH_WRAP)
%C%_faults_LDADD = %D%/libcrash.a $(CRASH_LIBS)

check_PROGRAMS += %D%/damage
TESTS += %D%/damage
%C%_damage_SOURCES = %D%/damage.c
%C%_damage_LDFLAGS = $(AM_LDFLAGS) $(CRASH_WRAP)
%C%_damage_LDADD = %D%/libcrash.a $(CRASH_LIBS)

EXTRA_DIST += %D%/README.md

if HAVE_RDKAFKA
check_PROGRAMS += %D%/kill9
TESTS += %D%/kill9
%C%_kill9_SOURCES = %D%/kill9.c
%C%_kill9_LDADD = proto/libproto.a broker/base/libbase.a $(RDKAFKA_LIBS) \
    $(PROTOBUF_C_LIBS) $(XXHASH_LIBS)
endif
