// Each function of dev.cuh: bit for bit, except sums of mma and the functions that cards approximate.
#include "weights.h"
#include <cmath>
#include <cstring>

namespace checks {

namespace {

// Numbers of every exponent, ties, and what is not finite.
std::vector<double> hard_numbers() {
    random_source random(51);
    std::vector<double> numbers = {0.0, 0.5, 1.5, 2.5, -2.5, 1 + 0x1p-8, 1 + 3 * 0x1p-8, 1 + 0x1p-11, 1 + 3 * 0x1p-11,
                                   65504, 65519.99, 65520, 1e6, 0x1p-24, 0x1p-25, 1.5 * 0x1p-25, 0x1p-14 - 0x1p-25};
    for (int i = 0; i < 600; ++i) numbers.push_back(std::ldexp(random.uniform(-2, 2), (int)(random.bits() % 50) - 30));
    return numbers;
}

template <class V> std::vector<V> read(bench &b, const void *address, size_t count) {
    std::vector<unsigned char> bytes = b.bytes_at(address, count * sizeof(V));
    std::vector<V> values(count);
    std::memcpy(values.data(), bytes.data(), bytes.size());
    return values;
}

template <class V> void require_equal(const char *what, const std::vector<V> &got, const std::vector<V> &expected) {
    for (size_t i = 0; i < expected.size(); ++i) {
        if (got[i] == expected[i]) continue;
        throw failure(
            std::string(what) + ": element " + std::to_string(i) + ": expected " + std::to_string(expected[i]) +
            ", got " + std::to_string(got[i]));
    }
}

std::vector<uint16_t> halves_of(const array &a) {
    std::vector<uint16_t> bits(a.count());
    std::memcpy(bits.data(), a.bytes.data(), a.bytes.size());
    return bits;
}

// Infinity is what does not fit into float16, ties to even included.
std::vector<uint16_t> f16_bits(const std::vector<double> &numbers) {
    std::vector<double> fitting = numbers;
    for (double &x : fitting) x = std::fabs(x) >= 65520 ? 0 : x;
    std::vector<uint16_t> bits = halves_of(make_array(TYPE_F16, fitting));
    for (size_t i = 0; i < bits.size(); ++i) {
        if (std::fabs(numbers[i]) >= 65520) bits[i] = numbers[i] < 0 ? 0xfc00 : 0x7c00;
    }
    return bits;
}

void check_narrow(bench &b) {
    array x = make_array(TYPE_F32, hard_numbers());
    size_t n = x.count();
    void *halves = b.space(n * 2), *brains = b.space(n * 2), *whole = b.space(n * 4);
    b.launch("conform_narrow", {((unsigned)n + 31) / 32}, 32, 0, b.put(x), (int)n, halves, brains, whole);
    require_equal("float16", read<uint16_t>(b, halves, n), f16_bits(x.values));
    require_equal("bfloat16", read<uint16_t>(b, brains, n), halves_of(make_array(TYPE_BF16, x.values)));
    std::vector<int> expected;
    for (double v : x.values) expected.push_back((int)std::nearbyint(v));
    require_equal("whole", read<int>(b, whole, n), expected);
}

// The code of the nearest number, by trying all; of two equally near ones the even.
unsigned char nearest_fp8(double x) {
    unsigned char best = 0;
    double least = INFINITY;
    for (unsigned code = 0; code < 127; ++code) {
        double distance = std::fabs(std::fabs(x) - fp8_value((unsigned char)code));
        if (distance < least || (distance == least && code % 2 == 0)) best = (unsigned char)code, least = distance;
    }
    return best | (std::signbit(x) ? 0x80 : 0);
}

void check_narrow_fp8(bench &b) {
    std::vector<double> numbers = hard_numbers();
    for (double x : {448.0, 463.9, 464.0, 480.0, -1e6, 1.0625, 1.1875, -0.0, 0x1p-10, 3 * 0x1p-10, 0x1p-6 - 0x1p-11}) {
        numbers.push_back(x);
    }
    if (numbers.size() % 2) numbers.push_back(1);
    array x = make_array(TYPE_F32, numbers);
    size_t n = x.count();
    void *codes = b.space(n);
    b.launch("conform_narrow_fp8", {((unsigned)n + 63) / 64}, 32, 0, b.put(x), (int)n, codes);
    std::vector<unsigned char> expected;
    for (double v : x.values) expected.push_back(nearest_fp8(v));
    require_equal("fp8", read<unsigned char>(b, codes, n), expected);
    array nan = make_array(TYPE_F32, {NAN, 1});
    b.launch("conform_narrow_fp8", {1}, 32, 0, b.put(nan), 2, codes);
    require_equal("NaN", std::vector<int>{read<unsigned char>(b, codes, 1)[0] & 0x7f}, {0x7f});
}

// Equal, or both NaN: which of the NaNs is the card's choice.
void require_numbers(const char *what, const std::vector<double> &got, const std::vector<double> &expected) {
    std::vector<double> left = got, right = expected;
    for (size_t i = 0; i < left.size(); ++i) {
        if (std::isnan(left[i]) && std::isnan(right[i])) left[i] = right[i] = 0;
    }
    require_close(what, left, right, 0, 0);
}

void check_widen(bench &b) {
    constexpr size_t n = 65536;
    void *halves = b.space(n * 4), *brains = b.space(n * 4), *codes = b.space(n * 4), *pairs = b.space(n * 4);
    b.launch("conform_widen", {n / 32}, 32, 0, halves, brains, codes, pairs);
    std::vector<unsigned char> patterns(n * 2);
    for (size_t i = 0; i < n; ++i) patterns[2 * i] = (unsigned char)i, patterns[2 * i + 1] = (unsigned char)(i >> 8);
    require_numbers("float16", b.numbers_at(halves, TYPE_F32, n), decode(TYPE_F16, patterns));
    require_numbers("bfloat16", b.numbers_at(brains, TYPE_F32, n), decode(TYPE_BF16, patterns));
    std::vector<double> low(n), both(2 * n);
    for (size_t i = 0; i < n; ++i) {
        low[i] = both[2 * i] = fp8_value((unsigned char)i);
        both[2 * i + 1] = fp8_value((unsigned char)(i >> 8));
    }
    require_numbers("fp8", b.numbers_at(codes, TYPE_F32, n), low);
    require_numbers("pairs of fp8", b.numbers_at(pairs, TYPE_F16, 2 * n), both);
}

void check_functions(bench &b) {
    random_source random(52);
    array x = random_array(random, TYPE_F32, 500, -12, 12);
    size_t n = x.count();
    void *y = b.space(4 * n * 4);
    b.launch("conform_functions", {((unsigned)n + 31) / 32}, 32, 0, b.put(x), (int)n, y);
    std::vector<double> expected(4 * n);
    for (size_t i = 0; i < n; ++i) {
        expected[i] = std::exp2(x[i]);
        expected[n + i] = std::exp(x[i]);
        expected[2 * n + i] = std::erf(x[i]);
        expected[3 * n + i] = std::sqrt(std::fabs(x[i]));
    }
    require_close("y", b.numbers_at(y, TYPE_F32, 4 * n), expected, 1e-6, 1e-7);
}

void check_memory(bench &b) {
    random_source random(53);
    std::vector<uint32_t> x(128);
    for (uint32_t &word : x) word = random.bits();
    std::vector<unsigned char> bytes(512);
    std::memcpy(bytes.data(), x.data(), 512);
    void *streamed = b.space(512), *copied = b.space(3 * 512);
    b.launch("conform_memory", {1}, 32, 512, b.put(bytes), streamed, copied);
    require_equal("streamed", read<uint32_t>(b, streamed, 128), x);
    std::vector<uint32_t> expected;
    auto piece = [&](size_t group, size_t lane) { // as the group's copy left it
        for (size_t i = 0; i < 4; ++i) expected.push_back(lane % 5 == 0 ? 0 : x[(lane + group) % 32 * 4 + i]);
    };
    for (size_t lane = 0; lane < 32; ++lane) piece(0, 31 - lane);
    for (size_t lane = 0; lane < 32; ++lane) piece(1, ((lane + 7) % 32 + 1) % 32);
    for (size_t lane = 0; lane < 32; ++lane) piece(2, lane);
    require_equal("copied", read<uint32_t>(b, copied, 3 * 128), expected);
}

void check_load_matrix(bench &b) {
    random_source random(54);
    std::vector<uint16_t> x(32 * 8);
    for (uint16_t &element : x) element = (uint16_t)random.bits();
    std::vector<unsigned char> bytes(512);
    std::memcpy(bytes.data(), x.data(), 512);
    void *straight = b.space(512), *transposed = b.space(512);
    b.launch("conform_load_matrix", {1}, 32, 0, b.put(bytes), straight, transposed);
    std::vector<uint16_t> rows, columns;
    for (size_t lane = 0; lane < 32; ++lane) {
        for (size_t matrix = 0; matrix < 4; ++matrix) {
            for (size_t i = 0; i < 2; ++i) {
                size_t far = lane / 4, near = lane % 4 * 2 + i;
                rows.push_back(x[(matrix * 8 + far) * 8 + near]);
                columns.push_back(x[(matrix * 8 + near) * 8 + far]);
            }
        }
    }
    require_equal("straight", read<uint16_t>(b, straight, 256), rows);
    require_equal("transposed", read<uint16_t>(b, transposed, 256), columns);
}

void check_mma(bench &b, int type) {
    random_source random(55);
    array left = random_array(random, type, 16 * 16), right = random_array(random, type, 16 * 8);
    array sums = random_array(random, TYPE_F32, 16 * 8);
    void *d = b.put(sums);
    b.launch(std::string("conform_mma_") + type_name(type), {1}, 32, 0, b.put(left), b.put(right), d);
    std::vector<double> expected = sums.values;
    for (size_t i = 0; i < expected.size(); ++i) {
        for (size_t k = 0; k < 16; ++k) expected[i] += left[i / 8 * 16 + k] * right[k * 8 + i % 8];
    }
    require_close("d", b.numbers_at(d, TYPE_F32, 128), expected, 0, 4e-6);
}

// 32 codes deep, two of them in an element.
void check_mma_fp8(bench &b) {
    random_source random(57);
    std::vector<unsigned char> left(16 * 32), right(16 * 8 * 2);
    for (auto *codes : {&left, &right}) {
        for (unsigned char &code : *codes) {
            code = (unsigned char)random.bits();
            if ((code & 127) == 127) code ^= 1;
        }
    }
    array sums = random_array(random, TYPE_F32, 16 * 8, -1000, 1000);
    void *d = b.put(sums);
    b.launch("conform_mma_fp8", {1}, 32, 0, b.put(left), b.put(right), d);
    std::vector<double> expected = sums.values;
    double largest = 0;
    for (size_t i = 0; i < expected.size(); ++i) {
        for (size_t k = 0; k < 32; ++k) {
            double product = fp8_value(left[i / 8 * 32 + k]) * fp8_value(right[(k / 2 * 8 + i % 8) * 2 + k % 2]);
            largest = std::fmax(largest, std::fabs(product));
            expected[i] += product;
        }
    }
    // Cards may cut each product where 13 bits below the largest end.
    require_close("d", b.numbers_at(d, TYPE_F32, 128), expected, 0x1p-23, 33 * largest * 0x1p-13);
}

void check_lanes(bench &b) {
    random_source random(56);
    array x = random_array(random, TYPE_F32, 32);
    void *y = b.space(128 * 4), *whole = b.space(64 * 4), *flag = b.put(std::vector<int>{0});
    b.launch("conform_lanes", {1}, 32, 0, b.put(x), y, whole, flag);
    std::vector<double> expected(128);
    std::vector<int> expected_whole(64);
    double sum = 0, largest = -1;
    for (double v : x.values) sum += v, largest = std::max(largest, v);
    for (size_t lane = 0; lane < 32; ++lane) {
        expected[lane] = x[lane ^ 5];
        expected[32 + lane] = x[11];
        expected[64 + lane] = sum;
        expected[96 + lane] = largest;
        expected_whole[lane] = (int)(lane ^ 5) * 3;
        expected_whole[32 + lane] = 33;
    }
    require_close("y", b.numbers_at(y, TYPE_F32, 128), expected, 0, 4e-6);
    require_equal("whole", read<int>(b, whole, 64), expected_whole);
    require_equal("flag", read<int>(b, flag, 1), {1});
}

} // namespace

void add_conformance_checks(check_list &list) {
    list.push_back({"conformance: narrow", check_narrow});
    list.push_back({"conformance: narrow to fp8", check_narrow_fp8});
    list.push_back({"conformance: widen", check_widen});
    list.push_back({"conformance: functions", check_functions});
    list.push_back({"conformance: memory", check_memory});
    list.push_back({"conformance: load_matrix", check_load_matrix});
    list.push_back({"conformance: mma of f16", [](bench &b) { check_mma(b, TYPE_F16); }});
    list.push_back({"conformance: mma of bf16", [](bench &b) { check_mma(b, TYPE_BF16); }});
    list.push_back({"conformance: mma of fp8", check_mma_fp8});
    list.push_back({"conformance: lanes", check_lanes});
}

} // namespace checks
