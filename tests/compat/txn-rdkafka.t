#!/bin/sh
# Transactions of librdkafka, from C: the program tests/compat/rdkafka_txn of
# the build.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
program_file=$top_builddir/tests/compat/rdkafka_txn
[ -x "$program_file" ] ||
    skip_all "$program_file is not built (librdkafka-dev is not installed?)"
compat_broker
need_transactions
program "$program_file" "$@"
