// Fills the kernel table of one instruction set. CC_TABLE names it; CC_HAS_BF16_DOT says that it has products of
// bfloat16 of every kind, CC_HAS_PACKED_BF16 those with packed panels, CC_BYTES names those of bytes.
#pragma once
#include "dequantize.h"
#include "lanes.h"
#include "packed_f32.h"
#include "packed_pack.h"
#include "spin.h"

const cc_kernels CC_TABLE = {
    .f32 = {.per_word = 1,
            .fill_row = fill_row_f32,
            .pack_transposed = pack_transposed_f32,
            .pack_straight = pack_straight_f32,
            .multiply = multiply_f32,
            .multiply_panels = multiply_panels_f32,
            .multiply_rows = multiply_rows_f32,
            .softmax = softmax_f32,
            .fill_bytes = fill_bytes_f32,
            .dot_rows = dot_rows_f32},
#ifdef CC_HAS_BF16_DOT
    .bf16 = {.per_word = 2,
             .fill_row = fill_row_bf16,
             .pack_transposed = pack_transposed_bf16,
             .pack_straight = pack_straight_bf16,
             .multiply = multiply_bf16,
             .multiply_panels = multiply_panels_bf16,
             .multiply_rows = multiply_rows_bf16,
             .softmax = softmax_bf16,
             .fill_bytes = fill_bytes_bf16,
             .dot_rows = dot_rows_bf16},
#endif
#ifdef CC_HAS_PACKED_BF16
    .spin_bf16 = spin_bf16,
#endif
    .packed = {.f32 = {.per_word = 1,
                       .row_words = cc_row_words,
                       .tile_rows = packed_step_f32,
                       .together = packed_rows_f32,
                       .fill_row = fill_packed_row_f32,
                       .expand = expand_f32,
                       .direct = direct_f32,
                       .multiply = multiply_packed_f32},
#ifdef CC_HAS_PACKED_BF16
               .bf16 = {.per_word = 2,
                        .row_words = cc_row_words,
                        .tile_rows = packed_step_bf16,
                        .together = 1,
                        .fill_row = fill_packed_row_bf16,
                        .expand = expand_bf16,
                        .direct = direct_bf16,
                        .multiply = multiply_packed_bf16},
#endif
#ifdef CC_BYTES
               .bytes = &CC_BYTES,
#endif
               .transpose_words = transpose_words},
    .widen = widen,
    .narrow = narrow,
    .dequantize = dequantize,
    .add = add,
    .scale = scale,
    .gelu = gelu,
    .gated_silu = gated_silu,
    .rms_norm = rms_norm,
    .layer_norm = layer_norm,
    .finish = finish,
    .quantize = quantize,
    .merge_panel = merge_panel,
    .finish_panel = finish_panel,
    .has_non_finite = has_non_finite,
    .spin_f32 = spin_f32,
};
