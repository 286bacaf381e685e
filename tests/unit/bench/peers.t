#!/bin/sh
# penstock bench beside a peer, which here is another penstock: every figure
# of both, their quotient, what is left behind, and how it fails. How large the
# figures are is not tested, only that they are possible.
: "${top_srcdir:=$(cd "$(dirname "$0")/../../.." && pwd)}"
# shellcheck source-path=SCRIPTDIR source=../../story/lib.sh
. "$top_srcdir/tests/story/lib.sh"
need python3
start
TMPDIR=$TMP
export TMPDIR

# bench WORDS...: as JSON into $TMP/json, tiny; sets code
bench()
{
    timeout 300 "$PENSTOCK" bench "$@" --secs 100ms --log-mb 4 -q -o json \
        >"$TMP/json" 2>"$TMP/said"
    code=$?
}

# holds EXPRESSION NAME: of j, the object, and rows, [broker][key]
holds()
{
    why=$(python3 - "$TMP/json" "$1" <<'P' 2>&1
import json, sys
j = json.load(open(sys.argv[1]))
rows = {}
for r in j["rows"]:
    who = "ours" if r["broker"] == "penstock" else "theirs"
    rows.setdefault(who, {})[r["key"]] = r
ours, theirs = rows["ours"], rows.get("theirs", {})
if not eval(sys.argv[2]):
    sys.exit("%s is not so" % sys.argv[2])
P
)
    ok $? "$2"
    [ -z "$why" ] || echo "$why" | tail -n 1 | sed 's/^/# /'
}

# both WHAT KEY...: WHAT of both brokers has these figures, all of them > 0,
# and quotients that are those of the figures
both()
{
    what=$1
    shift
    bench "$what" --against "$B" --against-pid "$pid"
    is "$code" 0 "$what: exit 0"
    sed 's/^/# /' "$TMP/said"
    for key in "$@"; do
        holds "j['$key'] > 0 and j['peer_$key'] > 0" "$what: $key of both"
        holds "0.8 < ours['$key']['against'] * theirs['$key']['value'] \
            / ours['$key']['value'] < 1.25" "$what: $key, ours by theirs"
    done
    holds "set(theirs) <= set(ours) and j['against'] == '$B' \
        and all(r['broker'] == '$B' and 'durability' not in r
                for r in theirs.values()) \
        and all(r['durability'] == 'power' for r in ours.values())" \
        "$what: rows say whose they are, and under which durability"
}

both produce produce_1k_records_per_s produce_100b_records_per_s \
    produce_1k_server_ns_per_record
both sync sync_1_acks_per_s sync_16_acks_per_s sync_64_p99_us \
    sync_16_server_cpu_us
both partitions partitions_1_acks_per_s partitions_10_acks_per_s \
    partitions_100_acks_per_s partitions_1000_acks_per_s \
    partitions_1000_server_us_per_record
holds "all(abs(r['partitions_%d_loss_percent' % n]['value'] - 100
        * (1 - r['partitions_%d_acks_per_s' % n]['value']
        / r['partitions_1_acks_per_s']['value'])) < 1.5
        for n in (10, 100, 1000) for r in (ours, theirs))" \
    "partitions: the loss is that of the rates"
holds "'against' not in ours['partitions_10_loss_percent']" \
    "partitions: a loss has no quotient"
both fetch fetch_hot_mb_per_s fetch_hot_server_ns_per_record
both latency latency_p50_us latency_p99_us latency_ack_p50_us
both txn txn_1_v1_per_s txn_1_v2_per_s txn_16_v1_per_s txn_16_v2_per_s \
    txn_16_v2_p99_us txn_1_v1_server_cpu_us
holds "ours['txn_1_v1_per_s']['floor'] > 0 \
    and 'floor' not in theirs['txn_1_v1_per_s']" "txn: the floor is ours"
both groups groups_1_stable_ms groups_10_stable_ms groups_100_stable_ms \
    groups_1_rebalance_ms groups_10_rebalance_ms groups_100_rebalance_ms

is "$("$PENSTOCK" topic list -o tsv | grep -c bench)" 0 \
    "no topic stays in the peer"
is "$("$PENSTOCK" group list -o tsv | grep -c bench)" 0 \
    "no group stays in the peer"

bench sync --producers 2 --against "$B" --repeat 3
is "$code" 0 "three repetitions: exit 0"
holds "all(r['count'] == 3 and r['min'] <= r['value'] <= r['max']
        for r in j['rows'])" "each figure has three values"
holds "(lambda r: r['against_min'] <= r['against'] <= r['against_max'])(
    ours['sync_2_acks_per_s'])" "and so has each quotient"
holds "'sync_2_server_cpu_us' not in theirs" "without a pid no CPU time"
"$PENSTOCK" bench sync --producers 2 --against "$B" --repeat 2 --secs 100ms \
    >"$TMP/table" 2>"$TMP/said"
like "$(head -n 1 "$TMP/table")" "WHAT *BROKER *OURS/THEIRS*DURABILITY" \
    "the table has a column for the broker"
is "$(grep -o ' penstock\| 127.0.0.1:[0-9]*' "$TMP/table" | head -n 4 |
    tr -d '\n')" " penstock $B penstock $B" "both stand one below the other"
is "$(sed -n 's/.*measuring sync\( of\)*.*(\(.\) of 2)/\2\1/p' "$TMP/said" |
    tr '\n' ,)" "1,1 of,2 of,2," "the order turns with each repetition"

# ends CODE PATTERN NAME WORDS...: one line, that code, in a moment
ends()
{
    want=$1 words=$2 name=$3
    shift 3
    timeout 60 "$PENSTOCK" bench "$@" -q >"$TMP/out1" 2>"$TMP/said"
    is $? "$want" "$name: exit $want"
    # shellcheck disable=SC2254
    like "$(cat "$TMP/said")" "$words" "$name: says why"
    is "$(wc -l <"$TMP/said")/$(wc -c <"$TMP/out1")" 1/0 "$name: in one line"
}

ends 3 '*--against*127.0.0.1:1*refused*' "a peer that is not there" \
    sync --against 127.0.0.1:1
ends 2 '*epoch*' "a subject that no peer has" epoch --against "$B"
ends 2 '*no process*' "a process that is not there" \
    sync --against "$B" --against-pid 2147483646
ends 2 '*goes with --against*' "a pid without a peer" sync --against-pid 1
ends 2 '*goes with --against*' "a flush without a peer" sync --against-flush

is "$(find "$TMP" -name 'penstock-bench-*' | wc -l)" 0 "no folder stays"
kill -0 "$pid" 2>/dev/null
ok $? "the peer still runs"
finish TERM
is "$code" 0 "and ends well"
done_testing
