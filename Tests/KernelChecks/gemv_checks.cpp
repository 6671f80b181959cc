#include "weights.h"
#include <cmath>

namespace checks {

namespace {

struct gemv_case {
    int x_type;
    weight_kind weight;
    unsigned rows_per_block;
    size_t rows, outputs, inputs;
    int group, epilogue, y_type;
    size_t row_multiple = 16;
    int scale_type = TYPE_F32;
};

std::string name(const gemv_case &c) {
    return std::string("gemv_") + type_name(c.x_type) + "_" + weight_name(c.weight) + "_r" +
           std::to_string(c.rows_per_block);
}

std::string title(const gemv_case &c) {
    return name(c) + " " + std::to_string(c.rows) + " x " + std::to_string(c.outputs) + " x " +
           std::to_string(c.inputs) + ", group " + std::to_string(c.group) + ", epilogue " +
           std::to_string(c.epilogue) + " to " + type_name(c.y_type);
}

double gelu(double x) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0))); }

void check_gemv(bench &b, const gemv_case &c) {
    random_source random(c.outputs * 31 + c.inputs);
    array x = random_array(random, c.x_type, c.rows * c.inputs);
    weight_matrix w =
        random_weights(random, c.weight, c.outputs, c.inputs, c.group, c.row_multiple, c.scale_type);
    array bias = random_array(random, TYPE_BF16, c.outputs);
    array old = random_array(random, c.y_type, c.rows * c.outputs);
    bool biased = c.epilogue != EPILOGUE_ADD;
    bound_weights bound = put(b, w);
    void *y = b.put(old);
    unsigned blocks = ((unsigned)c.rows + c.rows_per_block - 1) / c.rows_per_block;
    b.launch(
        name(c), {((unsigned)c.outputs + 3) / 4, blocks}, 128, 0, b.put(x), (int)c.rows, (int)c.inputs, bound.codes,
        bound.row_bytes, bound.scales, bound.scale_type, bound.scale_stride, bound.group, (int)c.outputs,
        biased ? b.put(bias) : nullptr, (int)TYPE_BF16, c.epilogue, y, c.y_type);

    std::vector<double> expected = product(x, c.rows, w);
    for (size_t i = 0; i < expected.size(); ++i) {
        if (biased) expected[i] += bias[i % c.outputs];
        if (c.epilogue == EPILOGUE_GELU) expected[i] = gelu(expected[i]);
        if (c.epilogue == EPILOGUE_ADD) expected[i] += old[i];
    }
    require_stored(
        "y", b.numbers_at(y, c.y_type, expected.size()), expected, c.y_type, std::sqrt((double)c.inputs));
}

std::vector<gemv_case> cases() {
    std::vector<gemv_case> all;
    auto add_kind = [&](int x, weight_kind w) {
        bool grouped = w == WEIGHT_INT8 || w == WEIGHT_INT4;
        all.push_back({x, w, 1, 1, 7, 2048 + 64, grouped ? 64 : 0, EPILOGUE_STORE, x});
        all.push_back({x, w, 4, 3, 5, 416, grouped ? 128 : 0, EPILOGUE_ADD, x, 16, TYPE_BF16});
        all.push_back({x, w, 8, 11, 6, 320, grouped ? 8 : 0, EPILOGUE_GELU, x});
        all.push_back({x, w, 1, 2, 9, 77, grouped ? 32 : -1, EPILOGUE_STORE, TYPE_F32, 4}); // element by element
        all.push_back({x, w, 4, 4, 4, 72, grouped ? 24 : -1, EPILOGUE_STORE, TYPE_F32});    // vectors and a rest
    };
    for (int x : {TYPE_F32, TYPE_F16, TYPE_BF16}) {
        if (x != TYPE_BF16) add_kind(x, x == TYPE_F32 ? WEIGHT_F32 : WEIGHT_F16);
        if (x == TYPE_F32) add_kind(x, WEIGHT_F16);
        if (x != TYPE_F16) add_kind(x, WEIGHT_BF16);
        for (weight_kind w : {WEIGHT_FP8, WEIGHT_INT8, WEIGHT_INT4}) add_kind(x, w);
    }
    return all;
}

} // namespace

void add_gemv_checks(check_list &list) {
    for (const gemv_case &c : cases()) list.push_back({title(c), [c](bench &b) { check_gemv(b, c); }});
}

} // namespace checks
