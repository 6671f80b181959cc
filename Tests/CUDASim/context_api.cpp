// Primary contexts, the current one of a thread, and peer access between them.
#include "call.h"
#include "capture.h"
#include <cstring>

using namespace cudasim;

namespace {

void refuse_unavailable(const Device &device) {
    const Card &card = *device.card;
    bool busy = card.compute_mode == "exclusive_process" && !card.processes.empty();
    if (card.compute_mode != "prohibited" && !busy) return;
    fail(
        CUDA_ERROR_DEVICE_UNAVAILABLE, "device %d: compute mode %s%s", device.ordinal, card.compute_mode.c_str(),
        busy ? ", and another process has it" : "");
}

void begin_context(Call &call, Device &device) {
    if (device.free_bytes() < device.card->context_bytes) {
        fail(CUDA_ERROR_OUT_OF_MEMORY, "a context takes %zu bytes; %zu are free", device.card->context_bytes, device.free_bytes());
    }
    auto stream = std::make_shared<Stream>();
    stream->id = ++call.sim.next_stream;
    stream->device = &device;
    stream->is_null = true;
    device.null_stream = stream;
    call.sim.scheduler.add(stream);
}

// Everything of the context goes; what its streams still do is waited for.
void end_context(Call &call, Device &device) {
    for (const std::shared_ptr<Stream> &stream : call.sim.scheduler.all()) {
        if (stream->device != &device) continue;
        Point point = stream->here();
        call.sim.scheduler.wait([&] { return point.reached(); }, call.lock);
        stream->closing = true;
    }
    call.sim.scheduler.wake_closing();
    call.sim.memory.free_all(device.ordinal);
    device.allocated = 0;
    device.peers.clear();
    device.null_stream = nullptr;
    device.retained = 0;
    if (!device.lost) {
        device.error = CUDA_SUCCESS;
        device.error_reason.clear();
    }
}

Device &peer_of(Call &call, CUcontext peer) {
    Device *device = call.sim.device_of_context(peer);
    if (!device || !device->retained) fail(CUDA_ERROR_INVALID_CONTEXT, "%p is no live context", (void *)peer);
    return *device;
}

const Link &link_between(Call &call, const Device &a, const Device &b) {
    return call.sim.machine.link(a.physical, b.physical);
}

} // namespace

CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device) {
    return driver_call("cuDevicePrimaryCtxRetain", [&](Call &call) {
        need(context, "context");
        Device &asked = call.sim.device(device);
        call.on(asked);
        refuse_unavailable(asked);
        if (asked.retained == 0) begin_context(call, asked);
        ++asked.retained;
        *context = asked.context();
    });
}

CUresult cuDevicePrimaryCtxRelease_v2(CUdevice device) {
    return driver_call("cuDevicePrimaryCtxRelease_v2", [&](Call &call) {
        Device &asked = call.sim.device(device);
        call.about(asked);
        if (asked.retained == 0) fail(CUDA_ERROR_INVALID_CONTEXT, "the context is not retained");
        if (asked.retained > 1) {
            --asked.retained;
            return;
        }
        end_context(call, asked);
    });
}

CUresult cuDevicePrimaryCtxReset_v2(CUdevice device) {
    return driver_call("cuDevicePrimaryCtxReset_v2", [&](Call &call) {
        Device &asked = call.sim.device(device);
        call.about(asked);
        if (asked.lost) asked.check();
        unsigned retained = asked.retained;
        if (retained == 0) return;
        end_context(call, asked);
        begin_context(call, asked);
        asked.retained = retained;
    });
}

CUresult cuDevicePrimaryCtxSetFlags_v2(CUdevice device, unsigned flags) {
    return driver_call("cuDevicePrimaryCtxSetFlags_v2", [&](Call &call) {
        Device &asked = call.sim.device(device);
        call.about(asked);
        asked.context_flags = flags;
    });
}

CUresult cuDevicePrimaryCtxGetState(CUdevice device, unsigned *flags, int *active) {
    return driver_call("cuDevicePrimaryCtxGetState", [&](Call &call) {
        need(flags, "flags");
        need(active, "active");
        Device &asked = call.sim.device(device);
        call.about(asked);
        *flags = asked.context_flags;
        *active = asked.retained > 0;
    });
}

CUresult cuCtxSetCurrent(CUcontext context) {
    return driver_call("cuCtxSetCurrent", [&](Call &call) {
        if (context) call.about(peer_of(call, context));
        std::vector<CUcontext> &stack = context_stack();
        if (!stack.empty()) stack.pop_back();
        if (context) stack.push_back(context);
    });
}

CUresult cuCtxGetCurrent(CUcontext *context) {
    return driver_call("cuCtxGetCurrent", [&](Call &call) {
        need(context, "context");
        call.nowhere();
        *context = context_stack().empty() ? nullptr : context_stack().back();
    });
}

CUresult cuCtxPushCurrent_v2(CUcontext context) {
    return driver_call("cuCtxPushCurrent_v2", [&](Call &call) {
        call.about(peer_of(call, context));
        context_stack().push_back(context);
    });
}

CUresult cuCtxPopCurrent_v2(CUcontext *context) {
    return driver_call("cuCtxPopCurrent_v2", [&](Call &call) {
        std::vector<CUcontext> &stack = context_stack();
        if (stack.empty()) fail(CUDA_ERROR_INVALID_CONTEXT, "this thread has no current context");
        call.nowhere();
        if (context) *context = stack.back();
        stack.pop_back();
    });
}

CUresult cuCtxGetDevice(CUdevice *device) {
    return driver_call("cuCtxGetDevice", [&](Call &call) {
        need(device, "device");
        Device &current = call.sim.current();
        call.about(current);
        *device = current.ordinal;
    });
}

CUresult cuCtxSynchronize(void) {
    return driver_call("cuCtxSynchronize", [&](Call &call) {
        Device &device = call.here();
        if (is_capturing(device)) refuse_unsafe_call("cuCtxSynchronize");
        std::vector<Point> points;
        Clock clock;
        for (const std::shared_ptr<Stream> &stream : call.sim.scheduler.all()) {
            if (stream->device != &device) continue;
            points.push_back(stream->here());
            clock.join(stream->clock);
        }
        for (const Point &point : points) call.sim.scheduler.wait([&] { return point.reached(); }, call.lock);
        host_learns(clock);
        device.check();
    });
}

CUresult cuCtxGetStreamPriorityRange(int *least, int *greatest) {
    return driver_call("cuCtxGetStreamPriorityRange", [&](Call &call) {
        call.here();
        if (least) *least = 0;
        if (greatest) *greatest = -5;
    });
}

CUresult cuCtxEnablePeerAccess(CUcontext peer, unsigned flags) {
    return driver_call("cuCtxEnablePeerAccess", [&](Call &call) {
        Device &device = call.here();
        Device &other = peer_of(call, peer);
        if (flags) fail(CUDA_ERROR_INVALID_VALUE, "flags must be 0");
        if (&other == &device) fail(CUDA_ERROR_INVALID_DEVICE, "a device is no peer of itself");
        if (link_between(call, device, other).peer == "none") {
            fail(CUDA_ERROR_PEER_ACCESS_UNSUPPORTED, "devices %d and %d cannot", device.ordinal, other.ordinal);
        }
        if (!device.peers.insert(other.ordinal).second) {
            fail(CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED, "from device %d to %d", device.ordinal, other.ordinal);
        }
    });
}

CUresult cuCtxDisablePeerAccess(CUcontext peer) {
    return driver_call("cuCtxDisablePeerAccess", [&](Call &call) {
        Device &device = call.here();
        Device &other = peer_of(call, peer);
        if (!device.peers.erase(other.ordinal)) {
            fail(CUDA_ERROR_PEER_ACCESS_NOT_ENABLED, "from device %d to %d", device.ordinal, other.ordinal);
        }
    });
}

CUresult cuDeviceCanAccessPeer(int *can, CUdevice device, CUdevice peer) {
    return driver_call("cuDeviceCanAccessPeer", [&](Call &call) {
        need(can, "can");
        Device &a = call.sim.device(device), &b = call.sim.device(peer);
        call.about(a);
        *can = &a != &b && link_between(call, a, b).peer != "none";
    });
}

CUresult cuDeviceGetP2PAttribute(int *value, CUdevice_P2PAttribute attribute, CUdevice source, CUdevice destination) {
    return driver_call("cuDeviceGetP2PAttribute", [&](Call &call) {
        need(value, "value");
        Device &a = call.sim.device(source), &b = call.sim.device(destination);
        call.about(a);
        if (&a == &b) fail(CUDA_ERROR_INVALID_DEVICE, "source and destination are the same device");
        const Link &link = link_between(call, a, b);
        bool can = link.peer != "none";
        switch (attribute) {
        case CU_DEVICE_P2P_ATTRIBUTE_PERFORMANCE_RANK: *value = link.performance_rank; return;
        case CU_DEVICE_P2P_ATTRIBUTE_ACCESS_SUPPORTED: *value = can; return;
        case CU_DEVICE_P2P_ATTRIBUTE_NATIVE_ATOMIC_SUPPORTED: *value = can && link.atomics; return;
        }
        fail(CUDA_ERROR_INVALID_VALUE, "peer attribute %d is not simulated", (int)attribute);
    });
}
