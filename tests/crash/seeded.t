#!/bin/sh
# Bugs made on purpose (base/seeded.h): these tests must find each of them,
# else they prove nothing. Only a build with --with-seeded-bug has them.
: "${top_builddir:=.}"
crash=$top_builddir/tests/crash
seed=${PENSTOCK_SEED:-20260101}

if ! grep -q '^#define SEEDED_BUGS 1' "$top_builddir/config.h"; then
    echo "1..0 # SKIP a build without --with-seeded-bug"
    exit 0
fi

# bug, program, how many states
bugs='skip-flush states 1000
rewrite-block states 20000
trust-last-frame states 4000
answer-before-publish states 1000
recycle-early states 4000
skip-segment-sync states 1000
skip-folder-sync states 1000
move-P-early states 1000
trim-before-commit states 1000
trim-before-commit faults 600'

echo "1..$(echo "$bugs" | wc -l)"
echo "# seed $seed"
n=0
bad=0
while read -r bug program count; do
    n=$((n + 1))
    out=$(PENSTOCK_SEEDED_BUG=$bug "$crash/$program" "$count" "$seed" 2>&1)
    if echo "$out" | grep -q '^not ok'; then
        echo "ok $n - $program finds $bug"
        echo "$out" | grep -E 'failed[,;:]' | head -n 1 | cut -c1-200 |
            sed 's/^#* */# /'
    else
        echo "not ok $n - $program does not find $bug in $count"
        bad=1
    fi
done <<EOF
$bugs
EOF
exit $bad
