#include "product.h"
#include <cmath>
#include <cstring>
#include <vector>

namespace [[gnu::visibility("hidden")]] cudasim {

namespace {

float from_half(uint16_t half) {
    int exponent = half >> 10 & 31, fraction = half & 1023;
    float sign = half & 0x8000 ? -1.0f : 1.0f;
    if (exponent == 31) return fraction ? NAN : sign * INFINITY;
    if (exponent == 0) return sign * std::ldexp((float)fraction, -24);
    return sign * std::ldexp((float)(fraction + 1024), exponent - 25);
}

uint16_t to_half(float value) {
    uint16_t sign = std::signbit(value) ? 0x8000 : 0;
    float size = std::fabs(value);
    if (std::isnan(value)) return 0x7E00;
    if (size >= 65520.0f) return sign | 0x7C00;
    int exponent;
    std::frexp(size, &exponent);
    // The unit in the last place: 2^-24 for numbers below the normal range. nearbyint rounds ties to even.
    int unit = exponent - 11 < -24 ? -24 : exponent - 11;
    float scaled = std::nearbyint(std::ldexp(size, -unit));
    if (unit == -24) return sign | (uint16_t)scaled; // 1024 here is the first normal number
    unsigned bits = (unsigned)((unit + 24) << 10) + (unsigned)scaled; // 2048 carries into the exponent
    return sign | (uint16_t)bits;
}

float from_bf16(uint16_t bits) {
    uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, 4);
    return value;
}

uint16_t to_bf16(float value) {
    if (std::isnan(value)) return 0x7FC0;
    uint32_t bits;
    memcpy(&bits, &value, 4);
    bits += 0x7FFF + (bits >> 16 & 1);
    return (uint16_t)(bits >> 16);
}

float from_e4m3(uint8_t code) {
    int exponent = code >> 3 & 15, fraction = code & 7;
    float sign = code & 0x80 ? -1.0f : 1.0f;
    if ((code & 127) == 127) return NAN;
    if (exponent == 0) return sign * std::ldexp((float)fraction, -9);
    return sign * std::ldexp((float)(fraction + 8), exponent - 10);
}

float load(uint64_t address, uint64_t index, cudaDataType_t type) {
    if (type == CUDA_R_32F) return ((const float *)address)[index];
    if (type == CUDA_R_8F_E4M3) return from_e4m3(((const uint8_t *)address)[index]);
    uint16_t bits = ((const uint16_t *)address)[index];
    return type == CUDA_R_16F ? from_half(bits) : from_bf16(bits);
}

void store(uint64_t address, uint64_t index, cudaDataType_t type, float value) {
    if (type == CUDA_R_32F) {
        ((float *)address)[index] = value;
    } else {
        ((uint16_t *)address)[index] = type == CUDA_R_16F ? to_half(value) : to_bf16(value);
    }
}

// The rows (or columns) that the product runs along, each contiguous.
std::vector<float> unpacked(const Matrix &matrix, bool by_columns, uint64_t lines, uint64_t depth) {
    std::vector<float> values(lines * depth);
    for (uint64_t line = 0; line < lines; ++line) {
        for (uint64_t k = 0; k < depth; ++k) {
            uint64_t index = by_columns ? line * (uint64_t)matrix.ld + k : k * (uint64_t)matrix.ld + line;
            values[line * depth + k] = load(matrix.address, index, matrix.type);
        }
    }
    return values;
}

float dot(const float *a, const float *b, uint64_t depth) {
    float sums[8] = {};
    uint64_t k = 0;
    for (; k + 8 <= depth; k += 8) {
        for (int lane = 0; lane < 8; ++lane) sums[lane] += a[k + lane] * b[k + lane];
    }
    for (; k < depth; ++k) sums[0] += a[k] * b[k];
    return ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
}

} // namespace

void Product::compute() const {
    std::vector<float> left = unpacked(a, transposes_a, d.rows, depth());
    std::vector<float> right = unpacked(b, !transposes_b, d.cols, depth());
    for (uint64_t column = 0; column < d.cols; ++column) {
        for (uint64_t row = 0; row < d.rows; ++row) {
            float value = alpha * dot(&left[row * depth()], &right[column * depth()], depth());
            if (beta != 0) value += beta * load(c.address, column * (uint64_t)c.ld + row, c.type);
            if (bias) value += load(bias, row, bias_type);
            store(d.address, column * (uint64_t)d.ld + row, d.type, value);
        }
    }
}

} // namespace cudasim
