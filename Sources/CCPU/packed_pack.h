// Rows of 4-byte words to columns of a packed panel. See packed.h.
#pragma once
#include "product_f32.h"

static void transpose_words(uint32_t *words, const char *const *rows, ptrdiff_t count) {
    for (int column = 0; column < cc_packed_width; column += LANES) {
        ptrdiff_t k = 0;
        for (; k + LANES <= count; k += LANES) {
            vf v[LANES];
#pragma clang loop unroll(full)
            for (int i = 0; i < LANES; i++)
                v[i] = load((const float *)(rows[column + i] + 4 * k));
            transpose(v);
#pragma clang loop unroll(full)
            for (int i = 0; i < LANES; i++)
                store((float *)words + (k + i) * cc_packed_width + column, v[i]);
        }
        for (; k < count; k++)
            for (int i = 0; i < LANES; i++)
                memcpy(words + k * cc_packed_width + column + i, rows[column + i] + 4 * k, 4);
    }
}
