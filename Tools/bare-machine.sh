#!/usr/bin/env bash
# Proves that a clone builds and tests itself on a machine that has nothing but the base system, `make` and Swift:
# makes a root file system with debootstrap, puts a clone of this repository's HEAD in it, shows it the Swift
# toolchain read-only, and runs make there. Run it as root, from anywhere in the repository.
#
#   Tools/bare-machine.sh --root DIR --mirror URL [--suite bookworm] [--show DIR]… [--keep] [TARGET…]
#
#   --root DIR     where the root file system is made; must be outside the repository, and empty or absent,
#                  or made earlier by this script with --keep (then packages installed last time are still there)
#   --mirror URL   the Debian or Ubuntu mirror to bootstrap and install from
#   --suite NAME   bookworm (default), jammy, noble, …: any suite that this machine's debootstrap knows
#   --show DIR     also show this folder, read-only, at the same path (a local mirror of the Swift packages, say)
#   --keep         leave the root file system there
#   TARGET…        what make runs, in order; default: test
#
# Environment variables whose names begin with GIT_CONFIG reach the inside, so that git may be told there where
# the packages are (GIT_CONFIG_COUNT, GIT_CONFIG_KEY_0, GIT_CONFIG_VALUE_0); nothing else of the environment does.
# Mounts are made in a mount namespace of their own and end with this script.
set -euo pipefail

fail() {
    echo "bare-machine: $*" >&2
    exit 1
}

suite=bookworm mirror='' root='' keep=no shown=() targets=()
while [ $# -gt 0 ]; do
    case $1 in
        --root) root=$2 && shift 2 ;;
        --mirror) mirror=$2 && shift 2 ;;
        --suite) suite=$2 && shift 2 ;;
        --show) shown+=("$2") && shift 2 ;;
        --keep) keep=yes && shift ;;
        -*) fail "unknown option $1" ;;
        *) targets+=("$1") && shift ;;
    esac
done
[ ${#targets[@]} -gt 0 ] || targets=(test)
[ -n "$root" ] && [ -n "$mirror" ] || fail "usage: Tools/bare-machine.sh --root DIR --mirror URL [TARGET…]"
[ "$(id -u)" -eq 0 ] || fail "run it as root: it makes device files and mounts"
for program in debootstrap git unshare chroot swift; do
    command -v "$program" >/dev/null || fail "needs $program on the PATH"
done

repository=$(git -C "$(dirname "${BASH_SOURCE[0]}")" rev-parse --show-toplevel)
toolchain=$(dirname "$(dirname "$(dirname "$(readlink -f "$(command -v swift)")")")")  # holds usr/bin/swift
[ "$toolchain" != / ] || fail "needs a Swift toolchain in a folder of its own, not one installed into /usr"
mkdir -p "$root"
root=$(cd "$root" && pwd)
case $root/ in "$repository"/*) fail "--root must be outside the repository" ;; esac

marker=$root/.facet-bare-machine
if [ ! -e "$marker" ]; then
    [ -z "$(ls -A "$root")" ] || fail "$root is not empty and was not made by this script"
    touch "$marker"
    echo "bare-machine: bootstrapping $suite into $root"
    debootstrap --variant=minbase "$suite" "$root" "$mirror" >"$root/debootstrap.log" 2>&1 ||
        fail "debootstrap failed; see $root/debootstrap.log"
fi

clone=$root/root/facet
rm -rf "$clone"
git clone --quiet --no-local --depth 1 "file://$repository" "$clone"
cp /etc/resolv.conf "$root/etc/resolv.conf"

cat >"$root/root/run.sh" <<'INSIDE'
set -euo pipefail
echo "bare-machine: $(dpkg-query -f '.\n' -W | wc -l) packages; $(. /etc/os-release && echo "$PRETTY_NAME")"
# The one thing asked of the user besides Swift: the program that reads the Makefile.
command -v make >/dev/null || {
    apt-get -qq update
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends make >/dev/null 2>&1
    rm -rf /var/lib/apt/lists/*
}
cd /root/facet
for target in "$@"; do
    started=$SECONDS
    make "$target" </dev/null
    echo "bare-machine: make $target took $((SECONDS - started)) s"
done
echo "bare-machine: $(dpkg-query -f '.\n' -W | wc -l) packages afterwards"
INSIDE

passed=(HOME=/root LANG=C.UTF-8 "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:$toolchain/usr/bin")
while IFS= read -r -d '' variable; do
    case $variable in GIT_CONFIG*) passed+=("$variable") ;; esac
done < <(env -0)

status=0
# shellcheck disable=SC2016
unshare --mount --propagation private bash -euo pipefail -c '
    root=$1 && shift
    while [ "$1" != -- ]; do
        mkdir -p "$root$1"
        mount --bind "$1" "$root$1"
        mount -o remount,bind,ro "$root$1"
        shift
    done
    shift
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    exec chroot "$root" "$@"
' bare-machine "$root" "$toolchain" "${shown[@]}" -- env -i "${passed[@]}" bash /root/run.sh "${targets[@]}" || status=$?

[ "$keep" = yes ] || rm -rf --one-file-system "$root"
[ "$status" -eq 0 ] || fail "failed with status $status"
