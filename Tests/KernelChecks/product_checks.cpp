#include "weights.h"
#include <cmath>

namespace checks {

namespace {

struct product_case {
    std::string kernel;
    int x_type;
    weight_kind weight;
    size_t rows, outputs, inputs;
    int group, epilogue, y_type;
    size_t row_multiple;
};

double gelu(double x) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0))); }

// The weights as the kernel multiplies them: decoded ones rounded to the type of x.
weight_matrix as_multiplied(const weight_matrix &w, const product_case &c) {
    weight_matrix rounded = w;
    if (c.kernel != "product_plain") rounded.values = make_array(c.x_type, w.values).values;
    return rounded;
}

// The code of a weight's form in the parameters of product_plain.
int kind_code(weight_kind weight) {
    static const int codes[] = {TYPE_F32, TYPE_F16, TYPE_BF16, 4, 3, 5};
    return codes[weight];
}

void check_product(bench &b, const product_case &c) {
    random_source random(c.outputs * 17 + c.inputs);
    array x = random_array(random, c.x_type, c.rows * c.inputs);
    weight_matrix w =
        random_weights(random, c.weight, c.outputs, c.inputs, c.group, c.row_multiple, TYPE_F32);
    array bias = random_array(random, TYPE_F32, c.outputs), old = random_array(random, c.y_type, c.rows * c.outputs);
    bool biased = c.epilogue != EPILOGUE_ADD;
    bound_weights bound = put(b, w);
    void *y = b.put(old), *x_there = b.put(x), *bias_there = biased ? b.put(bias) : nullptr;
    int rows = (int)c.rows, inputs = (int)c.inputs, outputs = (int)c.outputs, bias_type = TYPE_F32;
    auto blocks = [](size_t count, size_t side) { return (unsigned)((count + side - 1) / side); };
    if (c.kernel == "product_plain") {
        b.launch(
            c.kernel, {blocks(c.outputs, 64), blocks(c.rows, 64)}, 256, 0, x_there, c.x_type, rows, inputs,
            kind_code(c.weight), bound.codes, bound.row_bytes, bound.scales, bound.scale_type, bound.scale_stride,
            bound.group, outputs, bias_there, bias_type, c.epilogue, y, c.y_type);
    } else {
        bool few = c.kernel.find("_m16") != std::string::npos;
        std::vector<unsigned> grid = {blocks(c.outputs, few ? 64 : 128), blocks(c.rows, few ? 16 : 128)};
        b.launch(
            c.kernel, grid, few ? 128 : 256, 0, x_there, rows, inputs, bound.codes, bound.row_bytes, bound.scales,
            bound.scale_type, bound.scale_stride, bound.group, outputs, bias_there, bias_type, c.epilogue, y,
            c.y_type);
    }

    std::vector<double> expected = product(x, c.rows, as_multiplied(w, c));
    for (size_t i = 0; i < expected.size(); ++i) {
        if (biased) expected[i] += bias[i % c.outputs];
        if (c.epilogue == EPILOGUE_GELU) expected[i] = gelu(expected[i]);
        if (c.epilogue == EPILOGUE_ADD) expected[i] += old[i];
    }
    // A decoded weight on the edge between two numbers of x's type may round either way.
    bool decoded = c.weight > WEIGHT_BF16 && c.kernel != "product_plain";
    double edge = decoded ? type_precision(c.x_type) * 0.02 : 0;
    std::vector<double> got = b.numbers_at(y, c.y_type, expected.size());
    double magnitude = std::sqrt((double)c.inputs);
    require_close(
        "y", got, expected, type_precision(c.y_type) * 0.5 + 4e-6, 4e-6 * magnitude + edge * magnitude + 0x1p-25);
}

void add(check_list &list, const product_case &c) {
    list.push_back({
        c.kernel + " of " + type_name(c.x_type) + " and " + weight_name(c.weight) + ", " + std::to_string(c.rows) +
            " x " + std::to_string(c.outputs) + " x " + std::to_string(c.inputs),
        [c](bench &b) { check_product(b, c); }});
}

} // namespace

void add_product_checks(check_list &list) {
    for (int x : {TYPE_F16, TYPE_BF16}) {
        weight_kind own = x == TYPE_F16 ? WEIGHT_F16 : WEIGHT_BF16;
        for (weight_kind w : {own, WEIGHT_FP8, WEIGHT_INT8, WEIGHT_INT4}) {
            std::string kernel = std::string("product_") + type_name(x) + "_" + weight_name(w);
            int group = w == WEIGHT_INT4 || w == WEIGHT_INT8 ? 64 : 0;
            add(list, {kernel + "_m16", x, w, 3, 67, 136, group, EPILOGUE_ADD, x, 16});
            add(list, {kernel + "_m16", x, w, 17, 9, 77, group, EPILOGUE_STORE, TYPE_F32, 4}); // element by element
            add(list, {kernel + "_m128", x, w, 130, 70, 72, group / 2, EPILOGUE_GELU, x, 16});
        }
    }
    for (int x : {TYPE_F32, TYPE_F16, TYPE_BF16}) {
        for (weight_kind w : {WEIGHT_F32, WEIGHT_F16, WEIGHT_BF16, WEIGHT_FP8, WEIGHT_INT8, WEIGHT_INT4}) {
            add(list, {"product_plain", x, w, 5, 66, 37, w == WEIGHT_INT4 ? 8 : 0, EPILOGUE_ADD, x, 4});
        }
    }
    add(list, {"product_plain", TYPE_F32, WEIGHT_BF16, 66, 5, 20, 0, EPILOGUE_GELU, TYPE_F32, 4});
}

} // namespace checks
