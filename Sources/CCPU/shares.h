// Pieces of memory handed out so that each thread walks through one stretch of them.
//
// Where a thread begins to read, memory is slow for a microsecond: a shared counter that hands out neighbors in turn
// makes every piece such a beginning. Here each thread has a share of its own, takes pieces from its front, and gets half
// of another's rest when nothing is left. See Benchmarks/LOG.md.
#pragma once
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

// What is left of a share: the first piece << 32 | the end.
typedef struct cc_share {
    _Alignas(64) _Atomic uint64_t left;
} cc_share;

typedef struct cc_pieces {
    ptrdiff_t first, end;
} cc_pieces;

// Deals `pieces`, at most 2^32 - 1, to `threads`; no thread may be taking.
void cc_deal_shares(cc_share *shares, int threads, ptrdiff_t pieces);

// The next pieces of a thread, at most `most` and fewer towards the end; 0 when nobody has any left.
int cc_take_pieces(cc_share *shares, int threads, int thread, ptrdiff_t most, cc_pieces *pieces);
