# tests/crash: power cuts, failing calls and damage, on a folder of which
# every call is seen. See README.md. LMDB is linked statically, since --wrap
# reaches no shared library.
CRASH_LIBS = broker/epoch/libepoch.a broker/plog/libplog.a \
    broker/record/librecord.a proto/libproto.a broker/base/libbase.a \
    -l:liblmdb.a $(PROTOBUF_C_LIBS) $(CODECS_LIBS) $(XXHASH_LIBS)
CRASH_WRAP = -Wl,--wrap=open -Wl,--wrap=close -Wl,--wrap=pwrite \
    -Wl,--wrap=pwritev -Wl,--wrap=write -Wl,--wrap=writev \
    -Wl,--wrap=fdatasync -Wl,--wrap=fsync -Wl,--wrap=ftruncate \
    -Wl,--wrap=posix_fallocate -Wl,--wrap=rename -Wl,--wrap=unlink \
    -Wl,--wrap=mkdir -Wl,--wrap=rmdir -Wl,--wrap=eventfd

# not noinst: only the tests need it
check_LIBRARIES = %D%/libcrash.a
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
noinst_HEADERS += broker/base/seeded.h

check_PROGRAMS += %D%/states %D%/faults %D%/damage
TESTS += %D%/states %D%/faults %D%/damage %D%/seeded.t
dist_check_SCRIPTS += %D%/seeded.t
%C%_states_SOURCES = %D%/states.c
%C%_states_LDFLAGS = $(AM_LDFLAGS) $(CRASH_WRAP)
%C%_states_LDADD = %D%/libcrash.a $(CRASH_LIBS)
%C%_faults_SOURCES = %D%/faults.c
%C%_faults_LDFLAGS = $(AM_LDFLAGS) $(CRASH_WRAP)
%C%_faults_LDADD = %D%/libcrash.a $(CRASH_LIBS)
%C%_damage_SOURCES = %D%/damage.c
%C%_damage_LDFLAGS = $(AM_LDFLAGS) $(CRASH_WRAP)
%C%_damage_LDADD = %D%/libcrash.a $(CRASH_LIBS)
EXTRA_DIST += %D%/README.md

# A start after kill -9, counted; the long one at the size of the goal.
check_PROGRAMS += %D%/recovery
TESTS += %D%/recovery
%C%_recovery_SOURCES = %D%/recovery.c
%C%_recovery_LDADD = $(CRASH_LIBS)
RECOVERY_MB = 10240
RECOVERY_KEYS = 1000000
.PHONY: check-recovery
check-recovery: %D%/recovery penstock$(EXEEXT)
	%D%/recovery $(RECOVERY_MB) $(RECOVERY_KEYS)
	./penstock$(EXEEXT) bench start --log-mb $(RECOVERY_MB) \
	    --keys $(RECOVERY_KEYS)

# The long one. The seed is printed; PENSTOCK_SEED repeats it.
CRASH_STATES = 500000
.PHONY: check-crash
check-crash: %D%/states %D%/faults %D%/damage
	seed=$${PENSTOCK_SEED:-$$(date +%s)}; \
	%D%/states $(CRASH_STATES) $$seed && %D%/faults 20000 $$seed && \
	%D%/damage 20000 $$seed

# Power cuts on a real ext4, as root; the same.
CRASH_CUTS = 1000
.PHONY: check-powercut
check-powercut: penstock$(EXEEXT) %D%/powercut
	PENSTOCK_CUTS=$(CRASH_CUTS) top_builddir=. %D%/powercut

# The program itself under a real client's load: killed, and its power cut.
if HAVE_RDKAFKA
CRASH_RIG = %D%/rig.c %D%/rig.h %D%/ledger.c %D%/ledger.h
CRASH_RIG_LIBS = proto/libproto.a broker/base/libbase.a $(RDKAFKA_LIBS) \
    $(PROTOBUF_C_LIBS) $(XXHASH_LIBS)
check_PROGRAMS += %D%/kill9 %D%/powercut %D%/fulldisk
TESTS += %D%/kill9 %D%/powercut %D%/fulldisk
%C%_kill9_SOURCES = %D%/kill9.c $(CRASH_RIG)
%C%_kill9_LDADD = $(CRASH_RIG_LIBS)
%C%_powercut_SOURCES = %D%/powercut.c %D%/loopfs.c %D%/loopfs.h $(CRASH_RIG)
%C%_powercut_LDADD = $(CRASH_RIG_LIBS)
%C%_fulldisk_SOURCES = %D%/fulldisk.c %D%/loopfs.c %D%/loopfs.h $(CRASH_RIG)
%C%_fulldisk_LDADD = $(CRASH_RIG_LIBS)
endif
