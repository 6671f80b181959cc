// A compiler that finds the names of kernels: `__global__ void NAME(`. A source with `#error` does not compile.
#include "fake.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct _nvrtcProgram {
    char *source, *log;
    char code[4096];
};

static int version_major = 12, version_minor = 9;

FAKE_EXPORT void fake_compiler_version(int major, int minor) {
    version_major = major;
    version_minor = minor;
}

#define BEGIN(name)                                                                                                    \
    int code;                                                                                                          \
    if (fake_fails(#name, &code)) return (nvrtcResult)code

FAKE_EXPORT nvrtcResult nvrtcVersion(int *major, int *minor) {
    BEGIN(nvrtcVersion);
    *major = version_major;
    *minor = version_minor;
    return NVRTC_SUCCESS;
}

FAKE_EXPORT const char *nvrtcGetErrorString(nvrtcResult result) {
    return result == NVRTC_ERROR_COMPILATION ? "NVRTC_ERROR_COMPILATION" : "NVRTC_ERROR_OTHER";
}

static const int architectures[] = {75, 80, 86, 89, 90, 100, 120};

FAKE_EXPORT nvrtcResult nvrtcGetNumSupportedArchs(int *count) {
    BEGIN(nvrtcGetNumSupportedArchs);
    *count = (int)(sizeof architectures / sizeof *architectures);
    return NVRTC_SUCCESS;
}

FAKE_EXPORT nvrtcResult nvrtcGetSupportedArchs(int *found) {
    BEGIN(nvrtcGetSupportedArchs);
    memcpy(found, architectures, sizeof architectures);
    return NVRTC_SUCCESS;
}

FAKE_EXPORT nvrtcResult nvrtcCreateProgram(nvrtcProgram *program, const char *source, const char *name, int count,
                                           const char *const *headers, const char *const *names) {
    BEGIN(nvrtcCreateProgram);
    for (int i = 0; i < count; i++)
        if (!headers[i] || !names[i]) return NVRTC_ERROR_INVALID_INPUT;
    *program = calloc(1, sizeof **program);
    (*program)->source = malloc(strlen(source) + 1);
    strcpy((*program)->source, source);
    (*program)->log = malloc(256);
    snprintf((*program)->log, 256, "%s: nothing to say", name);
    fake_alive_count++;
    return NVRTC_SUCCESS;
}

FAKE_EXPORT nvrtcResult nvrtcDestroyProgram(nvrtcProgram *program) {
    free((*program)->source);
    free((*program)->log);
    free(*program);
    *program = NULL;
    fake_alive_count--;
    return NVRTC_SUCCESS;
}

FAKE_EXPORT nvrtcResult nvrtcCompileProgram(nvrtcProgram program, int count, const char *const *options) {
    BEGIN(nvrtcCompileProgram);
    bool has_architecture = false;
    for (int i = 0; i < count; i++) has_architecture |= strncmp(options[i], "--gpu-architecture=sm_", 22) == 0;
    if (!has_architecture) return NVRTC_ERROR_INVALID_OPTION;
    if (strstr(program->source, "#error")) {
        snprintf(program->log, 256, "error: #error was met");
        return NVRTC_ERROR_COMPILATION;
    }
    char *out = program->code;
    memcpy(out, "\177ELF", 4);
    out += 4;
    for (const char *at = program->source; (at = strstr(at, "__global__ void ")); at++) {
        const char *name = at + strlen("__global__ void ");
        size_t length = strcspn(name, "(");
        memcpy(out, name, length);
        out += length;
        *out++ = '\n';
    }
    *out = 0;
    return NVRTC_SUCCESS;
}

FAKE_EXPORT nvrtcResult nvrtcGetProgramLogSize(nvrtcProgram program, size_t *bytes) {
    BEGIN(nvrtcGetProgramLogSize);
    *bytes = strlen(program->log) + 1;
    return NVRTC_SUCCESS;
}

FAKE_EXPORT nvrtcResult nvrtcGetProgramLog(nvrtcProgram program, char *log) {
    BEGIN(nvrtcGetProgramLog);
    strcpy(log, program->log);
    return NVRTC_SUCCESS;
}

FAKE_EXPORT nvrtcResult nvrtcGetCUBINSize(nvrtcProgram program, size_t *bytes) {
    BEGIN(nvrtcGetCUBINSize);
    *bytes = strlen(program->code) + 1;
    return NVRTC_SUCCESS;
}

FAKE_EXPORT nvrtcResult nvrtcGetCUBIN(nvrtcProgram program, char *cubin) {
    BEGIN(nvrtcGetCUBIN);
    strcpy(cubin, program->code);
    return NVRTC_SUCCESS;
}
