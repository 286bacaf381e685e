# lib.sh: TAP for the checks of form, and the files that they read.
# Sourced: a check names itself by `plan`, then says ok or not for each rule.

: "${top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}"
: "${top_builddir:=$top_srcdir}"
here=$top_srcdir/tests/lint
count=0
failed=0
cd "$top_srcdir" || exit 99

# The C files of folders, sorted; generated ones left out.
sources()
{
    find "$@" -name '*.[ch]' ! -name '*.pb-c.[ch]' -type f | LC_ALL=C sort
}

plan()
{
    echo "1..$1"
}

# rule TITLE FINDINGS: none is ok.
rule()
{
    count=$((count + 1))
    if [ -z "$2" ]; then
        echo "ok $count - $1"
    else
        echo "not ok $count - $1"
        printf '%s\n' "$2" | note
        failed=1
    fi
}

# Lines of stdin as TAP's comments, to be seen whether or not it fails.
note()
{
    sed 's/^/# /'
}

finish()
{
    exit $failed
}
