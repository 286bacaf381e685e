#!/bin/sh
# What an editor leaves behind.
. "$(dirname "$0")/lib.sh"
plan 3

# The texts of the tree, without what tests compare bytes with.
texts()
{
    find ./*.md ./Makefile.am ./configure.ac ./autogen.sh ./.ci broker \
        streams proto tools tests -type f \( -name '*.[ch]' -o -name '*.md' \
        -o -name '*.mk' -o -name '*.am' -o -name '*.ac' -o -name '*.sh' \
        -o -name '*.t' -o -name '*.awk' -o -name '*.proto' -o -name '*.py' \
        -o -name '*.js' -o -name '*.story' -o -path './.ci/*' \) \
        ! -name '*.pb-c.[ch]' ! -path '*/corpus/*' ! -path '*/node_modules/*' \
        2>/dev/null | LC_ALL=C sort
}

files=$(texts)

# A folder of one person's machine. The pattern is in pieces, or it would be
# found here.
machines()
{
    grep -nE '(^|[^A-Za-z0-9_.$}/-])/(home|root|Users|work|mnt)''/[A-Za-z0-9]' \
        $files /dev/null | cut -c1-100
}

rule "no blanks at the end of a line" \
    "$(grep -n '[ 	]$' $files /dev/null | cut -c1-100)"
rule "no tabs in C" \
    "$(grep -n '	' $(sources broker streams tools proto tests) /dev/null |
        cut -c1-100)"
rule "no path of somebody's machine" "$(machines)"
finish
