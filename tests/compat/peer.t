#!/bin/sh
# Some suites against a real Apache Kafka, as part of make check, so that they
# go on asking only for what Kafka does too: those that tell most for their
# time. All of them: make check-compat-kafka.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
core='kcat franz-go kafkajs txn-kafka-python tools'
need java
need kcat
need python3
need_fetched "$kafka_home" "Apache Kafka $kafka_version"
TMP=$(mktemp -d) || exit 99
export TMP
PORT=$("$compat_dir/broker" port)
RUN=$TMP/kafka
export PORT RUN
# shellcheck disable=SC2317
leave()
{
    "$compat_dir/kafka" stop
    rm -rf "$TMP"
}
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
if ! PENSTOCK_COMPAT_BOOTSTRAP=$("$compat_dir/kafka" start 2>"$TMP/err"); then
    sed 's/^/# /' "$TMP/err"
    echo "Bail out! no Kafka"
    exit 99
fi
export PENSTOCK_COMPAT_BOOTSTRAP
for suite in $core; do
    timeout 200 "$compat_dir/$suite.t" >"$TMP/log" 2>&1
    status=$?
    why=$(sed -n 's/^1\.\.0 # SKIP //p' "$TMP/log")
    ok $status "$suite.t against Apache Kafka: ${why:-$(grep -c '^ok' \
        "$TMP/log") checks}"
    [ $status -eq 0 ] || sed 's/^/#   /' "$TMP/log"
done
done_testing
