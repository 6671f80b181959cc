#!/usr/bin/env bash
# Installs the system packages that building and testing Facet needs, and nothing that is already there.
#
#   Tools/setup.sh           install what is missing (apt-get; through sudo when not root)
#   Tools/setup.sh --check   install nothing; name what is missing and exit 1, or exit 0
#   Tools/setup.sh --arm64   install also what Tools/kernels/arm64.sh needs; --check after it as above
#
# What counts is the file, not the package: a header put in place by another package manager, or by hand,
# is as good as Debian's. With nothing missing this takes a few hundredths of a second and runs no apt-get.
set -euo pipefail

fail() {
    echo "facet setup: $*" >&2
    exit 1
}

# needs PACKAGE HEADER: the package is missing unless the header is in one of the compiler's usual places.
need_header() {
    local package=$1 header=$2 folder
    for folder in /usr/local/include /usr/include /usr/include/*-linux-gnu*; do
        [ -e "$folder/$header" ] && return
    done
    missing+=("$package")
}

# need_program PACKAGE PROGRAM
need_program() {
    command -v "$2" >/dev/null || missing+=("$1")
}

# need_file PACKAGE FILE…: the package is missing unless one of the files exists (unmatched globs do not).
need_file() {
    local package=$1 file
    shift
    for file in "$@"; do
        [ -e "$file" ] && return
    done
    missing+=("$package")
}

# The Debian package of a shared library that the Swift toolchain loads.
package_of_library() {
    case $1 in
        libcurl.so.4) echo libcurl4 ;;
        libxml2.so.2) echo libxml2 ;;
        libsqlite3.so.0) echo libsqlite3-0 ;;
        libncurses.so.6 | libtinfo.so.6) echo libncurses6 ;;
        libz.so.1) echo zlib1g ;;
        libuuid.so.1) echo libuuid1 ;;
        libstdc++.so.6) echo libstdc++6 ;;
        libedit.so.2) echo libedit2 ;;
        *) fail "the Swift toolchain needs $1, which no package known to this script holds; install it and run make again" ;;
    esac
}

# The libraries that the toolchain's own programs cannot find. The debugger is left out: nothing here starts it.
need_toolchain_libraries() {
    local folder name library programs=()
    folder=$(dirname "$(readlink -f "$(command -v swift)")")
    for name in swift-frontend swift-driver swift-package swift-format clang lld; do
        [ -x "$folder/$name" ] && programs+=("$folder/$name")
    done
    [ ${#programs[@]} -gt 0 ] || return 0  # `swift` is a launcher that keeps its toolchain elsewhere
    while read -r library; do
        missing+=("$(package_of_library "$library")")
    done < <(ldd "${programs[@]}" 2>/dev/null | awk '$2 == "=>" && $3 == "not" { print $1 }' | sort -u)
}

# A linker, a C library and an emulator for arm64.
need_emulation() {
    need_program gcc-aarch64-linux-gnu aarch64-linux-gnu-gcc
    need_file libc6-dev-arm64-cross /usr/aarch64-linux-gnu/include/features.h
    need_program qemu-user qemu-aarch64
}

find_missing() {
    missing=()
    need_toolchain_libraries
    need_program git git                     # SwiftPM fetches packages with it,
    need_file ca-certificates /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt  # over https
    need_program binutils-gold ld.gold       # the linker that the toolchain calls
    need_header libc6-dev features.h
    need_file g++ /usr/lib/gcc/*/*/libstdc++.so /usr/lib64/libstdc++.so  # C++ runtime and start files, to link with
    need_header libjpeg-dev jpeglib.h
    need_header libpng-dev png.h
    need_header libwebp-dev webp/demux.h
    need_header libgif-dev gif_lib.h
    [ -z "$arm64" ] || need_emulation
    mapfile -t missing < <(printf '%s\n' "${missing[@]}" | awk 'NF && !seen[$0]++')
}

# as_root COMMAND…: directly, or through sudo; a sudo that would ask for a password needs a terminal to ask on.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

can_become_root() {
    [ "$(id -u)" -eq 0 ] && return
    command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }
}

apt_install() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get \
        -qq -y -o DPkg::Lock::Timeout=120 -o Dpkg::Use-Pty=0 install --no-install-recommends "$@"
}

install_missing() {
    echo "facet setup: installing ${missing[*]}"
    # A fresh machine has no package lists; an old one may have lists that are out of date.
    if compgen -G '/var/lib/apt/lists/*_Packages*' >/dev/null && apt_install "${missing[@]}" >/dev/null 2>&1; then
        return
    fi
    as_root apt-get -qq -o DPkg::Lock::Timeout=120 update || fail "apt-get update failed; see the lines above"
    apt_install "${missing[@]}" >/dev/null || fail "apt-get could not install ${missing[*]}; see the lines above"
}

arm64=
[ "${1:-}" != --arm64 ] || { arm64=1 && shift; }
command -v swift >/dev/null ||
    fail "no swift on the PATH; install Swift 6.3 or newer (https://www.swift.org/install/linux) and run make again"
find_missing
[ ${#missing[@]} -gt 0 ] || exit 0

remedy="missing system packages: ${missing[*]} (Debian and Ubuntu names); install them as root and run make again"
[ "${1:-}" != --check ] || fail "$remedy"
command -v apt-get >/dev/null || fail "$remedy"
can_become_root || fail "$remedy"
install_missing
find_missing
[ ${#missing[@]} -eq 0 ] || fail "still missing after installing: ${missing[*]}; please report this with your system's name"
