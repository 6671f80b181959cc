// Scales of a panel's columns for one group of the depth. See packed.h.
#pragma once
#include "packed.h"
#include "simd.h"

typedef struct panel_scales {
    const char *start;
    int type; // CC_F32 or CC_BF16
} panel_scales;

// Scales of the codes of a word; fp8 is scaled after the product.
INLINE panel_scales scales_at(cc_panel panel, ptrdiff_t word) {
    panel_scales scales = {.start = panel.start, .type = panel.scale_type};
    if (panel.group_words)
        scales.start = cc_panel_word(panel, word - word % panel.group_words) - cc_scale_bytes(panel.scale_type);
    return scales;
}

// Reads scales before the codes that lie after them, though they are needed last: memory is fastest from the first byte to
// the last. See Benchmarks/LOG.md.
INLINE void touch_scales(panel_scales scales) {
    const volatile char *bytes = scales.start;
    (void)bytes[0];
    if (scales.type == CC_F32)
        (void)bytes[64];
}

// The scales of vector `v` of columns.
INLINE vf load_scales(panel_scales scales, int v) {
    return load_as(scales.start, scales.type == CC_BF16 ? CC_BF16 : CC_F32, v * LANES);
}

// The scales of all columns in float32, for loops that have no registers for them: where they lie, or in `space`.
INLINE const float *widen_scales(panel_scales scales, float space[cc_packed_width]) {
    if (scales.type == CC_F32)
        return (const float *)scales.start;
    for (int v = 0; v < cc_packed_width / LANES; v++)
        store(space + v * LANES, load_scales(scales, v));
    return space;
}

// A group of a panel's codes and the group of a row that it meets. Without groups of their own, codes meet the row's groups
// of 128, and all share the scales.
typedef struct panel_group {
    const char *codes;
    panel_scales scales;
    ptrdiff_t index;        // of the row's group
    ptrdiff_t first, words; // words of the row
    ptrdiff_t step, bytes;  // words and bytes to the next group
    ptrdiff_t ahead;        // how far ahead words are asked for, or 0
} panel_group;

// The first group of a part of a panel, which starts with a group. `int4` is a constant at every call.
INLINE panel_group first_group(cc_panel panel, int int4) {
    panel_group group = {.codes = cc_panel_word(panel, panel.first),
                         .scales = scales_at(panel, panel.first),
                         .step = panel.group_words ? panel.group_words : 32,
                         .ahead = panel.ahead};
    group.words = cc_min(group.step, panel.words);
    group.bytes = group.step * (int4 ? 64 : 128) + (panel.group_words ? cc_scale_bytes(panel.scale_type) : 0);
    return group;
}

INLINE void go_to_next_group(panel_group *group, cc_panel panel) {
    group->codes += group->bytes;
    if (panel.group_words)
        group->scales.start += group->bytes;
    group->index++;
    group->first += group->step;
    group->words = cc_min(group->step, panel.words - group->first);
}
