#!/bin/sh
# penstock check, dump and salvage on the folder of a server that was killed:
# what they say, and with which exit code.
: "${top_srcdir:=$(cd "$(dirname "$0")/../../.." && pwd)}"
. "$top_srcdir/tests/story/lib.sh"

P=$PENSTOCK
D=$TMP/data

# exits CODE NAME COMMAND...: sets `said`
exits()
{
    want=$1 name=$2
    shift 2
    said=$(timeout 60 "$P" "$@" 2>"$TMP/said" </dev/null)
    is "$?" "$want" "$name: exit $want"
}

start
"$P" topic create t -p 2 >/dev/null
for i in 1 2 3 4 5; do
    "$P" produce t -k "$i" "value $i" >/dev/null
done
exits 5 "check beside a server" check --data "$D"
like "$(cat "$TMP/said")" "*another process uses*" "it says so"
exits 5 "salvage beside a server" salvage --data "$D" --to "$TMP/new"
finish KILL

before=$(find "$D" -type f -exec cksum {} + | sort)
exits 0 "check" check --data "$D"
like "$said" "no damage, *" "it says so"
exits 0 "check --deep -o json" check --data "$D" --deep -o json
like "$said" '*"damages":0*' "an object"
exits 2 "check without a folder" check
exits 4 "check of nothing" check --data "$TMP/nothing"
exits 0 "dump meta" dump meta --data "$D"
like "$said" 'checkpoint value={"format":1,*' "the checkpoint"
exits 0 "dump journal" dump journal --data "$D" --records --values
like "$said" '*put kind=topic topic_id=* value={"name":"t","partitions":2,*' \
    "the topic's record in a frame"
like "$said" '*key=* value="value 3"*' "a record in a frame"
exits 0 "dump state" dump state --data "$D"
exits 0 "salvage --dry-run" salvage --data "$D" --dry-run
like "$said" "*would make*nothing is lost*" "it says what it would do"
is "$(find "$D" -type f -exec cksum {} + | sort)" "$before" \
    "nothing of that wrote anything"

exits 0 "salvage" salvage --data "$D" --to "$TMP/new"
exits 5 "salvage onto a folder" salvage --data "$D" --to "$TMP/new"
exits 0 "check of the new folder" check --data "$TMP/new"
for log in "$TMP"/new/topics/*/*/*.log; do
    exits 0 "dump segment" dump segment "$log" --values
    like "$said" 'batch pos=0 base_offset=0 *value="value '* "its records"
    break
done

# one bit
printf '\001' | dd of="$log" bs=1 seek=70 conv=notrunc 2>/dev/null
exits 7 "check after a flip" check --data "$TMP/new"
like "$said" "damage: topics/*.log at byte 0: *" "where it is"
exits 7 "dump after a flip" dump segment "$log"
exits 8 "salvage after a flip" salvage --data "$TMP/new" --to "$TMP/newer"
like "$said" "*offsets * are lost*" "what is lost"
exits 0 "check of what is left" check --data "$TMP/newer"

mv "$TMP/new" "$TMP/damaged"
mv "$TMP/data" "$TMP/old"
mv "$TMP/newer" "$TMP/data"
start
"$P" consume t -e -o beginning >"$TMP/got" 2>/dev/null
n=$(wc -l <"$TMP/got")
ok $((n >= 1 && n < 5 ? 0 : 1)) "a server serves what is left: $n of 5"
finish TERM
done_testing
