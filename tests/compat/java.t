#!/bin/sh
# The Java client of Apache Kafka. One JVM makes all the checks: it is slow to
# start. Compiled here, since javac needs the jars that fetch has brought.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
need java
need javac
need_fetched "$java_home" "the Java client $java_client_version"
compat_broker
compile "$java_home" Tap Suite
program java -Xmx256m -Djava.io.tmpdir="$TMP" \
    -cp "$TMP/classes:$java_home/*" Suite
