#!/bin/sh
# The Java client of Apache Kafka. One JVM makes all the checks: it is slow to
# start. Compiled here, since javac needs the jars that fetch has brought.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
need java
need javac
need_fetched "$java_home" "the Java client $java_client_version"
compat_broker
mkdir "$TMP/classes"
javac -nowarn -cp "$java_home/*" -d "$TMP/classes" "$compat_dir"/java/*.java \
    2>"$TMP/javac" || {
    sed 's/^/# /' "$TMP/javac"
    echo "Bail out! javac failed"
    exit 99
}
program java -Xmx256m -Djava.io.tmpdir="$TMP" \
    -cp "$TMP/classes:$java_home/*" Suite
