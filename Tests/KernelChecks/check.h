// What checks are written with: arrays with their float64 values, launches, comparisons.
#pragma once
#include "kernel_checks.h"
#include "types.cuh"
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace checks {

struct failure : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// Numbers of a type, as bytes for the machine and as float64 for the reference.
struct array {
    int type = TYPE_F32;
    std::vector<unsigned char> bytes;
    std::vector<double> values;

    size_t count() const { return values.size(); }
    double operator[](size_t i) const { return values[i]; }
};

// Uniform random numbers, the same on every machine.
class random_source {
public:
    explicit random_source(uint64_t seed) : state(seed * 0x9e3779b97f4a7c15u + 1) {}
    uint32_t bits();
    double uniform(double low, double high);

private:
    uint64_t state;
};

size_t element_bytes(int type);
const char *type_name(int type);   // f32, f16, bf16
double type_precision(int type);   // distance of neighbors, relative: half of it is lost when a result is stored

// `values` rounded to `type`.
array make_array(int type, const std::vector<double> &values);
array random_array(random_source &random, int type, size_t count, double low = -1, double high = 1);

// The value that bytes of a type stand for.
std::vector<double> decode(int type, const std::vector<unsigned char> &bytes);

// Memory on a machine, given back at the end.
class memory {
public:
    memory(const kc_machine *machine, size_t byte_count);
    memory(const memory &) = delete;
    memory &operator=(const memory &) = delete;
    ~memory();
    void *address = nullptr;
    size_t byte_count;

private:
    const kc_machine *machine;
};

// One check under way: owns its memory.
class bench {
public:
    explicit bench(const kc_machine *machine) : machine(machine) {}

    void *put(const std::vector<unsigned char> &bytes);
    void *put(const array &a) { return put(a.bytes); }
    void *put(const std::vector<int> &numbers);
    void *space(size_t byte_count); // filled with 0xFF

    std::vector<unsigned char> bytes_at(const void *address, size_t byte_count);
    std::vector<double> numbers_at(const void *address, int type, size_t count);

    // Launches with the parameters' exact types.
    template <class... P> void launch(
        const std::string &kernel, std::vector<unsigned> grid, unsigned threads, unsigned shared_bytes, P... parameters
    ) {
        void *params[] = {(void *)&parameters...};
        launch_with(kernel, grid, threads, shared_bytes, params);
    }

private:
    void launch_with(
        const std::string &kernel, std::vector<unsigned> grid, unsigned threads, unsigned shared_bytes, void **params);

    const kc_machine *machine;
    std::vector<std::unique_ptr<memory>> taken;
};

// Requires |got - expected| <= relative · |expected| + absolute for each element; names the worst.
void require_close(
    const std::string &what, const std::vector<double> &got, const std::vector<double> &expected, double relative,
    double absolute);

// The same with the tolerance of a result that is stored as `type` after float32 sums of about `magnitude`.
void require_stored(
    const std::string &what, const std::vector<double> &got, const std::vector<double> &expected, int type,
    double magnitude = 1);

struct check {
    std::string name;
    std::function<void(bench &)> run;
};

using check_list = std::vector<check>;

// One function per file of checks.
void add_conformance_checks(check_list &list);
void add_norm_checks(check_list &list);
void add_elementwise_checks(check_list &list);
void add_gemv_checks(check_list &list);
void add_fused_checks(check_list &list);
void add_product_checks(check_list &list);
void add_code_product_checks(check_list &list);
void add_attention_checks(check_list &list);
void add_rotary_checks(check_list &list);
void add_rows_checks(check_list &list);
void add_noise_checks(check_list &list);

} // namespace checks
