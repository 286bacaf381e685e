#!/bin/sh
# All that an administrator asks for, by the Java client of Apache Kafka.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
need java
need javac
need_fetched "$java_home" "the Java client $java_client_version"
compat_broker
compile "$java_home" Tap AdminSuite
program java -Xmx256m -Djava.io.tmpdir="$TMP" \
    -cp "$TMP/classes:$java_home/*" AdminSuite
