// Kernel launches: their limits, their parameters, and the run itself.
#pragma once
#include "image.h"
#include "kernel_interface.h"
#include "stream.h"

namespace [[gnu::visibility("hidden")]] cudasim {

// A kernel of a loaded image.
struct Kernel {
    std::string name;
    Image image;
    const simt_kernel *implementation = nullptr; // null: the host has none
    std::vector<CUfunction> functions; // per device ordinal, made when asked for
};

// A kernel in a context.
struct Function {
    std::shared_ptr<Kernel> kernel;
    Device *device = nullptr;
    int dynamic_shared_limit = 48 * 1024;
};

// A launch, checked. Throws Failure.
std::shared_ptr<Work> make_launch(const Function &function, const CUlaunchConfig &config, void **parameters);

// Blocks of this size that one multiprocessor holds at a time.
int resident_blocks(const Function &function, int block_size, size_t shared_bytes);

} // namespace cudasim
