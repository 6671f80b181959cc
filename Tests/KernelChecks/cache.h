// A random key/value cache in pages, as bytes and as numbers.
#pragma once
#include "check.h"

namespace checks {

struct paged_cache {
    int type;       // TYPE_I8: bytes with a scale per head
    size_t page_count, page_size, groups, dimension;
    std::vector<unsigned char> keys, values;

    size_t head_bytes() const { return type == TYPE_I8 ? dimension + 4 : dimension * element_bytes(type); }
    size_t head_offset(size_t slot, size_t group) const { return (slot * groups + group) * head_bytes(); }
};

// Every slot holds numbers in -1 ... 1.
paged_cache random_cache(
    random_source &random, int type, size_t page_count, size_t page_size, size_t groups, size_t dimension);

// The numbers of one head at a slot; `stored` is the bytes of keys or of values.
std::vector<double> head_at(
    const paged_cache &cache, const std::vector<unsigned char> &stored, size_t slot, size_t group);

} // namespace checks
