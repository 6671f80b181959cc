#!/bin/sh
# What a model of a processor says of the loops of the kernels for AVX-512: not a measurement. Needs clang and llvm-mca
# (Debian: llvm-19).
#
#   Tools/kernels/loops.sh FUNCTION INSTRUCTION PROCESSOR [EXPRESSION]
#   Tools/kernels/loops.sh multiply_packed_bf16 vdpbf16ps znver4 's/vdpbf16ps/vfmadd231ps/'
#
# Prints a line for each innermost loop of FUNCTION (in isa_avx512_bf16.c) that has INSTRUCTION: how many of them, how
# many instructions, and the modelled cycles of one turn: when turns follow each other, and if only the busiest unit
# counted. EXPRESSION, for sed, changes the loops first: for instructions that the model has wrong.
set -eu
cd "$(dirname "$0")/../.."
function=$1 instruction=$2 processor=$3 expression=${4:-}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
clang -std=c2x -O2 -S -fno-asynchronous-unwind-tables -ISources/CCPU/include Sources/CCPU/isa_avx512_bf16.c -o "$out/all.s"
# A loop is a block that ends by jumping to its own label.
awk -v start="$function:" -v instruction="$instruction" -v out="$out" '
    $1 == start { inside = 1 }
    /^\.Lfunc_end/ { inside = 0 }
    !inside { next }
    /^\.LBB/ { label = $1; sub(":.*", "", label); block = ""; count = all = 0; next }
    /^\t[a-z]/ {
        block = block $0 "\n"; all++; count += $1 == instruction
        if ($1 ~ /^j/ && $2 == label && count) printf "%s", block > (out "/" 1000 + ++loops "-" count "-" all ".loop")
    }' "$out/all.s"
for loop in "$out"/*.loop; do
    [ -e "$loop" ] || { echo "$function has no loop with $instruction"; exit 1; }
    sed -E "$expression" "$loop" | "${LLVM_MCA:-llvm-mca-19}" -mtriple=x86_64 -mcpu="$processor" -iterations=1000 \
        2>"$out/errors" >"$out/report" || { cat "$out/errors"; exit 1; }
    echo "${loop##*/}" | awk -F '[-.]' '{ printf "%3d %s in %3d instructions: ", $2, name, $3 }' name="$instruction"
    awk '/^Total Cycles/ { cycles = $3 / 1000 } /^Block RThroughput/ { printf "%.1f cycles, %.1f at least\n", cycles, $3 }' \
        "$out/report"
done
