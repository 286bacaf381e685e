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

# ---- settings, trimming

run2=u$$
"$P" topic create $run2 -p 2 -c retention.ms=7d >/dev/null
is "$("$P" topic config $run2 -o tsv)" "retention.ms	604800000	topic" \
    "the settings of a topic"
like "$("$P" topic config $run2 -a -o tsv)" "*segment.bytes	*	default*" \
    "those that were not made, too"
is "$("$P" topic config $run2 segment.bytes=64M --unset retention.ms \
        -o ndjson)" \
    "{\"config\":\"segment.bytes\",\"value\":\"67108864\",\"result\":\"set\"}
{\"config\":\"retention.ms\",\"value\":null,\"result\":\"unset\"}" \
    "settings are changed"
is "$("$P" topic config $run2 segment.bytes=32M --dry-run -o tsv)" \
    "segment.bytes	33554432	would be set" "or it is said what would be"
is "$("$P" topic config $run2 -o tsv)" "segment.bytes	67108864	topic" \
    "one is there, one is gone"
ends 1 "*has no setting 'retention.m' (did you mean 'retention.ms'?) \[INVALID_CONFIG\]" \
    "a setting that is none" topic config $run2 retention.m=5
ends 1 "*cleanup.policy*\[INVALID_CONFIG\]" "a value that is none" \
    topic config $run2 cleanup.policy=burn retention.bytes=5
ends 2 "*is not KEY=VALUE" "half a setting" topic config $run2 retention.ms
ends 4 "*does not exist*" "settings of nothing" topic config $run2-none a=b
for i in 1 2 3 4; do
    "$P" produce $run2 -p 0 "record $i" >/dev/null
done
is "$("$P" topic trim $run2 -p 0 --before 3 --dry-run -o tsv)" \
    "$run2	0	0	3	3	would be trimmed" "a trim is tried"
ends 2 "*Say --yes" "trimming without a word" topic trim $run2 --before 3
ends 2 "*before what?*" "trimming before nothing" topic trim $run2 --yes
is "$("$P" topic trim $run2 -p 0 --before 3 --yes -o tsv)" \
    "$run2	0	0	3	3	trimmed" "the oldest records go"
is "$("$P" consume $run2 -p 0 -o beginning -e -f '%o ' 2>/dev/null)" "3 " \
    "the last is left"
"$P" topic trim $run2 --before 4 --yes -o tsv >"$TMP/trim" 2>/dev/null
is "$?" 8 "an offset beyond the end of one partition: partly done"
is "$(cat "$TMP/trim")" "$run2	0	3	4	1	trimmed
$run2	1	0	0	0	OFFSET_OUT_OF_RANGE" "which has its own line"
is "$("$P" topic trim $run2 --before @-1h --yes -o tsv | cut -f 6 | sort -u)" \
    "nothing to trim" "all records are younger, there are none"
"$P" topic delete $run2 --yes >/dev/null

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

# ---- transactions

"$P" topic create $run-x -p 2 >/dev/null
printf 'a:1\nb:2\nc:3\n' | "$P" produce $run-x -K : --txn $run-id
is "$("$P" consume $run-x -e --read-committed -o raw | sort | tr '\n' ' ')" \
    "1 2 3 " "a transaction is read when it is committed"
like "$("$P" txn list -o tsv)" "*$run-id	CompleteCommit	*" "it is listed"
like "$("$P" txn describe $run-id -o json)" \
    "*\"state\":\"CompleteCommit\",*\"timeout_ms\":60000,*" "and described"
ends 4 "*(did you mean '$run-id'?) \[TRANSACTIONAL_ID_NOT_FOUND\]" \
    "an id that is not there" txn describe $run-ir
like "$("$P" txn producers $run-x/0 -o ndjson)" "*\"open_since_offset\":null}" \
    "a partition knows its producers"
ends 2 "*is not TOPIC/PARTITION*" "a partition without a number" \
    txn producers $run-x
printf '{"id":"1","quantity":1}\n{"id"\n' |
    "$P" produce $run-x --proto shop.Order --txn $run-id 2>/dev/null
is "$?" 1 "a bad line fails the transaction"
is "$("$P" consume $run-x -e --read-committed -o raw | wc -l)" 3 \
    "and nothing of it is read"
is "$("$P" txn abort $run-id --yes 2>&1)" \
    "penstock: '$run-id' has no open transaction: it is CompleteAbort" \
    "there is nothing to abort"
is "$("$P" txn find-hanging -o tsv)" "" "nothing hangs"

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
"$P" group seek $run-g -t $run-a --to end --yes >/dev/null 2>&1
like "$("$P" group seek $run-g -t $run-a --to beginning --dry-run -o tsv 2>/dev/null)" \
    "$run-a	0	*	0*" "group seek says where it would go"
is "$("$P" group describe $run-g -o tsv | cut -f 5 | sort -u)" 0 \
    "and moves nothing without being told to"
ends 2 "*where to? --to *" "seek to nowhere" group seek $run-g -t $run-a --yes
"$P" group seek $run-g -t $run-a -p 0 --to -1 --yes >/dev/null 2>&1
is "$("$P" group describe $run-g -o tsv | cut -f 1,2,5 | sed -n 1p)" \
    "$run-a	0	1" "it moves by one record"
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
