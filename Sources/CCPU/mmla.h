// What products by the matrix instructions of ARMv8.6 (bfmmla, smmla) share. Both multiply two rows by two columns,
// eight bytes along the depth of each:
//
//     sum[2 rows][2 columns] += left[2 rows][8 bytes] · right[2 columns][8 bytes]ᵀ
//
// Eight bytes are two words. Those of a column lie a word of all columns apart in a panel, so the vectors of four
// columns of one word and of the next are zipped. A row that has no neighbor stands in for it, and the neighbor's sums
// are dropped: sums of one row never meet those of another.
#pragma once
#include "packed_f32.h"

enum {
    mmla_pairs = 4, // pairs of rows in the highest tile
    mmla_rows = 2 * mmla_pairs,
    mmla_step = 84, // rows that meet a panel before the next: tiles of 8, and one of 4
    mmla_vectors = 2, // of four columns, in a high tile
    mmla_columns = mmla_vectors * LANES,
    mmla_tile_bytes = cc_block_words * mmla_columns * 4, // of an expanded panel
};

// Four columns of two words, two columns in each vector.
typedef struct column_pairs {
    uint32x4_t of[2];
} column_pairs;

INLINE column_pairs zip_words(uint32x4_t word, uint32x4_t next) {
    return (column_pairs){{vzip1q_u32(word, next), vzip2q_u32(word, next)}};
}

// Two words of the rows of a pair, one of `pairs` that hold `height` rows: only the last may be a single row.
//
// Rows are read no earlier than they are needed: the sums leave few registers, and a compiler that reads all rows first
// keeps some of the sums in memory.
INLINE uint32x4_t two_rows(const int32_t *rows, ptrdiff_t row_words, int pair, int pairs, ptrdiff_t height) {
    __asm__ volatile("" ::: "memory");
    const int32_t *row = rows + 2 * pair * row_words;
    ptrdiff_t distance = pair + 1 < pairs || height == 2 * pairs ? row_words : 0;
    return vreinterpretq_u32_s32(vcombine_s32(vld1_s32(row), vld1_s32(row + distance)));
}

// Four columns of one row of a pair.
INLINE uint32x4_t sums_of_row(uint32x4_t first, uint32x4_t second, int row) {
    uint64x2_t a = vreinterpretq_u64_u32(first), b = vreinterpretq_u64_u32(second);
    return vreinterpretq_u32_u64(row == 0 ? vzip1q_u64(a, b) : vzip2q_u64(a, b));
}

// Vectors of four columns that a tile of so many pairs takes at once. Its sums fill 16 of the 32 registers: with 24, a
// compiler that reads ahead keeps some of them in memory.
INLINE int mmla_width(int pairs) { return pairs == 1 ? 8 : pairs == 2 ? 4 : mmla_vectors; }

// Runs `tile(pairs)` for numbers of pairs that are known when compiled.
#define MMLA_PAIRS(pairs, tile)                                                                                        \
    switch (pairs) {                                                                                                   \
        PACKED_CASE(1, tile)                                                                                           \
        PACKED_CASE(2, tile)                                                                                           \
        PACKED_CASE(3, tile)                                                                                           \
        PACKED_CASE(mmla_pairs, tile)                                                                                  \
    }

// Rows of each tile, where tiles of equal heights are wanted: whole pairs.
INLINE ptrdiff_t mmla_height(ptrdiff_t rows) {
    ptrdiff_t tiles = cc_ceil_div(rows, mmla_rows);
    return cc_ceil_div(rows, 2 * tiles) * 2;
}
