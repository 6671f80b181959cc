// Shares of memory, one per thread. See shares.h.
//
// A piece is taken by one exchange of its share's word. No word comes back, as pieces are never returned, so an exchange
// that succeeds was not overtaken. What pieces hold is ordered by the pool's regions, not here.
#include "shares.h"

#define RELAXED memory_order_relaxed

static uint64_t left_of(uint64_t first, uint64_t end) { return first << 32 | end; }
static uint64_t first_of(uint64_t left) { return left >> 32; }
static uint64_t end_of(uint64_t left) { return left & 0xffffffffu; }

void cc_deal_shares(cc_share *shares, int threads, ptrdiff_t pieces) {
    for (ptrdiff_t i = 0; i < threads; i++)
        atomic_store_explicit(
            &shares[i].left, left_of((uint64_t)(pieces * i / threads), (uint64_t)(pieces * (i + 1) / threads)), RELAXED);
}

// A quarter of what is left: the others can still take the rest.
static int take(cc_share *own, ptrdiff_t most, cc_pieces *pieces) {
    uint64_t left = atomic_load_explicit(&own->left, RELAXED), first, end;
    do {
        first = first_of(left);
        uint64_t count = end_of(left) - first, wanted = count / 4 < (uint64_t)most ? count / 4 : (uint64_t)most;
        if (count == 0)
            return 0;
        end = first + (wanted > 0 ? wanted : 1);
    } while (!atomic_compare_exchange_weak_explicit(&own->left, &left, left_of(end, end_of(left)), RELAXED, RELAXED));
    *pieces = (cc_pieces){(ptrdiff_t)first, (ptrdiff_t)end};
    return 1;
}

// Moves the second half of what another has left, or its last piece, to a thread that has none.
static int move_half(cc_share *from, cc_share *to) {
    uint64_t left = atomic_load_explicit(&from->left, RELAXED), middle;
    do {
        if (first_of(left) == end_of(left))
            return 0;
        middle = first_of(left) + (end_of(left) - first_of(left)) / 2;
    } while (!atomic_compare_exchange_weak_explicit(&from->left, &left, left_of(first_of(left), middle), RELAXED, RELAXED));
    atomic_store_explicit(&to->left, left_of(middle, end_of(left)), RELAXED);
    return 1;
}

int cc_take_pieces(cc_share *shares, int threads, int thread, ptrdiff_t most, cc_pieces *pieces) {
    while (!take(&shares[thread], most, pieces)) {
        int moved = 0;
        for (int i = 1; i < threads && !moved; i++)
            moved = move_half(&shares[(thread + i) % threads], &shares[thread]);
        if (!moved)
            return 0;
    }
    return 1;
}
