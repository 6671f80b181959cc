#include "weights.h"
#include <cmath>
#include <cstring>

namespace checks {

namespace {

size_t float_type(weight_kind kind) {
    return kind == WEIGHT_F32 ? TYPE_F32 : kind == WEIGHT_F16 ? TYPE_F16 : TYPE_BF16;
}

size_t code_bytes(weight_kind kind, size_t inputs) { return kind == WEIGHT_INT4 ? (inputs + 7) / 8 * 4 : inputs; }

// Writes one random code; returns its number.
double put_code(random_source &random, weight_kind kind, unsigned char *row, size_t k) {
    if (kind == WEIGHT_INT4) {
        unsigned code = random.bits() & 15;
        row[k / 2] = (unsigned char)(k % 2 ? (row[k / 2] & 15) | code << 4 : (row[k / 2] & 0xf0) | code);
        return (double)code - 8;
    }
    auto code = (unsigned char)random.bits();
    if (kind == WEIGHT_FP8 && (code & 0x7f) == 0x7f) code ^= 1; // not the NaN
    row[k] = code;
    return kind == WEIGHT_FP8 ? fp8_value(code) : (signed char)code;
}

void fill_floats(random_source &random, weight_kind kind, weight_matrix &w) {
    size_t bytes = element_bytes((int)float_type(kind));
    for (size_t n = 0; n < w.outputs; ++n) {
        array row = random_array(random, (int)float_type(kind), w.inputs);
        std::memcpy(&w.codes[n * w.row_bytes], row.bytes.data(), w.inputs * bytes);
        std::memcpy(&w.values[n * w.inputs], row.values.data(), w.inputs * sizeof(double));
    }
}

void fill_codes(random_source &random, weight_kind kind, weight_matrix &w) {
    for (size_t n = 0; n < w.outputs; ++n) {
        for (size_t k = 0; k < w.inputs; ++k) {
            double scale = w.scales[n * (size_t)w.scale_stride + k / (size_t)w.group];
            w.values[n * w.inputs + k] = put_code(random, kind, &w.codes[n * w.row_bytes], k) * scale;
        }
    }
}

} // namespace

double fp8_value(unsigned char code) {
    int exponent = code >> 3 & 15, fraction = code & 7;
    if ((code & 127) == 127) return NAN;
    double x = exponent == 0 ? std::ldexp(fraction, -9) : std::ldexp(8 + fraction, exponent - 10);
    return code & 0x80 ? -x : x;
}

const char *weight_name(weight_kind kind) {
    static const char *const names[] = {"f32", "f16", "bf16", "fp8", "int8", "int4"};
    return names[kind];
}

weight_matrix random_weights(
    random_source &random, weight_kind kind, size_t outputs, size_t inputs, int group, size_t row_multiple,
    int scale_type
) {
    weight_matrix w;
    w.outputs = outputs;
    w.inputs = inputs;
    bool is_float = kind <= WEIGHT_BF16;
    size_t bytes = is_float ? inputs * element_bytes((int)float_type(kind)) : code_bytes(kind, inputs);
    w.row_bytes = (bytes + row_multiple - 1) / row_multiple * row_multiple;
    w.codes.assign(outputs * w.row_bytes, is_float ? 0xff : 0);
    w.values.resize(outputs * inputs);
    w.group = group > 0 ? group : (int)inputs;
    size_t groups = (inputs + (size_t)w.group - 1) / (size_t)w.group;
    w.scale_stride = group < 0 ? 0 : (int)groups;
    double size = kind == WEIGHT_FP8 ? 448 : kind == WEIGHT_INT8 ? 127 : 8;
    w.scales = random_array(random, scale_type, group < 0 ? 1 : outputs * groups, 0.5 / size, 1 / size);
    if (is_float) fill_floats(random, kind, w);
    else fill_codes(random, kind, w);
    return w;
}

bound_weights put(bench &b, const weight_matrix &w) {
    return {b.put(w.codes), (int)w.row_bytes, b.put(w.scales), w.scales.type, w.scale_stride, w.group};
}

std::vector<double> product(const array &x, size_t rows, const weight_matrix &w) {
    std::vector<double> y(rows * w.outputs);
    for (size_t m = 0; m < rows; ++m) {
        for (size_t n = 0; n < w.outputs; ++n) {
            double sum = 0;
            for (size_t k = 0; k < w.inputs; ++k) sum += x[m * w.inputs + k] * w.at(n, k);
            y[m * w.outputs + n] = sum;
        }
    }
    return y;
}

} // namespace checks
