// Multiply-adds with operands in registers: what the processor could do if memory cost nothing.
#pragma once
#include "simd.h"

enum { spin_sums = 12 };

static double spin_f32(long turns) {
    vf sum[spin_sums] = {};
    vf x = splat(0.999f), y = splat(1e-6f);
    for (long turn = 0; turn < turns; turn++) {
#pragma clang loop unroll(full)
        for (int i = 0; i < spin_sums; i++)
            sum[i] = sum[i] * x + y;
        HIDE(x);
        HIDE(y);
    }
    for (int i = 0; i < spin_sums; i++)
        HIDE(sum[i]);
    return 2.0 * LANES * spin_sums * (double)turns;
}
