// Copies and memsets as work of a stream.
#pragma once
#include "stream.h"

namespace [[gnu::visibility("hidden")]] cudasim {

std::shared_ptr<Work> upload(uint64_t to, const void *from, size_t bytes);
std::shared_ptr<Work> download(void *to, uint64_t from, size_t bytes);
std::shared_ptr<Work> device_copy(uint64_t to, uint64_t from, size_t bytes);
// Any device to any other, through host memory where there is no peer access.
std::shared_ptr<Work> peer_copy(uint64_t to, uint64_t from, size_t bytes);
// `count` elements of `width` bytes (1, 2 or 4).
std::shared_ptr<Work> fill(uint64_t address, unsigned value, unsigned width, size_t count);

} // namespace cudasim
