#!/bin/sh
# Bugs made on purpose in the broker: a short history must show each of them.
# Only a build with --with-seeded-bug has them (base/seeded.h).
here=$(cd "$(dirname "$0")" && pwd)
: "${top_builddir:=.}"

if ! grep -q '^#define SEEDED_BUGS 1' "$top_builddir/config.h"; then
    echo "1..0 # SKIP a build without --with-seeded-bug"
    exit 0
fi
bugs='lso-ignored aborts-unsaid offsets-left append-twice'
checks=0
failures=0
for bug in $bugs; do
    checks=$((checks + 1))
    found=
    for try in 1 2 3; do
        said=$(PENSTOCK_SEEDED_BUG=$bug HISTORY_SECONDS=8 \
            PENSTOCK_SEED=$((checks * 10 + try)) "$here/history.t" 2>&1)
        case $said in
        *'# SKIP'*)
            echo "1..0 ${said#1..0 }"
            exit 0
            ;;
        *'not ok 1 - no anomaly'*)
            found=$(echo "$said" | sed -n 's/^not ok 1 - no anomaly //p')
            break
            ;;
        esac
    done
    if [ -n "$found" ]; then
        echo "ok $checks - $bug: anomalies $found"
    else
        failures=$((failures + 1))
        echo "not ok $checks - $bug is not found"
        echo "$said" | sed 's/^/# /'
    fi
done
rm -rf "${TMPDIR:-/tmp}"/history-1[0-9].json
echo "1..$checks"
[ $failures -eq 0 ]
