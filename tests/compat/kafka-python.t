#!/bin/sh
# kafka-python, the client written in Python alone.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
need_fetched "$python_home" "kafka-python"
compat_broker
program "$python_home/venv/bin/python" -B "$compat_dir/python/kafka_python.py"
