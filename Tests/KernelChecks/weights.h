// Random weight matrices in each stored form, with the numbers that they stand for.
#pragma once
#include "check.h"

namespace checks {

enum weight_kind { WEIGHT_F32, WEIGHT_F16, WEIGHT_BF16, WEIGHT_FP8, WEIGHT_INT8, WEIGHT_INT4 };

// The number of an e4m3fn code.
double fp8_value(unsigned char code);

const char *weight_name(weight_kind kind);

struct weight_matrix {
    size_t outputs, inputs, row_bytes;
    std::vector<unsigned char> codes;
    array scales;
    int scale_stride, group;
    std::vector<double> values; // [outputs, inputs]

    double at(size_t n, size_t k) const { return values[n * inputs + k]; }
};

// Rows are filled up to `row_multiple` bytes. `group` 0: a scale per row; -1: one for the matrix.
weight_matrix random_weights(
    random_source &random, weight_kind kind, size_t outputs, size_t inputs, int group, size_t row_multiple,
    int scale_type);

// A matrix on a machine, in the order of a kernel's parameters.
struct bound_weights {
    void *codes;
    int row_bytes;
    void *scales;
    int scale_type, scale_stride, group;
};

bound_weights put(bench &b, const weight_matrix &w);

// x · weightᵀ in float64, [rows, outputs].
std::vector<double> product(const array &x, size_t rows, const weight_matrix &w);

} // namespace checks
