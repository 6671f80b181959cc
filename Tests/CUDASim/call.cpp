#include "call.h"
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

namespace [[gnu::visibility("hidden")]] cudasim {

bool &in_host_function() {
    static thread_local bool inside = false;
    return inside;
}

void Call::begin(bool needs_initialization) {
    if (in_host_function()) fail(CUDA_ERROR_NOT_PERMITTED, "a host function calls the driver");
    if (needs_initialization && !sim.initialized) fail(CUDA_ERROR_NOT_INITIALIZED, "cuInit has not been called");
}

void Call::meet_faults(Device *device) {
    Meeting meeting = sim.faults.meet(name, device ? device->ordinal : -1);
    if (meeting.delay_ms) {
        lock.unlock();
        std::this_thread::sleep_for(std::chrono::milliseconds(meeting.delay_ms));
        lock.lock();
    }
    if (!meeting.code) return;
    CUresult code = (CUresult)meeting.code;
    std::string why = "a fault of the script, at " + std::string(name);
    if (device) {
        device->lost |= meeting.lost;
        if (is_sticky(code)) break_device(*device, code, why);
    }
    throw Failure{code, why};
}

void Call::about(Device &device) {
    ordinal = device.ordinal;
    meet_faults(&device);
}

void Call::on(Device &device) {
    about(device);
    device.check();
}

void Call::nowhere() { meet_faults(nullptr); }

CUresult Call::end(CUresult result, const std::string &why) {
    last_problem() = why;
    if (sim.trace.enabled) {
        std::string where = ordinal < 0 ? "" : text(" device %d", ordinal);
        const char *code = result_name(result);
        sim.trace.add(text("call: %s%s: %s", name, where.c_str(), code ? code : "?") + (why.empty() ? "" : ": " + why));
    }
    static const char *verbose = getenv("FACET_CUDASIM_VERBOSE");
    if (verbose && result != CUDA_SUCCESS && result != CUDA_ERROR_NOT_READY) {
        fprintf(stderr, "cudasim: %s: %s: %s\n", name, result_name(result), why.c_str());
    }
    return result;
}

void put_text(char *to, int length, const std::string &text) {
    if (!to || length <= 0) fail(CUDA_ERROR_INVALID_VALUE, "no room for the text");
    snprintf(to, (size_t)length, "%s", text.c_str());
}

} // namespace cudasim
