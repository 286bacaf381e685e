# Where the clients and the peer broker live: outside the tree and outside
# the build, so that a clean checkout finds them again. Sourced, not run.
# shellcheck shell=sh disable=SC2034
compat_dir=${compat_dir:-$(cd "$(dirname "$0")" && pwd)}
# shellcheck source-path=SCRIPTDIR source=versions
. "$compat_dir/versions"
compat_cache=${PENSTOCK_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/penstock-compat}

# sum_of FILE: a number that changes with it
sum_of()
{
    cksum < "$compat_dir/$1" | cut -d ' ' -f 1
}

# One folder per client and version; an empty .complete says that the
# download came to its end.
node_home=$compat_cache/kafkajs-$kafkajs_version-$kafkajs_snappy_version
python_home=$compat_cache/python-$(sum_of python/requirements.txt)
java_home=$compat_cache/java-client-$java_client_version
java3_home=$compat_cache/java-client-$java3_client_version
kafka_home=$compat_cache/kafka-$kafka_version-$(sum_of java/kafka.xml)
go_home=$compat_cache/go-$(sum_of go/go.mod)

# is_fetched DIR: whether fetch has filled it
is_fetched()
{
    [ -e "$1/.complete" ]
}
