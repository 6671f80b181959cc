#include "device.h"
#include "simulator.h"

namespace [[gnu::visibility("hidden")]] cudasim {

size_t Device::free_bytes() const {
    size_t used = allocated + card->used_by_others() + (retained ? card->context_bytes : 0);
    size_t total = card->visible_bytes();
    return used > total ? 0 : total - used;
}

void Device::check() const {
    if (error != CUDA_SUCCESS) fail(error, "device %d failed earlier: %s", ordinal, error_reason.c_str());
}

void break_device(Device &device, CUresult code, const std::string &why) {
    if (device.error != CUDA_SUCCESS) return;
    device.error = code;
    device.error_reason = why;
    const char *name = result_name(code);
    simulator().trace.add(text("device %d: %s: %s", device.ordinal, name ? name : "?", why.c_str()));
}

int Device::shared_per_block_optin() const {
    const int kib = 1024;
    switch (card->major * 10 + card->minor) {
    case 70: return 96 * kib;
    case 75: return 64 * kib;
    case 80:
    case 87: return 163 * kib;
    case 86:
    case 89: return 99 * kib;
    case 90:
    case 100:
    case 103: return 227 * kib;
    case 120:
    case 121: return 99 * kib;
    default: return 48 * kib;
    }
}

int Device::shared_per_multiprocessor() const {
    int reserved = card->major >= 8 ? 1024 : 0; // a block's own share for the system
    return shared_per_block_optin() + reserved;
}

int Device::threads_per_multiprocessor() const {
    switch (card->major * 10 + card->minor) {
    case 75: return 1024;
    case 86:
    case 87:
    case 89:
    case 120:
    case 121: return 1536;
    default: return 2048;
    }
}

int Device::blocks_per_multiprocessor() const {
    switch (card->major * 10 + card->minor) {
    case 75:
    case 86:
    case 87: return 16;
    case 89:
    case 120:
    case 121: return 24;
    default: return 32;
    }
}

} // namespace cudasim
