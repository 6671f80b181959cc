#include "check.h"
#include <cmath>

namespace checks {

namespace {

double silu(double x) { return x / (1 + std::exp(-x)); }
std::string with_type(const char *operation, int type) { return std::string(operation) + "_" + type_name(type); }

void check_gated_silu_fused(bench &b, int type) {
    constexpr size_t rows = 5, width = 77;
    random_source random(7);
    array gate_up = random_array(random, type, rows * 2 * width, -4, 4);
    void *y = b.space(rows * width * element_bytes(type));
    b.launch(
        with_type("gated_silu_fused", type), {2}, 256, 0, b.put(gate_up), (int)width, y, (long long)(rows * width));
    std::vector<double> expected(rows * width);
    for (size_t i = 0; i < expected.size(); ++i) {
        size_t gate = i / width * 2 * width + i % width;
        expected[i] = silu(gate_up[gate]) * gate_up[gate + width];
    }
    require_stored("y", b.numbers_at(y, type, expected.size()), expected, type);
}

void check_gated_silu(bench &b, int type) {
    random_source random(8);
    array gate = random_array(random, type, 515, -4, 4), up = random_array(random, type, 515);
    void *y = b.put(gate); // y may be gate
    b.launch(with_type("gated_silu", type), {3}, 256, 0, y, b.put(up), y, (long long)gate.count());
    std::vector<double> expected(gate.count());
    for (size_t i = 0; i < expected.size(); ++i) expected[i] = silu(gate[i]) * up[i];
    require_stored("y", b.numbers_at(y, type, expected.size()), expected, type);
}

void check_add(bench &b, int type, int x_type) {
    random_source random(9);
    array x = random_array(random, x_type, 300), old = random_array(random, type, 300);
    void *y = b.put(old);
    b.launch(with_type("add", type), {1}, 256, 0, b.put(x), x_type, y, (long long)x.count());
    std::vector<double> expected(x.count());
    for (size_t i = 0; i < expected.size(); ++i) expected[i] = x[i] + old[i];
    require_stored("y", b.numbers_at(y, type, expected.size()), expected, type);
}

void check_gelu(bench &b, int type) {
    random_source random(12);
    array x = random_array(random, type, 333, -4, 4);
    void *y = b.put(x);
    b.launch(with_type("gelu", type), {2}, 256, 0, y, (long long)x.count());
    std::vector<double> expected(x.count());
    for (size_t i = 0; i < expected.size(); ++i) expected[i] = 0.5 * x[i] * (1 + std::erf(x[i] / std::sqrt(2.0)));
    require_stored("y", b.numbers_at(y, type, expected.size()), expected, type);
}

void check_scale(bench &b, int type) {
    random_source random(10);
    array x = random_array(random, type, 333);
    void *y = b.put(x);
    b.launch(with_type("scale", type), {2}, 256, 0, y, 0.125f, (long long)x.count());
    std::vector<double> expected(x.count());
    for (size_t i = 0; i < expected.size(); ++i) expected[i] = x[i] * 0.125;
    require_stored("y", b.numbers_at(y, type, expected.size()), expected, type);
}

void check_copy(bench &b, int from, int to) {
    random_source random(11);
    array x = random_array(random, from, 301, -100, 100);
    void *y = b.space(x.count() * element_bytes(to));
    b.launch("copy_convert", {1}, 256, 0, b.put(x), from, y, to, (long long)x.count());
    std::vector<double> expected = make_array(to, x.values).values;
    require_close("y", b.numbers_at(y, to, x.count()), expected, 0, 0);
}

void check_find_non_finite(bench &b, int type) {
    for (double bad : {0.0, (double)INFINITY, -(double)INFINITY, (double)NAN}) {
        std::vector<unsigned char> bytes = make_array(type, std::vector<double>(400, 1.5)).bytes;
        if (bad != 0) {
            bool is_nan = std::isnan(bad);
            unsigned top = type == TYPE_F16 ? (is_nan ? 0x7c01 : 0x7c00) : (is_nan ? 0x7f81 : 0x7f80);
            if (bad < 0) top |= 0x8000;
            unsigned word = type == TYPE_F32 ? top << 16 : top;
            for (size_t i = 0; i < element_bytes(type); ++i) {
                bytes[399 * element_bytes(type) + i] = (unsigned char)(word >> 8 * i);
            }
        }
        void *found = b.put(std::vector<int>{0});
        b.launch("find_non_finite", {1}, 256, 0, b.put(bytes), type, found, (long long)400);
        std::vector<double> flag = {(double)b.bytes_at(found, 4)[0]};
        require_close("found", flag, {bad == 0 ? 0.0 : 1.0}, 0, 0);
    }
}

} // namespace

void add_elementwise_checks(check_list &list) {
    for (int type : {TYPE_F32, TYPE_F16, TYPE_BF16}) {
        list.push_back({with_type("gated_silu_fused", type), [type](bench &b) { check_gated_silu_fused(b, type); }});
        list.push_back({with_type("gated_silu", type), [type](bench &b) { check_gated_silu(b, type); }});
        list.push_back({with_type("gelu", type), [type](bench &b) { check_gelu(b, type); }});
        list.push_back({with_type("scale", type), [type](bench &b) { check_scale(b, type); }});
        list.push_back({with_type("find_non_finite", type), [type](bench &b) { check_find_non_finite(b, type); }});
        for (int other : {TYPE_F32, TYPE_F16, TYPE_BF16}) {
            std::string from = std::string(" from ") + type_name(other);
            list.push_back({with_type("add", type) + from, [=](bench &b) { check_add(b, type, other); }});
            list.push_back({with_type("copy_convert to", type) + from, [=](bench &b) { check_copy(b, other, type); }});
        }
    }
}

} // namespace checks
