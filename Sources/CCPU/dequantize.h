// Codes of quantized weights to numbers: element = code · scale, one scale for a run of elements of a row.
//
// Plain loops that the compiler turns into vectors; simd.h has what differs between instruction sets.
#pragma once
#include "simd.h"

// The float8 format e4m3fn: 4 bits of exponent with bias 7, 3 of fraction, no infinity, NaN for 0x7f and 0xff.
INLINE float float8_value(uint8_t code) {
    uint32_t magnitude = code & 0x7f, bits = (magnitude << 20) + (120u << 23);
    float normal, signed_value;
    memcpy(&normal, &bits, 4);
    float value = magnitude >= 8 ? normal : (float)magnitude * 0x1p-9f;
    value = magnitude == 0x7f ? NAN : value;
    memcpy(&bits, &value, 4);
    bits |= (uint32_t)(code & 0x80) << 24;
    memcpy(&signed_value, &bits, 4);
    return signed_value;
}

INLINE void put(void *y, int y_type, ptrdiff_t i, float value) {
    if (y_type == CC_F32) {
        ((float *)y)[i] = value;
        return;
    }
    uint32_t bits;
    memcpy(&bits, &value, 4);
    ((uint16_t *)y)[i] = (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

// `format` and `y_type` are constants at each call.
INLINE void dequantize_typed(void *y, int y_type, const uint8_t *codes, int format, ptrdiff_t first, ptrdiff_t count,
                             float scale) {
    if (format == CC_INT4) {
        // first is even
        const uint8_t *pairs = codes + first / 2;
        for (ptrdiff_t i = 0; i < count / 2; i++) {
            put(y, y_type, 2 * i, (float)((pairs[i] & 15) - 8) * scale);
            put(y, y_type, 2 * i + 1, (float)((pairs[i] >> 4) - 8) * scale);
        }
        if (count & 1)
            put(y, y_type, count - 1, (float)((pairs[count / 2] & 15) - 8) * scale);
    } else {
        for (ptrdiff_t i = 0; i < count; i++) {
            uint8_t code = codes[first + i];
            put(y, y_type, i, (format == CC_INT8 ? (float)(int8_t)code : float8_value(code)) * scale);
        }
    }
}

INLINE void dequantize_as(void *y, int y_type, const uint8_t *codes, int format, ptrdiff_t first, ptrdiff_t count,
                          float scale) {
    if (format == CC_INT4)
        dequantize_typed(y, y_type, codes, CC_INT4, first, count, scale);
    else if (format == CC_INT8)
        dequantize_typed(y, y_type, codes, CC_INT8, first, count, scale);
    else
        dequantize_typed(y, y_type, codes, CC_FLOAT8, first, count, scale);
}

static void dequantize(void *y, int y_type, const void *codes, int format, ptrdiff_t first, ptrdiff_t count,
                       float scale) {
    if (y_type == CC_F32)
        dequantize_as(y, CC_F32, codes, format, first, count, scale);
    else
        dequantize_as(y, CC_BF16, codes, format, first, count, scale);
}
