# What every story begins with: TAP, a folder of its own, a penstock of its
# own on ports of the kernel's choice. Sourced by the *.t scripts.
# shellcheck shell=sh
: "${top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}"
: "${top_builddir:=.}"
PENSTOCK=$top_builddir/penstock
checks=0
failures=0
pid=

if [ ! -x "$PENSTOCK" ]; then
    echo "1..0 # SKIP $PENSTOCK is not built"
    exit 0
fi
TMP=$(mktemp -d) || exit 99
ulimit -c 0

# need TOOL: skips the story when it is not installed
need()
{
    command -v "$1" >/dev/null 2>&1 && return
    echo "1..0 # SKIP $1 is not installed"
    exit 0
}

story_end()
{
    status=$?
    trap - EXIT
    [ -z "$pid" ] || kill -9 "$pid" 2>/dev/null
    if [ "$failures" -gt 0 ] && [ -s "$TMP/err" ]; then
        echo "# its last lines:"
        tail -n 20 "$TMP/err" | sed 's/^/# /'
    fi
    rm -rf "$TMP"
    exit $status
}
trap story_end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# start [OPTION...]: sets pid, B (bootstrap), H (the URL of HTTP), line
start()
{
    rm -f "$TMP/ready"
    mkfifo "$TMP/ready" || exit 99
    "$PENSTOCK" serve --data "$TMP/data" --port 0 --http-port 0 --ready-fd 9 \
        "$@" 9>"$TMP/ready" >"$TMP/out" 2>>"$TMP/err" </dev/null &
    pid=$!
    # a process that dies before it is ready closes the pipe
    line=$(timeout 60 head -n 1 "$TMP/ready")
    B=$(field bootstrap)
    H=$(field http)
    export PENSTOCK_BOOTSTRAP="$B" PENSTOCK_HTTP="$H"
    if [ -z "$B" ]; then
        echo "Bail out! no penstock: ${line:-no line}"
        sed 's/^/# /' "$TMP/err"
        exit 99
    fi
}

# field NAME: a text of the ready line
field()
{
    echo "$line" | sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"
}

# finish SIGNAL: sends it, sets `code` and `took` (ms)
finish()
{
    began=$(now)
    kill "-$1" "$pid"
    wait "$pid" 2>/dev/null
    # shellcheck disable=SC2034
    code=$?
    # shellcheck disable=SC2034
    took=$(($(now) - began))
    pid=
}

now()
{
    echo $(($(date +%s%N) / 1000000))
}

# ok STATUS NAME: one check; STATUS 0 passes
ok()
{
    checks=$((checks + 1))
    if [ "$1" -eq 0 ]; then
        echo "ok $checks - $2"
    else
        failures=$((failures + 1))
        echo "not ok $checks - $2"
    fi
}

# is GOT WANT NAME
is()
{
    if [ "$1" = "$2" ]; then
        ok 0 "$3"
    else
        ok 1 "$3"
        printf '%s\n' "got:" "$1" "want:" "$2" | head -n 40 | sed 's/^/#   /'
    fi
}

# like TEXT PATTERN NAME: a pattern of the shell
like()
{
    # shellcheck disable=SC2254
    case $1 in
    $2) ok 0 "$3" ;;
    *)
        ok 1 "$3"
        printf '%s\n' "got:" "$1" "want: $2" | head -n 40 | sed 's/^/#   /'
        ;;
    esac
}

# get PATH: the body of GET
get()
{
    python3 -c 'import sys, urllib.request as u, urllib.error as e
try: print(u.urlopen(sys.argv[1]).read().decode(), end="")
except e.HTTPError as x: print(x.code, x.read().decode(), end="")' "$H$1"
}

done_testing()
{
    echo "1..$checks"
    [ "$failures" -eq 0 ]
}
