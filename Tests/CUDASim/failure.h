// How a check inside a call ends the call: with a code, and the reason in words.
#pragma once
#include "include/cuda_abi.h"
#include <string>

namespace [[gnu::visibility("hidden")]] cudasim {

struct Failure {
    CUresult code;
    std::string why;
};

[[noreturn]] __attribute__((format(printf, 2, 3))) void fail(CUresult code, const char *format, ...);

__attribute__((format(printf, 1, 2))) std::string text(const char *format, ...);

} // namespace cudasim
