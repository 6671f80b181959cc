// One layer's keys or values in pages: row `slot` holds `groups` heads.
//
// Stored as the activations' type, or as signed bytes with the head's float32 scale behind them: the largest magnitude
// over 127 (FacetTensor/AttentionTypes.swift).
#pragma once
#include "block.cuh"

constexpr int cache_scale_bytes = 4;

template <class T, bool quantized> struct cache_row {
    // Where a head's elements start.
    static DEV_METHOD const unsigned char *head(const void *cache, long long slot, int groups, int group, int dimension) {
        int bytes = quantized ? dimension + cache_scale_bytes : dimension * (int)sizeof(T);
        return (const unsigned char *)cache + (slot * groups + group) * bytes;
    }

    static DEV_METHOD float element(const unsigned char *head, int dimension, int i) {
        if constexpr (quantized) return (float)((const signed char *)head)[i] * *(const float *)(head + dimension);
        else return dev::to_float(((const T *)head)[i]);
    }
};

// The slot of position `position` of a sequence whose pages stand in `pages`.
DEV long long slot_of(const int *pages, int page_size, int position) {
    return (long long)pages[position / page_size] * page_size + position % page_size;
}
