#include "check.h"
#include <cmath>

namespace checks {

namespace {

struct norm_case {
    int type, parameter_type;
    size_t rows, width;
};

std::vector<norm_case> norm_cases() {
    return {
        {TYPE_F32, TYPE_F32, 1, 1},    {TYPE_F32, TYPE_BF16, 3, 37},   {TYPE_BF16, TYPE_BF16, 5, 257},
        {TYPE_BF16, TYPE_F32, 2, 512}, {TYPE_F16, TYPE_F16, 3, 1000},  {TYPE_F16, TYPE_BF16, 1, 31},
        {TYPE_BF16, TYPE_BF16, 1, 4096},
    };
}

std::string case_name(const char *operation, const norm_case &c) {
    return std::string(operation) + "_" + type_name(c.type) + " " + std::to_string(c.rows) + " x " +
           std::to_string(c.width) + ", parameters " + type_name(c.parameter_type);
}

void check_rms_norm(bench &b, const norm_case &c) {
    random_source random(c.rows * 1000 + c.width);
    array x = random_array(random, c.type, c.rows * c.width, -2, 3);
    array weight = random_array(random, c.parameter_type, c.width, 0.5, 1.5);
    void *y = b.space(x.bytes.size());
    b.launch(
        std::string("rms_norm_") + type_name(c.type), {(unsigned)c.rows}, 256, 0, b.put(x), (int)c.width, b.put(weight),
        c.parameter_type, 1e-5f, y);

    std::vector<double> expected(x.count());
    for (size_t r = 0; r < c.rows; ++r) {
        double sum = 0;
        for (size_t i = 0; i < c.width; ++i) sum += x[r * c.width + i] * x[r * c.width + i];
        double factor = 1 / std::sqrt(sum / (double)c.width + 1e-5);
        for (size_t i = 0; i < c.width; ++i) expected[r * c.width + i] = x[r * c.width + i] * factor * weight[i];
    }
    require_stored("y", b.numbers_at(y, c.type, x.count()), expected, c.type);
}

double gelu(double x) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0))); }

void check_layer_norm(bench &b, const norm_case &c, int epilogue) {
    random_source random(c.rows * 1000 + c.width);
    array x = random_array(random, c.type, c.rows * c.width, 5, 9);
    array weight = random_array(random, c.parameter_type, c.width, 0.5, 1.5);
    array bias = random_array(random, c.parameter_type, c.width);
    array old = random_array(random, c.type, c.rows * c.width);
    void *y = b.put(old);
    b.launch(
        std::string("layer_norm_") + type_name(c.type), {(unsigned)c.rows}, 256, 0, b.put(x), (int)c.width,
        b.put(weight), c.parameter_type, b.put(bias), c.parameter_type, 1e-5f, epilogue, y);

    std::vector<double> expected(x.count());
    for (size_t r = 0; r < c.rows; ++r) {
        const double *row = &x.values[r * c.width];
        double sum = 0, squares = 0;
        for (size_t i = 0; i < c.width; ++i) sum += row[i];
        double mean = sum / (double)c.width;
        for (size_t i = 0; i < c.width; ++i) squares += (row[i] - mean) * (row[i] - mean);
        double factor = 1 / std::sqrt(squares / (double)c.width + 1e-5);
        for (size_t i = 0; i < c.width; ++i) {
            double value = (row[i] - mean) * factor * weight[i] + bias[i];
            if (epilogue == EPILOGUE_GELU) value = gelu(value);
            if (epilogue == EPILOGUE_ADD) value += old[r * c.width + i];
            expected[r * c.width + i] = value;
        }
    }
    require_stored("y", b.numbers_at(y, c.type, x.count()), expected, c.type, 4);
}

} // namespace

void add_norm_checks(check_list &list) {
    for (const norm_case &c : norm_cases()) {
        list.push_back({case_name("rms_norm", c), [c](bench &b) { check_rms_norm(b, c); }});
        for (int epilogue : {EPILOGUE_STORE, EPILOGUE_GELU, EPILOGUE_ADD}) {
            list.push_back({
                case_name("layer_norm", c) + ", epilogue " + std::to_string(epilogue),
                [c, epilogue](bench &b) { check_layer_norm(b, c, epilogue); }});
        }
    }
}

} // namespace checks
