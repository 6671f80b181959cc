// Memory of devices and pinned memory of the host.
#include "call.h"
#include "capture.h"

using namespace cudasim;

namespace {

size_t charged(size_t bytes) { return (bytes + 511) / 512 * 512; }

// Pinned memory must outlive what reads and writes it; the driver waits, a program that relies on it is lucky.
void let_go(Call &call, const Pinned &pinned, const char *name) {
    if (call.sim.host.has_unfinished(pinned.address, pinned.bytes)) {
        call.sim.trace.find(text("%s of %zu bytes of which a copy is in flight", name, pinned.bytes));
        std::vector<Point> points;
        for (const std::shared_ptr<Stream> &stream : call.sim.scheduler.all()) points.push_back(stream->here());
        for (const Point &point : points) call.sim.scheduler.wait([&] { return point.reached(); }, call.lock);
    }
}

} // namespace

CUresult cuMemGetInfo_v2(size_t *free, size_t *total) {
    return driver_call("cuMemGetInfo_v2", [&](Call &call) {
        Device &device = call.here();
        if (free) *free = device.free_bytes();
        if (total) *total = device.card->visible_bytes();
    });
}

CUresult cuMemAlloc_v2(CUdeviceptr *address, size_t bytes) {
    return driver_call("cuMemAlloc_v2", [&](Call &call) {
        need(address, "address");
        Device &device = call.here();
        refuse_unsafe_call("cuMemAlloc_v2");
        if (bytes == 0) fail(CUDA_ERROR_INVALID_VALUE, "an allocation of no bytes");
        if (charged(bytes) > device.free_bytes()) {
            fail(CUDA_ERROR_OUT_OF_MEMORY, "%zu bytes on device %d; %zu are free", bytes, device.ordinal, device.free_bytes());
        }
        const Allocation *made = call.sim.memory.allocate(device.ordinal, bytes);
        if (!made) fail(CUDA_ERROR_OUT_OF_MEMORY, "no address range for %zu bytes", bytes);
        device.allocated += charged(bytes);
        *address = made->address;
    });
}

CUresult cuMemFree_v2(CUdeviceptr address) {
    return driver_call("cuMemFree_v2", [&](Call &call) {
        Device &current = call.here();
        refuse_unsafe_call("cuMemFree_v2");
        if (!address) return;
        int owner = call.sim.memory.owner(address);
        const Allocation *found = call.sim.memory.containing(address, 0);
        if (owner < 0 || !found || found->address != address) {
            fail(CUDA_ERROR_INVALID_VALUE, "no allocation starts at %s", call.sim.memory.describe(address).c_str());
        }
        Device &device = *call.sim.devices[(size_t)owner];
        std::string damage = call.sim.memory.damage(*found);
        if (!damage.empty()) {
            call.sim.trace.find(text("allocation %u of %zu bytes on device %d: %s", found->number, found->bytes, owner, damage.c_str()));
            break_device(current, CUDA_ERROR_ILLEGAL_ADDRESS, damage);
        }
        device.allocated -= charged(found->bytes);
        call.sim.memory.free(owner, address);
        current.check();
    });
}

CUresult cuMemGetAddressRange_v2(CUdeviceptr *base, size_t *bytes, CUdeviceptr address) {
    return driver_call("cuMemGetAddressRange_v2", [&](Call &call) {
        call.here();
        const Allocation *found = call.sim.memory.containing(address, 1);
        if (!found) fail(CUDA_ERROR_NOT_FOUND, "%s", call.sim.memory.describe(address).c_str());
        if (base) *base = found->address;
        if (bytes) *bytes = found->bytes;
    });
}

CUresult cuMemHostAlloc(void **address, size_t bytes, unsigned) {
    return driver_call("cuMemHostAlloc", [&](Call &call) {
        need(address, "address");
        call.here();
        refuse_unsafe_call("cuMemHostAlloc");
        if (bytes == 0) fail(CUDA_ERROR_INVALID_VALUE, "an allocation of no bytes");
        *address = call.sim.host.allocate(bytes);
        if (!*address) fail(CUDA_ERROR_OUT_OF_MEMORY, "the host has no %zu bytes", bytes);
    });
}

CUresult cuMemFreeHost(void *address) {
    return driver_call("cuMemFreeHost", [&](Call &call) {
        call.here();
        const Pinned *pinned = call.sim.host.starting_at((uint64_t)address);
        if (!pinned || pinned->is_registered) {
            fail(CUDA_ERROR_INVALID_VALUE, "%p is not the start of a pinned allocation", address);
        }
        let_go(call, *pinned, "cuMemFreeHost");
        std::string damage = call.sim.host.damage(*pinned);
        if (!damage.empty()) call.sim.trace.find(text("pinned allocation of %zu bytes: %s", pinned->bytes, damage.c_str()));
        call.sim.host.remove((uint64_t)address);
    });
}

CUresult cuMemHostRegister_v2(void *address, size_t bytes, unsigned) {
    return driver_call("cuMemHostRegister_v2", [&](Call &call) {
        call.here();
        need(address, "address");
        if (bytes == 0) fail(CUDA_ERROR_INVALID_VALUE, "a range of no bytes");
        if (call.sim.host.overlapping((uint64_t)address, bytes)) {
            fail(CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED, "%p is pinned already", address);
        }
        call.sim.host.add_registered((uint64_t)address, bytes);
    });
}

CUresult cuMemHostUnregister(void *address) {
    return driver_call("cuMemHostUnregister", [&](Call &call) {
        call.here();
        const Pinned *pinned = call.sim.host.starting_at((uint64_t)address);
        if (!pinned || !pinned->is_registered) {
            fail(CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED, "%p is not the start of a registered range", address);
        }
        let_go(call, *pinned, "cuMemHostUnregister");
        call.sim.host.remove((uint64_t)address);
    });
}

CUresult cuMemHostGetDevicePointer_v2(CUdeviceptr *device, void *address, unsigned flags) {
    return driver_call("cuMemHostGetDevicePointer_v2", [&](Call &call) {
        need(device, "device");
        call.here();
        if (flags) fail(CUDA_ERROR_INVALID_VALUE, "flags must be 0");
        if (!call.sim.host.is_pinned((uint64_t)address, 1)) fail(CUDA_ERROR_INVALID_VALUE, "%p is not pinned", address);
        *device = (CUdeviceptr)address;
    });
}
