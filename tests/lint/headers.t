#!/bin/sh
# Each header compiles alone, and twice: it includes what it needs, and its
# guard works.
. "$(dirname "$0")/lib.sh"

cc=
for c in "$CC" gcc cc clang; do
    if [ -n "$c" ] && command -v "${c%% *}" >/dev/null 2>&1; then
        cc=$c
        break
    fi
done
if [ -z "$cc" ]; then
    echo "1..0 # SKIP no compiler"
    exit 0
fi
cflags=$(pkg-config --cflags libprotobuf-c libevent_core lmdb jansson \
    libxxhash libcrypto 2>/dev/null)
plan 1

alone()
{
    for h in $(sources broker streams proto tools | grep '\.h$'); do
        printf '#include "config.h"\n#include "%s"\n#include "%s"\n' \
            "$h" "$h" |
            $cc -fsyntax-only -std=gnu11 -Wall -Wextra -Werror \
                -Wno-unused-parameter -I"$top_builddir" -Ibroker -Istreams \
                -Itools -I. -I"$top_builddir/proto" $cflags -x c - 2>&1 |
            sed -n "/error:/{s|^|$h: |;p;q;}"
    done
}

rule "each header compiles alone" "$(alone)"
finish
