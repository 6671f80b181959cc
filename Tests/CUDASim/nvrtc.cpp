// The compiler's interface: finds a source's kernels and writes an image that names them.
#include "include/nvrtc_abi.h"
#include "image.h"
#include "kernel_scanner.h"
#include "simulator.h"
#include <cstdio>
#include <cstring>

struct _nvrtcProgram {
    std::string source, name, log;
    std::map<std::string, std::string> headers;
    std::vector<char> cubin;
};

using namespace cudasim;

namespace {

const int architectures[] = {75, 80, 86, 87, 89, 90, 100, 103, 120, 121};

struct Target {
    int architecture = 0;
    bool is_exact = false;
    std::map<std::string, std::string> definitions; // of options
};

bool parse_architecture(const std::string &option, Target *target) {
    size_t at = option.find("sm_");
    if (at == option.npos) return false;
    char suffix = 0;
    int fields = sscanf(option.c_str() + at, "sm_%d%c", &target->architecture, &suffix);
    target->is_exact = fields == 2 && suffix == 'a';
    bool known = false;
    for (int architecture : architectures) known |= architecture == target->architecture;
    return known && (fields == 1 || suffix == 'a');
}

void define(const std::string &text, Target *target) {
    size_t equals = text.find('=');
    target->definitions[text.substr(0, equals)] = equals == text.npos ? "1" : text.substr(equals + 1);
}

bool starts_with(const std::string &text, const char *start) { return text.compare(0, strlen(start), start) == 0; }

// Options as the compiler knows them; an unknown one is refused, as there.
nvrtcResult read_options(nvrtcProgram program, int count, const char *const *options, Target *target) {
    static const char *const known[] = {"-I",   "--include-path", "-std=", "--std=",
                                        "-lineinfo", "--generate-line-info", "--use_fast_math", "-use_fast_math",
                                        "--maxrregcount", "-maxrregcount", "--fmad", "-fmad", "--ftz", "--prec-",
                                        "-default-device", "--device-as-default-execution-space", "--extra-device-vectorization",
                                        "-dopt", "--ptxas-options", "-Xptxas", "-w", "--disable-warnings", "--diag-"};
    for (int i = 0; i < count; ++i) {
        std::string option = options[i] ? options[i] : "";
        if (starts_with(option, "-arch") || starts_with(option, "--gpu-architecture")) {
            std::string value = option;
            if (option.find('=') == option.npos && i + 1 < count) value = options[++i];
            if (parse_architecture(value, target)) continue;
            program->log = "nvrtc: error: invalid value for --gpu-architecture (-arch): " + value + "\n";
            return NVRTC_ERROR_INVALID_OPTION;
        }
        if (starts_with(option, "-D") || starts_with(option, "--define-macro=")) {
            define(option.substr(option[1] == 'D' ? 2 : 15), target);
            continue;
        }
        bool is_known = false;
        for (const char *start : known) is_known |= starts_with(option, start);
        if (is_known) continue;
        program->log = "nvrtc: error: unrecognized option " + option + "\n";
        return NVRTC_ERROR_INVALID_OPTION;
    }
    if (target->architecture) return NVRTC_SUCCESS;
    program->log = "nvrtc: error: the simulated compiler makes cubins only: --gpu-architecture=sm_XX is needed\n";
    return NVRTC_ERROR_INVALID_OPTION;
}

// A fault of the script: the code is an nvrtcResult.
bool meets_fault(const char *name, nvrtcResult *result) {
    Simulator &sim = simulator();
    std::unique_lock<std::mutex> lock(sim.mutex);
    try {
        sim.ensure_loaded(lock);
    } catch (const std::string &) {
        return false;
    }
    Meeting meeting = sim.faults.meet(name, -1);
    sim.trace.add(std::string("call: ") + name);
    if (!meeting.code) return false;
    *result = (nvrtcResult)meeting.code;
    return true;
}

} // namespace

nvrtcResult nvrtcVersion(int *major, int *minor) {
    if (!major || !minor) return NVRTC_ERROR_INVALID_INPUT;
    *major = 12;
    *minor = 9;
    return NVRTC_SUCCESS;
}

const char *nvrtcGetErrorString(nvrtcResult result) {
    static const char *const names[] = {
        "NVRTC_SUCCESS",         "NVRTC_ERROR_OUT_OF_MEMORY",   "NVRTC_ERROR_PROGRAM_CREATION_FAILURE",
        "NVRTC_ERROR_INVALID_INPUT", "NVRTC_ERROR_INVALID_PROGRAM", "NVRTC_ERROR_INVALID_OPTION",
        "NVRTC_ERROR_COMPILATION",   "NVRTC_ERROR_BUILTIN_OPERATION_FAILURE"};
    return (unsigned)result < 8 ? names[result] : "NVRTC_ERROR unknown";
}

nvrtcResult nvrtcGetNumSupportedArchs(int *count) {
    if (!count) return NVRTC_ERROR_INVALID_INPUT;
    *count = (int)(sizeof architectures / sizeof architectures[0]);
    return NVRTC_SUCCESS;
}

nvrtcResult nvrtcGetSupportedArchs(int *values) {
    if (!values) return NVRTC_ERROR_INVALID_INPUT;
    memcpy(values, architectures, sizeof architectures);
    return NVRTC_SUCCESS;
}

nvrtcResult nvrtcCreateProgram(
    nvrtcProgram *program, const char *source, const char *name, int headerCount, const char *const *headers,
    const char *const *includeNames) {
    if (!program || !source || headerCount < 0 || (headerCount && (!headers || !includeNames))) {
        return NVRTC_ERROR_INVALID_INPUT;
    }
    nvrtcResult result;
    if (meets_fault("nvrtcCreateProgram", &result)) return result;
    *program = new _nvrtcProgram{source, name ? name : "default_program", "", {}, {}};
    for (int i = 0; i < headerCount; ++i) (*program)->headers[includeNames[i]] = headers[i];
    return NVRTC_SUCCESS;
}

nvrtcResult nvrtcDestroyProgram(nvrtcProgram *program) {
    if (!program || !*program) return NVRTC_ERROR_INVALID_PROGRAM;
    delete *program;
    *program = nullptr;
    return NVRTC_SUCCESS;
}

nvrtcResult nvrtcCompileProgram(nvrtcProgram program, int optionCount, const char *const *options) {
    if (!program) return NVRTC_ERROR_INVALID_PROGRAM;
    nvrtcResult result;
    if (meets_fault("nvrtcCompileProgram", &result)) {
        program->log = program->name + ": error: a fault of the script\n";
        return result;
    }
    Target target;
    result = read_options(program, optionCount, options, &target);
    if (result != NVRTC_SUCCESS) return result;
    target.definitions["__CUDACC__"] = target.definitions["__CUDACC_RTC__"] = "1";
    target.definitions["__CUDA_ARCH__"] = std::to_string(target.architecture * 10);
    ScannedSource scanned = scan_kernels(program->source, program->headers, target.definitions);
    program->log.clear();
    for (const std::string &problem : scanned.problems) program->log += program->name + ": error: " + problem + "\n";
    if (!program->log.empty()) return NVRTC_ERROR_COMPILATION;
    program->cubin = make_cubin(target.architecture, target.is_exact, scanned.kernels);
    return NVRTC_SUCCESS;
}

nvrtcResult nvrtcGetProgramLogSize(nvrtcProgram program, size_t *bytes) {
    if (!program || !bytes) return NVRTC_ERROR_INVALID_PROGRAM;
    *bytes = program->log.size() + 1;
    return NVRTC_SUCCESS;
}

nvrtcResult nvrtcGetProgramLog(nvrtcProgram program, char *log) {
    if (!program || !log) return NVRTC_ERROR_INVALID_PROGRAM;
    memcpy(log, program->log.c_str(), program->log.size() + 1);
    return NVRTC_SUCCESS;
}

nvrtcResult nvrtcGetCUBINSize(nvrtcProgram program, size_t *bytes) {
    if (!program || !bytes) return NVRTC_ERROR_INVALID_PROGRAM;
    *bytes = program->cubin.size();
    return NVRTC_SUCCESS;
}

nvrtcResult nvrtcGetCUBIN(nvrtcProgram program, char *cubin) {
    if (!program || !cubin || program->cubin.empty()) return NVRTC_ERROR_INVALID_PROGRAM;
    memcpy(cubin, program->cubin.data(), program->cubin.size());
    return NVRTC_SUCCESS;
}
