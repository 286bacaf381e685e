#!/bin/sh
# Dependencies run one way: the file `layers` says which.
. "$(dirname "$0")/lib.sh"
plan 6

files=$(sources broker streams proto tools)

check()
{
    awk -v want="$1" -f "$here/layers.awk" "$here/layers" $files
}

# Each pair "above below"; tsort complains of a circle.
circles=$(sed 's/#.*//; /^</d; /^ *$/d; s/\*//' "$here/layers" |
    awk '{ sub(/:$/, "", $1); print $1, $1
           for (i = 2; i <= NF; i++) print $1, $i }' |
    tsort 2>&1 >/dev/null)
upward=$(sed 's/#.*//' "$here/layers" |
    awk '/^broker\// { for (i = 2; i <= NF; i++)
             if ($i !~ /^broker\// && $i != "proto") print $1, $i }')

rule "the layers have no circle" "$circles"
rule "the broker knows nothing of streams and tools" "$upward"
rule "each C file is in a room of the layers" "$(check rooms)"
rule "rooms include only rooms that the layers name" "$(check includes)"
rule "private headers stay in their room" "$(check private)"
rule "libraries are included where the layers say" "$(check libraries)"
finish
