# Clients against the broker: see README.md here. Every script skips with a
# line when its client or the broker is not there.
COMPAT_TESTS = \
    %D%/kcat.t \
    %D%/rdkafka.t \
    %D%/confluent.t \
    %D%/confluent-pip.t \
    %D%/kafka-python.t \
    %D%/kafkajs.t \
    %D%/java.t
TESTS += $(COMPAT_TESTS)
dist_check_SCRIPTS += $(COMPAT_TESTS) %D%/fetch %D%/kafka
EXTRA_DIST += %D%/README.md %D%/lib.sh %D%/cache.sh %D%/versions \
    %D%/python/tap.py %D%/python/confluent.py %D%/python/kafka_python.py \
    %D%/python/requirements.txt %D%/node/kafkajs.js \
    %D%/java/Suite.java %D%/java/Tap.java %D%/java/pom.xml %D%/java/kafka.xml

if HAVE_RDKAFKA
check_PROGRAMS += %D%/rdkafka
%C%_rdkafka_SOURCES = %D%/rdk.c %D%/rdk.h %D%/rdkafka.c \
    %D%/rdkafka_consume.c %D%/rdkafka_group.c %D%/rdkafka_admin.c
%C%_rdkafka_LDADD = $(RDKAFKA_LIBS)
compat_client = %D%/rdkafka$(EXEEXT)
endif

# These suites alone: against the penstock of this build, after fetching the
# clients that are missing, or against a real Kafka, where all must pass too.
# check-TESTS would else build the check programs of every room.
compat_make = $(MAKE) $(AM_MAKEFLAGS) check-TESTS TESTS='$(COMPAT_TESTS)' \
    check_PROGRAMS='$(compat_client)'
.PHONY: check-compat check-compat-kafka
check-compat: all $(compat_client)
	-$(srcdir)/tests/compat/fetch
	$(compat_make)
check-compat-kafka: $(compat_client)
	-$(srcdir)/tests/compat/fetch
	+$(srcdir)/tests/compat/kafka with $(compat_make)
