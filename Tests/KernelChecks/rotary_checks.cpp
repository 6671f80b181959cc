#include "cache.h"
#include <cmath>
#include <cstring>

namespace checks {

namespace {

struct rotary_case {
    int type;
    bool quantized;
    size_t heads, groups, dimension, pairs;
};

std::string name(const rotary_case &c) {
    return std::string(c.quantized ? "rotate_and_append_int8_" : "rotate_and_append_") + type_name(c.type);
}

// Head `head` of a row in float64, turned unless it is a value.
std::vector<double> turned(
    const rotary_case &c, const array &qkv, size_t row, size_t head, const array &cosines, const array &sines,
    size_t position
) {
    std::vector<double> x(c.dimension);
    for (size_t d = 0; d < c.dimension; ++d) x[d] = qkv[(row * (c.heads + 2 * c.groups) + head) * c.dimension + d];
    if (head >= c.heads + c.groups) return x;
    for (size_t i = 0; i < c.pairs; ++i) {
        double a = x[2 * i], b = x[2 * i + 1], cos = cosines[position * c.pairs + i], sin = sines[position * c.pairs + i];
        x[2 * i] = a * cos - b * sin;
        x[2 * i + 1] = b * cos + a * sin;
    }
    return x;
}

void check_rotary(bench &b, const rotary_case &c) {
    constexpr size_t rows = 3, position_count = 20;
    random_source random(31);
    array qkv = random_array(random, c.type, rows * (c.heads + 2 * c.groups) * c.dimension);
    array cosines = random_array(random, TYPE_F32, position_count * c.pairs);
    array sines = random_array(random, TYPE_F32, position_count * c.pairs);
    std::vector<int> positions = {0, 19, 7}, slots = {5, 0, 11};
    paged_cache cache = random_cache(random, c.quantized ? TYPE_I8 : c.type, 3, 4, c.groups, c.dimension);
    void *keys = b.put(cache.keys), *values = b.put(cache.values);
    void *q = b.space(rows * c.heads * c.dimension * element_bytes(c.type));
    b.launch(
        name(c), {(unsigned)(c.heads + 2 * c.groups + 3) / 4, rows}, 128, 0, b.put(qkv), (int)c.heads, (int)c.groups,
        (int)c.dimension, b.put(cosines), b.put(sines), (int)c.pairs, b.put(positions), b.put(slots), keys, values, q);

    std::vector<double> queries = b.numbers_at(q, c.type, rows * c.heads * c.dimension), expected_queries;
    paged_cache after = cache;
    after.keys = b.bytes_at(keys, cache.keys.size());
    after.values = b.bytes_at(values, cache.values.size());
    double half_step = c.quantized ? 0.51 * 2 / 127 : 0; // of a head whose largest magnitude is 2 at most
    for (size_t row = 0; row < rows; ++row) {
        for (size_t head = 0; head < c.heads + 2 * c.groups; ++head) {
            std::vector<double> x = turned(c, qkv, row, head, cosines, sines, (size_t)positions[row]);
            if (head < c.heads) {
                expected_queries.insert(expected_queries.end(), x.begin(), x.end());
                continue;
            }
            bool is_key = head < c.heads + c.groups;
            size_t group = (head - c.heads) % c.groups;
            std::vector<double> got = head_at(after, is_key ? after.keys : after.values, (size_t)slots[row], group);
            if (c.quantized) require_close("cache", got, x, 0, half_step);
            else require_stored("cache", got, x, c.type);
        }
    }
    require_stored("q", queries, expected_queries, c.type);
    // Slots that were not named stay as they were.
    for (size_t slot : {1u, 4u, 10u}) {
        size_t at = cache.head_offset(slot, 0), end = cache.head_offset(slot + 1, 0);
        if (std::memcmp(&cache.keys[at], &after.keys[at], end - at) != 0) throw failure("another slot was written");
    }
}

} // namespace

void add_rotary_checks(check_list &list) {
    for (int type : {TYPE_F32, TYPE_F16, TYPE_BF16}) {
        for (bool quantized : {false, true}) {
            for (rotary_case c : {rotary_case{type, quantized, 8, 2, 16, 4}, {type, quantized, 5, 1, 132, 33}}) {
                list.push_back({
                    name(c) + " of dimension " + std::to_string(c.dimension), [c](bench &b) { check_rotary(b, c); }});
            }
        }
    }
}

} // namespace checks
