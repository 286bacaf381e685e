#!/bin/sh
# Transactions of the Java client of Apache Kafka 4: where the broker has them,
# of version 2 (KIP-890).
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
need java
need javac
need_fetched "$java_home" "the Java client $java_client_version"
compat_broker
need_transactions
compile "$java_home" Tap Txn
program java -Xmx256m -Djava.io.tmpdir="$TMP" \
    -cp "$TMP/classes:$java_home/*" Txn "$@"
