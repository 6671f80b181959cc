#include "check.h"
#include <cmath>

namespace checks {

namespace {

constexpr uint64_t seed = 42, period = 1048573;

// The sequence of SplitMix64, one after the other from its beginning: numbers `first` to `first + count`, around the end.
std::vector<double> sequence(uint64_t first, size_t count) {
    std::vector<double> numbers;
    uint64_t state = seed;
    for (uint64_t i = 0; i < period; ++i) {
        state += 0x9e3779b97f4a7c15u;
        uint64_t z = (state ^ (state >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        numbers.push_back((double)((z ^ (z >> 31)) >> 40) / (1 << 23) - 1);
    }
    std::vector<double> some;
    for (size_t i = 0; i < count; ++i) some.push_back(numbers[(first + i) % period]);
    return some;
}

void check_numbers(bench &b, int type, float center, float width) {
    constexpr size_t rows = 7, columns = 301;
    constexpr uint64_t first = period - 1000; // its end lies within
    void *y = b.space(rows * columns * element_bytes(type));
    b.launch(
        "fill_noise", {3}, 256, 0, y, type, (int)rows, (int)columns, (int)(columns * element_bytes(type)),
        (long long)seed, (long long)first, center, width);
    std::vector<double> expected = sequence(first, rows * columns);
    for (double &x : expected) x = (float)((double)width * x + (double)center);
    require_close(
        "y", b.numbers_at(y, type, expected.size()), make_array(type, expected).values, 0, 0);
}

double fp8_value(unsigned code) {
    unsigned exponent = code >> 3 & 15, fraction = code & 7;
    double magnitude = exponent == 0 ? std::ldexp(fraction, -9) : std::ldexp(8 + fraction, (int)exponent - 10);
    return code & 0x80 ? -magnitude : magnitude;
}

// Distance to the nearest number that has a code.
double nearest_fp8_distance(double x) {
    double least = INFINITY;
    for (unsigned code = 0; code < 256; ++code) {
        if ((code & 0x7f) != 0x7f) least = std::fmin(least, std::fabs(fp8_value(code) - x));
    }
    return least;
}

void check_codes(bench &b, const char *what, int kind, float center, float width) {
    constexpr size_t rows = 5, columns = 301;
    constexpr uint64_t first = 17;
    size_t code_bytes = kind == 5 ? (columns + 1) / 2 : columns, row_bytes = (code_bytes + 15) / 16 * 16;
    void *y = b.space(rows * row_bytes);
    b.launch(
        "fill_noise", {2}, 256, 0, y, kind, (int)rows, (int)columns, (int)row_bytes, (long long)seed, (long long)first,
        center, width);
    std::vector<unsigned char> bytes = b.bytes_at(y, rows * row_bytes);
    std::vector<double> numbers = sequence(first, rows * columns);
    std::vector<double> distances, least;
    for (size_t row = 0; row < rows; ++row) {
        for (size_t i = 0; i < columns; ++i) {
            double x = (double)(float)((double)width * numbers[row * columns + i] + (double)center), got;
            const unsigned char *codes = &bytes[row * row_bytes];
            if (kind == 3) got = (double)(signed char)codes[i];
            else if (kind == 4) got = fp8_value(codes[i]);
            else got = codes[i / 2] >> i % 2 * 4 & 15;
            distances.push_back(std::fabs(got - x));
            least.push_back(kind == 4 ? nearest_fp8_distance(x) : std::fabs(std::nearbyint(x) - x));
        }
        for (size_t i = code_bytes; i < row_bytes; ++i) {
            if (bytes[row * row_bytes + i] != 0) throw failure(std::string(what) + ": padding that is not zero");
        }
    }
    require_close(std::string(what) + " codes' distances", distances, least, 0, 0);
}

} // namespace

void add_noise_checks(check_list &list) {
    for (int type : {TYPE_F32, TYPE_F16, TYPE_BF16}) {
        list.push_back({std::string("noise ") + type_name(type), [type](bench &b) {
                            check_numbers(b, type, 0, 0.03125f);
                            check_numbers(b, type, 1, 0.0625f);
                        }});
    }
    list.push_back({"noise int8", [](bench &b) { check_codes(b, "int8", 3, 0, 127); }});
    list.push_back({"noise fp8", [](bench &b) {
                        check_codes(b, "fp8", 4, 0, 448);
                        check_codes(b, "fp8 below its normal numbers", 4, 0, 0.03125f);
                    }});
    list.push_back({"noise int4", [](bench &b) { check_codes(b, "int4", 5, 8, 7); }});
}

} // namespace checks
