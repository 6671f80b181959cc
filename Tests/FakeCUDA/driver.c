// Cards, contexts and memory.
#include "fake.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BEGIN(name)                                                                                                    \
    int code;                                                                                                          \
    if (fake_fails(#name, &code)) return lose((CUresult)code);                                                         \
    if (current && current->lost) return current->lost

static int cards = 2, version = 12040;
static size_t card_bytes = 64 << 20, used_bytes[FAKE_CARDS];
static int ways[FAKE_CARDS][FAKE_CARDS];
static struct CUctx_st contexts[FAKE_CARDS];
static bool is_started;
static _Thread_local CUcontext current;

typedef struct allocation {
    struct allocation *next;
    char *address;
    size_t bytes;
    int card;
} allocation;
static allocation *allocations;

static bool is_sticky(CUresult result) {
    return result == CUDA_ERROR_ILLEGAL_ADDRESS || result == CUDA_ERROR_LAUNCH_FAILED || result == CUDA_ERROR_UNKNOWN ||
           result == CUDA_ERROR_ECC_UNCORRECTABLE;
}

// A sticky error stays with the current context.
static CUresult lose(CUresult result) {
    if (current && is_sticky(result)) current->lost = result;
    return result;
}

CUcontext fake_current(void) { return current; }

FAKE_EXPORT void fake_machine(int count, size_t bytes) {
    cards = count;
    card_bytes = bytes;
}

FAKE_EXPORT void fake_link(int from, int to, int way) { ways[from][to] = way; }

FAKE_EXPORT void fake_driver_version(int number) { version = number; }

FAKE_EXPORT CUresult cuInit(unsigned int flags) {
    BEGIN(cuInit);
    if (flags) return CUDA_ERROR_INVALID_VALUE;
    is_started = true;
    return cards ? CUDA_SUCCESS : CUDA_ERROR_NO_DEVICE;
}

FAKE_EXPORT CUresult cuDriverGetVersion(int *number) {
    BEGIN(cuDriverGetVersion);
    *number = version;
    return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuGetErrorName(CUresult error, const char **name) {
    switch (error) {
    case CUDA_SUCCESS: *name = "CUDA_SUCCESS"; break;
    case CUDA_ERROR_INVALID_VALUE: *name = "CUDA_ERROR_INVALID_VALUE"; break;
    case CUDA_ERROR_OUT_OF_MEMORY: *name = "CUDA_ERROR_OUT_OF_MEMORY"; break;
    case CUDA_ERROR_NOT_FOUND: *name = "CUDA_ERROR_NOT_FOUND"; break;
    case CUDA_ERROR_INVALID_IMAGE: *name = "CUDA_ERROR_INVALID_IMAGE"; break;
    case CUDA_ERROR_ILLEGAL_ADDRESS: *name = "CUDA_ERROR_ILLEGAL_ADDRESS"; break;
    case CUDA_ERROR_LAUNCH_FAILED: *name = "CUDA_ERROR_LAUNCH_FAILED"; break;
    case CUDA_ERROR_DEVICE_UNAVAILABLE: *name = "CUDA_ERROR_DEVICE_UNAVAILABLE"; break;
    default: *name = NULL; return CUDA_ERROR_INVALID_VALUE;
    }
    return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuGetErrorString(CUresult error, const char **text) {
    *text = error == CUDA_ERROR_ILLEGAL_ADDRESS ? "an illegal memory access was encountered" : "a planted fault";
    return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuDeviceGetCount(int *count) {
    BEGIN(cuDeviceGetCount);
    *count = cards;
    return is_started ? CUDA_SUCCESS : CUDA_ERROR_NOT_INITIALIZED;
}

FAKE_EXPORT CUresult cuDeviceGet(CUdevice *device, int ordinal) {
    BEGIN(cuDeviceGet);
    if (ordinal < 0 || ordinal >= cards) return CUDA_ERROR_INVALID_DEVICE;
    *device = ordinal;
    return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuDeviceGetName(char *name, int length, CUdevice device) {
    BEGIN(cuDeviceGetName);
    snprintf(name, (size_t)length, "Stand-in %d", device);
    return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuDeviceGetUuid_v2(CUuuid *uuid, CUdevice device) {
    BEGIN(cuDeviceGetUuid_v2);
    for (int i = 0; i < 16; i++) uuid->bytes[i] = (char)(0x10 * (device + 1) + i);
    return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuDeviceGetPCIBusId(char *text, int length, CUdevice device) {
    BEGIN(cuDeviceGetPCIBusId);
    snprintf(text, (size_t)length, "0000:%02X:00.0", 0x41 + device);
    return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuDeviceTotalMem_v2(size_t *bytes, CUdevice device) {
    BEGIN(cuDeviceTotalMem_v2);
    (void)device;
    *bytes = card_bytes;
    return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuDeviceGetAttribute(int *value, CUdevice_attribute attribute, CUdevice device) {
    BEGIN(cuDeviceGetAttribute);
    switch (attribute) {
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR: *value = device == 3 ? 7 : 8; break;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR: *value = device == 3 ? 5 : 9; break;
    case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT: *value = 4; break;
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK: *value = 49152; break;
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN: *value = 101376; break;
    case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK: *value = 1024; break;
    case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X: *value = 0x7FFFFFFF; break;
    case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y:
    case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z: *value = 65535; break;
    case CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE: *value = 1 << 20; break;
    case CU_DEVICE_ATTRIBUTE_ASYNC_ENGINE_COUNT: *value = 2; break;
    default: *value = 0;
    }
    return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuDeviceCanAccessPeer(int *can, CUdevice device, CUdevice peer) {
    BEGIN(cuDeviceCanAccessPeer);
    *can = ways[device][peer] != FAKE_LINK_NONE;
    return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuDeviceGetP2PAttribute(int *value, CUdevice_P2PAttribute attribute, CUdevice from, CUdevice to) {
    BEGIN(cuDeviceGetP2PAttribute);
    *value = attribute == CU_DEVICE_P2P_ATTRIBUTE_ACCESS_SUPPORTED && ways[from][to] != FAKE_LINK_NONE;
    return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device) {
    BEGIN(cuDevicePrimaryCtxRetain);
    contexts[device].card = device;
    if (contexts[device].references++ == 0) fake_alive_count++;
    *context = &contexts[device];
    return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuDevicePrimaryCtxRelease_v2(CUdevice device) {
    if (contexts[device].references == 0) return CUDA_ERROR_INVALID_CONTEXT;
    if (--contexts[device].references == 0) fake_alive_count--;
    return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuCtxSetCurrent(CUcontext context) {
    current = context;
    return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuCtxGetStreamPriorityRange(int *least, int *greatest) {
    BEGIN(cuCtxGetStreamPriorityRange);
    *least = 0;
    *greatest = -5;
    return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuCtxEnablePeerAccess(CUcontext peer, unsigned int flags) {
    BEGIN(cuCtxEnablePeerAccess);
    if (!current || flags) return CUDA_ERROR_INVALID_VALUE;
    if (ways[current->card][peer->card] == FAKE_LINK_NONE || ways[current->card][peer->card] == FAKE_LINK_REFUSES)
        return CUDA_ERROR_PEER_ACCESS_UNSUPPORTED;
    if (current->reaches[peer->card]) return CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED;
    current->reaches[peer->card] = true;
    return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuCtxDisablePeerAccess(CUcontext peer) {
    BEGIN(cuCtxDisablePeerAccess);
    if (!current || !current->reaches[peer->card]) return CUDA_ERROR_PEER_ACCESS_NOT_ENABLED;
    current->reaches[peer->card] = false;
    return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuMemGetInfo_v2(size_t *free_bytes, size_t *total) {
    BEGIN(cuMemGetInfo_v2);
    if (!current) return CUDA_ERROR_INVALID_CONTEXT;
    *free_bytes = card_bytes - used_bytes[current->card];
    *total = card_bytes;
    return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuMemAlloc_v2(CUdeviceptr *address, size_t bytes) {
    BEGIN(cuMemAlloc_v2);
    if (!current) return CUDA_ERROR_INVALID_CONTEXT;
    if (bytes > card_bytes - used_bytes[current->card]) return CUDA_ERROR_OUT_OF_MEMORY;
    allocation *made = calloc(1, sizeof *made);
    made->address = aligned_alloc(256, (bytes + 255) / 256 * 256);
    memset(made->address, 0xFF, bytes); // a card's memory is not zeroed
    made->bytes = bytes;
    made->card = current->card;
    made->next = allocations;
    allocations = made;
    used_bytes[made->card] += bytes;
    fake_alive_count++;
    *address = (CUdeviceptr)made->address;
    return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuMemFree_v2(CUdeviceptr address) {
    BEGIN(cuMemFree_v2);
    for (allocation **link = &allocations; *link; link = &(*link)->next) {
        if ((CUdeviceptr)(*link)->address != address) continue;
        allocation *gone = *link;
        *link = gone->next;
        used_bytes[gone->card] -= gone->bytes;
        free(gone->address);
        free(gone);
        fake_alive_count--;
        return CUDA_SUCCESS;
    }
    return CUDA_ERROR_INVALID_VALUE;
}

FAKE_EXPORT CUresult cuMemHostAlloc(void **address, size_t bytes, unsigned int flags) {
    BEGIN(cuMemHostAlloc);
    (void)flags;
    *address = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
    fake_alive_count++;
    return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuMemFreeHost(void *address) {
    free(address);
    fake_alive_count--;
    return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuMemHostRegister_v2(void *address, size_t bytes, unsigned int flags) {
    BEGIN(cuMemHostRegister_v2);
    (void)flags;
    if (!address || !bytes) return CUDA_ERROR_INVALID_VALUE;
    fake_alive_count++;
    return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuMemHostUnregister(void *address) {
    (void)address;
    fake_alive_count--;
    return CUDA_SUCCESS;
}

// The allocation that holds a range; NULL when the range is nobody's.
static allocation *owner(CUdeviceptr address, size_t bytes) {
    for (allocation *a = allocations; a; a = a->next) {
        if (address >= (CUdeviceptr)a->address && address + bytes <= (CUdeviceptr)a->address + a->bytes) return a;
    }
    return NULL;
}

static CUresult copy(CUstream stream, CUdeviceptr to, CUdeviceptr from, size_t bytes, bool to_card, bool from_card) {
    if (to_card && !owner(to, bytes)) return lose(CUDA_ERROR_ILLEGAL_ADDRESS);
    if (from_card && !owner(from, bytes)) return lose(CUDA_ERROR_ILLEGAL_ADDRESS);
    fake_operation operation = {.kind = FAKE_COPY, .target = (void *)to, .source = (const void *)from, .count = bytes};
    return fake_submit(stream, &operation);
}

FAKE_EXPORT CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, size_t bytes, CUstream stream) {
    BEGIN(cuMemcpyHtoDAsync_v2);
    return copy(stream, to, (CUdeviceptr)from, bytes, true, false);
}

FAKE_EXPORT CUresult cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, size_t bytes, CUstream stream) {
    BEGIN(cuMemcpyDtoHAsync_v2);
    return copy(stream, (CUdeviceptr)to, from, bytes, false, true);
}

FAKE_EXPORT CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream) {
    BEGIN(cuMemcpyDtoDAsync_v2);
    allocation *a = owner(to, bytes), *b = owner(from, bytes);
    if (!a || !b || a->card != b->card) return lose(CUDA_ERROR_ILLEGAL_ADDRESS);
    return copy(stream, to, from, bytes, true, true);
}

FAKE_EXPORT CUresult cuMemcpyPeerAsync(CUdeviceptr to, CUcontext to_context, CUdeviceptr from, CUcontext from_context,
                                       size_t bytes, CUstream stream) {
    BEGIN(cuMemcpyPeerAsync);
    allocation *a = owner(to, bytes), *b = owner(from, bytes);
    if (!a || !b || a->card != to_context->card || b->card != from_context->card)
        return lose(CUDA_ERROR_ILLEGAL_ADDRESS);
    fake_operation operation = {.kind = FAKE_PEER, .target = (void *)to, .source = (const void *)from, .count = bytes};
    operation.way = ways[from_context->card][to_context->card];
    return fake_submit(stream, &operation);
}

static CUresult fill(CUstream stream, CUdeviceptr address, unsigned value, size_t count, int width) {
    if (!owner(address, count * (size_t)width)) return lose(CUDA_ERROR_ILLEGAL_ADDRESS);
    fake_operation operation = {.kind = FAKE_FILL, .target = (void *)address, .count = count};
    operation.value = value;
    operation.width = width;
    return fake_submit(stream, &operation);
}

FAKE_EXPORT CUresult cuMemsetD8Async(CUdeviceptr address, unsigned char value, size_t count, CUstream stream) {
    BEGIN(cuMemsetD8Async);
    return fill(stream, address, value, count, 1);
}

FAKE_EXPORT CUresult cuMemsetD32Async(CUdeviceptr address, unsigned int value, size_t count, CUstream stream) {
    BEGIN(cuMemsetD32Async);
    return fill(stream, address, value, count, 4);
}
