#!/usr/bin/env bash
# Builds one `facet` for machines that have neither Swift nor picture libraries: the Swift runtime and libjpeg, libpng,
# libwebp and giflib are inside, and what stays outside is the C and C++ runtime that every distribution has. It is not
# linked with `-static`: NVIDIA's driver is opened at run time, which a program without a dynamic loader cannot do.
#
#   Tools/static/build.sh [OPTION…]    options for `swift build`, such as -j 1; result: .build-static/facet, stripped
#
# Ends by running Tools/static/check.sh on it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

fail() {
    echo "static: $*" >&2
    exit 1
}

scratch=$PWD/.build-static
archives=$scratch/archives

# archive NAME ARCHIVE…: makes -lNAME mean these archives, in this order. The linker takes a text under an archive's
# name as a script; a folder that has nothing else and is searched first leaves no shared library to find.
archive() {
    local name=$1 file path paths=()
    shift
    for file in "$@"; do
        path=$("${CC:-clang}" -print-file-name="$file")
        [ "$path" != "$file" ] || path=$(find /usr/lib /usr/local/lib -name "$file" -print -quit)
        [ -n "$path" ] || fail "no $file; install the -dev packages that \`make setup\` installs"
        paths+=("$path")
    done
    echo "GROUP ( ${paths[*]} )" >"$archives/lib$name.a"
}

mkdir -p "$archives"
rm -f "$archives"/*
archive jpeg libjpeg.a
archive png16 libpng16.a libz.a
# From version 1.3 on, libwebp keeps a part of itself in an archive of its own.
sharpyuv=()
[ -z "$(find /usr/lib /usr/local/lib -name libsharpyuv.a -print -quit)" ] || sharpyuv=(libsharpyuv.a)
archive webp libwebp.a "${sharpyuv[@]}"
archive webpdemux libwebpdemux.a libwebp.a "${sharpyuv[@]}"
archive gif libgif.a

FACET_COMMIT=${FACET_COMMIT-$(git rev-parse --short HEAD 2>/dev/null || true)} \
    swift build -c release "$@" --product facet --static-swift-stdlib --scratch-path "$scratch" -Xlinker "-L$archives"
strip -o "$scratch/facet" "$scratch/release/facet"
Tools/static/check.sh "$scratch/facet"
