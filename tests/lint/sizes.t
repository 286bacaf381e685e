#!/bin/sh
# Functions of more than 100 lines and files of more than 1,000 want cutting
# in two. The aims are 40 and 600; the longest are printed to be seen. What
# has a good reason stands in `long`, with the reason.
. "$(dirname "$0")/lib.sh"
plan 3

files=$(sources broker streams tools proto tests)

# lines file function; by our style a body opens with { and ends with } in
# the first column, below the line with the name
functions()
{
    awk 'FNR == 1 { name = ""; open = 0 }
        /^[A-Za-z_].*\(/ { name = $0; sub(/\(.*/, "", name)
                           sub(/.*[ *]/, "", name) }
        /^{/ { open = FNR }
        /^}/ { if (open && name != "") print FNR - open + 1, FILENAME, name
               open = 0; name = "" }' $files /dev/null | sort -rn
}

lengths()
{
    awk '{ n[FILENAME]++ } END { for (f in n) print n[f], f, "-" }' $files \
        /dev/null | sort -rn
}

echo "the longest functions:" | note
functions | head -12 | note
echo "the longest files:" | note
lengths | head -12 | note

echo "lines of more than 80 columns, outside of tables:" | note
awk 'FNR == 1 { table = 0 }
    /clang-format off/ { table = 1 }
    /clang-format on/ { table = 0 }
    !table && length($0) > 80 { n[FILENAME]++ }
    END { for (f in n) print n[f], f }' $files /dev/null | sort -rn |
    head -12 | note

# too_long MOST, with lines file name on stdin: all but the exceptions
too_long()
{
    awk -v long="$here/long" -v most="$1" '
        BEGIN { while ((getline line < long) > 0) {
                    split(line, word, " "); ok[word[1] " " word[2]] = 1 } }
        $1 > most && !(($2 " " $3) in ok) { print $2, $3, "has", $1, "lines" }'
}

# what is listed must still be there, and long
outdated()
{
    sed 's/#.*//' "$here/long" | while read -r file name reason; do
        [ -n "$file" ] || continue
        [ -n "$reason" ] || echo "$file $name: no reason given"
        { functions; lengths; } | awk -v f="$file" -v n="$name" '
            $2 == f && $3 == n && $1 > (n == "-" ? 1000 : 100) { found = 1 }
            END { if (!found) print f, n, "is not long any more" }'
    done
}

rule "no function of more than 100 lines" "$(functions | too_long 100)"
rule "no file of more than 1000 lines" "$(lengths | too_long 1000)"
rule "the list of exceptions is up to date" "$(outdated)"
finish
