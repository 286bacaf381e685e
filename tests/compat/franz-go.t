#!/bin/sh
# franz-go, a client written in Go alone: transactions, too.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
need go
need_fetched "$go_home" "franz-go"
compat_broker
compile_go franz
program "$TMP/franz"
