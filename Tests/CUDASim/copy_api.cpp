// Copies and memsets.
#include "access.h"
#include "call.h"
#include "copy.h"

using namespace cudasim;

namespace {

void put(Call &call, CUstream handle, std::shared_ptr<Work> work) { submit(call.in(handle), std::move(work), call.lock); }

// A download into pageable memory has ended when the call returns, as documented; in a graph it is like any other.
void put_download(Call &call, CUstream handle, void *to, CUdeviceptr from, size_t bytes) {
    std::shared_ptr<Stream> stream = call.in(handle);
    check_is_device_address(from, "the source");
    bool waits = !call.sim.host.is_pinned((uint64_t)to, bytes) && !stream->capture;
    submit(stream, download(to, from, bytes), call.lock);
    if (waits) wait_for(stream, call.lock);
}

CUresult synchronous(const char *name, CUdeviceptr checked, std::shared_ptr<Work> work) {
    return driver_call(name, [&](Call &call) {
        std::shared_ptr<Stream> stream = call.in(nullptr);
        check_is_device_address(checked, "the device's side");
        submit(stream, work, call.lock);
        wait_for(stream, call.lock);
    });
}

CUresult set(const char *name, CUdeviceptr address, unsigned value, unsigned width, size_t count, CUstream stream) {
    return driver_call(name, [&](Call &call) {
        check_is_device_address(address, "the target");
        if (address % width) fail(CUDA_ERROR_INVALID_VALUE, "the target is not aligned to %u bytes", width);
        put(call, stream, fill(address, value, width, count));
    });
}

void check_owner(Call &call, CUdeviceptr address, CUcontext context, const char *role) {
    check_is_device_address(address, role);
    Device *device = call.sim.device_of_context(context);
    if (!device || !device->retained) fail(CUDA_ERROR_INVALID_CONTEXT, "%s: %p is no live context", role, (void *)context);
    int owner = call.sim.memory.owner(address);
    if (owner != device->ordinal) {
        fail(CUDA_ERROR_INVALID_VALUE, "%s is memory of device %d, its context of device %d", role, owner, device->ordinal);
    }
}

} // namespace

CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, size_t bytes, CUstream stream) {
    return driver_call("cuMemcpyHtoDAsync_v2", [&](Call &call) {
        check_is_device_address(to, "the target");
        need(from, "the source");
        put(call, stream, upload(to, from, bytes));
    });
}

CUresult cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, size_t bytes, CUstream stream) {
    return driver_call("cuMemcpyDtoHAsync_v2", [&](Call &call) {
        need(to, "the target");
        put_download(call, stream, to, from, bytes);
    });
}

CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream) {
    return driver_call("cuMemcpyDtoDAsync_v2", [&](Call &call) {
        check_is_device_address(to, "the target");
        check_is_device_address(from, "the source");
        put(call, stream, device_copy(to, from, bytes));
    });
}

CUresult cuMemcpyPeerAsync(
    CUdeviceptr to, CUcontext toContext, CUdeviceptr from, CUcontext fromContext, size_t bytes, CUstream stream) {
    return driver_call("cuMemcpyPeerAsync", [&](Call &call) {
        check_owner(call, to, toContext, "the target");
        check_owner(call, from, fromContext, "the source");
        put(call, stream, peer_copy(to, from, bytes));
    });
}

CUresult cuMemcpyHtoD_v2(CUdeviceptr to, const void *from, size_t bytes) {
    if (!from) return driver_call("cuMemcpyHtoD_v2", [](Call &) { fail(CUDA_ERROR_INVALID_VALUE, "the source is null"); });
    return synchronous("cuMemcpyHtoD_v2", to, upload(to, from, bytes));
}

CUresult cuMemcpyDtoH_v2(void *to, CUdeviceptr from, size_t bytes) {
    if (!to) return driver_call("cuMemcpyDtoH_v2", [](Call &) { fail(CUDA_ERROR_INVALID_VALUE, "the target is null"); });
    return synchronous("cuMemcpyDtoH_v2", from, download(to, from, bytes));
}

CUresult cuMemcpyDtoD_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes) {
    return synchronous("cuMemcpyDtoD_v2", to, device_copy(to, from, bytes));
}

CUresult cuMemsetD8Async(CUdeviceptr address, unsigned char value, size_t count, CUstream stream) {
    return set("cuMemsetD8Async", address, value, 1, count, stream);
}

CUresult cuMemsetD16Async(CUdeviceptr address, unsigned short value, size_t count, CUstream stream) {
    return set("cuMemsetD16Async", address, value, 2, count, stream);
}

CUresult cuMemsetD32Async(CUdeviceptr address, unsigned value, size_t count, CUstream stream) {
    return set("cuMemsetD32Async", address, value, 4, count, stream);
}
