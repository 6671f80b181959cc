#include "access.h"
#include "simulator.h"

namespace [[gnu::visibility("hidden")]] cudasim {

void check_alive(uint64_t address, size_t bytes, const char *role) {
    const AddressSpace &memory = simulator().memory;
    if (bytes == 0 || memory.containing(address, bytes)) return;
    uint64_t at = address;
    if (const Allocation *allocation = memory.containing(address, 0)) at = allocation->end();
    fail(
        CUDA_ERROR_ILLEGAL_ADDRESS, "%s of %zu bytes at %s reaches %s", role, bytes, memory.describe(address).c_str(),
        memory.describe(at).c_str());
}

void check_access(const Device &device, uint64_t address, size_t bytes, const char *role) {
    if (bytes == 0) return;
    int owner = simulator().memory.owner(address);
    if (owner >= 0 && owner != device.ordinal && !device.peers.count(owner)) {
        fail(
            CUDA_ERROR_ILLEGAL_ADDRESS, "%s is memory of device %d, to which device %d has no peer access (%s)", role, owner,
            device.ordinal, simulator().memory.describe(address).c_str());
    }
    check_alive(address, bytes, role);
}

void check_undamaged(uint64_t address) {
    const AddressSpace &memory = simulator().memory;
    const Allocation *allocation = memory.containing(address, 0);
    if (!allocation) return;
    std::string damage = memory.damage(*allocation);
    if (damage.empty()) return;
    fail(
        CUDA_ERROR_ILLEGAL_ADDRESS, "allocation %u (%zu bytes): %s", allocation->number, allocation->bytes, damage.c_str());
}

void check_is_device_address(uint64_t address, const char *role) {
    if (simulator().memory.owner(address) >= 0) return;
    fail(CUDA_ERROR_INVALID_VALUE, "%s 0x%llx is no device address", role, (unsigned long long)address);
}

} // namespace cudasim
