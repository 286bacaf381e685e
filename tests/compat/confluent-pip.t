#!/bin/sh
# confluent-kafka of PyPI, which brings a librdkafka of its own, much newer.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
need_fetched "$python_home" "confluent-kafka"
compat_broker
program "$python_home/venv/bin/python" -B "$compat_dir/python/confluent.py"
