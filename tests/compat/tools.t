#!/bin/sh
# The command line tools of Apache Kafka, all in one JVM.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
need java
need javac
need_fetched "$kafka_home" "Apache Kafka $kafka_version"
compat_broker
compile "$kafka_home" Tap Tools
echo 'rootLogger.level = OFF' > "$TMP/log4j2.properties"
program java -Xmx512m -Djava.io.tmpdir="$TMP" \
    -Dlog4j2.configurationFile="$TMP/log4j2.properties" \
    -cp "$TMP/classes:$kafka_home/*" Tools
