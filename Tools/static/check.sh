#!/usr/bin/env bash
# Checks that an executable runs where Swift is not: what it loads, which versions of the C and C++ runtime it asks for,
# that it answers with an empty environment, and in a root that holds nothing but it and what `ldd` names.
#
#   Tools/static/check.sh FILE
#
# The root needs permission to make mounts; without it that part is left out, and said to be.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
program=$(realpath "${1:?usage: Tools/static/check.sh FILE}")
picture=Examples/pictures/shapes.png
most_glibc=2.36   # Debian 12's; Ubuntu 24.04 has 2.39
most_glibcxx=3.4.30

fail() {
    echo "static: $*" >&2
    exit 1
}

# What the loader brings besides itself.
needed=$(ldd "$program" | awk '$1 !~ /^(linux-vdso|\/lib.*ld-linux)/ { print $1 }' | sort)
for library in $needed; do
    case $library in
        libc.so.6 | libm.so.6 | libstdc++.so.6 | libgcc_s.so.1 | libpthread.so.0 | libdl.so.2 | librt.so.1 | libutil.so.1) ;;
        *) fail "$program loads $library, which a bare machine may not have" ;;
    esac
done

# asked NAME: the newest version of NAME's symbols that the program asks for.
asked() { objdump -T "$program" | grep -o "(${1}_[0-9.]*)" | tr -d '()' | sed "s/${1}_//" | sort -Vu | tail -1; }

# at_most NAME VERSION
at_most() {
    local found
    found=$(asked "$1")
    [ "$(printf '%s\n%s\n' "$found" "$2" | sort -V | tail -1)" = "$2" ] ||
        fail "$program asks for ${1}_$found, newer than $2; build it on Debian 12 or Ubuntu 22.04"
}
at_most GLIBC "$most_glibc"
at_most GLIBCXX "$most_glibcxx"

env -i "$program" --version >/dev/null || fail "$program does not start with an empty environment"
answer=$(env -i "$program" run --image "$picture" "Describe the picture.") || fail "$program does not answer"
[ -n "$answer" ] || fail "$program answers nothing"
# Opening libraries at run time must work inside it: a part of the C library stands for one of NVIDIA's.
opened=$(env -i LD_DEBUG=files FACET_NVML=libresolv.so.2 "$program" doctor 2>&1 || true)
grep -q 'opening file=.*libresolv.so.2' <<<"$opened" ||
    fail "$program cannot open libraries at run time, which NVIDIA's cards need"

# The same answer in a root without Swift, without anything.
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root/proc"
cp "$program" "$root/facet"
cp "$picture" "$root/picture.png"
ldd "$program" | grep -o '/[^ ]*' | while read -r library; do
    mkdir -p "$root/$(dirname "$library")"
    cp -L "$library" "$root/$library"
done
spaces=(unshare --mount)
[ "$(id -u)" -eq 0 ] || spaces=(unshare --user --map-root-user --mount)
if "${spaces[@]}" true 2>/dev/null; then
    # libdispatch counts threads in /proc.
    # shellcheck disable=SC2016
    alone=$("${spaces[@]}" bash -c 'mount --rbind /proc "$1/proc" && exec env -i "$(PATH=$PATH:/usr/sbin command -v chroot)" "$1" /facet run --image /picture.png "Describe the picture."' - "$root")
    [ "$alone" = "$answer" ] || fail "$program answers '$alone' in a root of its own, '$answer' outside"
    where="with an empty environment, and in a root with nothing else"
else
    where="with an empty environment (a root with nothing else was not tried: no permission to make mounts)"
fi

echo "static: $program loads $(echo $needed) and no more"
echo "static: asks for GLIBC_$(asked GLIBC) and GLIBCXX_$(asked GLIBCXX) at most"
echo "static: runs $where"
echo "static: $(stat -c %s "$program") bytes$(command -v xz >/dev/null && echo ", $(xz -6 -c "$program" | wc -c) with xz -6")"
