#!/bin/sh
# Transactions of kafka-python, the client written in Python alone.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
need_fetched "$python_home" "kafka-python"
compat_broker
need_transactions
program "$python_home/venv/bin/python" -B \
    "$compat_dir/python/txn_kafka_python.py"
