#!/bin/sh
# Checks the kernels under valgrind, which knows instructions up to AVX2. Needs clang and valgrind.
set -eu
cd "$(dirname "$0")/../.."
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
# Older valgrinds read no later debug format than DWARF 4.
clang -std=c2x -O1 -gdwarf-4 -pthread -ISources/CCPU/include -ISources/CCPU Sources/CCPU/*.c Tools/kernels/check.c -lm \
    -o "$out/check"
valgrind -q --error-exitcode=9 "$out/check" >"$out/lines" 2>&1 || { cat "$out/lines"; exit 1; }
tail -1 "$out/lines"
