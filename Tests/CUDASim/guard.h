// Runs code that may touch memory it must not, and survives it.
#pragma once
#include <cstdint>
#include <functional>

namespace [[gnu::visibility("hidden")]] cudasim {

// Calls `body`; true when it returned. Otherwise it touched memory that may not be touched: `address` says which. Frames
// between the access and this call are abandoned, so `body` holds nothing that has to be given back.
bool run_guarded(const std::function<void()> &body, uintptr_t *address);

} // namespace cudasim
