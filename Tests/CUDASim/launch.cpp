#include "launch.h"
#include "access.h"
#include "guard.h"
#include "simulator.h"
#include <algorithm>
#include <cstring>

namespace [[gnu::visibility("hidden")]] cudasim {

namespace {

// An address above which words in parameters can only be pointers: counts and sizes are smaller.
const uint64_t pointers_from = 1ull << 40;

class Launch final : public Work {
  public:
    Launch(const Function &function, const CUlaunchConfig &config, void **values)
        : name(function.kernel->name), kernel(function.kernel->implementation), grid{config.gridDimX, config.gridDimY, config.gridDimZ},
          block{config.blockDimX, config.blockDimY, config.blockDimZ}, shared_bytes(config.sharedMemBytes) {
        for (unsigned i = 0; i < kernel->param_count; ++i) {
            const unsigned char *value = (const unsigned char *)values[i];
            parameters.emplace_back(value, value + kernel->param_sizes[i]);
        }
    }

    const char *kind() const override { return "kernel"; }
    std::string fault_name() const override { return "run:kernel:" + name; }
    std::string describe() const override {
        return text(
            "kernel %s <<<(%u, %u, %u), (%u, %u, %u), %u>>>", name.c_str(), grid[0], grid[1], grid[2], block[0],
            block[1], block[2], shared_bytes);
    }
    std::shared_ptr<Work> fresh() const override { return std::make_shared<Launch>(*this); }
    bool replaces(const Work &other) const override {
        const Launch *launch = dynamic_cast<const Launch *>(&other);
        return launch && launch->kernel == kernel;
    }

    void run(Execution &execution) override {
        check_pointers(execution.device);
        call(execution);
        check_pointers(execution.device);
    }

  private:
    std::string name;
    const simt_kernel *kernel;
    unsigned grid[3], block[3], shared_bytes;
    std::vector<std::vector<unsigned char>> parameters;

    void call(Execution &execution) {
        std::vector<void *> values;
        for (std::vector<unsigned char> &parameter : parameters) values.push_back(parameter.data());
        simt_launch launch = {
            {grid[0], grid[1], grid[2]}, {block[0], block[1], block[2]}, shared_bytes, execution.schedule, values.data()};
        char error[512] = "";
        int status = 0;
        uintptr_t address = 0;
        bool fine = true;
        execution.unlocked([&] {
            fine = run_guarded([&] { status = kernel->run(&launch, error, sizeof error); }, &address);
        });
        if (!fine) {
            fail(CUDA_ERROR_ILLEGAL_ADDRESS, "it touched %s", simulator().memory.describe(address).c_str());
        }
        if (status != 0) fail(CUDA_ERROR_LAUNCH_FAILED, "%s", error);
    }

    // Every word of the parameters that is an address: alive, this device's or a peer's, and nothing written beside it.
    void check_pointers(const Device &device) const {
        for (size_t i = 0; i < parameters.size(); ++i) {
            for (size_t at = 0; at + 8 <= parameters[i].size(); at += 8) {
                uint64_t word;
                memcpy(&word, parameters[i].data() + at, 8);
                check_word(device, word, (unsigned)i);
            }
        }
    }

    void check_word(const Device &device, uint64_t word, unsigned index) const {
        Simulator &sim = simulator();
        std::string role = text("parameter %u", index);
        int owner = sim.memory.owner(word);
        if (owner >= 0) {
            // The address behind the last byte is fair: a kernel may be given an empty range.
            check_access(device, word, sim.memory.containing(word, 1) ? 1 : 0, role.c_str());
            if (!sim.memory.containing(word, 0)) check_alive(word, 1, role.c_str());
            check_undamaged(word);
            return;
        }
        unsigned char byte;
        if (word < pointers_from || sim.host.overlapping(word, 1) || !read_if_mapped(&byte, word, 1)) return;
        fail(
            CUDA_ERROR_ILLEGAL_ADDRESS, "parameter %u, 0x%llx, points to host memory that is not pinned", index,
            (unsigned long long)word);
    }
};

void check_block(const Function &function, const CUlaunchConfig &config) {
    unsigned long long threads = (unsigned long long)config.blockDimX * config.blockDimY * config.blockDimZ;
    if (threads == 0 || !config.gridDimX || !config.gridDimY || !config.gridDimZ) {
        fail(CUDA_ERROR_INVALID_VALUE, "an empty grid or block");
    }
    if (config.blockDimX > 1024 || config.blockDimY > 1024 || config.blockDimZ > 64 || threads > 1024) {
        fail(CUDA_ERROR_INVALID_VALUE, "a block of %llu threads; at most 1024, and 64 in z", threads);
    }
    const simt_kernel *kernel = function.kernel->implementation;
    if (kernel && kernel->max_threads && threads > kernel->max_threads) {
        fail(
            CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES, "a block of %llu threads; %s is compiled for at most %u", threads,
            function.kernel->name.c_str(), kernel->max_threads);
    }
    if (config.gridDimX > 0x7FFFFFFFu || config.gridDimY > 65535 || config.gridDimZ > 65535) {
        fail(CUDA_ERROR_INVALID_VALUE, "a grid of more than 2147483647, 65535, 65535 blocks");
    }
}

void check_shared(const Function &function, const CUlaunchConfig &config) {
    if ((int)config.sharedMemBytes > function.dynamic_shared_limit) {
        fail(
            CUDA_ERROR_INVALID_VALUE,
            "%u bytes of dynamic shared memory; %d are allowed until cuFuncSetAttribute raises it (device: %d)",
            config.sharedMemBytes, function.dynamic_shared_limit, function.device->shared_per_block_optin());
    }
}

void check_cluster(const Function &function, const CUlaunchConfig &config, const CUlaunchAttributeValue &value) {
    unsigned size = value.clusterDim.x * value.clusterDim.y * value.clusterDim.z;
    if (!function.device->at_least(9, 0)) fail(CUDA_ERROR_NOT_SUPPORTED, "clusters need compute capability 9.0");
    if (size == 0 || size > 8) fail(CUDA_ERROR_INVALID_VALUE, "a cluster of %u blocks; 1 to 8", size);
    bool divides = config.gridDimX % value.clusterDim.x == 0 && config.gridDimY % value.clusterDim.y == 0 &&
                   config.gridDimZ % value.clusterDim.z == 0;
    if (!divides) fail(CUDA_ERROR_INVALID_VALUE, "the grid is not a whole number of clusters");
}

void check_cooperative(const Function &function, const CUlaunchConfig &config) {
    unsigned long long blocks = (unsigned long long)config.gridDimX * config.gridDimY * config.gridDimZ;
    int threads = (int)(config.blockDimX * config.blockDimY * config.blockDimZ);
    long long resident = (long long)resident_blocks(function, threads, config.sharedMemBytes) *
                         function.device->card->visible_multiprocessors();
    if ((long long)blocks > resident) {
        fail(
            CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE, "%llu blocks that must run together; the device holds %lld", blocks,
            resident);
    }
}

void check_attributes(const Function &function, const CUlaunchConfig &config) {
    if (config.numAttrs && !config.attrs) fail(CUDA_ERROR_INVALID_VALUE, "attributes are counted but not given");
    for (unsigned i = 0; i < config.numAttrs; ++i) {
        const CUlaunchAttribute &attribute = config.attrs[i];
        switch (attribute.id) {
        case CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION: check_cluster(function, config, attribute.value); break;
        case CU_LAUNCH_ATTRIBUTE_COOPERATIVE:
            if (attribute.value.cooperative) check_cooperative(function, config);
            break;
        case CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION:
            if (attribute.value.programmaticStreamSerializationAllowed && !function.device->at_least(9, 0)) {
                fail(CUDA_ERROR_NOT_SUPPORTED, "programmatic dependent launch needs compute capability 9.0");
            }
            break;
        default: fail(CUDA_ERROR_INVALID_VALUE, "launch attribute %d is not simulated", (int)attribute.id);
        }
    }
}

} // namespace

int resident_blocks(const Function &function, int block_size, size_t shared_bytes) {
    const Device &device = *function.device;
    if (block_size <= 0 || block_size > 1024) fail(CUDA_ERROR_INVALID_VALUE, "a block of %d threads", block_size);
    int warps = (block_size + 31) / 32;
    int blocks = std::min(device.blocks_per_multiprocessor(), device.threads_per_multiprocessor() / (warps * 32));
    size_t reserved = device.card->major >= 8 ? 1024 : 0;
    size_t each = shared_bytes + reserved;
    if (each) blocks = (int)std::min<size_t>((size_t)blocks, (size_t)device.shared_per_multiprocessor() / each);
    return blocks;
}

std::shared_ptr<Work> make_launch(const Function &function, const CUlaunchConfig &config, void **parameters) {
    const simt_kernel *kernel = function.kernel->implementation;
    if (!kernel) {
        fail(
            CUDA_ERROR_NOT_SUPPORTED, "kernel '%s' has no host version: link Tests/SIMTKernels, name its library in "
            "FACET_CUDASIM_KERNELS, or register it", function.kernel->name.c_str());
    }
    check_block(function, config);
    check_shared(function, config);
    check_attributes(function, config);
    for (unsigned i = 0; i < kernel->param_count; ++i) {
        if (!parameters || !parameters[i]) {
            fail(CUDA_ERROR_INVALID_VALUE, "parameter %u of %u of %s is not given", i, kernel->param_count, kernel->name);
        }
    }
    return std::make_shared<Launch>(function, config, parameters);
}

} // namespace cudasim
