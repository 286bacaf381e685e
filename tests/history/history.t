#!/bin/sh
# Clients of four kinds, a broker that is killed and stopped, a network that
# loses, repeats and delays: whatever happens, what they saw fits together.
# HISTORY_SECONDS and PENSTOCK_SEED are for the long run (make check-history).
here=$(cd "$(dirname "$0")" && pwd)
compat_dir=$here/../compat
# shellcheck source-path=SCRIPTDIR source=../compat/cache.sh
. "$compat_dir/cache.sh"
: "${top_builddir:=.}"

skip()
{
    echo "1..0 # SKIP $*"
    exit 0
}

[ -x "$top_builddir/penstock" ] || skip "$top_builddir/penstock is not built"
is_fetched "$python_home" ||
    skip "confluent-kafka is not in $python_home (tests/compat/fetch gets it)"
TMP=$(mktemp -d) || exit 99
trap 'rm -rf "$TMP"' EXIT
if command -v node >/dev/null 2>&1 && is_fetched "$node_home"; then
    export NODE_PATH="$node_home/node_modules"
    export KAFKAJS_NO_PARTITIONER_WARNING=1
else
    echo "# without kafkajs: it is not in $node_home"
fi
if command -v javac >/dev/null 2>&1 && is_fetched "$java_home"; then
    javac -nowarn -cp "$java_home/*" -d "$TMP/classes" "$here/Worker.java" &&
        export HISTORY_JAVA="$TMP/classes:$java_home/*"
else
    echo "# without Java, so without transactions of version 2"
fi
"$python_home/venv/bin/python" -B "$here/run.py" \
    --penstock "$top_builddir/penstock" --seconds "${HISTORY_SECONDS:-60}" \
    --seed "${PENSTOCK_SEED:-20260101}"
