# Debian's packages that the list beside this names: what is missing, and
# installing it. Sourced by tools/test and tools/demo, which define `top` (the
# tree) and say().
# shellcheck shell=sh

# lacking GROUP...: those packages that are not installed
lacking()
{
    for group; do
        # shellcheck disable=SC2154
        sed -n "s/^$group  *//p" "$top/tools/packages"
    done | while read -r package tool; do
        if [ -n "$tool" ] && command -v "$tool" >/dev/null 2>&1; then
            continue
        fi
        dpkg-query -W -f='${db:Status-Status}\n' "$package" 2>/dev/null |
            grep -qx installed || echo "$package"
    done
}

# apt_install PACKAGE...: true if they are installed then
apt_install()
{
    [ $# -gt 0 ] || return 0
    if [ "$(id -u)" -ne 0 ]; then
        say "not installed: $*"
        return 1
    fi
    say "installing $*"
    export DEBIAN_FRONTEND=noninteractive
    [ -n "${updated:-}" ] || apt-get update -q >&2 || return 1
    updated=yes
    apt-get install -q -y --no-install-recommends "$@" </dev/null >&2
}
