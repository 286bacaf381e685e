#!/bin/sh
# The table of docs/compatibility.md names the suites that there are.
: "${top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}"
table=$top_srcdir/docs/compatibility.md
checks=0
failed=0

ok()
{
    checks=$((checks + 1))
    if [ "$1" -eq 0 ]; then
        echo "ok $checks - $2"
    else
        failed=1
        echo "not ok $checks - $2"
    fi
}

for suite in "$top_srcdir"/tests/compat/*.t; do
    name=$(basename "$suite")
    case $name in
    peer.t | table.t) continue ;;
    esac
    grep -q "^Suite \`$name\`" "$table"
    ok $? "$name is in the table"
    grep -q "tests/compat/$name\|%D%/$name" "$top_srcdir/tests/compat/local.mk"
    ok $? "and is run by make check"
done
# shellcheck disable=SC2013,SC2016
for name in $(sed -n 's/^Suite `\(.*\)`\.$/\1/p' "$table"); do
    [ -e "$top_srcdir/tests/compat/$name" ]
    ok $? "$name of the table is a suite"
done
! grep -n '\*\*[0-9]* failed' "$table" | sed 's/^/# /' | grep .
ok $? "nothing in it failed"
echo "1..$checks"
exit $failed
