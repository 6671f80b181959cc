// Which kernels a CUDA source defines: a reader of `extern "C" __global__`, not a compiler.
#pragma once
#include <map>
#include <string>
#include <vector>

namespace [[gnu::visibility("hidden")]] cudasim {

struct ScannedSource {
    std::vector<std::string> kernels;
    std::vector<std::string> problems; // what a compiler would refuse
};

// `headers`: texts by the name that includes give them; `definitions`: names that conditionals ask for. Macros whose text
// holds `__global__` are expanded; what a conditional leaves out is not there.
ScannedSource scan_kernels(
    const std::string &source, const std::map<std::string, std::string> &headers,
    const std::map<std::string, std::string> &definitions);

} // namespace cudasim
