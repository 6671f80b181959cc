// What every check needs: its registration, expectations, machines, and kernels to launch.
#pragma once
#include "cublaslt_abi.h"
#include "cuda_abi.h"
#include "cudasim.h"
#include "nvml_abi.h"
#include "nvrtc_abi.h"
#include <string>
#include <vector>

struct Check {
    const char *name;
    void (*run)();
};

std::vector<Check> &all_checks();

struct Registration {
    Registration(const char *name, void (*run)()) { all_checks().push_back({name, run}); }
};

#define CHECK(function, sentence)                                                                                      \
    static void function();                                                                                            \
    static const Registration registration_of_##function(sentence, function);                                         \
    static void function()

[[noreturn]] void wrong(const char *file, int line, const std::string &what);

#define REQUIRE(condition)                                                                                             \
    do {                                                                                                               \
        if (!(condition)) wrong(__FILE__, __LINE__, #condition);                                                       \
    } while (0)

// The call returns this code, and no other.
#define RETURNS(code, call)                                                                                            \
    do {                                                                                                               \
        CUresult result_ = (call);                                                                                     \
        if (result_ != (code)) wrong_result(__FILE__, __LINE__, #call, (code), result_);                               \
    } while (0)
#define OK(call) RETURNS(CUDA_SUCCESS, call)

[[noreturn]] void wrong_result(const char *file, int line, const char *call, CUresult expected, CUresult got);

// A machine of test cards; `more` is put into the machine's object, `card` into each card's.
std::string test_machine(int cards, const std::string &more = "", const std::string &card = "");
void use(const std::string &machine);
// cuInit, and the primary context of a device made current.
CUcontext start(int device = 0);

// Some finding holds these words.
bool found(const char *words);

CUdeviceptr allocate(size_t bytes);
CUstream new_stream();
CUevent new_event();
void *pinned(size_t bytes);

// Kernels compiled for the host: add_one(int *values, int count), copy_to(int *to, const int *from, int count),
// write_at(int *values, long index), read_at(const int *values, long index, int *result), refuse().
CUfunction function(const char *name);
CUresult launch(CUfunction function, CUstream stream, std::vector<void *> parameters, unsigned grid = 1, unsigned block = 32);
