#!/bin/sh
# The commands of a client against a broker: topics, records in and out,
# groups, views; what they print, where, and with which exit code.
# With CLI_BOOTSTRAP=HOST:PORT the broker is that one, which may be a real
# Kafka: then nothing is asked of the HTTP front.
: "${top_srcdir:=$(cd "$(dirname "$0")/../../.." && pwd)}"
. "$top_srcdir/tests/story/lib.sh"
unset NO_COLOR

P=$PENSTOCK
if [ -n "${CLI_BOOTSTRAP-}" ]; then
    export PENSTOCK_BOOTSTRAP="$CLI_BOOTSTRAP"
    front=
else
    start
    front=yes
fi

# ends CODE WORDS NAME COMMAND...: it fails with that code and one line
ends()
{
    want=$1 words=$2 name=$3
    shift 3
    said=$(timeout 60 "$P" "$@" 2>&1 >/dev/null </dev/null)
    is "$?" "$want" "$name: exit $want"
    # shellcheck disable=SC2254
    like "$said" "$words" "$name: says why"
    is "$(echo "$said" | wc -l)" 1 "$name: in one line"
}

# ---- topics

run=t$$
is "$("$P" topic create $run-a -p 2 -c retention.ms=7d -o tsv)" \
    "$run-a	2	created" "a topic is made"
ends 5 "penstock: error: topic '$run-a' exists already \[TOPIC_ALREADY_EXISTS\]" \
    "once more" topic create $run-a
is "$("$P" topic create $run-a --if-not-exists -o tsv)" "$run-a		exists" \
    "unless that is said to be fine"
is "$("$P" topic create $run-dry --dry-run -p 1 -o tsv)" \
    "$run-dry	1	would be created" "--dry-run says what would be"
like "$("$P" topic list -o raw)" "*$run-a*" "it is listed"
case $("$P" topic list -o raw) in
*"$run-dry"*) ok 1 "--dry-run makes nothing" ;;
*) ok 0 "--dry-run makes nothing" ;;
esac
like "$("$P" topic describe $run-a)" "topic $run-a, id *retention.ms=604800000*" \
    "its settings are shown"
like "$("$P" topic describe $run-a -o json)" \
    "{\"topic\":\"$run-a\",*\"partition\":1,\"begin\":0,\"end\":0,\"records\":0}*" \
    "as JSON, too"
ends 4 "penstock: error: topic '$run-b' does not exist (did you mean '$run-a'*" \
    "a topic that is not there" topic describe $run-b
ends 2 "*Say --yes" "deleting without a word" topic delete $run-a

# ---- records

is "$("$P" produce $run-a -k k1 -H a=b 'one' -o json)" \
    "[{\"topic\":\"$run-a\",\"partition\":1,\"offset\":0,\"count\":1}]" \
    "a record is written where Java would write it"
printf 'k2:two\nno delimiter\nk3:\n' | "$P" produce $run-a -K : -Z -p 1
ok $? "lines with keys from stdin"
is "$("$P" consume $run-a -e)" "k1	one
k2	two
	no delimiter
k3	" "they are printed, key and value"
is "$("$P" consume $run-a -o 1 -p 1 -c 1 -f '%t[%p]@%o %k=%v %K %S\n')" \
    "$run-a[1]@1 k2=two 2 3" "with letters"
is "$("$P" consume $run-a -o -1 -p 1 -e -f '%k %S')" "k3 -1" \
    "the last one, a tombstone"
like "$("$P" consume $run-a -o 0 -c 1 -p 1 --json)" \
    "{\"topic\":\"$run-a\",\"partition\":1,\"offset\":0,\"timestamp\":*,\
\"key\":\"k1\",\"headers\":{\"a\":\"b\"},\"value\":\"one\"}" "as JSON"
is "$("$P" consume $run-a -o @-1h -e -c 2 -f '%k,')" "k1,k2," "by time"
is "$("$P" consume $run-a -o end -e)" "" "at the end there is nothing"
for codec in gzip snappy lz4 zstd; do
    i=0
    while [ $i -lt 200 ]; do
        echo "value $codec $i"
        i=$((i + 1))
    done >"$TMP/$codec"
    "$P" produce $run-a -p 0 -z $codec <"$TMP/$codec"
    "$P" consume $run-a -p 0 -o -200 -e -o raw >"$TMP/back"
    cmp -s "$TMP/$codec" "$TMP/back"
    ok $? "$codec there and back"
done
"$P" consume $run-a --expect 5 --within 20s >/dev/null
ok $? "--expect is content with enough"
ends 1 "penstock: error: expected 9999 records, got 804" "or fails" \
    consume $run-a --expect 9999 --within 300ms
printf 'id,what\n1,"a, b"\n2,c\n' >"$TMP/rows.csv"
"$P" produce $run-a -p 1 --from "csv:$TMP/rows.csv" --key id
is "$("$P" consume $run-a -p 1 -o -2 -e)" '1	{"id":"1","what":"a, b"}
2	{"id":"2","what":"c"}' "rows of a CSV file"
is "$("$P" produce $run-a --proto Order --partition 1 \
    '{"id":"7","state":"PAID","price":"2.50"}' && "$P" consume $run-a -p 1 \
    -o -1 -e --proto Order)" \
    '7	{"id":"7","state":"PAID","priceMicros":"2500000"}' \
    "JSON becomes protobuf and JSON again"
ends 1 "*value 1: *sate*" "a field that is not there" \
    produce $run-a --proto Order '{"sate":1}'
ends 4 "*UNKNOWN_TOPIC_OR_PARTITION\]" "a partition that is not there" \
    produce $run-a -p 9 x

# ---- groups

is "$("$P" consume $run-a -G $run-g -e -o raw | wc -l)" \
    "$("$P" consume $run-a -e -o raw | wc -l)" "a group reads all"
is "$("$P" consume $run-a -G $run-g -e)" "" "once"
"$P" produce $run-a -p 0 x y z
is "$("$P" consume $run-a -G $run-g -c 2 -o raw)" "x
y" "and then what is new"
is "$("$P" group describe $run-g -o tsv | cut -f 1,2,5)" "$run-a	0	1
$run-a	1	0" "its lag is what it has not printed"
like "$("$P" group list -o tsv)" "*$run-g	Empty	*" "it is listed"
"$P" consume $run-a -G $run-g -o end >"$TMP/member" 2>"$TMP/member.err" &
member=$!
timeout 20 sh -c 'until "$1" group describe "$2" | grep -q Stable; do :; done' \
    sh "$P" $run-g
ok $? "a member makes it stable"
ends 5 "*still has members \[NON_EMPTY_GROUP\]" "a group with members" \
    group delete $run-g --yes
kill -INT $member
wait $member
is $? 130 "SIGINT: exit 130"
like "$("$P" group describe $run-g)" "group $run-g, Empty, 0 members*" \
    "and the member has left"
"$P" group delete $run-g --yes 2>/dev/null
ok $? "now it can be deleted"
ends 4 "*GROUP_ID_NOT_FOUND\]" "and is gone" group describe $run-g

# ---- words

ends 2 "penstock: error: unknown command 'topc' (did you mean 'topic'?)" \
    "a slip" topc list
ends 2 '{"error":"unknown option '\''--bogus'\''","exit":2}' \
    "in JSON, if JSON is asked for" topic list --bogus -o json
ends 3 "penstock: error: cannot connect to 127.0.0.1:1: Connection refused" \
    "nobody there" topic list -b 127.0.0.1:1
is "$("$P" topic list -o json >/dev/full 2>/dev/null || echo $?)" 1 \
    "a full disk is an error"
for command in $("$P" help | sed -n '/^Commands/,/^Global/s/^  \([a-z]*\) .*/\1/p' |
    uniq); do
    "$P" help "$command" | grep -q "^penstock $command" ||
        echo "# no help for $command"
done >"$TMP/help"
is "$(cat "$TMP/help")" "" "every command has its help"
is "$("$P" help exit-codes | awk '{print $1}' | tr '\n' ' ')" \
    "0 1 2 3 4 5 6 7 8 75 130 " "exit codes are listed"
if command -v bash >/dev/null; then
    "$P" completion bash | bash -n
    ok $? "the completion is a script"
    is "$(bash -c '. /dev/stdin; COMP_WORDS=(penstock topic cr); COMP_CWORD=2
        _penstock; echo "${COMPREPLY[@]}"' <<-END
	$("$P" completion bash)
	END
    )" create "and completes"
fi

# ---- views

if [ -n "$front" ]; then
    "$P" produce warehouse-inventory -k ipad '{"kind":"RECEIVE","quantity":10}'
    "$P" produce orders '{"id":"1","state":"CREATED","product":"ipad","quantity":3}'
    "$P" settle --within 10s
    ok $? "all is dealt with"
    is "$("$P" consume order-validations -e)" \
        '1	{"orderId":"1","check":"INVENTORY","result":"PASS"}' "a verdict"
    like "$("$P" stock get ipad -o json)" \
        '{"epoch":*,"key":"ipad","value":{"onHand":10,"reserved":3,*' "stock"
    like "$("$P" stock list)" "KEY *ON-HAND *
ipad *" "as a table"
    ends 4 "penstock: error: there is no 'ipod' in 'stock'" "no such product" \
        stock get ipod
    "$P" streams pause inventory -q
    like "$("$P" streams list)" "*inventory  paused *" "paused"
    "$P" streams resume inventory -q
    like "$("$P" streams list)" "*inventory  running *" "resumed"
    like "$("$P" streams describe inventory)" "inventory, running

TASK *" "its tasks"
    ends 4 "penstock: error: there is no application 'nope'" \
        "no such application" streams describe nope
    ends 3 "penstock: error: cannot connect to 127.0.0.1:1: *" \
        "no front" stock list --http http://127.0.0.1:1
fi

# ---- the end

is "$("$P" topic delete $run-a --dry-run -o tsv)" "$run-a	2	would be deleted" \
    "--dry-run deletes nothing"
"$P" topic delete $run-a $run-none --yes -o tsv >"$TMP/gone" 2>/dev/null
is "$?" 8 "one of two: exit 8"
is "$(cat "$TMP/gone")" "$run-a	2	deleted
$run-none		UNKNOWN_TOPIC_OR_PARTITION" "and each has its line"

done_testing
