#!/bin/sh
# Transactions of confluent-kafka of PyPI, which brings the newest librdkafka.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
need_fetched "$python_home" "confluent-kafka"
compat_broker
need_transactions
program "$python_home/venv/bin/python" -B "$compat_dir/python/txn_confluent.py"
