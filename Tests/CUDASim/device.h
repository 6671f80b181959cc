// One simulated device and its primary context.
#pragma once
#include "failure.h"
#include "machine.h"
#include <map>
#include <memory>
#include <set>

namespace [[gnu::visibility("hidden")]] cudasim {

struct Stream;

struct Device {
    int ordinal = 0;   // as the driver counts, after CUDA_VISIBLE_DEVICES
    size_t physical = 0; // in the machine's file
    const Card *card = nullptr;

    // The primary context: alive while it is retained.
    unsigned retained = 0;
    unsigned context_flags = 0;
    std::set<int> peers; // ordinals whose memory this context may touch
    std::shared_ptr<Stream> null_stream;

    size_t allocated = 0;       // bytes of live allocations, as charged
    CUresult error = CUDA_SUCCESS; // sticky: every later call of this context returns it
    std::string error_reason;
    bool lost = false;

    CUcontext context() const { return (CUcontext)(uintptr_t)(0x6000 + 16 * ordinal); }
    size_t free_bytes() const;
    void check() const; // throws the sticky error

    // Limits by compute capability.
    int shared_per_block_optin() const;
    int shared_per_multiprocessor() const;
    int threads_per_multiprocessor() const;
    int blocks_per_multiprocessor() const;
    bool at_least(int major, int minor) const { return card->major > major || (card->major == major && card->minor >= minor); }
};

// Makes an error stick; the first one stays.
void break_device(Device &device, CUresult code, const std::string &why);

} // namespace cudasim
