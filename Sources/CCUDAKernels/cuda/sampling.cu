// The largest logits of segments of a row: what a sampler needs instead of all of them.
//
// Grid [ceil(count / 1024), rows], block [256], no dynamic shared memory. Each block sorts 1024 logits and leaves the
// first k, k at most 1024, largest first, equal ones by lower index; places past the end hold minus infinity and index -1.
// What is not finite, of either sign and NaN too, comes first, as plus infinity: no sampler may overlook it.
//
// logits [rows, count] float32; values float32 and indices int32 [rows, segments, k].
#include "block.cuh"

constexpr int segment = 1024;

// Whether logit a at index i comes before b at j; indices are unsigned, so that -1 comes last.
DEV bool comes_before(float a, int i, float b, int j) { return a > b || (a == b && (unsigned)i < (unsigned)j); }

extern "C" __global__ void __launch_bounds__(256)
    top_k_partials(const float *logits, int count, int k, float *values, int *indices) {
    SHARED(float, keys, segment);
    SHARED(int, places, segment);
    dev::wait_for_previous_grid();
    int first = blockIdx.x * segment;
    const float *row = logits + (long long)blockIdx.y * count;
    float lowest = dev::from_bits(0xff800000u), highest = dev::from_bits(0x7f800000u);
    for (int i = threadIdx.x; i < segment; i += 256) {
        bool valid = first + i < count;
        float logit = valid ? row[first + i] : 0;
        keys[i] = !valid ? lowest : fabsf(logit) < highest ? logit : highest;
        places[i] = valid ? first + i : -1;
    }
    dev::barrier();
    // Bitonic sort: runs of `run` elements become sorted, every other one backwards.
    for (int run = 2; run <= segment; run *= 2) {
        for (int apart = run / 2; apart > 0; apart /= 2) {
            for (int pair = threadIdx.x; pair < segment / 2; pair += 256) {
                int i = pair / apart * 2 * apart + pair % apart, j = i + apart;
                bool forward = (i & run) == 0;
                if (comes_before(keys[j], places[j], keys[i], places[i]) == forward) {
                    float key = keys[i];
                    keys[i] = keys[j];
                    keys[j] = key;
                    int place = places[i];
                    places[i] = places[j];
                    places[j] = place;
                }
            }
            dev::barrier();
        }
    }
    long long to = ((long long)blockIdx.y * gridDim.x + blockIdx.x) * k;
    for (int i = threadIdx.x; i < k; i += 256) {
        values[to + i] = keys[i];
        indices[to + i] = places[i];
    }
    dev::launch_next_grid();
}
