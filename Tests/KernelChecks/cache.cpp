#include "cache.h"
#include <cstring>

namespace checks {

namespace {

std::vector<unsigned char> random_heads(random_source &random, const paged_cache &c) {
    size_t heads = c.page_count * c.page_size * c.groups;
    if (c.type != TYPE_I8) return random_array(random, c.type, heads * c.dimension).bytes;
    std::vector<unsigned char> bytes(heads * c.head_bytes());
    for (size_t h = 0; h < heads; ++h) {
        unsigned char *head = &bytes[h * c.head_bytes()];
        for (size_t d = 0; d < c.dimension; ++d) head[d] = (unsigned char)(int)random.uniform(-127, 128);
        auto scale = (float)random.uniform(0.5 / 127, 1.0 / 127);
        std::memcpy(head + c.dimension, &scale, 4);
    }
    return bytes;
}

} // namespace

paged_cache random_cache(
    random_source &random, int type, size_t page_count, size_t page_size, size_t groups, size_t dimension
) {
    paged_cache cache = {type, page_count, page_size, groups, dimension, {}, {}};
    cache.keys = random_heads(random, cache);
    cache.values = random_heads(random, cache);
    return cache;
}

std::vector<double> head_at(
    const paged_cache &cache, const std::vector<unsigned char> &stored, size_t slot, size_t group
) {
    const unsigned char *head = &stored[cache.head_offset(slot, group)];
    std::vector<double> numbers =
        decode(cache.type, {head, head + cache.dimension * element_bytes(cache.type)});
    if (cache.type != TYPE_I8) return numbers;
    float scale;
    std::memcpy(&scale, head + cache.dimension, 4);
    for (double &x : numbers) x *= scale;
    return numbers;
}

} // namespace checks
