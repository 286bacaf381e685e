#!/bin/sh
# Transactions of kafkajs, the client written in JavaScript alone.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
need node
need_fetched "$node_home" "kafkajs $kafkajs_version"
compat_broker
need_transactions
NODE_PATH=$node_home/node_modules
KAFKAJS_NO_PARTITIONER_WARNING=1
export NODE_PATH KAFKAJS_NO_PARTITIONER_WARNING
program node "$compat_dir/node/txn.js"
