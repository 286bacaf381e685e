# What every client test begins with: a broker to talk to, TAP, and skipping.
# Sourced by the *.t scripts, which are run by make check or by hand:
#
#   tests/compat/kcat.t                          with ./penstock of this folder
#   top_builddir=/b tests/compat/kcat.t          with /b/penstock
#   PENSTOCK_COMPAT_BOOTSTRAP=127.0.0.1:9092 tests/compat/kcat.t   with a Kafka
#
# compat_broker sets BOOTSTRAP (and exports it), TOPIC (a prefix that no other
# run uses: the broker may be shared) and TMP (a folder of this test, removed
# at the end). The penstock that it starts dies with the test. BROKER is a
# program by which a test gets further brokers and proxies (see there).
# shellcheck shell=sh
compat_dir=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=cache.sh
. "$compat_dir/cache.sh"
: "${top_srcdir:=$(cd "$compat_dir/../.." && pwd)}"
: "${top_builddir:=.}"

TMP=
broker_pid=
checks=0
failures=0

# skip_all WHY: ends the test as skipped
skip_all()
{
    echo "1..0 # SKIP $*"
    exit 0
}

# need TOOL: skips when it is not installed
need()
{
    command -v "$1" >/dev/null 2>&1 || skip_all "$1 is not installed"
}

# need_fetched HOME WHAT: skips when the download is not there
need_fetched()
{
    is_fetched "$1" ||
        skip_all "$2 is not in $1 (tests/compat/fetch gets it)"
}

# broker_stop: ends it as an operator would. One that has crashed, does not end
# in time or says by its status that something was wrong (as sanitizers do) is
# a failure of the test, whatever the client saw.
broker_stop()
{
    kill "$broker_pid" 2>/dev/null
    timeout 20 tail --pid="$broker_pid" -f /dev/null ||
        kill -KILL "$broker_pid"
    wait "$broker_pid" 2>/dev/null
    ended=$?
    [ $ended -eq 0 ] && return
    echo "Bail out! penstock ended with status $ended"
    status=99
}

compat_end()
{
    status=$?
    trap - EXIT
    if [ -n "$TMP" ] && ! "$BROKER" end; then
        status=99
    fi
    [ -z "$broker_pid" ] || broker_stop
    if [ $status -ne 0 ] && [ -s "$TMP/broker.err" ]; then
        echo "# the last lines of the broker:"
        tail -n 40 "$TMP/broker.err" | sed 's/^/# /'
    fi
    [ -z "$TMP" ] || rm -rf "$TMP"
    exit $status
}

# compat_broker: skips without a broker, else makes one ready
compat_broker()
{
    if [ -z "${PENSTOCK_COMPAT_BOOTSTRAP:-}" ] &&
        [ ! -x "$top_builddir/penstock" ]; then
        skip_all "$top_builddir/penstock is not built"
    fi
    TMP=$(mktemp -d) || exit 99
    trap compat_end EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    BROKER=$compat_dir/broker
    TOPIC=compat-$(basename "$0" .t)-$(date +%s)-$$
    if [ -n "${PENSTOCK_COMPAT_BOOTSTRAP:-}" ]; then
        BOOTSTRAP=$PENSTOCK_COMPAT_BOOTSTRAP
    else
        broker_start
    fi
    export BOOTSTRAP TOPIC TMP BROKER top_builddir
}

# need_apis NAME KEY...: skips when the broker does not announce the APIs of
# these keys, which together are called NAME
need_apis()
{
    what=$1
    shift
    need python3
    missing=$(python3 -B "$compat_dir/python/apis.py" "$@") ||
        skip_all "the broker does not announce $missing: no $what"
}

need_transactions()
{
    need_apis transactions 22:InitProducerId 24:AddPartitionsToTxn \
        25:AddOffsetsToTxn 26:EndTxn 28:TxnOffsetCommit
}

# broker_start: a fresh penstock on ports of the kernel's choice. The line on
# descriptor 9 comes when a produce would succeed; a broker that dies before
# closes the pipe, so that nothing here waits for nothing.
broker_start()
{
    mkfifo "$TMP/ready" || exit 99
    "$top_builddir/penstock" serve --data "$TMP/data" \
        --listen 127.0.0.1:0 --http 127.0.0.1:0 --ready-fd 9 \
        9>"$TMP/ready" >"$TMP/broker.out" 2>"$TMP/broker.err" </dev/null &
    broker_pid=$!
    # shellcheck disable=SC2016
    ready=$(timeout 60 sh -c 'head -n 1 < "$1"' sh "$TMP/ready")
    BOOTSTRAP=$(echo "$ready" | sed -n 's/.*"bootstrap": *"\([^"]*\)".*/\1/p')
    if [ -z "$BOOTSTRAP" ]; then
        echo "Bail out! penstock did not get ready: ${ready:-no line}"
        exit 99
    fi
}

# client NAME VERSION, feature NAME: what the checks after it are about; table
# reads these lines
client()
{
    echo "# client: $*"
}

feature()
{
    echo "# feature: $*"
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

# same FILE FILE NAME: equal bytes
same()
{
    cmp "$1" "$2" >"$TMP/cmp" 2>&1
    status=$?
    ok $status "$3"
    [ $status -eq 0 ] || sed 's/^/#   /' "$TMP/cmp"
}

# done_testing: the plan, and a status that says whether all passed
done_testing()
{
    echo "1..$checks"
    [ "$failures" -eq 0 ]
    exit
}

# compile HOME CLASS...: these of folder java, into $TMP/classes, with the jars
# of HOME
compile()
{
    jars=$1
    shift
    mkdir "$TMP/classes"
    (cd "$compat_dir/java" && for class; do echo "$class.java"; done |
        xargs javac -nowarn -Xlint:-options -cp "$jars/*" \
            -d "$TMP/classes") 2>"$TMP/javac" || {
        sed 's/^/# /' "$TMP/javac"
        echo "Bail out! javac failed"
        exit 99
    }
}

# compile_go NAME: the program of folder go/NAME, as $TMP/NAME; the modules and
# what has been compiled of them are in the cache
compile_go()
{
    (cd "$compat_dir/go" && GOTOOLCHAIN=local GOPROXY=off GOFLAGS=-buildvcs=false \
        GOMODCACHE="$go_home/mod" GOCACHE="$go_home/build" \
        go build -o "$TMP/$1" "./$1") >"$TMP/go" 2>&1 || {
        sed 's/^/# /' "$TMP/go"
        echo "Bail out! go build failed"
        exit 99
    }
}

# program CMD...: a client that prints TAP itself, with a limit on its time
program()
{
    timeout "${COMPAT_LIMIT:-300}" "$@"
    status=$?
    [ $status -ne 124 ] || echo "Bail out! $1 took too long"
    exit $status
}
