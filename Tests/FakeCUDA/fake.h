// What the parts of the stand-in share.
#pragma once
#include "CCUDA.h"
#include "FakeCUDA.h"
#include <stdbool.h>

enum { FAKE_CARDS = 4 };

// Every function of CCUDA's lists: a definition with other types than the list gives does not compile.
#define FAKE_DECLARE(name, symbol, result, parameters) result symbol parameters;
CCUDA_DRIVER_FUNCTIONS(FAKE_DECLARE, FAKE_DECLARE)
CCUDA_NVRTC_FUNCTIONS(FAKE_DECLARE, FAKE_DECLARE)
CCUDA_CUBLASLT_FUNCTIONS(FAKE_DECLARE, FAKE_DECLARE)
CCUDA_NVML_FUNCTIONS(FAKE_DECLARE, FAKE_DECLARE)

struct CUctx_st {
    int card;
    int references;
    bool reaches[FAKE_CARDS];
    CUresult lost;
};

// Operations of streams and graphs. `target` and `source` are host addresses, since a card's memory is the host's here.
typedef struct fake_operation {
    enum { FAKE_COPY, FAKE_PEER, FAKE_FILL, FAKE_HOST, FAKE_LAUNCH, FAKE_RECORD, FAKE_WAIT } kind;
    void *target;
    const void *source;
    size_t count;
    unsigned value;
    int width;
    CUhostFn function;
    void *context;
    const struct fake_kernel *kernel;
    unsigned char parameters[256];
    CUlaunchConfig shape;
    CUevent event;
    unsigned record; // which recording of the event
    int way;
} fake_operation;

typedef struct fake_list {
    fake_operation *items;
    size_t count, capacity;
} fake_list;

struct CUstream_st {
    CUcontext context;
    fake_list pending;
    size_t done;
    CUgraph capture;
};

struct CUevent_st {
    CUcontext context;
    CUstream stream;
    unsigned recorded, passed;
    size_t position;
    double time;
    bool keeps_time;
};

struct CUgraph_st {
    fake_list list;
};

struct CUgraphExec_st {
    fake_list list;
};

// A kernel of the stand-in.
struct fake_kernel {
    const char *name;
    int count;
    size_t offsets[8], sizes[8];
    int threads;
    int shared_bytes;
    void (*run)(const CUlaunchConfig *shape, const unsigned char *parameters);
};

extern int fake_alive_count;

// Counts a call; true when it is to fail, with the code.
bool fake_fails(const char *function, int *code);

// Enqueues on a stream, or runs at once.
CUresult fake_submit(CUstream stream, const fake_operation *operation);

// Runs everything that a stream still has.
CUresult fake_drain(CUstream stream);

CUcontext fake_current(void);
const struct fake_kernel *fake_kernel_named(const char *name);

#define FAKE_EXPORT __attribute__((visibility("default")))
