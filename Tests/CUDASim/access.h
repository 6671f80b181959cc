// Whether a device may touch memory, asked when it does.
#pragma once
#include "device.h"

namespace [[gnu::visibility("hidden")]] cudasim {

// Throws CUDA_ERROR_ILLEGAL_ADDRESS unless all bytes lie in one live allocation of this device, or of one whose memory
// its context may touch.
void check_access(const Device &device, uint64_t address, size_t bytes, const char *role);

// The same for memory of whatever device: what a copy engine reaches without peer access.
void check_alive(uint64_t address, size_t bytes, const char *role);

// Throws when bytes beside the allocation that holds this address were written.
void check_undamaged(uint64_t address);

// Wrong before anything runs: addresses of no device at all. Throws CUDA_ERROR_INVALID_VALUE.
void check_is_device_address(uint64_t address, const char *role);

} // namespace cudasim
