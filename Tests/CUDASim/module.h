// Loaded images and the handles of what they hold.
#pragma once
#include "image.h"
#include "launch.h"
#include <map>

namespace [[gnu::visibility("hidden")]] cudasim {

struct Module {
    Device *device = nullptr; // null for a library, which belongs to no context
    std::map<std::string, std::shared_ptr<Kernel>> kernels;
    std::map<std::string, CUkernel> kernel_handles;
    std::map<std::string, CUfunction> function_handles;
};

} // namespace cudasim
