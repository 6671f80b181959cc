// Every kernel: K(name, signature, threads).
//
// signature: a letter per parameter, in order: p pointer (8 bytes), i int, f float (4), l long long (8).
// threads: most threads of a block, the kernel's launch bounds. Grid, block and shared memory stand above each kernel
// in cuda/<source>.cu. The launcher of devices and the host's shim both read this list; the shim's tests compare it
// with the signatures that the compiler sees.
#pragma once

#define CK_SOURCES(S)                                                                                                 \
    S(norm) S(elementwise) S(rows) S(rotary) S(gemv_f32) S(gemv_f16) S(gemv_bf16)                                     \
    S(attention_vision) S(attention_prefill) S(attention_decode) S(attention_plain)                        \
    S(product) S(product_fp8) S(product_plain) S(sampling) S(fused_f32) S(fused_f16) S(fused_bf16)      \
    S(noise) S(conformance)

// One entry per activation type.
#define CK_ACTIVATIONS(K, name, signature, threads)                                                                   \
    K(name##_f32, signature, threads) K(name##_f16, signature, threads) K(name##_bf16, signature, threads)

#define CK_KERNELS_norm(K)                                                                                            \
    CK_ACTIVATIONS(K, rms_norm, "pipifp", 256)                                                                        \
    CK_ACTIVATIONS(K, layer_norm, "pipipifip", 256)

#define CK_KERNELS_elementwise(K)                                                                                     \
    CK_ACTIVATIONS(K, gated_silu_fused, "pipl", 256)                                                                  \
    CK_ACTIVATIONS(K, gated_silu, "pppl", 256)                                                                        \
    CK_ACTIVATIONS(K, gelu, "pl", 256)                                                                                \
    CK_ACTIVATIONS(K, add, "pipl", 256)                                                                               \
    CK_ACTIVATIONS(K, scale, "pfl", 256)                                                                              \
    K(copy_convert, "pipil", 256)                                                                                     \
    K(find_non_finite, "pipl", 256)

#define CK_KERNELS_rows(K)                                                                                            \
    CK_ACTIVATIONS(K, gather_rows, "pipip", 256)                                                                      \
    CK_ACTIVATIONS(K, patchify, "piiip", 256)                                                                         \
    CK_ACTIVATIONS(K, gather_neighborhoods, "piip", 256)

#define CK_KERNELS_rotary(K)                                                                                          \
    CK_ACTIVATIONS(K, rotate_and_append, "piiippippppp", 128)                                                         \
    CK_ACTIVATIONS(K, rotate_and_append_int8, "piiippippppp", 128)

// x, x_rows, inputs, weight (codes, row_bytes, scales, scale_type, scale_stride, group), outputs, bias, bias_type,
// epilogue, y, y_type; with 1, 4 or 8 rows per block.
#define CK_GEMV(K, x, weight)                                                                                         \
    K(gemv_##x##_##weight##_r1, "piipipiiiipiipi", 128)                                                               \
    K(gemv_##x##_##weight##_r4, "piipipiiiipiipi", 128)                                                               \
    K(gemv_##x##_##weight##_r8, "piipipiiiipiipi", 128)
#define CK_GEMV_QUANTIZED(K, x) CK_GEMV(K, x, fp8) CK_GEMV(K, x, int8) CK_GEMV(K, x, int4)

#define CK_KERNELS_gemv_f32(K)                                                                                        \
    CK_GEMV(K, f32, f32) CK_GEMV(K, f32, f16) CK_GEMV(K, f32, bf16) CK_GEMV_QUANTIZED(K, f32)
#define CK_KERNELS_gemv_f16(K) CK_GEMV(K, f16, f16) CK_GEMV_QUANTIZED(K, f16)
#define CK_KERNELS_gemv_bf16(K) CK_GEMV(K, bf16, bf16) CK_GEMV_QUANTIZED(K, bf16)

// The types that tensor cores multiply; bf16 entries are absent on sm_75.
#define CK_HALVES(K, name, tail, signature, threads)                                                                  \
    K(name##_f16##tail, signature, threads) K(name##_bf16##tail, signature, threads)

#define CK_KERNELS_attention_vision(K)                                                                                \
    CK_HALVES(K, bidirectional_attention, _d32, "piiip", 128)                                                         \
    CK_HALVES(K, bidirectional_attention, _d64, "piiip", 128)                                                         \
    CK_HALVES(K, bidirectional_attention, _d112, "piiip", 128)                                                        \
    CK_HALVES(K, bidirectional_attention, _d128, "piiip", 128)

#define CK_KERNELS_attention_prefill(K)                                                                               \
    CK_HALVES(K, paged_attention, _d64, "piiippipppiip", 128)                                                         \
    CK_HALVES(K, paged_attention, _d128, "piiippipppiip", 128)                                                        \
    CK_HALVES(K, paged_attention_int8, _d64, "piiippipppiip", 128)                                                    \
    CK_HALVES(K, paged_attention_int8, _d128, "piiippipppiip", 128)

#define CK_KERNELS_attention_decode(K)                                                                                \
    CK_HALVES(K, decode_attention, _d64, "piiippipppip", 128)                                                         \
    CK_HALVES(K, decode_attention, _d128, "piiippipppip", 128)                                                        \
    CK_HALVES(K, decode_attention_int8, _d64, "piiippipppip", 128)                                                    \
    CK_HALVES(K, decode_attention_int8, _d128, "piiippipppip", 128)                                                   \
    CK_HALVES(K, combine_splits, , "piiipp", 32)

#define CK_KERNELS_attention_plain(K)                                                                                 \
    CK_ACTIVATIONS(K, bidirectional_attention_plain, "piiip", 128)                                                    \
    CK_ACTIVATIONS(K, paged_attention_plain, "piiippipppiip", 128)                                                    \
    CK_ACTIVATIONS(K, paged_attention_plain_int8, "piiippipppiip", 128)

// As CK_GEMV; tiles of 16 or 128 rows.
#define CK_PRODUCT(K, weight)                                                                                         \
    CK_PRODUCT_OF(K, f16, weight) CK_PRODUCT_OF(K, bf16, weight)
#define CK_PRODUCT_OF(K, x, weight)                                                                                   \
    K(product_##x##_##weight##_m16, "piipipiiiipiipi", 128)                                                           \
    K(product_##x##_##weight##_m128, "piipipiiiipiipi", 256)
#define CK_KERNELS_product(K)                                                                                         \
    CK_PRODUCT_OF(K, f16, f16) CK_PRODUCT_OF(K, bf16, bf16) CK_PRODUCT(K, fp8) CK_PRODUCT(K, int8) CK_PRODUCT(K, int4)

// Both operands as fp8 codes: absent below compute capability 8.9, products in tiles also on 9.x, 10.x and 11.x.
#define CK_KERNELS_product_fp8(K)                                                                                     \
    CK_HALVES(K, quantize_rows, , "piipp", 256)                                                                       \
    CK_HALVES(K, product_codes, _m128, "ppipipiiiipiipi", 256)                                                        \
    CK_HALVES(K, finish_codes, , "ppipiiipiipi", 256)

#define CK_KERNELS_product_plain(K) K(product_plain, "piiiipipiiiipiipi", 256)

#define CK_KERNELS_sampling(K) K(top_k_partials, "piipp", 256)

// x, x_rows, width, norm, norm_type, epsilon, weight (6), bias, bias_type, then heads, groups, dimension, cosines, sines,
// pairs, positions, slots, keys, values, q; or inner, y.
#define CK_FUSED(K, x, weight)                                                                                        \
    K(attention_input_##x##_##weight##_r1, "piipifpipiiipiiiippippppp", 128)                                          \
    K(attention_input_##x##_##weight##_r4, "piipifpipiiipiiiippippppp", 128)                                          \
    K(feed_forward_input_##x##_##weight##_r1, "piipifpipiiipiip", 128)                                                \
    K(feed_forward_input_##x##_##weight##_r4, "piipifpipiiipiip", 128)
#define CK_FUSED_ALL(K, x) CK_FUSED(K, x, x) CK_FUSED(K, x, fp8) CK_FUSED(K, x, int8) CK_FUSED(K, x, int4)
#define CK_KERNELS_fused_f32(K) CK_FUSED_ALL(K, f32)
#define CK_KERNELS_fused_f16(K) CK_FUSED_ALL(K, f16)
#define CK_KERNELS_fused_bf16(K) CK_FUSED_ALL(K, bf16)

// y, kind, rows, columns, row_bytes, seed, offset, center, width.
#define CK_KERNELS_noise(K) K(fill_noise, "piiiillff", 256)

#define CK_KERNELS_conformance(K)                                                                                     \
    K(conform_narrow, "pippp", 32)                                                                                    \
    K(conform_widen, "pppp", 32)                                                                                      \
    K(conform_functions, "pip", 32)                                                                                   \
    K(conform_memory, "ppp", 32)                                                                                      \
    K(conform_load_matrix, "ppp", 32)                                                                                 \
    K(conform_mma_f16, "ppp", 32)                                                                                     \
    K(conform_mma_bf16, "ppp", 32)                                                                                    \
    K(conform_narrow_fp8, "pip", 32)                                                                                  \
    K(conform_mma_fp8, "ppp", 32)                                                                                     \
    K(conform_lanes, "pppp", 32)
