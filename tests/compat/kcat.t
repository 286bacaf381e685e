#!/bin/sh
# kcat: list, produce and consume as people do at a prompt, codecs, offsets by
# number and by time, groups that resume, large records, idempotence.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
need kcat
compat_broker

# kc ARGS...: kcat on this broker, never for longer than a minute
kc()
{
    timeout 60 kcat -b "$BOOTSTRAP" "$@"
}

# produce TOPIC ARGS...: to partition 0, so that order means something
produce()
{
    topic=$1
    shift
    kc -P -t "$topic" -p 0 "$@" 2>"$TMP/produce.err"
}

# consume TOPIC ARGS...: partition 0 up to its end
consume()
{
    topic=$1
    shift
    kc -C -q -e -t "$topic" -p 0 "$@" 2>"$TMP/consume.err"
}

numbers()
{
    seq -f "$1%05g" "$2" "$3"
}

client kcat "$(kcat -V | sed -n 's/^Version \([^ ]*\).*/\1/p')"

# -- list

feature "list"

kc -L > "$TMP/list"
ok $? "-L lists the cluster"
grep -q '1 brokers' "$TMP/list"
ok $? "-L shows one broker"
shown=$(sed -n 's/^ *broker [0-9]* at \([^ ]*\).*/\1/p' "$TMP/list")
is "$shown" "$BOOTSTRAP" "the advertised address is the one that was asked"

listed()
{
    tries=0
    until kc -L -t "$1" | grep -q 'partition 0, leader'; do
        tries=$((tries + 1))
        [ $tries -lt 50 ] || return 1
    done
}
listed "$TOPIC-auto"
ok $? "-L of an unknown topic creates it"
kc -L -J > "$TMP/list.json"
grep -q "\"topic\":\"$TOPIC-auto\"" "$TMP/list.json"
ok $? "-L -J of all topics names it"

# -- keys, values, headers

feature "keys, values, headers"

listed "$TOPIC-plain"
printf 'k1:v1\nk2:\n:v3\nk4:v:4\n' | produce "$TOPIC-plain" -K : \
    -H source=kcat -H empty= -H utf8=schön
ok $? "produce with keys and headers"
consume "$TOPIC-plain" -f '%o|%k|%s|%K|%S|%h\n' > "$TMP/got"
head='source=kcat,empty=,utf8=schön'
is "$(cat "$TMP/got")" "0|k1|v1|2|2|$head
1|k2||2|0|$head
2||v3|0|2|$head
3|k4|v:4|2|3|$head" "consume -f gives offsets, keys, values and headers back"

printf 'a:\nb:\n' | produce "$TOPIC-plain" -K : -Z
is "$(consume "$TOPIC-plain" -o 4 -f '%o %k %S\n')" "4 a -1
5 b -1" "-Z produces tombstones"
is "$(consume "$TOPIC-plain" -o -2 -f '%o ')" "4 5 " "-o -2: the last two"
is "$(consume "$TOPIC-plain" -o 3 -c 1 -f '%o')" "3" "-o 3 -c 1: one of them"
is "$(consume "$TOPIC-plain" -o end -f '%o')" "" "-o end: nothing"
consume "$TOPIC-plain" -o 1 -c 1 -J > "$TMP/json"
grep -q '"offset":1.*"key":"k2"' "$TMP/json"
ok $? "-J prints a record as JSON"
is "$(consume "$TOPIC-plain" -o 2 -c 1 -J | grep -c '"tstype":"create"')" 1 \
    "the timestamp is the producer's"

# -- codecs: each into a topic of its own, and all into one

feature "codecs"

listed "$TOPIC-mixed"
: > "$TMP/all"
for codec in none gzip snappy lz4 zstd; do
    listed "$TOPIC-$codec"
    numbers "$codec record with some text to squeeze " 1 2000 > "$TMP/in"
    cat "$TMP/in" >> "$TMP/all"
    produce "$TOPIC-$codec" -z $codec -X linger.ms=50 < "$TMP/in"
    ok $? "produce with $codec"
    consume "$TOPIC-$codec" > "$TMP/out"
    same "$TMP/in" "$TMP/out" "consume what $codec wrote, in order"
    consume "$TOPIC-$codec" -o 1234 -c 1 > "$TMP/out"
    sed -n 1235p "$TMP/in" > "$TMP/want"
    same "$TMP/want" "$TMP/out" "begin in the middle of a batch of $codec"
    produce "$TOPIC-mixed" -z $codec < "$TMP/in"
done
consume "$TOPIC-mixed" > "$TMP/out"
same "$TMP/all" "$TMP/out" "a partition with every codec reads as one"

# -- large records

feature "large records"

listed "$TOPIC-large"
head -c 900000 /dev/urandom > "$TMP/big"
produce "$TOPIC-large" "$TMP/big" "$TMP/big" "$TMP/big"
ok $? "produce three records of 900,000 bytes"
is "$(consume "$TOPIC-large" -f '%o:%S ')" "0:900000 1:900000 2:900000 " \
    "their sizes come back"
consume "$TOPIC-large" -o 2 -f '%s' > "$TMP/out"
same "$TMP/big" "$TMP/out" "the last one byte for byte"
consume "$TOPIC-large" -o 1 -c 1 -f '%s' -X fetch.message.max.bytes=1000 \
    > "$TMP/out"
same "$TMP/big" "$TMP/out" "a record larger than the fetch limit still comes"

# -- offsets by time: the second run's first timestamp parts the two

feature "offsets by time"

listed "$TOPIC-time"
numbers early 1 100 | produce "$TOPIC-time"
sleep 0.05
numbers late 1 100 | produce "$TOPIC-time"
when=$(consume "$TOPIC-time" -o 100 -c 1 -f '%T')
first=$(consume "$TOPIC-time" -o 0 -c 1 -f '%T')
is "$(consume "$TOPIC-time" -o "s@$when" -f '%o %s\n' | head -n 1)" \
    "100 late00001" "-o s@ begins at the first record of that time"
is "$(consume "$TOPIC-time" -o "s@$first" -f '%s\n' | wc -l)" 200 \
    "-o s@ of the first record's time gives all"
consume "$TOPIC-time" -o "s@$first" -o "e@$when" -f '%s\n' > "$TMP/out"
numbers early 1 100 > "$TMP/want"
same "$TMP/want" "$TMP/out" "-o s@ -o e@ gives what lies between"
is "$(kc -Q -t "$TOPIC-time:0:$when")" "$TOPIC-time [0] offset 100" \
    "-Q asks for the offset of a time"
is "$(kc -Q -t "$TOPIC-time:0:-1")" "$TOPIC-time [0] offset 200" "-Q: the end"
is "$(kc -Q -t "$TOPIC-time:0:-2")" "$TOPIC-time [0] offset 0" "-Q: the begin"
later=$((when + 3600000))
is "$(consume "$TOPIC-time" -o "s@$later" -f '%s')" "" \
    "-o s@ of a time to come gives nothing"

# -- groups

feature "groups"

listed "$TOPIC-group"
numbers g 1 300 | produce "$TOPIC-group"

# group ARGS...: a member that begins at the beginning and ends at the end
group()
{
    kc -q -G "$TOPIC-g" -X auto.offset.reset=earliest "$@" "$TOPIC-group" \
        2>"$TMP/group.err"
}
group -c 120 > "$TMP/one"
numbers g 1 120 > "$TMP/want"
same "$TMP/want" "$TMP/one" "-G reads from the beginning"
group -c 80 > "$TMP/two"
numbers g 121 200 > "$TMP/want"
same "$TMP/want" "$TMP/two" "-G resumes after its commit"
numbers g 301 350 | produce "$TOPIC-group"
group -e > "$TMP/three"
numbers g 201 350 > "$TMP/want"
same "$TMP/want" "$TMP/three" "-G -e reads the rest to the end"
group -e > "$TMP/four"
is "$(cat "$TMP/four")" "" "-G once more finds nothing new"
kc -q -G "$TOPIC-g2" -X auto.offset.reset=earliest -e "$TOPIC-group" \
    > "$TMP/other" 2>/dev/null
is "$(wc -l < "$TMP/other")" 350 "another group has offsets of its own"

# -- acks and idempotence

feature "acks and idempotence"

# With acks=0 nobody hears that a new partition is not ready yet, as it may be
# for a moment: the first record waits for an answer.
for acks in 0 1 all; do
    listed "$TOPIC-acks$acks"
    numbers a 1 500 > "$TMP/in"
    head -n 1 "$TMP/in" | produce "$TOPIC-acks$acks"
    tail -n +2 "$TMP/in" | produce "$TOPIC-acks$acks" -X acks=$acks
    ok $? "produce with acks=$acks"
    consume "$TOPIC-acks$acks" > "$TMP/out"
    same "$TMP/in" "$TMP/out" "all of acks=$acks is there"
done
listed "$TOPIC-idem"
numbers i 1 20000 > "$TMP/in"
produce "$TOPIC-idem" -X enable.idempotence=true \
    -X batch.num.messages=100 -X linger.ms=0 < "$TMP/in"
ok $? "produce 20,000 with enable.idempotence"
consume "$TOPIC-idem" > "$TMP/out"
same "$TMP/in" "$TMP/out" "each once and in order"
is "$(consume "$TOPIC-idem" -o -1 -f '%o')" 19999 "offsets without a gap"

# -- errors

feature "errors"

is "$(kc -C -e -t "$TOPIC-none-such" -p 0 -X allow.auto.create.topics=false \
    2>&1 | grep -ci 'unknown topic')" 1 "an unknown topic is an error"
kc -L -t 'bad name!' 2>&1 | grep -qi 'invalid topic'
ok $? "an invalid name is an error"

done_testing
