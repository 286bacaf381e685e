#!/bin/sh
# Transactions of the Java client of Apache Kafka 3: of version 1.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
need java
need javac
need_fetched "$java3_home" "the Java client $java3_client_version"
compat_broker
need_transactions
compile "$java3_home" Tap Txn
program java -Xmx256m -Djava.io.tmpdir="$TMP" \
    -cp "$TMP/classes:$java3_home/*" Txn "$@"
