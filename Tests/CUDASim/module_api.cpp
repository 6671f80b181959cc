// Modules, libraries and their kernels.
#include "module.h"
#include "call.h"
#include <algorithm>

using namespace cudasim;

namespace {

std::shared_ptr<Kernel> make_kernel(const std::string &name, const Image &image) {
    auto kernel = std::make_shared<Kernel>();
    kernel->name = name;
    kernel->image = image;
    kernel->implementation = kernel_named(name.c_str());
    return kernel;
}

void take_kernels(Module &module, const Image &image) {
    for (const std::string &name : image.kernels) module.kernels[name] = make_kernel(name, image);
}

void check_architecture(const Image &image, const Device &device) {
    if (image.runs_on(device)) return;
    fail(
        CUDA_ERROR_NO_BINARY_FOR_GPU, "the image is for sm_%d%s, device %d is sm_%d%d", image.architecture,
        image.is_exact ? "a" : "", device.ordinal, device.card->major, device.card->minor);
}

void load_module(Call &call, CUmodule *module, const void *image) {
    need(module, "module");
    need(image, "image");
    Device &device = call.here();
    Image read = read_image(image);
    check_architecture(read, device);
    auto made = std::make_shared<Module>();
    made->device = &device;
    take_kernels(*made, read);
    *module = call.sim.modules.add(made);
}

const std::shared_ptr<Kernel> &kernel_in(const Module &module, const char *name) {
    need(name, "name");
    auto found = module.kernels.find(name);
    if (found == module.kernels.end()) {
        std::string known;
        for (const auto &entry : module.kernels) known += (known.empty() ? "" : ", ") + entry.first;
        fail(CUDA_ERROR_NOT_FOUND, "no kernel '%s'; the image holds: %s", name, known.c_str());
    }
    return found->second;
}

CUkernel kernel_handle(Call &call, Module &module, const std::string &name) {
    CUkernel &handle = module.kernel_handles[name];
    if (!handle) handle = call.sim.kernels.add(module.kernels[name]);
    return handle;
}

CUfunction function_on(Call &call, const std::shared_ptr<Kernel> &kernel, Device &device) {
    kernel->functions.resize(call.sim.devices.size());
    CUfunction &handle = kernel->functions[(size_t)device.ordinal];
    if (!handle) {
        auto function = std::make_shared<Function>();
        function->kernel = kernel;
        function->device = &device;
        handle = call.sim.functions.add(function);
    }
    return handle;
}

void forget(Call &call, Module &module) {
    for (const auto &entry : module.kernels) {
        for (CUfunction handle : entry.second->functions) call.sim.functions.remove(handle);
    }
    for (const auto &entry : module.kernel_handles) call.sim.kernels.remove(entry.second);
}

int function_attribute(const Function &function, CUfunction_attribute attribute) {
    const Kernel &kernel = *function.kernel;
    switch (attribute) {
    case CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK:
        return kernel.implementation && kernel.implementation->max_threads ? (int)kernel.implementation->max_threads : 1024;
    case CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES:
    case CU_FUNC_ATTRIBUTE_CONST_SIZE_BYTES:
    case CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES: return 0;
    case CU_FUNC_ATTRIBUTE_NUM_REGS: return 32;
    case CU_FUNC_ATTRIBUTE_PTX_VERSION:
    case CU_FUNC_ATTRIBUTE_BINARY_VERSION: return kernel.image.architecture;
    case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES: return function.dynamic_shared_limit;
    }
    fail(CUDA_ERROR_INVALID_VALUE, "function attribute %d is not simulated", (int)attribute);
}

} // namespace

CUresult cuModuleLoadData(CUmodule *module, const void *image) {
    return driver_call("cuModuleLoadData", [&](Call &call) { load_module(call, module, image); });
}

CUresult cuModuleLoadDataEx(CUmodule *module, const void *image, unsigned, CUjit_option *, void **) {
    return driver_call("cuModuleLoadDataEx", [&](Call &call) { load_module(call, module, image); });
}

CUresult cuModuleUnload(CUmodule module) {
    return driver_call("cuModuleUnload", [&](Call &call) {
        std::shared_ptr<Module> found = call.sim.modules.get(module);
        call.about(*found->device);
        forget(call, *found);
        call.sim.modules.remove(module);
    });
}

CUresult cuModuleGetFunction(CUfunction *function, CUmodule module, const char *name) {
    return driver_call("cuModuleGetFunction", [&](Call &call) {
        need(function, "function");
        std::shared_ptr<Module> found = call.sim.modules.get(module);
        call.on(*found->device);
        *function = function_on(call, kernel_in(*found, name), *found->device);
    });
}

CUresult cuLibraryLoadData(
    CUlibrary *library, const void *code, CUjit_option *, void **, unsigned, CUlibraryOption *, void **, unsigned) {
    return driver_call("cuLibraryLoadData", [&](Call &call) {
        need(library, "library");
        need(code, "code");
        call.nowhere();
        Image read = read_image(code);
        bool fits = std::any_of(
            call.sim.devices.begin(), call.sim.devices.end(), [&](const auto &device) { return read.runs_on(*device); });
        if (!fits) fail(CUDA_ERROR_NO_BINARY_FOR_GPU, "the image is for sm_%d, and no device is", read.architecture);
        auto made = std::make_shared<Module>();
        take_kernels(*made, read);
        *library = call.sim.libraries.add(made);
    });
}

CUresult cuLibraryUnload(CUlibrary library) {
    return driver_call("cuLibraryUnload", [&](Call &call) {
        std::shared_ptr<Module> found = call.sim.libraries.get(library);
        call.nowhere();
        forget(call, *found);
        call.sim.libraries.remove(library);
    });
}

CUresult cuLibraryGetKernel(CUkernel *kernel, CUlibrary library, const char *name) {
    return driver_call("cuLibraryGetKernel", [&](Call &call) {
        need(kernel, "kernel");
        std::shared_ptr<Module> found = call.sim.libraries.get(library);
        call.nowhere();
        *kernel = kernel_handle(call, *found, kernel_in(*found, name)->name);
    });
}

CUresult cuLibraryGetKernelCount(unsigned *count, CUlibrary library) {
    return driver_call("cuLibraryGetKernelCount", [&](Call &call) {
        need(count, "count");
        call.nowhere();
        *count = (unsigned)call.sim.libraries.get(library)->kernels.size();
    });
}

CUresult cuLibraryEnumerateKernels(CUkernel *kernels, unsigned count, CUlibrary library) {
    return driver_call("cuLibraryEnumerateKernels", [&](Call &call) {
        need(kernels, "kernels");
        std::shared_ptr<Module> found = call.sim.libraries.get(library);
        call.nowhere();
        unsigned index = 0;
        for (const auto &entry : found->kernels) {
            if (index < count) kernels[index++] = kernel_handle(call, *found, entry.first);
        }
    });
}

CUresult cuKernelGetFunction(CUfunction *function, CUkernel kernel) {
    return driver_call("cuKernelGetFunction", [&](Call &call) {
        need(function, "function");
        std::shared_ptr<Kernel> found = call.sim.kernels.get(kernel);
        Device &device = call.here();
        check_architecture(found->image, device);
        *function = function_on(call, found, device);
    });
}

CUresult cuKernelGetName(const char **name, CUkernel kernel) {
    return driver_call("cuKernelGetName", [&](Call &call) {
        need(name, "name");
        call.nowhere();
        *name = call.sim.kernels.get(kernel)->name.c_str();
    });
}

CUresult cuFuncGetName(const char **name, CUfunction function) {
    return driver_call("cuFuncGetName", [&](Call &call) {
        need(name, "name");
        call.nowhere();
        *name = call.sim.functions.get(function)->kernel->name.c_str();
    });
}

CUresult cuFuncGetAttribute(int *value, CUfunction_attribute attribute, CUfunction function) {
    return driver_call("cuFuncGetAttribute", [&](Call &call) {
        need(value, "value");
        std::shared_ptr<Function> found = call.sim.functions.get(function);
        call.on(*found->device);
        *value = function_attribute(*found, attribute);
    });
}

CUresult cuFuncSetAttribute(CUfunction function, CUfunction_attribute attribute, int value) {
    return driver_call("cuFuncSetAttribute", [&](Call &call) {
        std::shared_ptr<Function> found = call.sim.functions.get(function);
        call.on(*found->device);
        if (attribute != CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES) {
            fail(CUDA_ERROR_INVALID_VALUE, "function attribute %d cannot be set", (int)attribute);
        }
        int most = found->device->shared_per_block_optin();
        if (value < 0 || value > most) {
            fail(CUDA_ERROR_INVALID_VALUE, "%d bytes of shared memory; device %d has %d", value, found->device->ordinal, most);
        }
        found->dynamic_shared_limit = value;
    });
}

CUresult cuFuncGetParamInfo(CUfunction function, size_t index, size_t *offset, size_t *bytes) {
    return driver_call("cuFuncGetParamInfo", [&](Call &call) {
        need(offset, "offset");
        std::shared_ptr<Function> found = call.sim.functions.get(function);
        call.on(*found->device);
        const simt_kernel *kernel = found->kernel->implementation;
        if (!kernel || index >= kernel->param_count) fail(CUDA_ERROR_INVALID_VALUE, "no parameter %zu", index);
        // Each parameter at a multiple of its size's lowest bit, up to 8: what scalars and pointers need.
        size_t at = 0;
        for (size_t i = 0; i <= index; ++i) {
            size_t size = kernel->param_sizes[i], unit = std::min<size_t>(size & -size, 8);
            at = (at + unit - 1) / unit * unit;
            if (i < index) at += size;
        }
        *offset = at;
        if (bytes) *bytes = kernel->param_sizes[index];
    });
}

CUresult cuFuncLoad(CUfunction function) {
    return driver_call("cuFuncLoad", [&](Call &call) { call.on(*call.sim.functions.get(function)->device); });
}
