#!/bin/sh
# Functions that have a better one, and words that mean "not yet".
. "$(dirname "$0")/lib.sh"
plan 3

# calls FUNCTION... in the C text on stdin, as file:line: function
calls()
{
    awk -v names="$*" '
        BEGIN { n = split(names, name, " ") }
        {
            at = $0
            sub(/^[^:]*:[^:]*:/, "", at)
            for (i = 1; i <= n; i++)
                if (at ~ "(^|[^A-Za-z0-9_.>])" name[i] "[ \t]*\\(") {
                    split($0, place, ":")
                    print place[1] ":" place[2] ": " name[i] "()"
                }
        }'
}

code()
{
    awk -f "$here/code.awk" $(sources "$@") /dev/null
}

unsafe()
{
    code broker streams tools proto tests |
        calls strcpy strcat strncpy strncat sprintf vsprintf gets strtok atoi \
            atol atof gmtime localtime ctime asctime alloca
}

raw_memory()
{
    code broker streams tools proto | grep -v '^broker/base/' |
        calls malloc calloc realloc reallocarray strdup strndup
}

later()
{
    awk -v comments=1 -f "$here/code.awk" \
        $(sources broker streams tools proto tests) /dev/null |
        awk '/(^|[^A-Za-z0-9_])(FIXME|XXX|TODO)([^A-Za-z0-9_]|$)/'
    code broker streams tools proto tests | calls todo
}

rule "no function that overflows, guesses or shares a buffer" "$(unsafe)"
rule "memory comes through base/alloc.h, an arena, a buf or a pool" \
    "$(raw_memory)"
rule "nothing is left for later" "$(later)"
finish
