#!/bin/sh
# Checks the kernels for AVX-VNNI on a processor that has AVX2 alone: its one instruction, vpdpbusd, is replaced by its
# definition. On a processor that has it, sanitize.sh and the tests run the kernels themselves. Needs clang.
set -eu
cd "$(dirname "$0")/../.."
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
cp Sources/CCPU/*.[ch] "$out"
cat >"$out/vpdpbusd.h" <<'DEFINITION'
// Each 32-bit lane of the sum gains four products of unsigned bytes of the weights and signed bytes of the row.
static inline __attribute__((always_inline, target("avx2"))) __m256i emulated_vpdpbusd(__m256i sum, __m256i weights,
                                                                                       __m256i row) {
    uint8_t w[32];
    int8_t x[32];
    int32_t lanes[8];
    memcpy(w, &weights, 32), memcpy(x, &row, 32), memcpy(lanes, &sum, 32);
    for (int i = 0; i < 32; i++)
        lanes[i / 4] += w[i] * x[i];
    memcpy(&sum, lanes, 32);
    return sum;
}
DEFINITION
sed -e 's/_mm256_dpbusd_avx_epi32/emulated_vpdpbusd/; s/,avxvnni//; s/#include "kernels.h"/&\n#include "vpdpbusd.h"/' \
    Sources/CCPU/isa_avx_vnni.c >"$out/isa_avx_vnni.c"
sed 's/has_avx_vnni();/1;/' Sources/CCPU/engine.c >"$out/engine.c"
grep -q emulated_vpdpbusd "$out/isa_avx_vnni.c"
clang -std=c2x -O1 -pthread -Wno-unused-function -ISources/CCPU/include -I"$out" "$out"/*.c Tools/kernels/check.c -lm \
    -o "$out/check"
"$out/check" >"$out/lines" || { cat "$out/lines"; exit 1; }
grep -q ' set 2 ' "$out/lines" || { echo "no AVX2: nothing was checked"; exit 1; }
tail -1 "$out/lines"
