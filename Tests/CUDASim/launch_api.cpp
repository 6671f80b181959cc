// Kernel launches and occupancy.
#include "call.h"
#include "launch.h"

using namespace cudasim;

namespace {

// A kernel of a library stands for its function in the current context.
std::shared_ptr<Function> function_of(Call &call, CUfunction handle) {
    if (std::shared_ptr<Kernel> kernel = call.sim.kernels.find((CUkernel)handle)) {
        auto function = std::make_shared<Function>();
        function->kernel = kernel;
        function->device = &call.sim.current();
        if (!kernel->image.runs_on(*function->device)) fail(CUDA_ERROR_NO_BINARY_FOR_GPU, "the kernel is for another device");
        return function;
    }
    return call.sim.functions.get(handle);
}

void launch(Call &call, const CUlaunchConfig &config, CUfunction handle, void **parameters, void **extra) {
    std::shared_ptr<Function> function = function_of(call, handle);
    std::shared_ptr<Stream> stream = call.in(config.hStream);
    if (extra) fail(CUDA_ERROR_NOT_SUPPORTED, "parameters in one buffer ('extra') are not simulated");
    if (function->device != stream->device) {
        fail(
            CUDA_ERROR_INVALID_HANDLE, "%s of device %d is launched in a stream of device %d", function->kernel->name.c_str(),
            function->device->ordinal, stream->device->ordinal);
    }
    submit(stream, make_launch(*function, config, parameters), call.lock);
}

} // namespace

CUresult cuLaunchKernel(
    CUfunction function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX, unsigned blockY,
    unsigned blockZ, unsigned sharedBytes, CUstream stream, void **parameters, void **extra) {
    return driver_call("cuLaunchKernel", [&](Call &call) {
        CUlaunchConfig config = {gridX, gridY, gridZ, blockX, blockY, blockZ, sharedBytes, stream, nullptr, 0};
        launch(call, config, function, parameters, extra);
    });
}

CUresult cuLaunchKernelEx(const CUlaunchConfig *config, CUfunction function, void **parameters, void **extra) {
    return driver_call("cuLaunchKernelEx", [&](Call &call) {
        need(config, "config");
        launch(call, *config, function, parameters, extra);
    });
}

CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(
    int *blocks, CUfunction function, int blockSize, size_t sharedBytes) {
    return driver_call("cuOccupancyMaxActiveBlocksPerMultiprocessor", [&](Call &call) {
        need(blocks, "blocks");
        std::shared_ptr<Function> found = function_of(call, function);
        call.on(*found->device);
        *blocks = resident_blocks(*found, blockSize, sharedBytes);
    });
}
