#!/bin/sh
# A program of one's own: what `make install` gives is enough to build it, and
# it is a broker with that application.
: "${top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}"
. "$top_srcdir/tests/story/lib.sh"
need make
need pkg-config
CC=$(sed -n 's/^CC = //p' "$top_builddir/Makefile")

(cd "$top_builddir" && make -s install DESTDIR="$TMP/root") >"$TMP/log" 2>&1
is $? 0 "make install"
prefix=$TMP/root$(sed -n 's/^prefix = //p' "$top_builddir/Makefile")
flags=$(PKG_CONFIG_PATH=$prefix/lib/pkgconfig \
    pkg-config --define-prefix --cflags --libs libpenstock)
ok $? "pkg-config knows it"
# shellcheck disable=SC2086
(cd "$TMP" && $CC -std=c11 -Wall -Wextra -Werror -o wordcount \
    "$(cd "$top_srcdir" && pwd)/examples/wordcount.c" $flags) >"$TMP/log" 2>&1
is "$(cat "$TMP/log")" "" "the example compiles, in strict C11"
is "$(nm -g --defined-only "$prefix/lib/libpenstock.a" |
    awk 'NF == 3 && $3 !~ /^(ps_|penstock_)/ { print $3 }')" "" \
    "the library has no names but its own"
like "$("$TMP/wordcount" test)" "wordcount: ok*" "its test with the driver"

PENSTOCK=$TMP/wordcount
start --topic lines:2 --topic word-counts:2
"$PENSTOCK" produce lines 'to be or not to be' be
"$PENSTOCK" settle --within 20s
is "$("$PENSTOCK" consume word-counts -e -f '%k\n' | sort | uniq -c |
    awk '{ printf "%s=%s ", $2, $1 }')" "be=3 not=1 or=1 to=2 " \
    "it counts what a client wrote"
like "$("$PENSTOCK" streams list -o tsv)" "wordcount	*" "and is listed"
kill "$pid"
wait "$pid"
is $? 0 "it ends cleanly"
pid=
done_testing
