#!/bin/sh
# A compacted topic: of a hundred thousand records over a thousand keys the
# newest of each stays, at its offset, whatever the codec, through kill -9 in
# the middle of it; deleted keys stay deleted; a record without a key is
# refused; a topic that becomes compacted is compacted.
. "$(dirname "$0")/lib.sh"
need kcat
need python3

KEYS=1000
EACH=25000
CONFIG="-c segment.bytes=1048576 -c min.cleanable.dirty.ratio=0.01"

# records FROM: EACH lines of key:number, the number being the offset
records()
{
    awk -v from="$1" -v each="$EACH" -v keys="$KEYS" 'BEGIN {
        for (i = from; i < from + each; i++)
            printf "key-%d:%d as a value that is somewhat longer than that, " \
                "%d to be sure of the bytes\n", i * 7919 % keys, i, i * 31
    }'
}

# kc ARG...: kcat, never for longer than a minute
kc()
{
    timeout 60 kcat -b "$B" "$@"
}

produce()
{
    topic=$1
    shift
    kc -P -t "$topic" -p 0 -K: -X message.timeout.ms=50000 "$@" \
        2>>"$TMP/kcat.err"
}

# consume TOPIC: offset, key, length and value of all there is
consume()
{
    kc -C -q -e -t "$1" -p 0 -f '%o:%k:%S:%s\n' 2>>"$TMP/kcat.err"
}

# newest: of what consume wrote, the last line of each key
newest()
{
    awk -F: '{ last[$2] = $0 } END { for (k in last) print last[k] }' | sort
}

# until_fewer TOPIC COUNT: waits until a consumer sees fewer records than that
until_fewer()
{
    deadline=$(($(now) + 60000))
    while [ "$(consume "$1" | wc -l)" -ge "$2" ]; do
        [ "$(now)" -lt "$deadline" ] || return 1
    done
}

# metric NAME
metric()
{
    get /metrics | sed -n "s/^penstock_$1 //p"
}

# set TOPIC NAME VALUE: IncrementalAlterConfigs, by hand
alter()
{
    python3 - "$B" "$@" <<'EOF'
import socket, struct, sys
at, topic, name, value = sys.argv[1:]
host, port = at.rsplit(":", 1)
text = lambda s: struct.pack(">h", len(s)) + s.encode()
body = struct.pack(">hhi", 44, 0, 1) + text("story")
body += struct.pack(">ib", 1, 2) + text(topic)
body += struct.pack(">i", 1) + text(name) + b"\0" + text(value) + b"\0"
s = socket.create_connection((host, int(port)), 20)
s.sendall(struct.pack(">i", len(body)) + body)
f = s.makefile("rb")
answer = f.read(struct.unpack(">i", f.read(4))[0])
sys.exit(struct.unpack(">h", answer[12:14])[0])
EOF
}

start
# shellcheck disable=SC2086
"$PENSTOCK" topic create -q c -p 1 -c cleanup.policy=compact $CONFIG \
    >/dev/null
ok $? "a compacted topic is made"

# -- rounds of writing, each ends with kill -9 while the cleaner is at work

round=0
for codec in zstd lz4 gzip none; do
    records $((round * EACH)) > "$TMP/in.$round"
    produce c -z $codec -l "$TMP/in.$round"
    ok $? "$EACH records are taken, codec $codec"
    round=$((round + 1))
    if [ $codec != none ]; then
        finish KILL
        start
    fi
done
cat "$TMP"/in.[0-3] | awk -F: '{ print NR - 1 ":" $1 ":" length($2) ":" $2 }' \
    > "$TMP/all"
newest < "$TMP/all" > "$TMP/want"

until_fewer c 20000
ok $? "most of it is compacted away"
consume c > "$TMP/got"
newest < "$TMP/got" > "$TMP/last"
cmp -s "$TMP/last" "$TMP/want"
ok $? "the newest of each of $KEYS keys is there, at its offset"
sort "$TMP/got" > "$TMP/sorted"
sort "$TMP/all" | comm -23 "$TMP/sorted" - > "$TMP/strange"
is "$(cat "$TMP/strange")" "" "nothing is there that was not written"
first=$(head -n 1 "$TMP/got" | cut -d: -f1)
is "$(kc -C -q -t c -p 0 -o 3 -c 1 -f '%o\n')" "$first" \
    "a fetch at an offset that is gone goes on with the next one"
is "$(kc -Q -t c:0:-2)" "c [0] offset 0" "the log still begins at 0"
is "$(kc -Q -t c:0:-1)" "c [0] offset $((4 * EACH))" "its end has not moved"
[ "$(metric cleaner_passes_total)" -gt 0 ]
ok $? "the passes are counted"
is "$(metric cleaner_failed_total)" 0 "none of them failed"

finish KILL
start
consume c | newest > "$TMP/last"
cmp -s "$TMP/last" "$TMP/want"
ok $? "the same after kill -9"

# -- tombstones

for k in 1 2 3; do
    echo "key-$k:"
done > "$TMP/gone"
produce c -Z -l "$TMP/gone"
records $((4 * EACH)) | awk -F: '$1 !~ /^key-[123]$/' > "$TMP/in.4"
produce c -l "$TMP/in.4"
until_fewer c 20000
ok $? "a second pass"
consume c > "$TMP/got"
is "$(awk -F: '$2 ~ /^key-[123]$/ { print $2 ":" $3 }' "$TMP/got" | sort)" \
    "key-1:-1
key-2:-1
key-3:-1" "of a deleted key the tombstone is left"
is "$(newest < "$TMP/got" | wc -l)" $KEYS "and all others are there"

# -- what a compacted topic does not take

echo "without a key" | kc -P -t c -p 0 2>"$TMP/refused"
grep -q "failed to validate record" "$TMP/refused"
ok $? "a record without a key is refused"

# -- a topic that becomes compacted

# shellcheck disable=SC2086
"$PENSTOCK" topic create -q d -p 1 $CONFIG >/dev/null
produce d -l "$TMP/in.3"
produce d -z snappy -l "$TMP/in.3"
is "$(consume d | wc -l)" $((2 * EACH)) "a topic that deletes keeps all"
alter d cleanup.policy compact,delete
ok $? "cleanup.policy is altered"
until_fewer d $((2 * EACH))
ok $? "and it is compacted"
consume d | cut -d: -f2,4 | awk -F: '{ v[$1] = $0 }
    END { for (k in v) print v[k] }' | sort > "$TMP/last"
awk -F: '{ v[$1] = $0 } END { for (k in v) print v[k] }' "$TMP/in.3" | sort |
    cmp -s - "$TMP/last"
ok $? "to the newest of each key"

finish TERM
is "$code" 0 "it stops when it is told to"
done_testing
