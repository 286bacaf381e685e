#!/bin/sh
# Each room says what it is for; each text has one title.
. "$(dirname "$0")/lib.sh"
plan 2

silent()
{
    sources broker streams tools proto tests | sed 's|/[^/]*$||' |
        LC_ALL=C sort -u | while read -r room; do
        # a folder inside of a room is part of it; unit tests mirror the rooms
        case $room in
        tests/unit | tests/unit/*) continue ;;
        tools/*) room=tools ;;
        proto/*) room=proto ;;
        *) room=$(echo "$room" | cut -d/ -f1-2) ;;
        esac
        [ -f "$room/README.md" ] || echo "$room has no README.md"
    done | LC_ALL=C sort -u
}

# A title is a line that begins with "# " outside of a fenced block.
titles()
{
    find ./*.md broker streams proto tools tests -name '*.md' \
        ! -path '*/node_modules/*' | LC_ALL=C sort | while read -r md; do
        awk '/^```/ { fenced = !fenced }
            !fenced && /^# / { titles++; if (titles == 1) at = NR }
            END { if (titles != 1) print FILENAME " has " titles + 0 " titles"
                  else if (at != 1) print FILENAME ": the title is not first" }
            ' "$md"
    done
}

rule "each room has a README.md" "$(silent)"
rule "each text has one title, in its first line" "$(titles)"
finish
