#!/bin/sh
# A year of a shop through the program, and what comes of it computed a second
# time by the oracles: one partition must be exactly as the plain loop says,
# eight exactly as the replay of their by-product logs says.
#
#   retail.t [FILE]    the retail data, else the file that PENSTOCK_RETAIL
#                      names, else 40,000 lines of the same shape, made up
data=${1:-${PENSTOCK_RETAIL:-}}
. "$(dirname "$0")/lib.sh"
need python3
PYTHONDONTWRITEBYTECODE=1
export PYTHONDONTWRITEBYTECODE
oracle=$top_srcdir/tests/oracle

oracle()
{
    script=$1
    shift
    python3 "$oracle/$script" "$@"
}

# again OPTION...: a penstock on an empty folder, loaded
again()
{
    [ -z "$pid" ] || finish TERM
    rm -rf "$TMP/data"
    start --keep-logs "$@"
    "$PENSTOCK" demo load --dataset "$data" > "$TMP/said" 2>&1
    ok $? "$*: all lines are loaded"
    sed 's/^/# /' "$TMP/said"
}

# verified NAME OPTION...: the program's own account
verified()
{
    name=$1
    shift
    "$PENSTOCK" demo verify --dataset "$data" "$@" > "$TMP/said" 2>&1
    ok $? "$name: verified"
    sed 's/^/# /' "$TMP/said"
}

# compared EXPECTED NAME: every order and product, with what is there
compared()
{
    "$PENSTOCK" demo verify --dump-outcome > "$TMP/outcome"
    said=$(oracle compare.py "$1" "$TMP/outcome")
    ok $? "$2: $said"
}

if [ -n "$data" ] && [ ! -r "$data" ]; then
    echo "Bail out! there is no $data"
    exit 99
fi
if [ -z "$data" ]; then
    data=$TMP/made.csv
    oracle made.py > "$data"
    echo "# made-up lines: PENSTOCK_RETAIL names no file"
fi

"$PENSTOCK" demo load --dataset "$data" --events | cksum > "$TMP/ours"
oracle retail.py events "$data" | cksum > "$TMP/theirs"
is "$(cat "$TMP/ours")" "$(cat "$TMP/theirs")" "the events are the oracle's"

again --partitions 1
verified "one partition" --exact
oracle retail.py outcome --checks none "$data" > "$TMP/expected"
compared "$TMP/expected" "one partition is as the plain loop says"

again --partitions 8 --threads 2
verified "8 partitions"
"$PENSTOCK" demo verify --dump-log > "$TMP/log"
oracle replay.py "$TMP/log" > "$TMP/expected"
compared "$TMP/expected" "8 partitions are as the replay says"
awk '/"partition": *[0-9]+/ { sub(/.*"partition": */, ""); p[$0 + 0] = 1 }
    END { n = 0; for (i in p) n++; exit n != 8 }' "$TMP/log"
ok $? "and all of them were used"
oracle retail.py outcome --checks none "$data" | wc -l > "$TMP/ours"
wc -l < "$TMP/outcome" > "$TMP/theirs"
is "$(($(cat "$TMP/theirs") + 1))" "$(cat "$TMP/ours")" \
    "no order and no product is missing"
finish TERM
is "$code" 0 "it stops cleanly"
done_testing
