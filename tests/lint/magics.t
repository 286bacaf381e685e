#!/bin/sh
# A magic tells one kind of object from all others, so no two are the same.
. "$(dirname "$0")/lib.sh"
plan 2

# NAME VALUE file:line of each #define or enum constant that ends in _MAGIC
magics()
{
    awk -f "$here/code.awk" $(sources broker streams tools proto) /dev/null |
        awk '{
            split($0, place, ":")
            line = $0
            sub(/^[^:]*:[^:]*:/, "", line)
            while (match(line, /[A-Z0-9_]*_MAGIC[ \t]*=?[ \t]*\(?(0[xX])?[0-9a-fA-F]+/)) {
                def = substr(line, RSTART, RLENGTH)
                line = substr(line, RSTART + RLENGTH)
                name = def
                sub(/_MAGIC.*/, "_MAGIC", name)
                sub(/^[A-Z0-9_]*_MAGIC[ \t]*=?[ \t]*\(?/, "", def)
                print name, tolower(def), place[1] ":" place[2]
            }
        }'
}

values=$(magics | awk '{
    if ($2 in who) print $3 ": " $1 " is " $2 ", as " who[$2]
    else who[$2] = $1 }')
names=$(magics | awk '{
    if ($1 in where) print $3 ": " $1 " stands in " where[$1]
    else where[$1] = $3 }')
rule "no magic has another one's value" "$values"
rule "no magic is defined twice" "$names"
finish
