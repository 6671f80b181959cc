#include "weights.h"
#include <cmath>
#include <cstring>

namespace checks {

namespace {

struct fused_case {
    int type;
    weight_kind weight;
    unsigned rows_per_block;
    size_t rows, width;
    int group;
    unsigned blocks;
};

std::string name(const char *operation, const fused_case &c) {
    return std::string(operation) + "_" + type_name(c.type) + "_" + weight_name(c.weight) + "_r" +
           std::to_string(c.rows_per_block);
}

constexpr float epsilon = 1e-5f;

// A batch's rows, the norm's weights and the projection.
struct inputs {
    array x, norm, bias;
    weight_matrix weights;

    inputs(random_source &random, const fused_case &c, size_t outputs)
        : x(random_array(random, c.type, c.rows * c.width, -2, 2)),
          norm(random_array(random, TYPE_BF16, c.width, 0.5, 1.5)), bias(random_array(random, TYPE_BF16, outputs)),
          weights(random_weights(random, c.weight, outputs, c.width, c.group, 16, TYPE_F32)) {}

    // The projection of the normalized rows, rounded where the composition rounds.
    std::vector<double> projected(const fused_case &c) const {
        std::vector<double> normalized(x.count());
        for (size_t m = 0; m < c.rows; ++m) {
            double sum = 0;
            for (size_t i = 0; i < c.width; ++i) sum += x[m * c.width + i] * x[m * c.width + i];
            double factor = 1 / std::sqrt(sum / (double)c.width + epsilon);
            for (size_t i = 0; i < c.width; ++i) normalized[m * c.width + i] = x[m * c.width + i] * factor * norm[i];
        }
        std::vector<double> y = product(make_array(c.type, normalized), c.rows, weights);
        for (size_t i = 0; i < y.size(); ++i) y[i] += bias[i % bias.count()];
        return make_array(c.type, y).values;
    }
};

// Roundings on the way may fall on either side: of the norm's result, summed, and of the product's.
void require_fused(const std::string &what, const std::vector<double> &got, const std::vector<double> &expected, const fused_case &c) {
    double unit = type_precision(c.type), magnitude = std::sqrt((double)c.width);
    require_close(what, got, expected, 2 * unit + 1e-5, 1.5 * unit + 4e-6 * magnitude);
}

void check_attention_input(bench &b, const fused_case &c) {
    constexpr size_t heads = 3, groups = 1, dimension = 10, pairs = 3, slot_count = 8;
    constexpr size_t outputs = (heads + 2 * groups) * dimension;
    random_source random(41);
    inputs in(random, c, outputs);
    array cosines = random_array(random, TYPE_F32, 20 * pairs), sines = random_array(random, TYPE_F32, 20 * pairs);
    std::vector<int> positions = {3, 19, 0, 7}, slots = {6, 0, 1, 5};
    positions.resize(c.rows);
    slots.resize(c.rows);
    array cache = random_array(random, c.type, slot_count * groups * dimension);
    bound_weights w = put(b, in.weights);
    void *keys = b.put(cache), *values = b.put(cache);
    void *q = b.space(c.rows * heads * dimension * element_bytes(c.type));
    auto shared = (unsigned)(c.rows_per_block * c.width * element_bytes(c.type));
    b.launch(
        name("attention_input", c), {c.blocks}, 128, shared, b.put(in.x), (int)c.rows, (int)c.width, b.put(in.norm),
        (int)TYPE_BF16, epsilon, w.codes, w.row_bytes, w.scales, w.scale_type, w.scale_stride, w.group, b.put(in.bias),
        (int)TYPE_BF16, (int)heads, (int)groups, (int)dimension, b.put(cosines), b.put(sines), (int)pairs,
        b.put(positions), b.put(slots), keys, values, q);

    std::vector<double> projected = in.projected(c), queries, expected_keys = cache.values, expected_values = cache.values;
    for (size_t m = 0; m < c.rows; ++m) {
        for (size_t head = 0; head < heads + 2 * groups; ++head) {
            double *x = &projected[m * outputs + head * dimension];
            for (size_t i = 0; i < pairs && head < heads + groups; ++i) {
                size_t at = (size_t)positions[m] * pairs + i;
                double a = x[2 * i], z = x[2 * i + 1];
                x[2 * i] = a * cosines[at] - z * sines[at];
                x[2 * i + 1] = z * cosines[at] + a * sines[at];
            }
            for (size_t d = 0; d < dimension; ++d) {
                size_t slot = ((size_t)slots[m] * groups + (head - heads) % groups) * dimension + d;
                if (head < heads) queries.push_back(x[d]);
                else (head < heads + groups ? expected_keys : expected_values)[slot] = x[d];
            }
        }
    }
    require_fused("q", b.numbers_at(q, c.type, queries.size()), queries, c);
    require_fused("keys", b.numbers_at(keys, c.type, cache.count()), expected_keys, c);
    require_fused("values", b.numbers_at(values, c.type, cache.count()), expected_values, c);
}

void check_feed_forward_input(bench &b, const fused_case &c) {
    constexpr size_t inner = 9;
    random_source random(42);
    inputs in(random, c, 2 * inner);
    bound_weights w = put(b, in.weights);
    void *y = b.space(c.rows * inner * element_bytes(c.type));
    auto shared = (unsigned)(c.rows_per_block * c.width * element_bytes(c.type));
    b.launch(
        name("feed_forward_input", c), {c.blocks}, 128, shared, b.put(in.x), (int)c.rows, (int)c.width,
        b.put(in.norm), (int)TYPE_BF16, epsilon, w.codes, w.row_bytes, w.scales, w.scale_type, w.scale_stride, w.group,
        b.put(in.bias), (int)TYPE_BF16, (int)inner, y);

    std::vector<double> projected = in.projected(c), expected(c.rows * inner);
    for (size_t i = 0; i < expected.size(); ++i) {
        const double *gates = &projected[i / inner * 2 * inner];
        double gate = gates[i % inner], up = gates[inner + i % inner];
        expected[i] = gate / (1 + std::exp(-gate)) * up;
    }
    // Both factors may be off by what `require_fused` allows; they are a few units large.
    double unit = type_precision(c.type);
    require_close(
        "y", b.numbers_at(y, c.type, expected.size()), expected, 4 * unit + 2e-5,
        12 * unit + 3e-5 * std::sqrt((double)c.width));
}

void check_top_k(bench &b) {
    constexpr size_t count = 2100, rows = 2, k = 5, segments = 3;
    random_source random(43);
    std::vector<double> numbers(rows * count);
    for (double &x : numbers) x = std::floor(random.uniform(-20, 20)) / 4; // many equal ones
    // Three that are not finite, in the order in which they must come; for the reference they are large.
    const size_t broken[] = {1100, 1200, 1300};
    const double signs[] = {NAN, -INFINITY, INFINITY};
    for (size_t i = 0; i < 3; ++i) numbers[broken[i]] = 1e9;
    array logits = make_array(TYPE_F32, numbers), given = logits;
    for (size_t i = 0; i < 3; ++i) {
        auto single = (float)signs[i];
        std::memcpy(&given.bytes[broken[i] * 4], &single, 4);
    }
    void *values = b.space(rows * segments * k * 4), *indices = b.space(rows * segments * k * 4);
    b.launch("top_k_partials", {segments, rows}, 256, 0, b.put(given), (int)count, (int)k, values, indices);
    std::vector<double> got = b.numbers_at(values, TYPE_F32, rows * segments * k), expected, places, got_places;
    std::vector<unsigned char> bytes = b.bytes_at(indices, rows * segments * k * 4);
    for (size_t i = 0; i < rows * segments; ++i) {
        size_t first = i % segments * 1024, end = std::min(first + 1024, count);
        std::vector<bool> taken(count);
        for (size_t j = 0; j < k; ++j) {
            size_t best = count;
            for (size_t at = first; at < end; ++at) {
                if (!taken[at] && (best == count || logits[i / segments * count + at] > logits[i / segments * count + best])) {
                    best = at;
                }
            }
            taken[best] = true;
            double value = logits[i / segments * count + best];
            expected.push_back(value == 1e9 ? INFINITY : value);
            places.push_back((double)best);
        }
    }
    for (size_t i = 0; i < bytes.size(); i += 4) got_places.push_back(bytes[i] | bytes[i + 1] << 8 | bytes[i + 2] << 16);
    require_close("values", got, expected, 0, 0);
    require_close("indices", got_places, places, 0, 0);
}

} // namespace

void add_fused_checks(check_list &list) {
    for (int type : {TYPE_F32, TYPE_F16, TYPE_BF16}) {
        weight_kind own = type == TYPE_F32 ? WEIGHT_F32 : type == TYPE_F16 ? WEIGHT_F16 : WEIGHT_BF16;
        for (weight_kind weight : {own, WEIGHT_FP8, WEIGHT_INT8, WEIGHT_INT4}) {
            int group = weight == WEIGHT_INT8 || weight == WEIGHT_INT4 ? 64 : 0;
            for (fused_case c : {fused_case{type, weight, 1, 1, 256, group, 3}, {type, weight, 4, 3, 136, group, 1}}) {
                list.push_back({name("attention_input", c), [c](bench &b) { check_attention_input(b, c); }});
                list.push_back({name("feed_forward_input", c), [c](bench &b) { check_feed_forward_input(b, c); }});
            }
        }
    }
    list.push_back({"top_k_partials", check_top_k});
}

} // namespace checks
