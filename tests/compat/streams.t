#!/bin/sh
# Kafka Streams: an application with exactly_once_v2, killed and restarted.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
need java
need javac
need_fetched "$kafka_home" "Apache Kafka $kafka_version"
compat_broker
need_transactions
compile "$kafka_home" Tap StreamsApp StreamsSuite
printf '%s\n' 'rootLogger.level = WARN' 'rootLogger.appenderRef.c.ref = c' \
    'appender.c.type = Console' 'appender.c.name = c' \
    'appender.c.layout.type = PatternLayout' \
    'appender.c.layout.pattern = %d %p %c %m%n' > "$TMP/log4j2.properties"
program java -Xmx256m -Djava.io.tmpdir="$TMP" \
    -Dlog4j2.configurationFile="$TMP/log4j2.properties" \
    -cp "$TMP/classes:$kafka_home/*" StreamsSuite
