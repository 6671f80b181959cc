// The frame of every driver call: the lock, the faults, the sticky error, the trace, the result.
#pragma once
#include "simulator.h"

namespace [[gnu::visibility("hidden")]] cudasim {

class Call {
  public:
    Simulator &sim;
    std::unique_lock<std::mutex> lock;
    const char *name;
    int ordinal = -1; // of the device that the call is about

    explicit Call(const char *name) : sim(simulator()), lock(sim.mutex), name(name) {}

    // The call is about this device: its faults and its sticky error come first. Throws Failure.
    void on(Device &device);
    // A question about a device, which is answered even when the device has failed.
    void about(Device &device);
    // The current device.
    Device &here() {
        Device &device = sim.current();
        on(device);
        return device;
    }
    // The stream and its device.
    std::shared_ptr<Stream> in(CUstream handle) {
        std::shared_ptr<Stream> stream = stream_of(handle);
        on(*stream->device);
        return stream;
    }
    // About no device in particular.
    void nowhere();

    void begin(bool needs_initialization);
    CUresult end(CUresult result, const std::string &why);

  private:
    void meet_faults(Device *device);
};

// True while the calling thread runs a host function, where the driver may not be called.
bool &in_host_function();

template <class Body> CUresult driver_call(const char *name, Body body, bool needs_initialization = true) {
    Call call(name);
    try {
        call.begin(needs_initialization);
        body(call);
    } catch (const Failure &failure) {
        return call.end(failure.code, failure.why);
    }
    return call.end(CUDA_SUCCESS, "");
}

template <class T> void need(T *pointer, const char *what) {
    if (!pointer) fail(CUDA_ERROR_INVALID_VALUE, "%s is null", what);
}

// Copies a text into a caller's buffer, cut to fit.
void put_text(char *to, int length, const std::string &text);

} // namespace cudasim
