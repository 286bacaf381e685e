#!/bin/sh
# sarama, another client written in Go alone: transactions, too.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
need go
need_fetched "$go_home" "sarama"
compat_broker
compile_go sarama
program "$TMP/sarama"
