#include "cache.h"
#include <cmath>

namespace checks {

namespace {

using numbers = std::vector<double>;

// softmax(q · kᵀ / sqrt(dimension)) · v of one query.
numbers attend(const numbers &q, const std::vector<numbers> &k, const std::vector<numbers> &v) {
    std::vector<double> weights(k.size());
    double largest = -INFINITY, sum = 0;
    for (size_t i = 0; i < k.size(); ++i) {
        for (size_t d = 0; d < q.size(); ++d) weights[i] += q[d] * k[i][d];
        weights[i] /= std::sqrt((double)q.size());
        largest = std::max(largest, weights[i]);
    }
    for (double &w : weights) sum += w = std::exp(w - largest);
    numbers y(q.size());
    for (size_t i = 0; i < k.size(); ++i) {
        for (size_t d = 0; d < q.size(); ++d) y[d] += weights[i] / sum * v[i][d];
    }
    return y;
}

numbers part(const array &a, size_t first, size_t count) {
    return {a.values.begin() + (long)first, a.values.begin() + (long)(first + count)};
}

// Weights are rounded to the values' type before they meet the values: half a unit more than the store.
void require_attention(const numbers &got, const numbers &expected, int type, bool rounds_weights) {
    double unit = type_precision(type);
    require_close("y", got, expected, unit, rounds_weights ? unit : 2e-6);
}

struct vision_case {
    std::string kernel;
    int type;
    size_t sequences, length, heads, dimension;
};

void check_vision(bench &b, const vision_case &c) {
    random_source random(c.length * 7 + c.dimension);
    size_t rows = c.sequences * c.length, width = c.heads * c.dimension;
    array qkv = random_array(random, c.type, rows * 3 * width, -1.5, 1.5);
    void *y = b.space(rows * width * element_bytes(c.type));
    bool plain = c.kernel.find("plain") != std::string::npos;
    std::vector<unsigned> grid = {((unsigned)c.length + 63) / 64, (unsigned)c.heads, (unsigned)c.sequences};
    if (plain) grid = {(unsigned)rows, ((unsigned)c.heads + 3) / 4};
    b.launch(c.kernel, grid, 128, 0, b.put(qkv), (int)c.length, (int)c.heads, (int)c.dimension, y);

    numbers expected(rows * width);
    for (size_t s = 0; s < c.sequences; ++s) {
        for (size_t h = 0; h < c.heads; ++h) {
            std::vector<numbers> k, v;
            auto at = [&](size_t i, size_t p) { return ((s * c.length + i) * 3 + p) * width + h * c.dimension; };
            for (size_t i = 0; i < c.length; ++i) {
                k.push_back(part(qkv, at(i, 1), c.dimension));
                v.push_back(part(qkv, at(i, 2), c.dimension));
            }
            for (size_t i = 0; i < c.length; ++i) {
                numbers row = attend(part(qkv, at(i, 0), c.dimension), k, v);
                std::copy(
                    row.begin(), row.end(), expected.begin() + (long)((s * c.length + i) * width + h * c.dimension));
            }
        }
    }
    require_attention(b.numbers_at(y, c.type, expected.size()), expected, c.type, !plain);
}

struct paged_case {
    std::string kernel;
    int type;
    bool quantized;
    size_t heads, groups, dimension, page_size;
    std::vector<int> new_rows, contexts;
    unsigned splits = 0; // of decode_attention
    size_t part_dimension = 0;
};

// A batch on a machine.
struct paged_batch {
    std::vector<int> offsets = {0}, pages;
    size_t pages_per_sequence = 0;
    paged_cache cache;
    array q;

    paged_batch(random_source &random, const paged_case &c) {
        for (size_t s = 0; s < c.contexts.size(); ++s) {
            offsets.push_back(offsets.back() + c.new_rows[s]);
            pages_per_sequence = std::max(pages_per_sequence, ((size_t)c.contexts[s] - 1) / c.page_size + 1);
        }
        size_t count = pages_per_sequence * c.contexts.size();
        for (size_t i = 0; i < count; ++i) pages.push_back((int)((i * 7 + 3) % count)); // count is no multiple of 7
        cache = random_cache(random, c.quantized ? TYPE_I8 : c.type, count, c.page_size, c.groups, c.dimension);
        q = random_array(random, c.type, (size_t)offsets.back() * c.heads * c.dimension, -1.5, 1.5);
    }

    numbers expected(const paged_case &c, const numbers &before) const {
        numbers y = before;
        for (size_t s = 0; s < c.contexts.size(); ++s) {
            if (c.splits > 0 && c.new_rows[s] != 1) continue;
            for (int i = 0; i < c.new_rows[s]; ++i) {
                for (size_t h = 0; h < c.heads; ++h) expect_row(c, s, i, h, y);
            }
        }
        return y;
    }

private:
    void expect_row(const paged_case &c, size_t s, int i, size_t head, numbers &y) const {
        size_t count = (size_t)(c.contexts[s] - c.new_rows[s] + i + 1), group = head / (c.heads / c.groups);
        std::vector<numbers> k, v;
        for (size_t p = 0; p < count; ++p) {
            size_t page = (size_t)pages[s * pages_per_sequence + p / c.page_size];
            size_t slot = page * c.page_size + p % c.page_size;
            k.push_back(head_at(cache, cache.keys, slot, group));
            v.push_back(head_at(cache, cache.values, slot, group));
        }
        size_t at = ((size_t)(offsets[s] + i) * c.heads + head) * c.dimension;
        numbers row = attend(part(q, at, c.dimension), k, v);
        std::copy(row.begin(), row.end(), y.begin() + (long)at);
    }
};

void check_paged(bench &b, const paged_case &c) {
    random_source random(c.dimension * 13 + c.page_size);
    paged_batch batch(random, c);
    array old = random_array(random, c.type, batch.q.count());
    void *y = b.put(old), *q = b.put(batch.q), *offsets = b.put(batch.offsets), *contexts = b.put(c.contexts);
    void *keys = b.put(batch.cache.keys), *values = b.put(batch.cache.values), *pages = b.put(batch.pages);
    auto sequences = (unsigned)c.contexts.size();
    int heads = (int)c.heads, groups = (int)c.groups, dimension = (int)c.dimension, page_size = (int)c.page_size;
    int per_sequence = (int)batch.pages_per_sequence, rows = batch.offsets.back();
    bool plain = c.kernel.find("plain") != std::string::npos;
    if (c.splits > 0) {
        size_t part_bytes = sequences * c.heads * c.splits * (c.part_dimension + 2) * 4;
        void *parts = b.space(part_bytes);
        unsigned sets = ((unsigned)(c.heads / c.groups) + 15) / 16;
        b.launch(
            c.kernel, {c.splits, (unsigned)c.groups * sets, sequences}, 128, 0, q, heads, groups, dimension, keys,
            values, page_size, offsets, contexts, pages, per_sequence, parts);
        b.launch(
            std::string("combine_splits_") + type_name(c.type), {(unsigned)c.heads, sequences}, 32, 0, parts,
            (int)c.splits, (int)c.part_dimension, dimension, offsets, y);
    } else {
        std::vector<unsigned> grid = {((unsigned)rows + 63) / 64, (unsigned)c.heads, sequences};
        if (plain) grid = {(unsigned)rows, ((unsigned)c.heads + 3) / 4};
        b.launch(
            c.kernel, grid, 128, 0, q, heads, groups, dimension, keys, values, page_size, offsets, contexts, pages,
            per_sequence, plain ? (int)sequences : 1, y);
    }
    numbers expected = batch.expected(c, old.values);
    require_attention(b.numbers_at(y, c.type, expected.size()), expected, c.type, !plain);
}

void add_vision(check_list &list, const vision_case &c) {
    list.push_back({
        c.kernel + " of dimension " + std::to_string(c.dimension) + ", length " + std::to_string(c.length),
        [c](bench &b) { check_vision(b, c); }});
}

void add_paged(check_list &list, const paged_case &c) {
    list.push_back({
        c.kernel + " of dimension " + std::to_string(c.dimension) + ", " + std::to_string(c.contexts.size()) +
            " sequences, splits " + std::to_string(c.splits),
        [c](bench &b) { check_paged(b, c); }});
}

void add_halves(check_list &list, int type) {
    std::string suffix = type_name(type);
    std::string vision = "bidirectional_attention_" + suffix;
    add_vision(list, {vision + "_d32", type, 2, 65, 2, 16});
    add_vision(list, {vision + "_d64", type, 1, 17, 3, 40});
    add_vision(list, {vision + "_d112", type, 1, 130, 1, 112});
    add_vision(list, {vision + "_d128", type, 2, 66, 1, 120});
    for (bool quantized : {false, true}) {
        std::string tail = (quantized ? "_int8_" : "_") + suffix;
        std::string prefill = "paged_attention" + tail, decode = "decode_attention" + tail;
        add_paged(list, {prefill + "_d64", type, quantized, 4, 2, 64, 16, {3, 70, 1}, {3, 83, 9}});
        add_paged(list, {prefill + "_d128", type, quantized, 2, 1, 128, 5, {67}, {67}});
        add_paged(list, {decode + "_d64", type, quantized, 8, 2, 16, 16, {1, 2, 1}, {130, 4, 1}, 2, 64});
        add_paged(list, {decode + "_d128", type, quantized, 32, 2, 128, 7, {1}, {201}, 3, 128});
    }
}

} // namespace

void add_attention_checks(check_list &list) {
    add_halves(list, TYPE_F16);
    add_halves(list, TYPE_BF16);
    for (int type : {TYPE_F32, TYPE_F16, TYPE_BF16}) {
        std::string suffix = type_name(type);
        add_vision(list, {"bidirectional_attention_plain_" + suffix, type, 2, 35, 5, 13});
        for (bool quantized : {false, true}) {
            std::string kernel = (quantized ? "paged_attention_plain_int8_" : "paged_attention_plain_") + suffix;
            add_paged(list, {kernel, type, quantized, 6, 2, 16, 4, {3, 1, 2}, {40, 1, 33}});
            add_paged(list, {kernel, type, quantized, 1, 1, 200, 16, {2}, {20}});
        }
    }
}

} // namespace checks
