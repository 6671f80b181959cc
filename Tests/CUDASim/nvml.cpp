// NVML from the machine file. Cards are counted by their places on the bus: CUDA_VISIBLE_DEVICES and CUDA_DEVICE_ORDER do
// not apply here.
#include "include/nvml_abi.h"
#include "simulator.h"
#include <algorithm>
#include <cstdio>
#include <cstring>

using namespace cudasim;

namespace {

unsigned starts = 0; // each needs its own end

// A handle is the card's number from 1 on; of its slice, with a bit more.
const uintptr_t slice_bit = 0x1000;

struct NVMLFailure {
    nvmlReturn_t code;
};

struct Query {
    Simulator &sim = simulator();
    std::unique_lock<std::mutex> lock{sim.mutex};

    size_t index(nvmlDevice_t device) const {
        size_t number = (uintptr_t)device & ~slice_bit;
        if (number == 0 || number > sim.machine.cards.size()) throw NVMLFailure{NVML_ERROR_INVALID_ARGUMENT};
        return number - 1;
    }

    // Its place in NVML's own list.
    size_t number(nvmlDevice_t device) const {
        std::vector<size_t> order = sim.machine.bus_order();
        return (size_t)(std::find(order.begin(), order.end(), index(device)) - order.begin());
    }

    bool is_slice(nvmlDevice_t device) const { return (uintptr_t)device & slice_bit; }
    const Card &card(nvmlDevice_t device) const { return sim.machine.cards[index(device)]; }

    const Device *driver_device(nvmlDevice_t device) const {
        size_t physical = index(device);
        for (const auto &candidate : sim.devices) {
            if (candidate->physical == physical) return candidate.get();
        }
        return nullptr;
    }
};

template <class Body> nvmlReturn_t query(const char *name, Body body, bool needs_start = true) {
    Query query;
    if (needs_start && !starts) return NVML_ERROR_UNINITIALIZED;
    Meeting meeting = query.sim.faults.meet(name, -1);
    if (meeting.code) return (nvmlReturn_t)meeting.code;
    try {
        body(query);
    } catch (const NVMLFailure &failure) {
        return failure.code;
    }
    return NVML_SUCCESS;
}

// A question about one device; a lost one answers nothing but that.
template <class Body> nvmlReturn_t ask(const char *name, nvmlDevice_t device, Body body) {
    return query(name, [&](Query &query) {
        const Card &card = query.card(device);
        const Device *seen = query.driver_device(device);
        if (seen && seen->lost) throw NVMLFailure{NVML_ERROR_GPU_IS_LOST};
        body(query, card);
    });
}

template <class T> void put(T *to, T value) {
    if (!to) throw NVMLFailure{NVML_ERROR_INVALID_ARGUMENT};
    *to = value;
}

void put(char *to, unsigned length, const std::string &text) {
    if (!to) throw NVMLFailure{NVML_ERROR_INVALID_ARGUMENT};
    if (text.size() + 1 > length) throw NVMLFailure{NVML_ERROR_INSUFFICIENT_SIZE};
    memcpy(to, text.c_str(), text.size() + 1);
}

void need_support(bool supported) {
    if (!supported) throw NVMLFailure{NVML_ERROR_NOT_SUPPORTED};
}

nvmlDevice_t handle_of(size_t index) { return (nvmlDevice_t)(index + 1); }

size_t used_bytes(const Query &query, nvmlDevice_t device, const Card &card) {
    const Device *seen = query.driver_device(device);
    size_t own = seen ? seen->allocated + (seen->retained ? card.context_bytes : 0) : 0;
    return own + card.used_by_others();
}

size_t total_bytes(const Query &query, nvmlDevice_t device, const Card &card) {
    return query.is_slice(device) ? card.mig.bytes : card.bytes;
}

void put_pci(nvmlPciInfo_t *info, const Card &card) {
    if (!info) throw NVMLFailure{NVML_ERROR_INVALID_ARGUMENT};
    memset(info, 0, sizeof *info);
    sscanf(card.pci.c_str(), "%x:%x:%x", &info->domain, &info->bus, &info->device);
    snprintf(info->busIdLegacy, sizeof info->busIdLegacy, "%04x:%02x:%02x.0", info->domain & 0xffff, info->bus & 0xff, info->device & 0xff);
    snprintf(info->busId, sizeof info->busId, "%08x:%02x:%02x.0", info->domain, info->bus, info->device);
}

int ancestor_level(const std::string &name) {
    const char *names[] = {"internal", "single", "multiple", "hostbridge", "node", "system"};
    for (int i = 0; i < 6; ++i) {
        if (name == names[i]) return i * 10;
    }
    return 50;
}

// The peer at the other end of a card's NVLink, counted over its peers in order.
const Link *nvlink(const Query &query, size_t index, unsigned number, size_t *peer) {
    for (size_t other = 0; other < query.sim.machine.cards.size(); ++other) {
        if (other == index) continue;
        const Link &link = query.sim.machine.link(index, other);
        // Through a switch the same links serve every peer.
        if (number < (unsigned)link.nvlinks) {
            *peer = other;
            return &link;
        }
        if (!link.nvswitch) number -= (unsigned)link.nvlinks;
    }
    return nullptr;
}

} // namespace

nvmlReturn_t nvmlInit_v2(void) {
    return query(
        "nvmlInit_v2",
        [](Query &query) {
            try {
                query.sim.ensure_loaded(query.lock);
            } catch (const std::string &problem) {
                fprintf(stderr, "cudasim: %s\n", problem.c_str());
                throw NVMLFailure{NVML_ERROR_UNKNOWN};
            }
            if (query.sim.machine.cards.empty()) throw NVMLFailure{NVML_ERROR_DRIVER_NOT_LOADED};
            ++starts;
        },
        false);
}

nvmlReturn_t nvmlShutdown(void) {
    return query("nvmlShutdown", [](Query &) { --starts; });
}

const char *nvmlErrorString(nvmlReturn_t result) {
    switch (result) {
    case NVML_SUCCESS: return "The operation was successful";
    case NVML_ERROR_UNINITIALIZED: return "NVML was not first initialized with nvmlInit()";
    case NVML_ERROR_INVALID_ARGUMENT: return "A supplied argument is invalid";
    case NVML_ERROR_NOT_SUPPORTED: return "The requested operation is not available on target device";
    case NVML_ERROR_NO_PERMISSION: return "The current user does not have permission for operation";
    case NVML_ERROR_NOT_FOUND: return "A query to find an object was unsuccessful";
    case NVML_ERROR_INSUFFICIENT_SIZE: return "An input argument is not large enough";
    case NVML_ERROR_DRIVER_NOT_LOADED: return "NVIDIA driver is not loaded";
    case NVML_ERROR_GPU_IS_LOST: return "The GPU has fallen off the bus or has otherwise become inaccessible";
    case NVML_ERROR_LIB_RM_VERSION_MISMATCH: return "RM has detected an NVML/RM version mismatch";
    case NVML_ERROR_UNKNOWN: break;
    }
    return "An internal driver error occurred";
}

nvmlReturn_t nvmlSystemGetDriverVersion(char *text, unsigned length) {
    return query("nvmlSystemGetDriverVersion", [&](Query &query) { put(text, length, query.sim.machine.driver_release); });
}

nvmlReturn_t nvmlSystemGetNVMLVersion(char *text, unsigned length) {
    return query("nvmlSystemGetNVMLVersion", [&](Query &query) {
        put(text, length, std::to_string(query.sim.machine.cuda_version / 1000) + "." + query.sim.machine.driver_release);
    });
}

nvmlReturn_t nvmlSystemGetCudaDriverVersion_v2(int *version) {
    return query("nvmlSystemGetCudaDriverVersion_v2", [&](Query &query) { put(version, query.sim.machine.cuda_version); });
}

nvmlReturn_t nvmlDeviceGetCount_v2(unsigned *count) {
    return query("nvmlDeviceGetCount_v2", [&](Query &query) { put(count, (unsigned)query.sim.machine.cards.size()); });
}

nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned index, nvmlDevice_t *device) {
    return query("nvmlDeviceGetHandleByIndex_v2", [&](Query &query) {
        if (index >= query.sim.machine.cards.size()) throw NVMLFailure{NVML_ERROR_INVALID_ARGUMENT};
        put(device, handle_of(query.sim.machine.bus_order()[index]));
    });
}

nvmlReturn_t nvmlDeviceGetHandleByUUID(const char *uuid, nvmlDevice_t *device) {
    return query("nvmlDeviceGetHandleByUUID", [&](Query &query) {
        for (size_t i = 0; uuid && i < query.sim.machine.cards.size(); ++i) {
            const Card &card = query.sim.machine.cards[i];
            if (card.uuid == uuid) return put(device, handle_of(i));
            bool slice = card.mig.enabled && card.mig.uuid == uuid;
            if (slice) return put(device, (nvmlDevice_t)((uintptr_t)handle_of(i) | slice_bit));
        }
        throw NVMLFailure{uuid ? NVML_ERROR_NOT_FOUND : NVML_ERROR_INVALID_ARGUMENT};
    });
}

nvmlReturn_t nvmlDeviceGetHandleByPciBusId_v2(const char *text, nvmlDevice_t *device) {
    return query("nvmlDeviceGetHandleByPciBusId_v2", [&](Query &query) {
        for (size_t i = 0; text && i < query.sim.machine.cards.size(); ++i) {
            nvmlPciInfo_t info;
            put_pci(&info, query.sim.machine.cards[i]);
            bool same = !strcmp(text, info.busId) || !strcmp(text, info.busIdLegacy);
            if (same) return put(device, handle_of(i));
        }
        throw NVMLFailure{text ? NVML_ERROR_NOT_FOUND : NVML_ERROR_INVALID_ARGUMENT};
    });
}

nvmlReturn_t nvmlDeviceGetUUID(nvmlDevice_t device, char *text, unsigned length) {
    return ask("nvmlDeviceGetUUID", device, [&](Query &query, const Card &card) {
        put(text, length, query.is_slice(device) ? card.mig.uuid : card.uuid);
    });
}

nvmlReturn_t nvmlDeviceGetName(nvmlDevice_t device, char *text, unsigned length) {
    return ask("nvmlDeviceGetName", device, [&](Query &query, const Card &card) {
        put(text, length, query.is_slice(device) ? card.visible_name() : card.name + " (simulated)");
    });
}

nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t *memory) {
    return ask("nvmlDeviceGetMemoryInfo", device, [&](Query &query, const Card &card) {
        unsigned long long total = total_bytes(query, device, card), used = used_bytes(query, device, card);
        put(memory, nvmlMemory_t{total, total - used, used});
    });
}

nvmlReturn_t nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t device, nvmlMemory_v2_t *memory) {
    return ask("nvmlDeviceGetMemoryInfo_v2", device, [&](Query &query, const Card &card) {
        // The caller says which version of the struct it means.
        bool known = memory && memory->version == (sizeof(nvmlMemory_v2_t) | 2u << 24);
        if (!known) throw NVMLFailure{NVML_ERROR_INVALID_ARGUMENT};
        unsigned long long total = total_bytes(query, device, card), used = used_bytes(query, device, card);
        *memory = {memory->version, total, 0, total - used, used};
    });
}

nvmlReturn_t nvmlDeviceGetBAR1MemoryInfo(nvmlDevice_t device, nvmlBAR1Memory_t *memory) {
    return ask("nvmlDeviceGetBAR1MemoryInfo", device, [&](Query &, const Card &) {
        unsigned long long total = 256ull << 20;
        put(memory, nvmlBAR1Memory_t{total, total, 0});
    });
}

nvmlReturn_t nvmlDeviceGetPciInfo_v3(nvmlDevice_t device, nvmlPciInfo_t *info) {
    return ask("nvmlDeviceGetPciInfo_v3", device, [&](Query &, const Card &card) { put_pci(info, card); });
}

nvmlReturn_t nvmlDeviceGetCudaComputeCapability(nvmlDevice_t device, int *major, int *minor) {
    return ask("nvmlDeviceGetCudaComputeCapability", device, [&](Query &, const Card &card) {
        put(major, card.major);
        put(minor, card.minor);
    });
}

static nvmlReturn_t processes_of(
    const char *name, nvmlDevice_t device, unsigned *count, nvmlProcessInfo_t *processes, bool are_compute) {
    return ask(name, device, [&](Query &, const Card &card) {
        if (!count) throw NVMLFailure{NVML_ERROR_INVALID_ARGUMENT};
        unsigned room = *count;
        *count = are_compute ? (unsigned)card.processes.size() : 0;
        if (room < *count) throw NVMLFailure{NVML_ERROR_INSUFFICIENT_SIZE};
        for (unsigned i = 0; i < *count; ++i) {
            processes[i] = {card.processes[i].pid, card.processes[i].bytes, 0xFFFFFFFFu, 0xFFFFFFFFu};
        }
    });
}

nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v3(nvmlDevice_t device, unsigned *count, nvmlProcessInfo_t *processes) {
    return processes_of("nvmlDeviceGetComputeRunningProcesses_v3", device, count, processes, true);
}

nvmlReturn_t nvmlDeviceGetGraphicsRunningProcesses_v3(nvmlDevice_t device, unsigned *count, nvmlProcessInfo_t *processes) {
    return processes_of("nvmlDeviceGetGraphicsRunningProcesses_v3", device, count, processes, false);
}

// A function that answers with one value of the card.
#define ANSWER(function, type, value)                                                                                  \
    nvmlReturn_t function(nvmlDevice_t device, type *answer) {                                                         \
        return ask(#function, device, [&](Query &query, const Card &card) {                                            \
            (void)query;                                                                                               \
            (void)card;                                                                                                \
            put(answer, (type)(value));                                                                                \
        });                                                                                                            \
    }

ANSWER(nvmlDeviceGetComputeMode, int, card.compute_mode == "prohibited" ? 2 : card.compute_mode == "default" ? 0 : 3)
ANSWER(nvmlDeviceGetPersistenceMode, int, card.persistence)
ANSWER(nvmlDeviceGetDisplayActive, int, card.display)
ANSWER(nvmlDeviceGetDisplayMode, int, card.display)
ANSWER(nvmlDeviceGetMinorNumber, unsigned, query.number(device))
ANSWER(nvmlDeviceGetIndex, unsigned, query.number(device))
ANSWER(nvmlDeviceGetNumaNodeId, unsigned, card.numa_node)
ANSWER(nvmlDeviceGetMaxMigDeviceCount, unsigned, card.mig.enabled ? 7 : 0)
ANSWER(nvmlDeviceGetRetiredPagesPendingStatus, int, card.retired_pending > 0)
ANSWER(nvmlDeviceGetCurrentClocksThrottleReasons, unsigned long long, card.throttle_reasons)
ANSWER(nvmlDeviceGetPowerUsage, unsigned, card.power_watts * 1000)
ANSWER(nvmlDeviceGetEnforcedPowerLimit, unsigned, card.power_limit_watts * 1000)
ANSWER(nvmlDeviceGetPowerManagementDefaultLimit, unsigned, card.power_limit_watts * 1000)
ANSWER(nvmlDeviceGetCurrPcieLinkGeneration, unsigned, card.pcie_generation)
ANSWER(nvmlDeviceGetCurrPcieLinkWidth, unsigned, card.pcie_width)
ANSWER(nvmlDeviceGetMaxPcieLinkGeneration, unsigned, card.pcie_max_generation)
ANSWER(nvmlDeviceGetMaxPcieLinkWidth, unsigned, card.pcie_max_width)

nvmlReturn_t nvmlDeviceGetMigMode(nvmlDevice_t device, unsigned *current, unsigned *pending) {
    return ask("nvmlDeviceGetMigMode", device, [&](Query &, const Card &card) {
        need_support(card.major >= 8);
        put(current, (unsigned)card.mig.enabled);
        put(pending, (unsigned)card.mig.enabled);
    });
}

nvmlReturn_t nvmlDeviceGetMigDeviceHandleByIndex(nvmlDevice_t device, unsigned index, nvmlDevice_t *instance) {
    return ask("nvmlDeviceGetMigDeviceHandleByIndex", device, [&](Query &, const Card &card) {
        if (!card.mig.enabled || index > 0) throw NVMLFailure{NVML_ERROR_NOT_FOUND};
        put(instance, (nvmlDevice_t)((uintptr_t)device | slice_bit));
    });
}

nvmlReturn_t nvmlDeviceGetGpuInstanceId(nvmlDevice_t device, unsigned *identifier) {
    return ask("nvmlDeviceGetGpuInstanceId", device, [&](Query &query, const Card &card) {
        need_support(query.is_slice(device));
        put(identifier, card.mig.gpu_instance);
    });
}

nvmlReturn_t nvmlDeviceGetComputeInstanceId(nvmlDevice_t device, unsigned *identifier) {
    return ask("nvmlDeviceGetComputeInstanceId", device, [&](Query &query, const Card &card) {
        need_support(query.is_slice(device));
        put(identifier, card.mig.compute_instance);
    });
}

nvmlReturn_t nvmlDeviceGetEccMode(nvmlDevice_t device, int *current, int *pending) {
    return ask("nvmlDeviceGetEccMode", device, [&](Query &, const Card &card) {
        need_support(card.ecc_supported);
        put(current, (int)card.ecc);
        put(pending, (int)card.ecc);
    });
}

nvmlReturn_t nvmlDeviceGetTotalEccErrors(nvmlDevice_t device, int type, int, unsigned long long *count) {
    return ask("nvmlDeviceGetTotalEccErrors", device, [&](Query &, const Card &card) {
        need_support(card.ecc_supported);
        put(count, type == 0 ? card.ecc_corrected : card.ecc_uncorrected);
    });
}

nvmlReturn_t nvmlDeviceGetRemappedRows(
    nvmlDevice_t device, unsigned *corrected, unsigned *uncorrected, unsigned *isPending, unsigned *hasFailed) {
    return ask("nvmlDeviceGetRemappedRows", device, [&](Query &, const Card &card) {
        need_support(card.ecc_supported);
        put(corrected, card.remapped_rows);
        put(uncorrected, 0u);
        put(isPending, card.retired_pending);
        put(hasFailed, 0u);
    });
}

nvmlReturn_t nvmlDeviceGetTemperature(nvmlDevice_t device, int sensor, unsigned *celsius) {
    return ask("nvmlDeviceGetTemperature", device, [&](Query &, const Card &card) {
        if (sensor != 0) throw NVMLFailure{NVML_ERROR_INVALID_ARGUMENT};
        put(celsius, card.temperature);
    });
}

nvmlReturn_t nvmlDeviceGetP2PStatus(nvmlDevice_t device, nvmlDevice_t peer, int index, int *status) {
    return ask("nvmlDeviceGetP2PStatus", device, [&](Query &query, const Card &) {
        const Link &link = query.sim.machine.link(query.index(device), query.index(peer));
        // What is asked: read 0, write 1, NVLink 2, atomics 3.
        int answer = index == 2 ? (link.nvlinks ? 0 : 5) : index == 3 ? (link.atomics ? 0 : 5) : link.p2p_status;
        put(status, answer);
    });
}

nvmlReturn_t nvmlDeviceGetTopologyCommonAncestor(nvmlDevice_t device, nvmlDevice_t peer, int *level) {
    return ask("nvmlDeviceGetTopologyCommonAncestor", device, [&](Query &query, const Card &) {
        size_t a = query.index(device), b = query.index(peer);
        put(level, a == b ? 0 : ancestor_level(query.sim.machine.link(a, b).ancestor));
    });
}

nvmlReturn_t nvmlDeviceGetNvLinkState(nvmlDevice_t device, unsigned link, int *state) {
    return ask("nvmlDeviceGetNvLinkState", device, [&](Query &query, const Card &) {
        size_t peer;
        const Link *found = nvlink(query, query.index(device), link, &peer);
        need_support(found);
        put(state, found->peer == "dead" ? 0 : 1);
    });
}

nvmlReturn_t nvmlDeviceGetNvLinkVersion(nvmlDevice_t device, unsigned link, unsigned *version) {
    return ask("nvmlDeviceGetNvLinkVersion", device, [&](Query &query, const Card &) {
        size_t peer;
        const Link *found = nvlink(query, query.index(device), link, &peer);
        need_support(found);
        put(version, (unsigned)found->nvlink_version);
    });
}

nvmlReturn_t nvmlDeviceGetNvLinkRemotePciInfo_v2(nvmlDevice_t device, unsigned link, nvmlPciInfo_t *info) {
    return ask("nvmlDeviceGetNvLinkRemotePciInfo_v2", device, [&](Query &query, const Card &) {
        size_t peer;
        need_support(nvlink(query, query.index(device), link, &peer));
        put_pci(info, query.sim.machine.cards[peer]);
    });
}
