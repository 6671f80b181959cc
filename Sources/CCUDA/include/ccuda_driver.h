/// The driver API: `libcuda.so.1`, from CUDA 12.0 (driver 525) on.
///
/// Names that carry a version (`cuMemAlloc_v2`) are those that the library exports; its header hides them behind macros.
/// Functions that changed their parameters between versions 12 and 13 are not in the list: contexts are the primary
/// ones, so `cuCtxCreate` is not needed.
#pragma once
#include "ccuda_library.h"

#ifndef CCUDA_TYPES_FROM_HEADERS

typedef int CUdevice;
typedef unsigned long long CUdeviceptr;
typedef struct CUctx_st *CUcontext;
typedef struct CUmod_st *CUmodule;
typedef struct CUfunc_st *CUfunction;
typedef struct CUlib_st *CUlibrary;
typedef struct CUkern_st *CUkernel;
typedef struct CUstream_st *CUstream;
typedef struct CUevent_st *CUevent;
typedef struct CUgraph_st *CUgraph;
typedef struct CUgraphExec_st *CUgraphExec;
typedef struct CUgraphNode_st *CUgraphNode;

/// What a call returns; the library itself names the ones that are not listed.
typedef enum CUresult {
    CUDA_SUCCESS = 0,
    CUDA_ERROR_INVALID_VALUE = 1,
    CUDA_ERROR_OUT_OF_MEMORY = 2,
    CUDA_ERROR_NOT_INITIALIZED = 3,
    CUDA_ERROR_DEINITIALIZED = 4,
    CUDA_ERROR_STUB_LIBRARY = 34,
    CUDA_ERROR_DEVICE_UNAVAILABLE = 46,
    CUDA_ERROR_NO_DEVICE = 100,
    CUDA_ERROR_INVALID_DEVICE = 101,
    CUDA_ERROR_INVALID_IMAGE = 200,
    CUDA_ERROR_INVALID_CONTEXT = 201,
    CUDA_ERROR_NO_BINARY_FOR_GPU = 209,
    CUDA_ERROR_ECC_UNCORRECTABLE = 214,
    CUDA_ERROR_PEER_ACCESS_UNSUPPORTED = 217,
    CUDA_ERROR_INVALID_PTX = 218,
    CUDA_ERROR_NVLINK_UNCORRECTABLE = 220,
    CUDA_ERROR_UNSUPPORTED_PTX_VERSION = 222,
    CUDA_ERROR_INVALID_HANDLE = 400,
    CUDA_ERROR_ILLEGAL_STATE = 401,
    CUDA_ERROR_NOT_FOUND = 500,
    CUDA_ERROR_NOT_READY = 600,
    CUDA_ERROR_ILLEGAL_ADDRESS = 700,
    CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES = 701,
    CUDA_ERROR_LAUNCH_TIMEOUT = 702,
    CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED = 704,
    CUDA_ERROR_PEER_ACCESS_NOT_ENABLED = 705,
    CUDA_ERROR_CONTEXT_IS_DESTROYED = 709,
    CUDA_ERROR_ASSERT = 710,
    CUDA_ERROR_TOO_MANY_PEERS = 711,
    CUDA_ERROR_HARDWARE_STACK_ERROR = 714,
    CUDA_ERROR_ILLEGAL_INSTRUCTION = 715,
    CUDA_ERROR_MISALIGNED_ADDRESS = 716,
    CUDA_ERROR_INVALID_ADDRESS_SPACE = 717,
    CUDA_ERROR_INVALID_PC = 718,
    CUDA_ERROR_LAUNCH_FAILED = 719,
    CUDA_ERROR_NOT_PERMITTED = 800,
    CUDA_ERROR_NOT_SUPPORTED = 801,
    CUDA_ERROR_SYSTEM_NOT_READY = 802,
    CUDA_ERROR_SYSTEM_DRIVER_MISMATCH = 803,
    CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE = 804,
    CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED = 900,
    CUDA_ERROR_STREAM_CAPTURE_INVALIDATED = 901,
    CUDA_ERROR_STREAM_CAPTURE_UNJOINED = 904,
    CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE = 910,
    CUDA_ERROR_UNKNOWN = 999,
} CUresult;

typedef struct CUuuid {
    char bytes[16];
} CUuuid;

typedef enum CUdevice_attribute {
    CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK = 1,
    CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X = 2,
    CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y = 3,
    CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z = 4,
    CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X = 5,
    CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y = 6,
    CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z = 7,
    CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK = 8,
    CU_DEVICE_ATTRIBUTE_WARP_SIZE = 10,
    CU_DEVICE_ATTRIBUTE_CLOCK_RATE = 13,
    CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT = 16,
    CU_DEVICE_ATTRIBUTE_KERNEL_EXEC_TIMEOUT = 17,
    CU_DEVICE_ATTRIBUTE_INTEGRATED = 18,
    CU_DEVICE_ATTRIBUTE_COMPUTE_MODE = 20,
    CU_DEVICE_ATTRIBUTE_ECC_ENABLED = 32,
    CU_DEVICE_ATTRIBUTE_PCI_BUS_ID = 33,
    CU_DEVICE_ATTRIBUTE_PCI_DEVICE_ID = 34,
    CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE = 36,
    CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH = 37,
    CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE = 38,
    CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR = 39,
    CU_DEVICE_ATTRIBUTE_ASYNC_ENGINE_COUNT = 40,
    CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING = 41,
    CU_DEVICE_ATTRIBUTE_PCI_DOMAIN_ID = 50,
    CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR = 75,
    CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR = 76,
    CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR = 81,
    CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR = 82,
    CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN = 97,
} CUdevice_attribute;

typedef enum CUdevice_P2PAttribute {
    CU_DEVICE_P2P_ATTRIBUTE_PERFORMANCE_RANK = 1,
    CU_DEVICE_P2P_ATTRIBUTE_ACCESS_SUPPORTED = 2,
    CU_DEVICE_P2P_ATTRIBUTE_NATIVE_ATOMIC_SUPPORTED = 3,
} CUdevice_P2PAttribute;

typedef enum CUfunction_attribute {
    CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK = 0,
    CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES = 1,
    CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES = 3,
    CU_FUNC_ATTRIBUTE_NUM_REGS = 4,
    CU_FUNC_ATTRIBUTE_BINARY_VERSION = 6,
    CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES = 8,
} CUfunction_attribute;

typedef enum CUjit_option {
    CU_JIT_INFO_LOG_BUFFER = 3,
    CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES = 4,
    CU_JIT_ERROR_LOG_BUFFER = 5,
    CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES = 6,
} CUjit_option;

typedef enum CUlibraryOption {
    CU_LIBRARY_HOST_UNIVERSAL_FUNCTION_AND_DATA_TABLE = 0,
    CU_LIBRARY_BINARY_IS_PRESERVED = 1,
} CUlibraryOption;

enum { CU_STREAM_NON_BLOCKING = 1 };
enum { CU_EVENT_DEFAULT = 0, CU_EVENT_DISABLE_TIMING = 2 };
enum { CU_MEMHOSTALLOC_PORTABLE = 1, CU_MEMHOSTALLOC_WRITECOMBINED = 4 };
enum { CU_MEMHOSTREGISTER_PORTABLE = 1, CU_MEMHOSTREGISTER_READ_ONLY = 8 };
enum { CU_CTX_SCHED_SPIN = 1, CU_CTX_SCHED_YIELD = 2, CU_CTX_SCHED_BLOCKING_SYNC = 4 };

typedef enum CUstreamCaptureMode {
    CU_STREAM_CAPTURE_MODE_GLOBAL = 0,
    CU_STREAM_CAPTURE_MODE_THREAD_LOCAL = 1,
    CU_STREAM_CAPTURE_MODE_RELAXED = 2,
} CUstreamCaptureMode;

typedef enum CUstreamCaptureStatus {
    CU_STREAM_CAPTURE_STATUS_NONE = 0,
    CU_STREAM_CAPTURE_STATUS_ACTIVE = 1,
    CU_STREAM_CAPTURE_STATUS_INVALIDATED = 2,
} CUstreamCaptureStatus;

typedef enum CUgraphExecUpdateResult {
    CU_GRAPH_EXEC_UPDATE_SUCCESS = 0,
    CU_GRAPH_EXEC_UPDATE_ERROR = 1,
    CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED = 2,
    CU_GRAPH_EXEC_UPDATE_ERROR_NODE_TYPE_CHANGED = 3,
    CU_GRAPH_EXEC_UPDATE_ERROR_FUNCTION_CHANGED = 4,
    CU_GRAPH_EXEC_UPDATE_ERROR_PARAMETERS_CHANGED = 5,
    CU_GRAPH_EXEC_UPDATE_ERROR_NOT_SUPPORTED = 6,
} CUgraphExecUpdateResult;

typedef struct CUgraphExecUpdateResultInfo {
    CUgraphExecUpdateResult result;
    CUgraphNode errorNode;
    CUgraphNode errorFromNode;
} CUgraphExecUpdateResultInfo;

typedef enum CUlaunchAttributeID {
    CU_LAUNCH_ATTRIBUTE_COOPERATIVE = 2,
    CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION = 4,
    CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION = 6,
} CUlaunchAttributeID;

typedef union CUlaunchAttributeValue {
    char pad[64];
    int cooperative;
    struct {
        unsigned int x, y, z;
    } clusterDim;
    int programmaticStreamSerializationAllowed;
    struct {
        CUevent event;
        int flags;
        int triggerAtBlockStart;
    } programmaticEvent;
} CUlaunchAttributeValue;

typedef struct CUlaunchAttribute {
    CUlaunchAttributeID id;
    char pad[4];
    CUlaunchAttributeValue value;
} CUlaunchAttribute;

typedef struct CUlaunchConfig {
    unsigned int gridDimX;
    unsigned int gridDimY;
    unsigned int gridDimZ;
    unsigned int blockDimX;
    unsigned int blockDimY;
    unsigned int blockDimZ;
    unsigned int sharedMemBytes;
    CUstream hStream;
    CUlaunchAttribute *attrs;
    unsigned int numAttrs;
} CUlaunchConfig;

typedef void (*CUhostFn)(void *context);

#endif

/// The functions: Swift's name, the exported symbol, what it returns and takes.
#define CCUDA_DRIVER_FUNCTIONS(REQUIRED, OPTIONAL)                                                                     \
    REQUIRED(initialize, cuInit, CUresult, (unsigned int flags))                                                       \
    REQUIRED(driverGetVersion, cuDriverGetVersion, CUresult, (int *version))                                           \
    REQUIRED(getErrorName, cuGetErrorName, CUresult, (CUresult error, const char **name))                              \
    REQUIRED(getErrorString, cuGetErrorString, CUresult, (CUresult error, const char **text))                          \
    /* Devices */                                                                                                      \
    REQUIRED(deviceGetCount, cuDeviceGetCount, CUresult, (int *count))                                                 \
    REQUIRED(deviceGet, cuDeviceGet, CUresult, (CUdevice * device, int ordinal))                                       \
    REQUIRED(deviceGetName, cuDeviceGetName, CUresult, (char *name, int length, CUdevice device))                      \
    REQUIRED(deviceGetUuid, cuDeviceGetUuid_v2, CUresult, (CUuuid * uuid, CUdevice device))                            \
    REQUIRED(deviceGetPCIBusID, cuDeviceGetPCIBusId, CUresult, (char *text, int length, CUdevice device))              \
    REQUIRED(deviceTotalMem, cuDeviceTotalMem_v2, CUresult, (size_t *bytes, CUdevice device))                          \
    REQUIRED(deviceGetAttribute, cuDeviceGetAttribute, CUresult,                                                       \
             (int *value, CUdevice_attribute attribute, CUdevice device))                                              \
    REQUIRED(deviceCanAccessPeer, cuDeviceCanAccessPeer, CUresult, (int *can, CUdevice device, CUdevice peer))         \
    REQUIRED(deviceGetP2PAttribute, cuDeviceGetP2PAttribute, CUresult,                                                 \
             (int *value, CUdevice_P2PAttribute attribute, CUdevice source, CUdevice destination))                     \
    /* Contexts */                                                                                                     \
    REQUIRED(devicePrimaryCtxRetain, cuDevicePrimaryCtxRetain, CUresult, (CUcontext * context, CUdevice device))       \
    REQUIRED(devicePrimaryCtxRelease, cuDevicePrimaryCtxRelease_v2, CUresult, (CUdevice device))                       \
    REQUIRED(ctxSetCurrent, cuCtxSetCurrent, CUresult, (CUcontext context))                                            \
    REQUIRED(ctxSynchronize, cuCtxSynchronize, CUresult, (void))                                                       \
    REQUIRED(ctxEnablePeerAccess, cuCtxEnablePeerAccess, CUresult, (CUcontext peer, unsigned int flags))               \
    REQUIRED(ctxDisablePeerAccess, cuCtxDisablePeerAccess, CUresult, (CUcontext peer))                                 \
    REQUIRED(ctxGetStreamPriorityRange, cuCtxGetStreamPriorityRange, CUresult, (int *least, int *greatest))            \
    /* Memory */                                                                                                       \
    REQUIRED(memGetInfo, cuMemGetInfo_v2, CUresult, (size_t *free, size_t *total))                                     \
    REQUIRED(memAlloc, cuMemAlloc_v2, CUresult, (CUdeviceptr * address, size_t bytes))                                 \
    REQUIRED(memFree, cuMemFree_v2, CUresult, (CUdeviceptr address))                                                   \
    REQUIRED(memHostAlloc, cuMemHostAlloc, CUresult, (void **address, size_t bytes, unsigned int flags))               \
    REQUIRED(memFreeHost, cuMemFreeHost, CUresult, (void *address))                                                    \
    REQUIRED(memHostRegister, cuMemHostRegister_v2, CUresult, (void *address, size_t bytes, unsigned int flags))       \
    REQUIRED(memHostUnregister, cuMemHostUnregister, CUresult, (void *address))                                        \
    REQUIRED(memcpyHtoDAsync, cuMemcpyHtoDAsync_v2, CUresult,                                                          \
             (CUdeviceptr to, const void *from, size_t bytes, CUstream stream))                                        \
    REQUIRED(memcpyDtoHAsync, cuMemcpyDtoHAsync_v2, CUresult,                                                          \
             (void *to, CUdeviceptr from, size_t bytes, CUstream stream))                                              \
    REQUIRED(memcpyDtoDAsync, cuMemcpyDtoDAsync_v2, CUresult,                                                          \
             (CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream))                                        \
    REQUIRED(memcpyPeerAsync, cuMemcpyPeerAsync, CUresult,                                                             \
             (CUdeviceptr to, CUcontext toContext, CUdeviceptr from, CUcontext fromContext, size_t bytes,              \
              CUstream stream))                                                                                        \
    REQUIRED(memsetD8Async, cuMemsetD8Async, CUresult,                                                                 \
             (CUdeviceptr address, unsigned char value, size_t count, CUstream stream))                                \
    REQUIRED(memsetD32Async, cuMemsetD32Async, CUresult,                                                               \
             (CUdeviceptr address, unsigned int value, size_t count, CUstream stream))                                 \
    /* Streams and events */                                                                                           \
    REQUIRED(streamCreateWithPriority, cuStreamCreateWithPriority, CUresult,                                           \
             (CUstream * stream, unsigned int flags, int priority))                                                    \
    REQUIRED(streamDestroy, cuStreamDestroy_v2, CUresult, (CUstream stream))                                           \
    REQUIRED(streamSynchronize, cuStreamSynchronize, CUresult, (CUstream stream))                                      \
    REQUIRED(streamQuery, cuStreamQuery, CUresult, (CUstream stream))                                                  \
    REQUIRED(streamWaitEvent, cuStreamWaitEvent, CUresult, (CUstream stream, CUevent event, unsigned int flags))       \
    REQUIRED(launchHostFunc, cuLaunchHostFunc, CUresult, (CUstream stream, CUhostFn function, void *context))          \
    REQUIRED(eventCreate, cuEventCreate, CUresult, (CUevent * event, unsigned int flags))                              \
    REQUIRED(eventDestroy, cuEventDestroy_v2, CUresult, (CUevent event))                                               \
    REQUIRED(eventRecord, cuEventRecord, CUresult, (CUevent event, CUstream stream))                                   \
    REQUIRED(eventQuery, cuEventQuery, CUresult, (CUevent event))                                                      \
    REQUIRED(eventSynchronize, cuEventSynchronize, CUresult, (CUevent event))                                          \
    REQUIRED(eventElapsedTime, cuEventElapsedTime, CUresult, (float *milliseconds, CUevent start, CUevent end))        \
    /* Kernels */                                                                                                      \
    REQUIRED(libraryLoadData, cuLibraryLoadData, CUresult,                                                             \
             (CUlibrary * library, const void *code, CUjit_option *jitOptions, void **jitValues,                       \
              unsigned int jitCount, CUlibraryOption *options, void **values, unsigned int count))                     \
    REQUIRED(libraryUnload, cuLibraryUnload, CUresult, (CUlibrary library))                                            \
    REQUIRED(libraryGetKernel, cuLibraryGetKernel, CUresult, (CUkernel * kernel, CUlibrary library, const char *name)) \
    REQUIRED(kernelGetFunction, cuKernelGetFunction, CUresult, (CUfunction * function, CUkernel kernel))               \
    REQUIRED(moduleLoadData, cuModuleLoadData, CUresult, (CUmodule * module, const void *image))                       \
    REQUIRED(moduleUnload, cuModuleUnload, CUresult, (CUmodule module))                                                \
    REQUIRED(moduleGetFunction, cuModuleGetFunction, CUresult,                                                         \
             (CUfunction * function, CUmodule module, const char *name))                                               \
    REQUIRED(funcGetAttribute, cuFuncGetAttribute, CUresult,                                                           \
             (int *value, CUfunction_attribute attribute, CUfunction function))                                        \
    REQUIRED(funcSetAttribute, cuFuncSetAttribute, CUresult,                                                           \
             (CUfunction function, CUfunction_attribute attribute, int value))                                         \
    REQUIRED(occupancyMaxActiveBlocks, cuOccupancyMaxActiveBlocksPerMultiprocessor, CUresult,                          \
             (int *blocks, CUfunction function, int blockSize, size_t sharedBytes))                                    \
    REQUIRED(launchKernelEx, cuLaunchKernelEx, CUresult,                                                               \
             (const CUlaunchConfig *config, CUfunction function, void **parameters, void **extra))                     \
    /* Graphs */                                                                                                       \
    REQUIRED(streamBeginCapture, cuStreamBeginCapture_v2, CUresult, (CUstream stream, CUstreamCaptureMode mode))       \
    REQUIRED(streamEndCapture, cuStreamEndCapture, CUresult, (CUstream stream, CUgraph *graph))                        \
    REQUIRED(streamIsCapturing, cuStreamIsCapturing, CUresult, (CUstream stream, CUstreamCaptureStatus *status))       \
    REQUIRED(graphInstantiate, cuGraphInstantiateWithFlags, CUresult,                                                  \
             (CUgraphExec * executable, CUgraph graph, unsigned long long flags))                                      \
    REQUIRED(graphExecUpdate, cuGraphExecUpdate_v2, CUresult,                                                          \
             (CUgraphExec executable, CUgraph graph, CUgraphExecUpdateResultInfo *result))                             \
    REQUIRED(graphUpload, cuGraphUpload, CUresult, (CUgraphExec executable, CUstream stream))                          \
    REQUIRED(graphLaunch, cuGraphLaunch, CUresult, (CUgraphExec executable, CUstream stream))                          \
    REQUIRED(graphGetNodes, cuGraphGetNodes, CUresult, (CUgraph graph, CUgraphNode *nodes, size_t *count))             \
    REQUIRED(graphExecDestroy, cuGraphExecDestroy, CUresult, (CUgraphExec executable))                                 \
    REQUIRED(graphDestroy, cuGraphDestroy, CUresult, (CUgraph graph))                                                  \
    /* Newer than 12.0 */                                                                                              \
    OPTIONAL(kernelGetName, cuKernelGetName, CUresult, (const char **name, CUkernel kernel))                           \
    OPTIONAL(libraryGetKernelCount, cuLibraryGetKernelCount, CUresult, (unsigned int *count, CUlibrary library))       \
    OPTIONAL(libraryEnumerateKernels, cuLibraryEnumerateKernels, CUresult,                                             \
             (CUkernel * kernels, unsigned int count, CUlibrary library))                                              \
    OPTIONAL(funcGetParamInfo, cuFuncGetParamInfo, CUresult,                                                           \
             (CUfunction function, size_t index, size_t *offset, size_t *bytes))                                       \
    OPTIONAL(funcLoad, cuFuncLoad, CUresult, (CUfunction function))

#ifdef __cplusplus
extern "C" {
#endif

/// The driver's functions.
typedef struct ccuda_driver {
    CCUDA_DRIVER_FUNCTIONS(CCUDA_REQUIRED_FIELD, CCUDA_OPTIONAL_FIELD)
} ccuda_driver;

/// The table of an opened library; null, and in `missing` the symbol that it lacks (null when memory ran out).
ccuda_driver *_Nullable ccuda_driver_load(void *_Nonnull library, const char *_Nullable *_Nonnull missing);

#ifdef __cplusplus
}
#endif
