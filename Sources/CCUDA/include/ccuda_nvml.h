/// What the machine knows about its cards: `libnvidia-ml.so.1`.
///
/// Nearly everything is optional: drivers, and cards, differ in what they can say, and a table of facts has gaps. NVML
/// numbers cards in its own way, so cards are found by UUID.
#pragma once
#include "ccuda_library.h"

#ifndef CCUDA_TYPES_FROM_HEADERS

typedef struct nvmlDevice_st *nvmlDevice_t;

typedef enum nvmlReturn_t {
    NVML_SUCCESS = 0,
    NVML_ERROR_UNINITIALIZED = 1,
    NVML_ERROR_INVALID_ARGUMENT = 2,
    NVML_ERROR_NOT_SUPPORTED = 3,
    NVML_ERROR_NO_PERMISSION = 4,
    NVML_ERROR_NOT_FOUND = 6,
    NVML_ERROR_INSUFFICIENT_SIZE = 7,
    NVML_ERROR_DRIVER_NOT_LOADED = 9,
    NVML_ERROR_FUNCTION_NOT_FOUND = 13,
    NVML_ERROR_GPU_IS_LOST = 15,
    NVML_ERROR_LIB_RM_VERSION_MISMATCH = 18,
    NVML_ERROR_UNKNOWN = 999,
} nvmlReturn_t;

typedef enum nvmlEnableState_t { NVML_FEATURE_DISABLED = 0, NVML_FEATURE_ENABLED = 1 } nvmlEnableState_t;

typedef enum nvmlComputeMode_t {
    NVML_COMPUTEMODE_DEFAULT = 0,
    NVML_COMPUTEMODE_EXCLUSIVE_THREAD = 1,
    NVML_COMPUTEMODE_PROHIBITED = 2,
    NVML_COMPUTEMODE_EXCLUSIVE_PROCESS = 3,
} nvmlComputeMode_t;

typedef enum nvmlTemperatureSensors_t { NVML_TEMPERATURE_GPU = 0 } nvmlTemperatureSensors_t;

typedef enum nvmlMemoryErrorType_t {
    NVML_MEMORY_ERROR_TYPE_CORRECTED = 0,
    NVML_MEMORY_ERROR_TYPE_UNCORRECTED = 1,
} nvmlMemoryErrorType_t;

typedef enum nvmlEccCounterType_t { NVML_VOLATILE_ECC = 0, NVML_AGGREGATE_ECC = 1 } nvmlEccCounterType_t;

typedef enum nvmlGpuP2PCapsIndex_t {
    NVML_P2P_CAPS_INDEX_READ = 0,
    NVML_P2P_CAPS_INDEX_WRITE = 1,
    NVML_P2P_CAPS_INDEX_NVLINK = 2,
    NVML_P2P_CAPS_INDEX_ATOMICS = 3,
} nvmlGpuP2PCapsIndex_t;

typedef enum nvmlGpuP2PStatus_t {
    NVML_P2P_STATUS_OK = 0,
    NVML_P2P_STATUS_CHIPSET_NOT_SUPPORTED = 1,
    NVML_P2P_STATUS_GPU_NOT_SUPPORTED = 2,
    NVML_P2P_STATUS_IOH_TOPOLOGY_NOT_SUPPORTED = 3,
    NVML_P2P_STATUS_DISABLED_BY_REGKEY = 4,
    NVML_P2P_STATUS_NOT_SUPPORTED = 5,
    NVML_P2P_STATUS_UNKNOWN = 6,
} nvmlGpuP2PStatus_t;

typedef enum nvmlGpuTopologyLevel_t {
    NVML_TOPOLOGY_INTERNAL = 0,
    NVML_TOPOLOGY_SINGLE = 10,
    NVML_TOPOLOGY_MULTIPLE = 20,
    NVML_TOPOLOGY_HOSTBRIDGE = 30,
    NVML_TOPOLOGY_NODE = 40,
    NVML_TOPOLOGY_SYSTEM = 50,
} nvmlGpuTopologyLevel_t;

typedef struct nvmlMemory_t {
    unsigned long long total;
    unsigned long long free;
    unsigned long long used;
} nvmlMemory_t;

typedef struct nvmlMemory_v2_t {
    unsigned int version;
    unsigned long long total;
    unsigned long long reserved;
    unsigned long long free;
    unsigned long long used;
} nvmlMemory_v2_t;

typedef struct nvmlBAR1Memory_t {
    unsigned long long bar1Total;
    unsigned long long bar1Free;
    unsigned long long bar1Used;
} nvmlBAR1Memory_t;

typedef struct nvmlProcessInfo_t {
    unsigned int pid;
    unsigned long long usedGpuMemory;
    unsigned int gpuInstanceId;
    unsigned int computeInstanceId;
} nvmlProcessInfo_t;

typedef struct nvmlPciInfo_t {
    char busIdLegacy[16];
    unsigned int domain;
    unsigned int bus;
    unsigned int device;
    unsigned int pciDeviceId;
    unsigned int pciSubSystemId;
    char busId[32];
} nvmlPciInfo_t;

#endif

/// A function that asks a device for one value.
#define CCUDA_NVML_ASK(OPTIONAL, name, symbol, type) OPTIONAL(name, symbol, nvmlReturn_t, (nvmlDevice_t device, type * value))

/// The functions: Swift's name, the exported symbol, what it returns and takes.
#define CCUDA_NVML_FUNCTIONS(REQUIRED, OPTIONAL)                                                                       \
    REQUIRED(initialize, nvmlInit_v2, nvmlReturn_t, (void))                                                            \
    REQUIRED(shutdown, nvmlShutdown, nvmlReturn_t, (void))                                                             \
    REQUIRED(errorString, nvmlErrorString, const char *, (nvmlReturn_t result))                                        \
    REQUIRED(systemGetDriverVersion, nvmlSystemGetDriverVersion, nvmlReturn_t, (char *text, unsigned int length))      \
    REQUIRED(deviceGetCount, nvmlDeviceGetCount_v2, nvmlReturn_t, (unsigned int *count))                               \
    REQUIRED(deviceGetHandleByIndex, nvmlDeviceGetHandleByIndex_v2, nvmlReturn_t,                                      \
             (unsigned int index, nvmlDevice_t *device))                                                               \
    REQUIRED(deviceGetUUID, nvmlDeviceGetUUID, nvmlReturn_t, (nvmlDevice_t device, char *text, unsigned int length))   \
    REQUIRED(deviceGetName, nvmlDeviceGetName, nvmlReturn_t, (nvmlDevice_t device, char *text, unsigned int length))   \
    REQUIRED(deviceGetMemoryInfo, nvmlDeviceGetMemoryInfo, nvmlReturn_t, (nvmlDevice_t device, nvmlMemory_t *memory))  \
    OPTIONAL(systemGetNVMLVersion, nvmlSystemGetNVMLVersion, nvmlReturn_t, (char *text, unsigned int length))          \
    OPTIONAL(systemGetCudaDriverVersion, nvmlSystemGetCudaDriverVersion_v2, nvmlReturn_t, (int *version))              \
    OPTIONAL(deviceGetPciInfo, nvmlDeviceGetPciInfo_v3, nvmlReturn_t, (nvmlDevice_t device, nvmlPciInfo_t *info))      \
    OPTIONAL(deviceGetMemoryInfo2, nvmlDeviceGetMemoryInfo_v2, nvmlReturn_t,                                           \
             (nvmlDevice_t device, nvmlMemory_v2_t *memory))                                                           \
    OPTIONAL(deviceGetBAR1MemoryInfo, nvmlDeviceGetBAR1MemoryInfo, nvmlReturn_t,                                       \
             (nvmlDevice_t device, nvmlBAR1Memory_t *memory))                                                          \
    OPTIONAL(deviceGetCudaComputeCapability, nvmlDeviceGetCudaComputeCapability, nvmlReturn_t,                         \
             (nvmlDevice_t device, int *major, int *minor))                                                            \
    OPTIONAL(deviceGetComputeRunningProcesses, nvmlDeviceGetComputeRunningProcesses_v3, nvmlReturn_t,                  \
             (nvmlDevice_t device, unsigned int *count, nvmlProcessInfo_t *processes))                                 \
    OPTIONAL(deviceGetGraphicsRunningProcesses, nvmlDeviceGetGraphicsRunningProcesses_v3, nvmlReturn_t,                \
             (nvmlDevice_t device, unsigned int *count, nvmlProcessInfo_t *processes))                                 \
    CCUDA_NVML_ASK(OPTIONAL, deviceGetComputeMode, nvmlDeviceGetComputeMode, nvmlComputeMode_t)                        \
    CCUDA_NVML_ASK(OPTIONAL, deviceGetPersistenceMode, nvmlDeviceGetPersistenceMode, nvmlEnableState_t)                \
    CCUDA_NVML_ASK(OPTIONAL, deviceGetDisplayActive, nvmlDeviceGetDisplayActive, nvmlEnableState_t)                    \
    CCUDA_NVML_ASK(OPTIONAL, deviceGetDisplayMode, nvmlDeviceGetDisplayMode, nvmlEnableState_t)                        \
    CCUDA_NVML_ASK(OPTIONAL, deviceGetMinorNumber, nvmlDeviceGetMinorNumber, unsigned int)                             \
    CCUDA_NVML_ASK(OPTIONAL, deviceGetNumaNodeId, nvmlDeviceGetNumaNodeId, unsigned int)                               \
    /* Instances */                                                                                                    \
    OPTIONAL(deviceGetMigMode, nvmlDeviceGetMigMode, nvmlReturn_t,                                                     \
             (nvmlDevice_t device, unsigned int *current, unsigned int *pending))                                      \
    CCUDA_NVML_ASK(OPTIONAL, deviceGetMaxMigDeviceCount, nvmlDeviceGetMaxMigDeviceCount, unsigned int)                 \
    OPTIONAL(deviceGetMigDeviceHandleByIndex, nvmlDeviceGetMigDeviceHandleByIndex, nvmlReturn_t,                       \
             (nvmlDevice_t device, unsigned int index, nvmlDevice_t *instance))                                        \
    CCUDA_NVML_ASK(OPTIONAL, deviceGetGpuInstanceId, nvmlDeviceGetGpuInstanceId, unsigned int)                         \
    CCUDA_NVML_ASK(OPTIONAL, deviceGetComputeInstanceId, nvmlDeviceGetComputeInstanceId, unsigned int)                 \
    /* Health */                                                                                                       \
    OPTIONAL(deviceGetEccMode, nvmlDeviceGetEccMode, nvmlReturn_t,                                                     \
             (nvmlDevice_t device, nvmlEnableState_t *current, nvmlEnableState_t *pending))                            \
    OPTIONAL(deviceGetTotalEccErrors, nvmlDeviceGetTotalEccErrors, nvmlReturn_t,                                       \
             (nvmlDevice_t device, nvmlMemoryErrorType_t type, nvmlEccCounterType_t counter,                           \
              unsigned long long *count))                                                                              \
    OPTIONAL(deviceGetRemappedRows, nvmlDeviceGetRemappedRows, nvmlReturn_t,                                           \
             (nvmlDevice_t device, unsigned int *corrected, unsigned int *uncorrected, unsigned int *isPending,        \
              unsigned int *hasFailed))                                                                                \
    CCUDA_NVML_ASK(OPTIONAL, deviceGetRetiredPagesPending, nvmlDeviceGetRetiredPagesPendingStatus, nvmlEnableState_t)  \
    CCUDA_NVML_ASK(OPTIONAL, deviceGetThrottleReasons, nvmlDeviceGetCurrentClocksThrottleReasons, unsigned long long)  \
    OPTIONAL(deviceGetTemperature, nvmlDeviceGetTemperature, nvmlReturn_t,                                             \
             (nvmlDevice_t device, nvmlTemperatureSensors_t sensor, unsigned int *celsius))                            \
    CCUDA_NVML_ASK(OPTIONAL, deviceGetPowerUsage, nvmlDeviceGetPowerUsage, unsigned int)                               \
    CCUDA_NVML_ASK(OPTIONAL, deviceGetPowerLimit, nvmlDeviceGetEnforcedPowerLimit, unsigned int)                       \
    CCUDA_NVML_ASK(OPTIONAL, deviceGetDefaultPowerLimit, nvmlDeviceGetPowerManagementDefaultLimit, unsigned int)       \
    /* Links */                                                                                                        \
    CCUDA_NVML_ASK(OPTIONAL, deviceGetCurrPcieLinkGeneration, nvmlDeviceGetCurrPcieLinkGeneration, unsigned int)       \
    CCUDA_NVML_ASK(OPTIONAL, deviceGetCurrPcieLinkWidth, nvmlDeviceGetCurrPcieLinkWidth, unsigned int)                 \
    CCUDA_NVML_ASK(OPTIONAL, deviceGetMaxPcieLinkGeneration, nvmlDeviceGetMaxPcieLinkGeneration, unsigned int)         \
    CCUDA_NVML_ASK(OPTIONAL, deviceGetMaxPcieLinkWidth, nvmlDeviceGetMaxPcieLinkWidth, unsigned int)                   \
    OPTIONAL(deviceGetP2PStatus, nvmlDeviceGetP2PStatus, nvmlReturn_t,                                                 \
             (nvmlDevice_t device, nvmlDevice_t peer, nvmlGpuP2PCapsIndex_t index, nvmlGpuP2PStatus_t *status))        \
    OPTIONAL(deviceGetTopologyCommonAncestor, nvmlDeviceGetTopologyCommonAncestor, nvmlReturn_t,                       \
             (nvmlDevice_t device, nvmlDevice_t peer, nvmlGpuTopologyLevel_t *level))                                  \
    OPTIONAL(deviceGetNvLinkState, nvmlDeviceGetNvLinkState, nvmlReturn_t,                                             \
             (nvmlDevice_t device, unsigned int link, nvmlEnableState_t *state))                                       \
    OPTIONAL(deviceGetNvLinkVersion, nvmlDeviceGetNvLinkVersion, nvmlReturn_t,                                         \
             (nvmlDevice_t device, unsigned int link, unsigned int *version))                                          \
    OPTIONAL(deviceGetNvLinkRemotePciInfo, nvmlDeviceGetNvLinkRemotePciInfo_v2, nvmlReturn_t,                          \
             (nvmlDevice_t device, unsigned int link, nvmlPciInfo_t *info))

#ifdef __cplusplus
extern "C" {
#endif

/// The library's functions.
typedef struct ccuda_nvml {
    CCUDA_NVML_FUNCTIONS(CCUDA_REQUIRED_FIELD, CCUDA_OPTIONAL_FIELD)
} ccuda_nvml;

/// The table of an opened library; null, and in `missing` the symbol that it lacks (null when memory ran out).
ccuda_nvml *_Nullable ccuda_nvml_load(void *_Nonnull library, const char *_Nullable *_Nonnull missing);

#ifdef __cplusplus
}
#endif
