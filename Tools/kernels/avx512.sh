#!/bin/sh
# Checks the kernels for AVX-512 on a processor that has AVX2 alone: each instruction beyond AVX2 is replaced by its
# definition in avx512.h, and nothing else is changed. On a processor that has AVX-512, sanitize.sh and the tests run
# the kernels themselves. Needs clang.
#
#   Tools/kernels/avx512.sh [FLAGS]    FLAGS: more flags for clang, such as -fsanitize=address,undefined
set -eu
cd "$(dirname "$0")/../.."
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
cp Sources/CCPU/*.[ch] "$out"
# Types and functions that AVX2 shares keep their names. HIDE names a register of 64 bytes: here it is memory.
sed -i -E 's/\b_(mm512_|mm256_maskz?_)/\1/g; s/(,avx512[a-z0-9]+)+"/"/; s/"\+v"/"+m"/
    s|#include <immintrin.h>|#include "avx512.h"|' "$out"/isa_avx512*.c "$out"/*.h
if grep -n 'avx512[a-z0-9]*"' "$out"/isa_avx512*.c | grep target; then
    echo "a target above still names AVX-512"; exit 1
fi
# The engine believes that every instruction set is there.
clang -std=c2x -O1 -pthread -Wno-psabi -Wno-unused-function '-D__builtin_cpu_supports(name)=1' \
    "$@" -ISources/CCPU/include -I"$out" -ITools/kernels "$out"/*.c Tools/kernels/check.c -lm -o "$out/check"
"$out/check" >"$out/lines" || { cat "$out/lines"; exit 1; }
for set in 3 4; do
    grep -q " set $set bf16" "$out/lines" || { echo "set $set was not checked"; exit 1; }
done
tail -1 "$out/lines"
