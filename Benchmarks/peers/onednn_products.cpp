// Times products in oneDNN with weights in the layout that it prefers. Prints for each product the seconds of its runs,
// a line each; onednn_products.py builds and runs it. Works with oneDNN 2.6 and 3.
//
//     onednn_products bfloat16|float32 SECONDS (ROWS INPUTS OUTPUTS)…
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

#include <dnnl.hpp>

using dnnl::memory;

namespace {

constexpr int leastRuns = 5, mostRuns = 50;
// So much of weights take turns where one row is multiplied, so that no cache holds them.
constexpr size_t turnBytes = size_t(512) << 20;

struct Product {
    memory::dim rows, inputs, outputs;
};

double now() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

memory::data_type typeNamed(const char *name) {
    if (std::strcmp(name, "bfloat16") == 0)
        return memory::data_type::bf16;
    if (std::strcmp(name, "float32") == 0)
        return memory::data_type::f32;
    std::fprintf(stderr, "the type is bfloat16 or float32, not '%s'\n", name);
    std::exit(2);
}

// Numbers within ±0.05, in a plain layout.
memory uniform(const dnnl::engine &engine, memory::dim rows, memory::dim columns, memory::data_type type) {
    memory result({{rows, columns}, type, memory::format_tag::ab}, engine);
    std::minstd_rand generator(1);
    std::uniform_real_distribution<float> number(-0.05f, 0.05f);
    for (memory::dim i = 0; i < rows * columns; i++) {
        float value = number(generator);
        uint32_t bits;
        std::memcpy(&bits, &value, sizeof bits);
        if (type == memory::data_type::f32)
            static_cast<float *>(result.get_data_handle())[i] = value;
        else
            static_cast<uint16_t *>(result.get_data_handle())[i] = uint16_t(bits >> 16);
    }
    return result;
}

dnnl::matmul::primitive_desc description(const dnnl::engine &engine, Product product, memory::data_type type) {
    memory::desc x({product.rows, product.inputs}, type, memory::format_tag::ab);
    memory::desc weights({product.inputs, product.outputs}, type, memory::format_tag::any);
    memory::desc y({product.rows, product.outputs}, type, memory::format_tag::ab);
#if DNNL_VERSION_MAJOR >= 3
    return {engine, x, weights, y};
#else
    return {dnnl::matmul::desc(x, weights, y), engine};
#endif
}

void measure(const dnnl::engine &engine, Product product, memory::data_type type, double seconds) {
    dnnl::stream stream(engine);
    auto chosen = description(engine, product, type);
    dnnl::matmul matmul(chosen);
    memory x = uniform(engine, product.rows, product.inputs, type);
    memory plain = uniform(engine, product.inputs, product.outputs, type);
    memory y(chosen.dst_desc(), engine);
    size_t bytes = chosen.weights_desc().get_size();
    std::vector<memory> weights;
    for (size_t i = 0; i < (product.rows == 1 ? std::max<size_t>(1, turnBytes / bytes) : 1); i++) {
        weights.emplace_back(chosen.weights_desc(), engine);
        dnnl::reorder(plain, weights.back()).execute(stream, plain, weights.back());
    }
    stream.wait();
    size_t turn = 0;
    auto run = [&] {
        double start = now();
        matmul.execute(stream, {{DNNL_ARG_SRC, x}, {DNNL_ARG_WEIGHTS, weights[turn++ % weights.size()]}, {DNNL_ARG_DST, y}});
        stream.wait();
        return now() - start;
    };
    run();
    int count = std::clamp(int(seconds / std::max(run(), 1e-6)), leastRuns, mostRuns);
    std::printf("%s", chosen.impl_info_str());
    for (int i = 0; i < count; i++)
        std::printf(" %.9f", run());
    std::printf("\n");
    std::fflush(stdout);
}

} // namespace

int main(int count, char **words) {
    if (count < 6 || count % 3 != 0) {
        std::fprintf(stderr, "usage: onednn_products bfloat16|float32 SECONDS (ROWS INPUTS OUTPUTS)...\n");
        return 2;
    }
    memory::data_type type = typeNamed(words[1]);
    double seconds = std::atof(words[2]);
    std::printf("version %d.%d.%d\n", dnnl_version()->major, dnnl_version()->minor, dnnl_version()->patch);
    dnnl::engine engine(dnnl::engine::kind::cpu, 0);
    try {
        for (int i = 3; i < count; i += 3)
            measure(engine, {std::atol(words[i]), std::atol(words[i + 1]), std::atol(words[i + 2])}, type, seconds);
    } catch (const dnnl::error &error) {
        std::fprintf(stderr, "oneDNN has no such product here: %s\n", error.what());
        return 1;
    }
}
