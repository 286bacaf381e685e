#!/bin/sh
# The oracles themselves: a small shop computed by hand, the replay of its
# by-product log, that a fault is found, a large shop that is made up, and the
# retail data's check values if PENSTOCK_RETAIL names the file.
here=$(cd "$(dirname "$0")" && pwd)
command -v python3 >/dev/null 2>&1 || {
    echo "1..0 # SKIP python3 is not installed"
    exit 0
}
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
PYTHONDONTWRITEBYTECODE=1
export PYTHONDONTWRITEBYTECODE
checks=0
failures=0

ok()
{
    checks=$((checks + 1))
    [ "$1" -eq 0 ] || failures=$((failures + 1))
    [ "$1" -eq 0 ] || printf 'not '
    echo "ok $checks - $2"
}

run()
{
    script=$1
    shift
    python3 "$here/$script" "$@"
}

# same GOT WANT NAME: equal bytes, else the difference is shown
same()
{
    diff "$1" "$2" > "$tmp/diff"
    ok $? "$3"
    head -n 10 "$tmp/diff" | sed 's/^/# /'
}

# replayed FILE: the outcome of a by-product log, without the totals
replayed()
{
    run replay.py "$1" | grep -v '"total"'
}

run retail.py events "$here/sample.csv" > "$tmp/events"
same "$tmp/events" "$here/sample.events" "the events of the small shop"
run retail.py outcome "$here/sample.csv" > "$tmp/outcome"
same "$tmp/outcome" "$here/sample.outcome" "its outcome"
run retail.py outcome --checks none "$here/sample.csv" > "$tmp/bare"
same "$tmp/bare" "$here/sample.bare" "and without checks"
gzip -c "$here/sample.csv" > "$tmp/sample.csv.gz"
run retail.py outcome "$tmp/sample.csv.gz" | cmp -s - "$tmp/outcome"
ok $? "the file may be gzipped"

run byproduct.py "$tmp/events" "$tmp/outcome" > "$tmp/log"
replayed "$tmp/log" > "$tmp/replayed"
grep -v '"total"' "$tmp/outcome" > "$tmp/want"
same "$tmp/replayed" "$tmp/want" "the replay of its log comes to the same"
sort -r "$tmp/log" > "$tmp/mixed"
replayed "$tmp/mixed" | cmp -s - "$tmp/want"
ok $? "whatever order the lines are in"
run compare.py "$tmp/outcome" "$tmp/replayed" > "$tmp/said"
ok $? "compare.py: $(cat "$tmp/said")"

# A log that has lost a record, or one more than it should have.
grep -v '"C8-1"' "$tmp/log" > "$tmp/lost"
run replay.py "$tmp/lost" > "$tmp/bad"
run compare.py "$tmp/outcome" "$tmp/bad" > "$tmp/said"
[ $? -eq 1 ] && grep -q "^different: order A10-1: check is 'FAIL'" "$tmp/said"
ok $? "a lost record is a difference: $(cat "$tmp/said")"
sed 's/"offset": 0,/"offset": 1000,/' "$tmp/log" > "$tmp/late"
run replay.py "$tmp/late" > "$tmp/bad"
run compare.py "$tmp/outcome" "$tmp/bad" > "$tmp/said"
[ $? -eq 1 ] && grep -q '1-1: check' "$tmp/said"
ok $? "stock that comes too late is one: $(cat "$tmp/said")"
sed 's/"offset": 0,/"offset": 1001,/' "$tmp/log" |
    cat "$tmp/log" - | awk '!seen[$0]++' > "$tmp/twice"
run replay.py "$tmp/twice" | grep -v '"total"' | cmp -s - "$tmp/want"
ok $? "a movement that comes twice counts once"
grep -v '"1-1"' "$tmp/outcome" > "$tmp/less"
run compare.py "$tmp/outcome" "$tmp/less" | grep -q 'order 1-1 is missing'
ok $? "a missing order is a difference"
run compare.py "$tmp/less" "$tmp/outcome" | grep -q 'order 1-1 was not expected'
ok $? "an order too many is one"
{
    echo '{"partition":0,"offset":0,"kind":"order","id":"x","product":"P",' \
        '"quantity":1,"state":"SHIPPED"}'
} > "$tmp/wrong"
run replay.py "$tmp/wrong" 2>&1 | grep -q 'x is SHIPPED before it is CREATED'
ok $? "a log that cannot be is refused"

# A shop of the retail data's shape, made up: the same everywhere, with all
# that the real one has.
run made.py > "$tmp/made.csv"
cksum < "$tmp/made.csv" > "$tmp/sum"
same "$tmp/sum" "$here/made.cksum" "what is made up is the same everywhere"
run retail.py outcome "$tmp/made.csv" > "$tmp/big"
tail -n 1 "$tmp/big" | grep -q '"return":[1-9].*"adjust":[1-9].*"covered":[1-9]'\
'.*"FAILED":[1-9].*"CANCELLED":[1-9].*"SHIPPED":[1-9]'
ok $? "it has everything: $(tail -n 1 "$tmp/big")"
run retail.py events "$tmp/made.csv" > "$tmp/big.events"
run byproduct.py "$tmp/big.events" "$tmp/big" > "$tmp/big.log"
run replay.py "$tmp/big.log" > "$tmp/big.replayed"
run compare.py "$tmp/big" "$tmp/big.replayed"  > "$tmp/said"
ok $? "its replay: $(cat "$tmp/said")"

data=${PENSTOCK_RETAIL:-}
if [ -z "$data" ]; then
    checks=$((checks + 1))
    echo "ok $checks - the retail data # SKIP PENSTOCK_RETAIL is not set"
else
    run retail.py facts "$data" > "$tmp/facts"
    same "$tmp/facts" "$here/retail.facts" "the retail data's check values"
    run retail.py outcome "$data" > "$tmp/big"
    tail -n 1 "$tmp/big" > "$tmp/total"
    same "$tmp/total" "$here/retail.total" "the totals of its outcome"
    run retail.py outcome --checks none "$data" | tail -n 1 > "$tmp/total"
    same "$tmp/total" "$here/retail.bare" "and without checks"
    run retail.py events "$data" > "$tmp/big.events"
    cksum < "$tmp/big.events" > "$tmp/sum"
    same "$tmp/sum" "$here/retail.cksum" "its events, by their sum"
    run byproduct.py "$tmp/big.events" "$tmp/big" > "$tmp/big.log"
    run replay.py "$tmp/big.log" > "$tmp/big.replayed"
    run compare.py "$tmp/big" "$tmp/big.replayed"  > "$tmp/said"
    ok $? "its replay: $(cat "$tmp/said")"
fi
echo "1..$checks"
[ "$failures" -eq 0 ]
