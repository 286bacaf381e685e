#!/bin/sh
# confluent-kafka of Debian, with Debian's librdkafka.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
python=/usr/bin/python3
"$python" -c 'import confluent_kafka' 2>/dev/null ||
    skip_all "python3-confluent-kafka is not installed"
compat_broker
program "$python" -B "$compat_dir/python/confluent.py"
