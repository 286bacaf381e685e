#!/bin/sh
# Bugs made on purpose (base/seeded.h): these tests must find each of them,
# else they prove nothing. Only a build with --with-seeded-bug has them.
#
# Before that: where there is no bug they find none, else to find one is no
# merit. What depends on when a process is killed is tried up to five times.
: "${top_builddir:=.}"
seed=${PENSTOCK_SEED:-20260101}

if ! grep -q '^#define SEEDED_BUGS 1' "$top_builddir/config.h"; then
    echo "1..0 # SKIP a build without --with-seeded-bug"
    exit 0
fi

# bug, program, what it is given: so many states, or rounds of kill -9
bugs='none crash/states 320
none crash/faults 120
none unit/streams/stock -
none unit/streams/state -
skip-flush crash/states 1000
rewrite-block crash/states 20000
trust-last-frame crash/states 4000
answer-before-publish crash/states 1000
recycle-early crash/states 4000
skip-segment-sync crash/states 1000
skip-folder-sync crash/states 1000
move-P-early crash/states 1000
trim-before-commit crash/states 1000
trim-before-commit crash/faults 600
run-twice unit/streams/stock -
run-twice unit/streams/state -
forget-offset unit/streams/stock -
forget-offset unit/streams/state -
run-twice crash/kill9 8
forget-offset crash/kill9 20
answer-early crash/kill9 15'

# attempt PROGRAM AMOUNT: sets out; has it found anything?
attempt()
{
    case $1 in
    crash/kill9) out=$(PENSTOCK_ROUNDS=$2 "$top_builddir/tests/$1" 2>&1) ;;
    crash/*)
        out=$(PENSTOCK_FIRST=1 "$top_builddir/tests/$1" "$2" "$seed" 2>&1)
        ;;
    *)
        out=$(CMOCKA_MESSAGE_OUTPUT=TAP "$top_builddir/tests/$1" 2>&1)
        # an assertion, too, is a find
        [ $? -lt 128 ] || return 0
        ;;
    esac
    echo "$out" | grep -q '^not ok'
}

# found PROGRAM AMOUNT
found()
{
    attempt "$@" && return 0
    [ "$1" = crash/kill9 ] || return 1
    for _ in 2 3 4 5; do
        attempt "$@" && return 0
    done
    return 1
}

echo "1..$(echo "$bugs" | wc -l)"
echo "# seed $seed"
n=0
bad=0
while read -r bug program amount; do
    n=$((n + 1))
    if [ ! -x "$top_builddir/tests/$program" ]; then
        echo "ok $n - $bug # SKIP $program is not built"
        continue
    fi
    if [ "$bug" = none ]; then
        PENSTOCK_SEEDED_BUG=
        export PENSTOCK_SEEDED_BUG
        if attempt "$program" "$amount"; then
            echo "not ok $n - $program fails without any bug"
            bad=1
        else
            echo "ok $n - $program finds nothing where nothing is"
        fi
        continue
    fi
    began=$(date +%s)
    if PENSTOCK_SEEDED_BUG=$bug && export PENSTOCK_SEEDED_BUG &&
        found "$program" "$amount"; then
        echo "ok $n - $program finds $bug ($(($(date +%s) - began)) s)"
        echo "$out" | grep -E 'failed[,;:]|^not ok' | head -n 1 |
            cut -c1-200 | sed 's/^#* */# /'
    else
        echo "not ok $n - $program does not find $bug ($amount)"
        bad=1
    fi
done <<EOF
$bugs
EOF
exit $bad
