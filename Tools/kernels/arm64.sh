#!/bin/sh
# Compiles the kernels for arm64 and checks them under emulation. Needs clang and, from Debian,
# gcc-aarch64-linux-gnu, libc6-dev-arm64-cross and qemu-user.
set -eu
cd "$(dirname "$0")/../.."
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
clang --target=aarch64-linux-gnu --ld-path="$(command -v aarch64-linux-gnu-ld)" -std=c2x -O2 -pthread \
    -Wall -Wextra -Werror -ISources/CCPU/include -ISources/CCPU Sources/CCPU/*.c Tools/kernels/check.c -lm -o "$out/check"
# A processor of each kind, and the best set of instructions that must be found on it: NEON alone, with the dot of bytes,
# with the matrix instructions.
for kind in cortex-a72:0 neoverse-n1:5 max:6; do
    processor=${kind%:*} expected=${kind#*:}
    qemu-aarch64 -cpu "$processor" -L /usr/aarch64-linux-gnu "$out/check" >"$out/lines" 2>&1 || { cat "$out/lines"; exit 1; }
    best=$(sed -n 's/.* set \([0-9]*\) .*/\1/p' "$out/lines" | sort -n | tail -1)
    echo "$processor, best set $best: $(tail -1 "$out/lines")"
    [ "$best" = "$expected" ] || { echo "$processor: best set expected $expected, got $best"; exit 1; }
done
