#!/bin/sh
# Replays the corpus of each fuzz target: one line of TAP a target.
: "${top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}"
: "${top_builddir:=.}"
targets="frame record_batch decompress journal segment protobuf_in json_in"
n=0
failed=0
for t in $targets; do
    n=$((n + 1))
    if "$top_builddir/tests/fuzz/$t" "$top_srcdir/tests/fuzz/corpus/$t" \
        >/tmp/penstock-corpus.$$ 2>&1; then
        echo "ok $n - $t: $(grep -c '^ok' /tmp/penstock-corpus.$$) inputs"
    else
        echo "not ok $n - $t"
        tail -n 30 /tmp/penstock-corpus.$$ | sed 's/^/# /'
        failed=1
    fi
done
rm -f /tmp/penstock-corpus.$$
echo "1..$n"
exit $failed
