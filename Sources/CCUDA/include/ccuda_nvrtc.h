/// The run-time compiler: `libnvrtc.so`, versions 12 and 13.
#pragma once
#include "ccuda_library.h"

#ifndef CCUDA_TYPES_FROM_HEADERS

typedef struct _nvrtcProgram *nvrtcProgram;

typedef enum nvrtcResult {
    NVRTC_SUCCESS = 0,
    NVRTC_ERROR_OUT_OF_MEMORY = 1,
    NVRTC_ERROR_PROGRAM_CREATION_FAILURE = 2,
    NVRTC_ERROR_INVALID_INPUT = 3,
    NVRTC_ERROR_INVALID_PROGRAM = 4,
    NVRTC_ERROR_INVALID_OPTION = 5,
    NVRTC_ERROR_COMPILATION = 6,
    NVRTC_ERROR_BUILTIN_OPERATION_FAILURE = 7,
} nvrtcResult;

#endif

/// The functions: Swift's name, the exported symbol, what it returns and takes.
#define CCUDA_NVRTC_FUNCTIONS(REQUIRED, OPTIONAL)                                                                      \
    REQUIRED(version, nvrtcVersion, nvrtcResult, (int *major, int *minor))                                             \
    REQUIRED(getErrorString, nvrtcGetErrorString, const char *, (nvrtcResult result))                                  \
    REQUIRED(getNumSupportedArchs, nvrtcGetNumSupportedArchs, nvrtcResult, (int *count))                               \
    REQUIRED(getSupportedArchs, nvrtcGetSupportedArchs, nvrtcResult, (int *architectures))                             \
    REQUIRED(createProgram, nvrtcCreateProgram, nvrtcResult,                                                           \
             (nvrtcProgram * program, const char *source, const char *name, int headerCount,                           \
              const char *const *headers, const char *const *includeNames))                                            \
    REQUIRED(destroyProgram, nvrtcDestroyProgram, nvrtcResult, (nvrtcProgram * program))                               \
    REQUIRED(compileProgram, nvrtcCompileProgram, nvrtcResult,                                                         \
             (nvrtcProgram program, int optionCount, const char *const *options))                                      \
    REQUIRED(getProgramLogSize, nvrtcGetProgramLogSize, nvrtcResult, (nvrtcProgram program, size_t *bytes))            \
    REQUIRED(getProgramLog, nvrtcGetProgramLog, nvrtcResult, (nvrtcProgram program, char *log))                        \
    REQUIRED(getCUBINSize, nvrtcGetCUBINSize, nvrtcResult, (nvrtcProgram program, size_t *bytes))                      \
    REQUIRED(getCUBIN, nvrtcGetCUBIN, nvrtcResult, (nvrtcProgram program, char *cubin))

#ifdef __cplusplus
extern "C" {
#endif

/// The compiler's functions.
typedef struct ccuda_nvrtc {
    CCUDA_NVRTC_FUNCTIONS(CCUDA_REQUIRED_FIELD, CCUDA_OPTIONAL_FIELD)
} ccuda_nvrtc;

/// The table of an opened library; null, and in `missing` the symbol that it lacks (null when memory ran out).
ccuda_nvrtc *_Nullable ccuda_nvrtc_load(void *_Nonnull library, const char *_Nullable *_Nonnull missing);

#ifdef __cplusplus
}
#endif
