#!/bin/sh
# The life of an appliance: it says when it is ready, takes an order from any
# client, shows what came of it, and shows the same after kill -9; it stops
# when it is told to, and refuses what it should not begin.
. "$(dirname "$0")/lib.sh"
need kcat
need python3

# refuse CODE WORDS NAME ARG...: penstock serve ends with that code, and says
# that in one line
refuse()
{
    want=$1 words=$2 name=$3
    shift 3
    said=$(timeout 20 "$PENSTOCK" serve "$@" 2>&1 >/dev/null)
    is "$?" "$want" "$name: exit $want"
    like "$said" "penstock: error: $words" "$name: says why"
    is "$(echo "$said" | wc -l)" 1 "$name: in one line"
}

# ---- ready

start --partitions 2 --threads 2
like "$line" "{\"v\":1,\"pid\":$pid,\"bootstrap\":\"127.0.0.1:*\",\
\"http\":\"http://127.0.0.1:*\",\"data\":\"$(cd "$TMP" && pwd -P)/data\",\
\"version\":\"*\"}" "the line of --ready-fd has its form"
like "$(get /v1/health)" '{"status":"ok",*' "it is well"

# ---- an order from another client, and what comes of it

echo 'ipad:{"kind":"RECEIVE","quantity":10}' |
    kcat -b "$B" -P -t warehouse-inventory -K : 2>/dev/null
ok $? "kcat brings goods, as JSON"
echo '1:{"id":"1","state":"CREATED","product":"ipad","quantity":3}' |
    kcat -b "$B" -P -t orders -K : 2>/dev/null
ok $? "and an order"
"$PENSTOCK" settle --within 10s >/dev/null
ok $? "all is dealt with"
before=$(get /v1/views/stock/ipad | sed 's/"epoch":[0-9]*,//')
like "$before" '{"key":"ipad","value":{"onHand":10,"reserved":3,*' \
    "three are reserved"
like "$(get /v1/views/stock/ipod)" '404 {"error":"there is no *' \
    "what is not there is 404"
is "$(kcat -b "$B" -C -t order-validations -e -q -f '%k\n' 2>/dev/null)" 1 \
    "there is one verdict"

# ---- two on one folder

refuse 5 'another process uses *' "a second one on the folder" \
    --data "$TMP/data" --port 0 --http off

# ---- kill -9, and on

finish KILL
is "$code" 137 "it was killed"
start --partitions 2
is "$(get /v1/views/stock/ipad | sed 's/"epoch":[0-9]*,//')" "$before" \
    "the same stock after kill -9"
"$PENSTOCK" settle --within 10s >/dev/null
is "$(kcat -b "$B" -C -t order-validations -e -q -f '%k\n' 2>/dev/null)" 1 \
    "still one verdict"

# ---- a clean stop

kill -HUP "$pid"
like "$(get /v1/health)" '{"status":"ok",*' "SIGHUP ends nothing"
finish TERM
is "$code" 0 "SIGTERM: exit 0"
[ "$took" -lt 2000 ]
ok $? "SIGTERM: within 2 s (it took $took ms)"
start
is "$(get /v1/views/stock/ipad | sed 's/"epoch":[0-9]*,//')" "$before" \
    "the same stock after SIGTERM"
finish INT
is "$code" 0 "SIGINT: exit 0"

# ---- a crash of its own is remembered, three of them pause applications

for n in 1 2 3; do
    start
    finish SEGV
done
[ "$code" -ne 0 ]
ok $? "a fault is still a fault"
start
like "$(get /v1/streams)" '{"apps":[{"name":"inventory","state":"paused",*' \
    "after three crashes it starts without applications"
"$PENSTOCK" streams resume inventory >/dev/null 2>&1
like "$(get /v1/streams)" '{"apps":[{"name":"inventory","state":"running",*' \
    "until somebody lets them go on"
finish TERM

# ---- what it refuses

refuse 2 '*is open to others*--allow-public' "a public address" \
    --data "$TMP/new" --listen 0.0.0.0:0 --http off
refuse 2 '*is open to others*--allow-public' "a public address for HTTP" \
    --data "$TMP/new" --port 0 --http 0.0.0.0:0
[ ! -e "$TMP/new" ]
ok $? "nothing was made for that"
refuse 2 '*--data*' "no folder"
refuse 2 "there is no application 'inventry' (did you mean 'inventory'?)" \
    "an unknown application" --data "$TMP/new" --app inventry
printf '[server]\ndata = %s/new\nlistn = 127.0.0.1:0\n' "$TMP" >"$TMP/conf"
refuse 2 "*/conf:3: unknown key 'listn' (did you mean 'listen'?)" \
    "a mistake in the file" -C "$TMP/conf"
sed 's/crc ......../crc 00000000/' "$TMP/data/penstock.id" >"$TMP/id"
cp "$TMP/id" "$TMP/data/penstock.id"
refuse 7 '*penstock.id is damaged*' "a damaged identity" \
    --data "$TMP/data" --port 0 --http off
mkdir "$TMP/other" && : >"$TMP/other/letter.txt"
refuse 7 '*has contents but no penstock.id*' "a folder of somebody else" \
    --data "$TMP/other" --port 0 --http off

# ---- it dies with its parent

mkfifo "$TMP/line"
sh -c '"$1" serve --data "$2/child" --port 0 --http off --ready-fd 8 \
    --die-with-parent 8>"$2/line" 2>/dev/null & wait' \
    sh "$PENSTOCK" "$TMP" &
parent=$!
line=$(timeout 60 head -n 1 "$TMP/line")
child=$(echo "$line" | sed 's/.*"pid":\([0-9]*\).*/\1/')
kill -9 "$parent"
wait "$parent" 2>/dev/null
timeout 10 sh -c 'while kill -0 "$1" 2>/dev/null; do :; done' sh "$child"
ok $? "it is gone when its parent is"

# ---- dev

rm -f "$TMP/ready" && mkfifo "$TMP/ready"
TMPDIR=$TMP "$PENSTOCK" dev --port 0 --http-port 0 --ready-fd 9 \
    --topic letters:3 9>"$TMP/ready" 2>"$TMP/dev.err" </dev/null &
pid=$!
line=$(timeout 60 head -n 1 "$TMP/ready")
data=$(field data)
B=$(field bootstrap)
like "$data" "*/penstock-*" "dev has a folder of its own"
like "$(cat "$TMP/dev.err")" "*kcat -b $B -t notes*" "dev says how to begin"
like "$(kcat -b "$B" -L 2>/dev/null)" '*topic "letters" with 3 partitions*' \
    "dev makes topics"
echo '{"id":' | kcat -b "$B" -P -t orders -k x 2>/dev/null
timeout 10 sh -c 'until grep -q "again: penstock consume" "$1"; do :; done' \
    sh "$TMP/dev.err"
ok $? "dev prints a dead letter with the command that replays it"
finish TERM
is "$code" 0 "dev: exit 0"
[ "$took" -lt 2000 ]
ok $? "dev: within 2 s (it took $took ms)"
[ ! -e "$data" ]
ok $? "dev leaves nothing behind"

done_testing
