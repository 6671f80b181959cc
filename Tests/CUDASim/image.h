// Images of kernels: cubins, real or made by the simulated compiler, and PTX.
#pragma once
#include "device.h"
#include <string>
#include <vector>

namespace [[gnu::visibility("hidden")]] cudasim {

// What an image says: its architecture and its kernels.
struct Image {
    int architecture = 0;       // 90 for sm_90; of PTX, the least
    bool is_exact = false;      // sm_90a: this device only
    bool is_portable = false;   // PTX
    std::vector<std::string> kernels;

    bool runs_on(const Device &device) const;
};

// Reads an image as cuModuleLoadData gets it: without a length. Throws Failure.
Image read_image(const void *bytes);

// A minimal ELF file like a cubin: its kernels are sections named .text.NAME.
std::vector<char> make_cubin(int architecture, bool is_exact, const std::vector<std::string> &kernels);

} // namespace cudasim
