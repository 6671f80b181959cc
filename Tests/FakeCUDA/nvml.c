// Two cards, which NVML numbers the other way round than CUDA; the second cannot say everything.
#include "fake.h"
#include <stdio.h>
#include <string.h>

struct nvmlDevice_st {
    int card; // as CUDA numbers it
};

static struct nvmlDevice_st devices[] = {{1}, {0}};

#define BEGIN(name)                                                                                                    \
    int code;                                                                                                          \
    if (fake_fails(#name, &code)) return (nvmlReturn_t)code

// A function that gives one value, or nothing for card 1.
#define ANSWER(name, type, answer)                                                                                     \
    FAKE_EXPORT nvmlReturn_t name(nvmlDevice_t device, type *value) {                                                  \
        BEGIN(name);                                                                                                   \
        if (device->card == 1) return NVML_ERROR_NOT_SUPPORTED;                                                        \
        *value = answer;                                                                                               \
        return NVML_SUCCESS;                                                                                           \
    }

FAKE_EXPORT nvmlReturn_t nvmlInit_v2(void) {
    BEGIN(nvmlInit_v2);
    fake_alive_count++;
    return NVML_SUCCESS;
}

FAKE_EXPORT nvmlReturn_t nvmlShutdown(void) {
    fake_alive_count--;
    return NVML_SUCCESS;
}

FAKE_EXPORT const char *nvmlErrorString(nvmlReturn_t result) {
    return result == NVML_ERROR_LIB_RM_VERSION_MISMATCH ? "RM has detected an NVML/RM version mismatch." : "Unknown";
}

FAKE_EXPORT nvmlReturn_t nvmlSystemGetDriverVersion(char *text, unsigned int length) {
    BEGIN(nvmlSystemGetDriverVersion);
    snprintf(text, length, "550.54.14");
    return NVML_SUCCESS;
}

FAKE_EXPORT nvmlReturn_t nvmlSystemGetNVMLVersion(char *text, unsigned int length) {
    BEGIN(nvmlSystemGetNVMLVersion);
    snprintf(text, length, "12.550.54.14");
    return NVML_SUCCESS;
}

FAKE_EXPORT nvmlReturn_t nvmlSystemGetCudaDriverVersion_v2(int *version) {
    BEGIN(nvmlSystemGetCudaDriverVersion_v2);
    *version = 12040;
    return NVML_SUCCESS;
}

FAKE_EXPORT nvmlReturn_t nvmlDeviceGetCount_v2(unsigned int *count) {
    BEGIN(nvmlDeviceGetCount_v2);
    *count = 2;
    return NVML_SUCCESS;
}

FAKE_EXPORT nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned int index, nvmlDevice_t *device) {
    BEGIN(nvmlDeviceGetHandleByIndex_v2);
    if (index >= 2) return NVML_ERROR_INVALID_ARGUMENT;
    *device = &devices[index];
    return NVML_SUCCESS;
}

FAKE_EXPORT nvmlReturn_t nvmlDeviceGetUUID(nvmlDevice_t device, char *text, unsigned int length) {
    BEGIN(nvmlDeviceGetUUID);
    int at = snprintf(text, length, "GPU-");
    for (int i = 0; i < 16; i++) {
        bool hyphen = i == 4 || i == 6 || i == 8 || i == 10;
        at += snprintf(text + at, length - (unsigned)at, "%s%02x", hyphen ? "-" : "", 0x10 * (device->card + 1) + i);
    }
    return NVML_SUCCESS;
}

FAKE_EXPORT nvmlReturn_t nvmlDeviceGetName(nvmlDevice_t device, char *text, unsigned int length) {
    BEGIN(nvmlDeviceGetName);
    snprintf(text, length, "Stand-in %d", device->card);
    return NVML_SUCCESS;
}

FAKE_EXPORT nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t *memory) {
    BEGIN(nvmlDeviceGetMemoryInfo);
    *memory = (nvmlMemory_t){.total = 1000, .free = 900 - 100 * (unsigned)device->card, .used = 100};
    return NVML_SUCCESS;
}

FAKE_EXPORT nvmlReturn_t nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t device, nvmlMemory_v2_t *memory) {
    BEGIN(nvmlDeviceGetMemoryInfo_v2);
    if (memory->version != (sizeof *memory | 2u << 24) || device->card == 1) return NVML_ERROR_NOT_SUPPORTED;
    *memory = (nvmlMemory_v2_t){.total = 1000, .reserved = 20, .free = 880, .used = 100};
    return NVML_SUCCESS;
}

FAKE_EXPORT nvmlReturn_t nvmlDeviceGetBAR1MemoryInfo(nvmlDevice_t device, nvmlBAR1Memory_t *memory) {
    BEGIN(nvmlDeviceGetBAR1MemoryInfo);
    (void)device;
    *memory = (nvmlBAR1Memory_t){.bar1Total = 256 << 20};
    return NVML_SUCCESS;
}

FAKE_EXPORT nvmlReturn_t nvmlDeviceGetPciInfo_v3(nvmlDevice_t device, nvmlPciInfo_t *info) {
    BEGIN(nvmlDeviceGetPciInfo_v3);
    memset(info, 0, sizeof *info);
    snprintf(info->busId, sizeof info->busId, "00000000:%02X:00.0", 0x41 + device->card);
    return NVML_SUCCESS;
}

FAKE_EXPORT nvmlReturn_t nvmlDeviceGetCudaComputeCapability(nvmlDevice_t device, int *major, int *minor) {
    BEGIN(nvmlDeviceGetCudaComputeCapability);
    (void)device;
    *major = 8;
    *minor = 9;
    return NVML_SUCCESS;
}

FAKE_EXPORT nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v3(nvmlDevice_t device, unsigned int *count,
                                                                 nvmlProcessInfo_t *processes) {
    BEGIN(nvmlDeviceGetComputeRunningProcesses_v3);
    unsigned int room = *count;
    *count = device->card == 0 ? 20 : 0;
    if (room < *count) return NVML_ERROR_INSUFFICIENT_SIZE;
    for (unsigned int i = 0; i < *count; i++)
        processes[i] = (nvmlProcessInfo_t){.pid = 100 + i, .usedGpuMemory = i ? 5 : (unsigned long long)-1};
    return NVML_SUCCESS;
}

FAKE_EXPORT nvmlReturn_t nvmlDeviceGetGraphicsRunningProcesses_v3(nvmlDevice_t device, unsigned int *count,
                                                                  nvmlProcessInfo_t *processes) {
    BEGIN(nvmlDeviceGetGraphicsRunningProcesses_v3);
    (void)device, (void)processes;
    *count = 0;
    return NVML_SUCCESS;
}

ANSWER(nvmlDeviceGetComputeMode, nvmlComputeMode_t, NVML_COMPUTEMODE_EXCLUSIVE_PROCESS)
ANSWER(nvmlDeviceGetPersistenceMode, nvmlEnableState_t, NVML_FEATURE_ENABLED)
ANSWER(nvmlDeviceGetDisplayActive, nvmlEnableState_t, NVML_FEATURE_DISABLED)
ANSWER(nvmlDeviceGetDisplayMode, nvmlEnableState_t, NVML_FEATURE_DISABLED)
ANSWER(nvmlDeviceGetMinorNumber, unsigned int, 3)
ANSWER(nvmlDeviceGetNumaNodeId, unsigned int, 1)
ANSWER(nvmlDeviceGetMaxMigDeviceCount, unsigned int, 0)
ANSWER(nvmlDeviceGetGpuInstanceId, unsigned int, 0)
ANSWER(nvmlDeviceGetComputeInstanceId, unsigned int, 0)
ANSWER(nvmlDeviceGetRetiredPagesPendingStatus, nvmlEnableState_t, NVML_FEATURE_DISABLED)
ANSWER(nvmlDeviceGetCurrentClocksThrottleReasons, unsigned long long, 0x44)
ANSWER(nvmlDeviceGetPowerUsage, unsigned int, 123456)
ANSWER(nvmlDeviceGetEnforcedPowerLimit, unsigned int, 350000)
ANSWER(nvmlDeviceGetPowerManagementDefaultLimit, unsigned int, 450000)
ANSWER(nvmlDeviceGetCurrPcieLinkGeneration, unsigned int, 1)
ANSWER(nvmlDeviceGetCurrPcieLinkWidth, unsigned int, 4)
ANSWER(nvmlDeviceGetMaxPcieLinkGeneration, unsigned int, 4)
ANSWER(nvmlDeviceGetMaxPcieLinkWidth, unsigned int, 16)

FAKE_EXPORT nvmlReturn_t nvmlDeviceGetMigMode(nvmlDevice_t device, unsigned int *current, unsigned int *pending) {
    BEGIN(nvmlDeviceGetMigMode);
    if (device->card == 1) return NVML_ERROR_NOT_SUPPORTED;
    *current = *pending = 0;
    return NVML_SUCCESS;
}

FAKE_EXPORT nvmlReturn_t nvmlDeviceGetMigDeviceHandleByIndex(nvmlDevice_t device, unsigned int index,
                                                             nvmlDevice_t *instance) {
    BEGIN(nvmlDeviceGetMigDeviceHandleByIndex);
    (void)device, (void)index, (void)instance;
    return NVML_ERROR_NOT_FOUND;
}

FAKE_EXPORT nvmlReturn_t nvmlDeviceGetEccMode(nvmlDevice_t device, nvmlEnableState_t *current,
                                              nvmlEnableState_t *pending) {
    BEGIN(nvmlDeviceGetEccMode);
    if (device->card == 1) return NVML_ERROR_NOT_SUPPORTED;
    *current = *pending = NVML_FEATURE_ENABLED;
    return NVML_SUCCESS;
}

FAKE_EXPORT nvmlReturn_t nvmlDeviceGetTotalEccErrors(nvmlDevice_t device, nvmlMemoryErrorType_t type,
                                                     nvmlEccCounterType_t counter, unsigned long long *count) {
    BEGIN(nvmlDeviceGetTotalEccErrors);
    if (device->card == 1 || counter != NVML_VOLATILE_ECC) return NVML_ERROR_NOT_SUPPORTED;
    *count = type == NVML_MEMORY_ERROR_TYPE_UNCORRECTED ? 2 : 7;
    return NVML_SUCCESS;
}

FAKE_EXPORT nvmlReturn_t nvmlDeviceGetRemappedRows(nvmlDevice_t device, unsigned int *corrected,
                                                   unsigned int *uncorrected, unsigned int *pending,
                                                   unsigned int *failed) {
    BEGIN(nvmlDeviceGetRemappedRows);
    if (device->card == 1) return NVML_ERROR_NOT_SUPPORTED;
    *corrected = 1;
    *uncorrected = 0;
    *pending = 1;
    *failed = 0;
    return NVML_SUCCESS;
}

FAKE_EXPORT nvmlReturn_t nvmlDeviceGetTemperature(nvmlDevice_t device, nvmlTemperatureSensors_t sensor,
                                                  unsigned int *celsius) {
    BEGIN(nvmlDeviceGetTemperature);
    (void)sensor;
    if (device->card == 1) return NVML_ERROR_NOT_SUPPORTED;
    *celsius = 61;
    return NVML_SUCCESS;
}

FAKE_EXPORT nvmlReturn_t nvmlDeviceGetP2PStatus(nvmlDevice_t device, nvmlDevice_t peer, nvmlGpuP2PCapsIndex_t index,
                                                nvmlGpuP2PStatus_t *status) {
    BEGIN(nvmlDeviceGetP2PStatus);
    (void)device, (void)peer;
    *status = index == NVML_P2P_CAPS_INDEX_READ ? NVML_P2P_STATUS_CHIPSET_NOT_SUPPORTED : NVML_P2P_STATUS_OK;
    return NVML_SUCCESS;
}

FAKE_EXPORT nvmlReturn_t nvmlDeviceGetTopologyCommonAncestor(nvmlDevice_t device, nvmlDevice_t peer,
                                                             nvmlGpuTopologyLevel_t *level) {
    BEGIN(nvmlDeviceGetTopologyCommonAncestor);
    (void)device, (void)peer;
    *level = NVML_TOPOLOGY_HOSTBRIDGE;
    return NVML_SUCCESS;
}

FAKE_EXPORT nvmlReturn_t nvmlDeviceGetNvLinkState(nvmlDevice_t device, unsigned int link, nvmlEnableState_t *state) {
    BEGIN(nvmlDeviceGetNvLinkState);
    if (device->card == 1 || link > 1) return NVML_ERROR_INVALID_ARGUMENT;
    *state = link == 0 ? NVML_FEATURE_ENABLED : NVML_FEATURE_DISABLED;
    return NVML_SUCCESS;
}

FAKE_EXPORT nvmlReturn_t nvmlDeviceGetNvLinkVersion(nvmlDevice_t device, unsigned int link, unsigned int *version) {
    BEGIN(nvmlDeviceGetNvLinkVersion);
    (void)device, (void)link;
    *version = 3;
    return NVML_SUCCESS;
}

FAKE_EXPORT nvmlReturn_t nvmlDeviceGetNvLinkRemotePciInfo_v2(nvmlDevice_t device, unsigned int link,
                                                             nvmlPciInfo_t *info) {
    BEGIN(nvmlDeviceGetNvLinkRemotePciInfo_v2);
    (void)link;
    return nvmlDeviceGetPciInfo_v3(device, info);
}
