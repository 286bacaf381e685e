# Clients against the broker: see README.md here. Every script skips with a
# line when its client or the broker is not there.
COMPAT_TESTS = \
    %D%/kcat.t \
    %D%/rdkafka.t \
    %D%/confluent.t \
    %D%/confluent-pip.t \
    %D%/kafka-python.t \
    %D%/aiokafka.t \
    %D%/kafkajs.t \
    %D%/franz-go.t \
    %D%/sarama.t \
    %D%/java.t \
    %D%/admin.t \
    %D%/tools.t \
    %D%/streams.t \
    %D%/txn-rdkafka.t \
    %D%/txn-confluent.t \
    %D%/txn-kafka-python.t \
    %D%/txn-kafkajs.t \
    %D%/txn-java.t \
    %D%/txn-java3.t
TESTS += $(COMPAT_TESTS) %D%/peer.t %D%/table.t
dist_check_SCRIPTS += $(COMPAT_TESTS) %D%/peer.t %D%/table.t %D%/fetch \
    %D%/kafka %D%/broker %D%/table
EXTRA_DIST += %D%/README.md %D%/lib.sh %D%/cache.sh %D%/versions \
    %D%/python/tap.py %D%/python/apis.py %D%/python/proxy.py \
    %D%/python/confluent.py %D%/python/kafka_python.py %D%/python/aio.py \
    %D%/python/txn_confluent.py %D%/python/txn_kafka_python.py \
    %D%/python/requirements.txt \
    %D%/node/tap.js %D%/node/kafkajs.js %D%/node/txn.js \
    %D%/go/go.mod %D%/go/go.sum %D%/go/tap/tap.go %D%/go/franz/main.go \
    %D%/go/sarama/main.go \
    %D%/java/Tap.java %D%/java/Suite.java %D%/java/AdminSuite.java \
    %D%/java/Txn.java %D%/java/Tools.java %D%/java/StreamsApp.java \
    %D%/java/StreamsSuite.java \
    %D%/java/pom.xml %D%/java/pom3.xml %D%/java/kafka.xml \
    docs/compatibility.md

if HAVE_RDKAFKA
check_PROGRAMS += %D%/rdkafka %D%/rdkafka_txn
%C%_rdkafka_SOURCES = %D%/rdk.c %D%/rdk.h %D%/rdkafka.c \
    %D%/rdkafka_consume.c %D%/rdkafka_group.c %D%/rdkafka_admin.c
%C%_rdkafka_LDADD = $(RDKAFKA_LIBS)
%C%_rdkafka_txn_SOURCES = %D%/rdk.c %D%/rdk.h %D%/rdkafka_txn.c
%C%_rdkafka_txn_LDADD = $(RDKAFKA_LIBS)
compat_client = %D%/rdkafka$(EXEEXT) %D%/rdkafka_txn$(EXEEXT)
endif

# These suites alone: against the penstock of this build, after fetching the
# clients that are missing, or against a real Kafka, where all must pass too.
# check-TESTS would else build the check programs of every room. What was seen
# stays in compat-seen, one folder for each broker, for the table.
compat_make = $(MAKE) $(AM_MAKEFLAGS) check-TESTS \
    check_PROGRAMS='$(compat_client)'
compat_seen = mkdir -p compat-seen/$$broker && \
    cp tests/compat/*.log compat-seen/$$broker/

.PHONY: check-compat check-compat-kafka compat-table
check-compat: all $(compat_client)
	-$(srcdir)/tests/compat/fetch
	$(compat_make) TESTS='$(COMPAT_TESTS)'; made=$$?; \
	    broker=penstock; $(compat_seen); exit $$made
check-compat-kafka: $(compat_client)
	-$(srcdir)/tests/compat/fetch
	+$(srcdir)/tests/compat/kafka with \
	    $(compat_make) TESTS='$(COMPAT_TESTS)'; made=$$?; \
	    broker=kafka; $(compat_seen); exit $$made

# The table of docs, from what the last runs of both have left.
compat-table:
	$(AM_V_GEN)$(srcdir)/tests/compat/table compat-seen/penstock \
	    compat-seen/kafka > $(srcdir)/docs/compatibility.md.new
	$(AM_V_at)mv $(srcdir)/docs/compatibility.md.new \
	    $(srcdir)/docs/compatibility.md
