// Initialization, error names, and what a device says of itself.
#include "call.h"
#include <cstdio>
#include <cstring>

using namespace cudasim;

namespace {

void put_uuid(CUuuid *uuid, const std::string &text) {
    memset(uuid->bytes, 0, sizeof uuid->bytes);
    std::string digits;
    for (char c : text.substr(text.find('-') + 1)) {
        if (c != '-') digits += c;
    }
    for (size_t i = 0; i + 1 < digits.size() && i / 2 < 16; i += 2) {
        uuid->bytes[i / 2] = (char)strtol(digits.substr(i, 2).c_str(), nullptr, 16);
    }
}

void pci_address(const Card &card, unsigned *domain, unsigned *bus, unsigned *device) {
    *domain = *bus = *device = 0;
    sscanf(card.pci.c_str(), "%x:%x:%x", domain, bus, device);
}

int compute_mode(const Card &card) {
    return card.compute_mode == "prohibited" ? 2 : card.compute_mode == "exclusive_process" ? 3 : 0;
}

int pci_attribute(const Card &card, CUdevice_attribute attribute) {
    unsigned domain, bus, device;
    pci_address(card, &domain, &bus, &device);
    if (attribute == CU_DEVICE_ATTRIBUTE_PCI_DOMAIN_ID) return (int)domain;
    return (int)(attribute == CU_DEVICE_ATTRIBUTE_PCI_BUS_ID ? bus : device);
}

int attribute_value(const Device &device, CUdevice_attribute attribute) {
    const Card &card = *device.card;
    switch (attribute) {
    case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK:
    case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X:
    case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y: return 1024;
    case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z: return 64;
    case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X: return 0x7FFFFFFF;
    case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y:
    case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z: return 65535;
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK: return 48 * 1024;
    case CU_DEVICE_ATTRIBUTE_WARP_SIZE: return 32;
    case CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK:
    case CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR: return 65536;
    case CU_DEVICE_ATTRIBUTE_CLOCK_RATE: return card.clock_mhz * 1000;
    case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT: return card.visible_multiprocessors();
    case CU_DEVICE_ATTRIBUTE_KERNEL_EXEC_TIMEOUT: return card.display;
    case CU_DEVICE_ATTRIBUTE_INTEGRATED: return 0;
    case CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY:
    case CU_DEVICE_ATTRIBUTE_CONCURRENT_KERNELS:
    case CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH:
    case CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING: return 1;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_MODE: return compute_mode(card);
    case CU_DEVICE_ATTRIBUTE_ECC_ENABLED: return card.ecc;
    case CU_DEVICE_ATTRIBUTE_PCI_BUS_ID:
    case CU_DEVICE_ATTRIBUTE_PCI_DEVICE_ID:
    case CU_DEVICE_ATTRIBUTE_PCI_DOMAIN_ID: return pci_attribute(card, attribute);
    case CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE: return card.memory_clock_mhz * 1000;
    case CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH: return card.memory_bus_bits;
    case CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE: return card.l2_mib << 20;
    case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR: return device.threads_per_multiprocessor();
    case CU_DEVICE_ATTRIBUTE_ASYNC_ENGINE_COUNT: return 2;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR: return card.major;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR: return card.minor;
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR: return device.shared_per_multiprocessor();
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN: return device.shared_per_block_optin();
    case CU_DEVICE_ATTRIBUTE_MAX_BLOCKS_PER_MULTIPROCESSOR: return device.blocks_per_multiprocessor();
    }
    fail(CUDA_ERROR_INVALID_VALUE, "device attribute %d is not simulated", (int)attribute);
}

CUresult uuid_call(const char *name, CUuuid *uuid, CUdevice device, bool shows_slice) {
    return driver_call(name, [&](Call &call) {
        need(uuid, "uuid");
        Device &asked = call.sim.device(device);
        call.about(asked);
        put_uuid(uuid, shows_slice ? asked.card->visible_uuid() : asked.card->uuid);
    });
}

} // namespace

CUresult cuInit(unsigned flags) {
    return driver_call(
        "cuInit",
        [&](Call &call) {
            if (flags) fail(CUDA_ERROR_INVALID_VALUE, "flags must be 0");
            try {
                call.sim.ensure_loaded(call.lock);
            } catch (const std::string &problem) {
                fprintf(stderr, "cudasim: %s\n", problem.c_str());
                fail(CUDA_ERROR_UNKNOWN, "%s", problem.c_str());
            }
            call.nowhere();
            if (call.sim.devices.empty()) fail(CUDA_ERROR_NO_DEVICE, "the simulated machine shows no devices");
            call.sim.initialized = true;
        },
        false);
}

CUresult cuDriverGetVersion(int *version) {
    return driver_call(
        "cuDriverGetVersion",
        [&](Call &call) {
            need(version, "version");
            call.nowhere();
            *version = call.sim.machine.cuda_version;
        },
        false);
}

CUresult cuGetErrorName(CUresult error, const char **name) {
    if (!name || !result_name(error)) return CUDA_ERROR_INVALID_VALUE;
    *name = result_name(error);
    return CUDA_SUCCESS;
}

CUresult cuGetErrorString(CUresult error, const char **text) {
    if (!text || !result_text(error)) return CUDA_ERROR_INVALID_VALUE;
    *text = result_text(error);
    return CUDA_SUCCESS;
}

CUresult cuDeviceGetCount(int *count) {
    return driver_call("cuDeviceGetCount", [&](Call &call) {
        need(count, "count");
        call.nowhere();
        *count = (int)call.sim.devices.size();
    });
}

CUresult cuDeviceGet(CUdevice *device, int ordinal) {
    return driver_call("cuDeviceGet", [&](Call &call) {
        need(device, "device");
        call.about(call.sim.device(ordinal));
        *device = ordinal;
    });
}

CUresult cuDeviceGetName(char *name, int length, CUdevice device) {
    return driver_call("cuDeviceGetName", [&](Call &call) {
        Device &asked = call.sim.device(device);
        call.about(asked);
        put_text(name, length, asked.card->visible_name());
    });
}

CUresult cuDeviceGetUuid(CUuuid *uuid, CUdevice device) { return uuid_call("cuDeviceGetUuid", uuid, device, false); }
CUresult cuDeviceGetUuid_v2(CUuuid *uuid, CUdevice device) {
    return uuid_call("cuDeviceGetUuid_v2", uuid, device, true);
}

CUresult cuDeviceGetPCIBusId(char *text, int length, CUdevice device) {
    return driver_call("cuDeviceGetPCIBusId", [&](Call &call) {
        Device &asked = call.sim.device(device);
        call.about(asked);
        put_text(text, length, asked.card->pci);
    });
}

CUresult cuDeviceGetByPCIBusId(CUdevice *device, const char *text) {
    return driver_call("cuDeviceGetByPCIBusId", [&](Call &call) {
        need(device, "device");
        need(text, "text");
        for (const auto &candidate : call.sim.devices) {
            if (candidate->card->pci != text) continue;
            call.about(*candidate);
            *device = candidate->ordinal;
            return;
        }
        fail(CUDA_ERROR_INVALID_DEVICE, "no device at '%s'", text);
    });
}

CUresult cuDeviceTotalMem_v2(size_t *bytes, CUdevice device) {
    return driver_call("cuDeviceTotalMem_v2", [&](Call &call) {
        need(bytes, "bytes");
        Device &asked = call.sim.device(device);
        call.about(asked);
        *bytes = asked.card->visible_bytes();
    });
}

CUresult cuDeviceGetAttribute(int *value, CUdevice_attribute attribute, CUdevice device) {
    return driver_call("cuDeviceGetAttribute", [&](Call &call) {
        need(value, "value");
        Device &asked = call.sim.device(device);
        call.about(asked);
        *value = attribute_value(asked, attribute);
    });
}
