#include "check.h"
#include <cmath>
#include <cstdio>
#include <cstring>

namespace checks {

namespace {

// Nearest number with `fraction_bits` bits and exponents from `lowest` on, ties to even.
double round_to(double x, int fraction_bits, int lowest) {
    if (x == 0 || !std::isfinite(x)) return x;
    int exponent = std::max(std::ilogb(x), lowest);
    double unit = std::ldexp(1.0, exponent - fraction_bits);
    return std::nearbyint(x / unit) * unit;
}

double rounded(int type, double x) {
    if (type == TYPE_F32) return (double)(float)x;
    if (type == TYPE_F16) return round_to(x, 10, -14);
    return round_to(x, 7, -126);
}

uint16_t f16_bits(double x) { // of a number that float16 holds exactly
    uint16_t sign = std::signbit(x) ? 0x8000 : 0;
    x = std::fabs(x);
    if (x == 0) return sign;
    int exponent = std::max(std::ilogb(x), -14);
    auto scaled = (int)std::ldexp(x, 10 - exponent); // with the hidden bit, unless subnormal
    return (uint16_t)(sign | (scaled < 1024 ? scaled : ((exponent + 15) << 10) + (scaled - 1024)));
}

double f16_value(uint16_t bits) {
    int exponent = bits >> 10 & 31, fraction = bits & 1023;
    double x = exponent == 31   ? (fraction ? NAN : INFINITY)
               : exponent == 0 ? std::ldexp(fraction, -24)
                               : std::ldexp(1024 + fraction, exponent - 25);
    return bits & 0x8000 ? -x : x;
}

void require(int status, const char *error) {
    if (status != 0) throw failure(error);
}

} // namespace

uint32_t random_source::bits() { // xorshift64*
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (uint32_t)(state * 0x2545f4914f6cdd1du >> 32);
}

double random_source::uniform(double low, double high) { return low + (high - low) * (bits() / 4294967296.0); }

size_t element_bytes(int type) { return type == TYPE_F32 ? 4 : type == TYPE_I8 ? 1 : 2; }
const char *type_name(int type) { return type == TYPE_F32 ? "f32" : type == TYPE_F16 ? "f16" : "bf16"; }
double type_precision(int type) { return type == TYPE_F32 ? 0x1p-23 : type == TYPE_F16 ? 0x1p-10 : 0x1p-7; }

array make_array(int type, const std::vector<double> &values) {
    array a;
    a.type = type;
    a.values.resize(values.size());
    a.bytes.resize(values.size() * element_bytes(type));
    for (size_t i = 0; i < values.size(); ++i) {
        a.values[i] = rounded(type, values[i]);
        auto single = (float)a.values[i];
        uint32_t word;
        std::memcpy(&word, &single, 4);
        uint16_t half = type == TYPE_F16 ? f16_bits(a.values[i]) : (uint16_t)(word >> 16);
        if (type == TYPE_F32) std::memcpy(&a.bytes[i * 4], &word, 4);
        else std::memcpy(&a.bytes[i * 2], &half, 2);
    }
    return a;
}

array random_array(random_source &random, int type, size_t count, double low, double high) {
    std::vector<double> values(count);
    for (double &x : values) x = random.uniform(low, high);
    return make_array(type, values);
}

std::vector<double> decode(int type, const std::vector<unsigned char> &bytes) {
    std::vector<double> values(bytes.size() / element_bytes(type));
    for (size_t i = 0; i < values.size(); ++i) {
        uint32_t word = 0;
        std::memcpy(&word, &bytes[i * element_bytes(type)], element_bytes(type));
        if (type == TYPE_BF16) word <<= 16;
        float single;
        std::memcpy(&single, &word, 4);
        values[i] = type == TYPE_F16 ? f16_value((uint16_t)word) : type == TYPE_I8 ? (int8_t)word : (double)single;
    }
    return values;
}

memory::memory(const kc_machine *machine, size_t byte_count) : byte_count(byte_count), machine(machine) {
    char error[512] = "";
    require(machine->take(machine->context, byte_count, &address, error, sizeof error), error);
}

memory::~memory() {
    char error[512];
    machine->give_back(machine->context, address, error, sizeof error);
}

void *bench::put(const std::vector<unsigned char> &bytes) {
    taken.push_back(std::make_unique<memory>(machine, bytes.size()));
    char error[512] = "";
    void *address = taken.back()->address;
    require(machine->upload(machine->context, address, bytes.data(), bytes.size(), error, sizeof error), error);
    return address;
}

void *bench::put(const std::vector<int> &numbers) {
    std::vector<unsigned char> bytes(numbers.size() * 4);
    std::memcpy(bytes.data(), numbers.data(), bytes.size());
    return put(bytes);
}

void *bench::space(size_t byte_count) { return put(std::vector<unsigned char>(byte_count, 0xff)); }

std::vector<unsigned char> bench::bytes_at(const void *address, size_t byte_count) {
    std::vector<unsigned char> bytes(byte_count);
    char error[512] = "";
    require(machine->download(machine->context, address, bytes.data(), byte_count, error, sizeof error), error);
    return bytes;
}

std::vector<double> bench::numbers_at(const void *address, int type, size_t count) {
    return decode(type, bytes_at(address, count * element_bytes(type)));
}

void bench::launch_with(
    const std::string &kernel, std::vector<unsigned> grid, unsigned threads, unsigned shared_bytes, void **params
) {
    grid.resize(3, 1);
    unsigned block[3] = {threads, 1, 1};
    char error[512] = "";
    require(
        machine->launch(
            machine->context, kernel.c_str(), grid.data(), block, shared_bytes, params, error, sizeof error),
        error);
}

void require_close(
    const std::string &what, const std::vector<double> &got, const std::vector<double> &expected, double relative,
    double absolute
) {
    if (got.size() != expected.size()) throw failure(what + ": another number of results");
    size_t worst = 0;
    double worst_excess = 0;
    for (size_t i = 0; i < got.size(); ++i) {
        double excess = std::fabs(got[i] - expected[i]) - (relative * std::fabs(expected[i]) + absolute);
        if (!std::isfinite(got[i]) && got[i] != expected[i]) excess = INFINITY;
        if (excess > worst_excess) worst = i, worst_excess = excess;
    }
    if (worst_excess == 0) return;
    char line[300];
    snprintf(
        line, sizeof line, "%s: element %zu of %zu: expected %.9g, got %.9g", what.c_str(), worst, got.size(),
        expected[worst], got[worst]);
    throw failure(line);
}

void require_stored(
    const std::string &what, const std::vector<double> &got, const std::vector<double> &expected, int type,
    double magnitude
) {
    // Half a unit of the stored type, a little for what float32 sums lose before.
    double relative = type_precision(type) * 0.5 + 4e-6, absolute = 4e-6 * magnitude;
    if (type == TYPE_F16) absolute += 0x1p-25;
    require_close(what, got, expected, relative, absolute);
}

} // namespace checks
