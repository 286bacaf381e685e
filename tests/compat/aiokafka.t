#!/bin/sh
# aiokafka, the client for Python's asyncio: transactions, too.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
need_fetched "$python_home" "aiokafka"
compat_broker
program "$python_home/venv/bin/python" -B "$compat_dir/python/aio.py"
