// Products of fp8 codes by fp8 codes, and how rows become codes.
#include "weights.h"
#include <cmath>

namespace checks {

namespace {

// Rows as they occur and as they are hard: even ones, ones with an outlier, one of zeros, one of next to nothing.
array hard_rows(random_source &random, int type, size_t rows, size_t inputs) {
    std::vector<double> x(rows * inputs);
    for (size_t m = 0; m < rows; ++m) {
        double size = m % 4 == 2 ? 0 : m % 4 == 3 ? (type == TYPE_F16 ? 0x1p-20 : 0x1p-120) : std::ldexp(1, (int)m - 4);
        for (size_t k = 0; k < inputs; ++k) x[m * inputs + k] = random.uniform(-size, size);
        if (m % 4 == 1) x[m * inputs + m * 7 % inputs] *= 300;
    }
    return make_array(type, x);
}

void check_rows(bench &b, int type, size_t inputs, size_t pitch) {
    constexpr size_t rows = 9;
    random_source random(inputs);
    array x = hard_rows(random, type, rows, inputs);
    void *codes_there = b.space(rows * pitch), *scales_there = b.space(rows * 4);
    b.launch(
        std::string("quantize_rows_") + type_name(type), {rows}, 256, 0, b.put(x), (int)inputs, (int)pitch,
        codes_there, scales_there);
    std::vector<unsigned char> codes = b.bytes_at(codes_there, rows * pitch);
    std::vector<double> scales = b.numbers_at(scales_there, TYPE_F32, rows), expected_scales, excess;
    for (size_t m = 0; m < rows; ++m) {
        double largest = 0x1p-100;
        for (size_t k = 0; k < inputs; ++k) largest = std::fmax(largest, std::fabs(x[m * inputs + k]));
        expected_scales.push_back(largest / 448);
        for (size_t k = 0; k < pitch; ++k) {
            double scaled = k < inputs ? x[m * inputs + k] / scales[m] : 0;
            // Half the distance of the neighbors, and what the float32 product before it loses.
            int exponent = std::fabs(scaled) < 0x1p-6 ? -6 : std::ilogb(scaled);
            double allowed = k < inputs ? std::ldexp(0.5, exponent - 3) * (1 + 1e-5) : 0;
            double difference = std::fabs(fp8_value(codes[m * pitch + k]) - scaled);
            excess.push_back(difference <= allowed ? 0 : std::isnan(difference) ? INFINITY : difference);
        }
    }
    require_close("scales", scales, expected_scales, 1e-6, 0);
    require_close("codes, beyond half a unit", excess, std::vector<double>(excess.size(), 0.0), 0, 0);
}

void check_not_a_number(bench &b) {
    std::vector<double> x(32, 1.0);
    x[5] = NAN;
    void *codes = b.space(32), *scales = b.space(4);
    b.launch("quantize_rows_bf16", {1}, 256, 0, b.put(make_array(TYPE_BF16, x)), 32, 32, codes, scales);
    std::vector<unsigned char> got = b.bytes_at(codes, 32);
    for (size_t k = 0; k < 32; ++k) {
        bool is_nan = (got[k] & 0x7f) == 0x7f;
        if (is_nan != (k == 5)) throw failure("code " + std::to_string(k) + " is not what its number is");
    }
}

struct code_case {
    bool tiles; // else the epilogue of the library's sums
    int type;   // of y, unless y_type is float32
    size_t rows, outputs, inputs;
    int group, epilogue, y_type;
};

double gelu(double x) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0))); }

// Sums of |x · weight|: what tensor cores that keep few bits may lose a part of.
std::vector<double> sizes_of_sums(const weight_matrix &x, const weight_matrix &w) {
    weight_matrix sizes = w;
    array left = make_array(TYPE_F32, x.values);
    for (double &v : left.values) v = std::fabs(v);
    for (double &v : sizes.values) v = std::fabs(v);
    return product(left, x.outputs, sizes);
}

void check_code_product(bench &b, const code_case &c) {
    random_source random(c.outputs * 19 + c.inputs);
    weight_matrix x = random_weights(random, WEIGHT_FP8, c.rows, c.inputs, 0, 16, TYPE_F32);
    weight_matrix w = random_weights(random, WEIGHT_FP8, c.outputs, c.inputs, c.group, 16, TYPE_F32);
    array bias = random_array(random, TYPE_BF16, c.outputs), old = random_array(random, c.y_type, c.rows * c.outputs);
    bool biased = c.epilogue != EPILOGUE_ADD;
    bound_weights left = put(b, x), right = put(b, w);
    void *y = b.put(old), *bias_there = biased ? b.put(bias) : nullptr;
    int rows = (int)c.rows, outputs = (int)c.outputs, bias_type = TYPE_BF16;
    auto blocks = [](size_t count, size_t side) { return (unsigned)((count + side - 1) / side); };

    array numbers;
    numbers.values = x.values;
    std::vector<double> expected = product(numbers, c.rows, w), sizes = sizes_of_sums(x, w);
    if (c.tiles) {
        b.launch(
            std::string("product_codes_") + type_name(c.type) + "_m128", {blocks(c.outputs, 128), blocks(c.rows, 128)},
            256, 0, left.codes, left.scales, rows, right.codes, right.row_bytes, right.scales, right.scale_type,
            right.scale_stride, right.group, outputs, bias_there, bias_type, c.epilogue, y, c.y_type);
    } else {
        std::vector<double> sums(expected.size());
        for (size_t i = 0; i < sums.size(); ++i) {
            sums[i] = expected[i] / x.scales[i / c.outputs] / w.scales[i % c.outputs * (size_t)w.scale_stride];
        }
        b.launch(
            std::string("finish_codes_") + type_name(c.type), {blocks(c.outputs, 1024), (unsigned)c.rows}, 256, 0,
            b.put(make_array(TYPE_F32, sums)), left.scales, rows, right.scales, right.scale_type, right.scale_stride,
            outputs, bias_there, bias_type, c.epilogue, y, c.y_type);
    }

    std::vector<double> got = b.numbers_at(y, c.y_type, expected.size()), zeros(expected.size()), excess;
    for (size_t i = 0; i < expected.size(); ++i) {
        double e = expected[i];
        if (biased) e += bias[i % c.outputs];
        if (c.epilogue == EPILOGUE_GELU) e = gelu(e);
        if (c.epilogue == EPILOGUE_ADD) e += old[i];
        // 13 bits of each product in the tiles, as in the conformance check of mma; float32 in the epilogue.
        double stored = std::fabs(e) * type_precision(c.y_type) * 0.51;
        double allowed = sizes[i] * (c.tiles ? 0x1p-13 : 0x1p-22) + stored + 4e-6;
        double difference = std::fabs(got[i] - e);
        excess.push_back(difference <= allowed ? 0 : std::isnan(difference) ? INFINITY : difference);
    }
    require_close("y, beyond what may be lost", excess, zeros, 0, 0);
}

void add(check_list &list, const code_case &c) {
    list.push_back({
        std::string(c.tiles ? "product_codes_" : "finish_codes_") + type_name(c.type) + " into " + type_name(c.y_type) +
            ", " + std::to_string(c.rows) + " x " + std::to_string(c.outputs) + " x " + std::to_string(c.inputs),
        [c](bench &b) { check_code_product(b, c); }});
}

} // namespace

void add_code_product_checks(check_list &list) {
    for (int type : {TYPE_F16, TYPE_BF16}) {
        std::string name = std::string("quantize_rows_") + type_name(type);
        list.push_back({name + " of whole vectors", [type](bench &b) { check_rows(b, type, 2320, 2320); }});
        list.push_back({name + " of odd rows", [type](bench &b) { check_rows(b, type, 77, 80); }});
        list.push_back({name + " with half a vector of codes", [type](bench &b) { check_rows(b, type, 24, 32); }});
        add(list, {true, type, 17, 67, 77, 0, EPILOGUE_ADD, type});
        add(list, {true, type, 130, 135, 200, -1, EPILOGUE_GELU, type});
        add(list, {true, type, 3, 130, 64, 0, EPILOGUE_STORE, TYPE_F32});
        add(list, {false, type, 5, 1028, 32, 0, EPILOGUE_GELU, type});
        add(list, {false, type, 3, 20, 48, -1, EPILOGUE_ADD, TYPE_F32});
    }
    list.push_back({"quantize_rows of a row with a NaN", check_not_a_number});
}

} // namespace checks
