// The drivers of operations that move or change rows: norms, elementwise functions, gathers, pictures.
//
// Every operation converts a piece to float32 in the thread's scratch, works there, and converts back; the piece
// fits the caches, so only the operands themselves cost memory traffic.
#include "engine.h"

#include <stdatomic.h>
#include <string.h>

enum { piece = 4096 }; // elements that one task of an elementwise operation converts at a time


// MARK: Norms

typedef struct norm {
    const cc_engine *engine;
    const char *x;
    int type;
    ptrdiff_t rows, width;
    const void *weight;
    int weight_type;
    const void *bias;
    int bias_type;
    float epsilon;
    int epilogue;
    char *y;
    ptrdiff_t rows_per_task;
} norm;

static void norm_task(void *context, ptrdiff_t task, int thread) {
    const norm *n = context;
    const cc_kernels *kernels = n->engine->kernels;
    float *row = (float *)cc_scratch(n->engine, thread), *weight = row + n->width, *bias = weight + n->width;
    kernels->widen(weight, n->weight, n->weight_type, n->width);
    if (n->bias)
        kernels->widen(bias, n->bias, n->bias_type, n->width);
    ptrdiff_t bytes = n->width * cc_element_bytes(n->type), end = cc_min((task + 1) * n->rows_per_task, n->rows);
    for (ptrdiff_t i = task * n->rows_per_task; i < end; i++) {
        kernels->widen(row, n->x + i * bytes, n->type, n->width);
        if (n->bias)
            kernels->layer_norm(row, weight, bias, n->width, n->epsilon);
        else
            kernels->rms_norm(row, weight, n->width, n->epsilon);
        kernels->finish(row, NULL, n->epilogue, n->y + i * bytes, n->type, n->width);
    }
}

static void run_norm(cc_engine *engine, norm n) {
    n.engine = engine;
    n.rows_per_task = cc_max(1, cc_min(64, cc_ceil_div(n.rows, 4 * engine->threads)));
    cc_pool_run(engine->pool, cc_ceil_div(n.rows, n.rows_per_task), norm_task, &n);
}

void cc_rms_norm(cc_engine *engine, const void *x, int type, ptrdiff_t rows, ptrdiff_t width, const void *weight,
                 int weight_type, float epsilon, void *y) {
    run_norm(engine, (norm){.x = x,
                            .type = type,
                            .rows = rows,
                            .width = width,
                            .weight = weight,
                            .weight_type = weight_type,
                            .epsilon = epsilon,
                            .epilogue = CC_STORE,
                            .y = y});
}

void cc_layer_norm(cc_engine *engine, const void *x, int type, ptrdiff_t rows, ptrdiff_t width, const void *weight,
                   int weight_type, const void *bias, int bias_type, float epsilon, int epilogue, void *y) {
    run_norm(engine, (norm){.x = x,
                            .type = type,
                            .rows = rows,
                            .width = width,
                            .weight = weight,
                            .weight_type = weight_type,
                            .bias = bias,
                            .bias_type = bias_type,
                            .epsilon = epsilon,
                            .epilogue = epilogue,
                            .y = y});
}

// MARK: Elementwise

typedef struct elementwise {
    const cc_engine *engine;
    const char *x;
    int x_type;
    const char *up;
    char *y;
    int y_type;
    ptrdiff_t count;
    ptrdiff_t width, stride; // gated SiLU
    float factor;
    atomic_int found;
} elementwise;

// The piece of a task: where it starts and how long it is.
static ptrdiff_t piece_of(const elementwise *e, ptrdiff_t task, ptrdiff_t *start) {
    *start = task * piece;
    return cc_min(piece, e->count - *start);
}

static void run_elementwise(cc_engine *engine, elementwise *e, cc_task task) {
    e->engine = engine;
    cc_pool_run(engine->pool, cc_ceil_div(e->count, piece), task, e);
}

static void add_task(void *context, ptrdiff_t task, int thread) {
    const elementwise *e = context;
    const cc_kernels *kernels = e->engine->kernels;
    ptrdiff_t start, count = piece_of(e, task, &start);
    float *x = (float *)cc_scratch(e->engine, thread);
    kernels->widen(x, e->x + start * cc_element_bytes(e->x_type), e->x_type, count);
    kernels->finish(x, NULL, CC_ADD, e->y + start * cc_element_bytes(e->y_type), e->y_type, count);
}

void cc_add(cc_engine *engine, const void *x, int x_type, void *y, int y_type, ptrdiff_t count) {
    elementwise e = {.x = x, .x_type = x_type, .y = y, .y_type = y_type, .count = count};
    run_elementwise(engine, &e, add_task);
}

static void scale_task(void *context, ptrdiff_t task, int thread) {
    const elementwise *e = context;
    const cc_kernels *kernels = e->engine->kernels;
    ptrdiff_t start, count = piece_of(e, task, &start);
    float *x = (float *)cc_scratch(e->engine, thread);
    char *y = e->y + start * cc_element_bytes(e->y_type);
    kernels->widen(x, y, e->y_type, count);
    kernels->scale(x, e->factor, count);
    kernels->narrow(y, e->y_type, x, count);
}

void cc_scale(cc_engine *engine, void *x, int type, ptrdiff_t count, float factor) {
    elementwise e = {.y = x, .y_type = type, .count = count, .factor = factor};
    run_elementwise(engine, &e, scale_task);
}

static void convert(const cc_kernels *kernels, const void *x, int x_type, void *y, int y_type, ptrdiff_t count,
                    float *space) {
    if (x_type == y_type) {
        memcpy(y, x, (size_t)(count * cc_element_bytes(x_type)));
    } else if (y_type == CC_F32) {
        kernels->widen(y, x, x_type, count);
    } else if (x_type == CC_F32) {
        kernels->narrow(y, y_type, x, count);
    } else {
        kernels->widen(space, x, x_type, count);
        kernels->narrow(y, y_type, space, count);
    }
}

static void copy_task(void *context, ptrdiff_t task, int thread) {
    const elementwise *e = context;
    ptrdiff_t start, count = piece_of(e, task, &start);
    convert(e->engine->kernels, e->x + start * cc_element_bytes(e->x_type), e->x_type,
            e->y + start * cc_element_bytes(e->y_type), e->y_type, count, (float *)cc_scratch(e->engine, thread));
}

void cc_copy(cc_engine *engine, const void *x, int x_type, void *y, int y_type, ptrdiff_t count) {
    elementwise e = {.x = x, .x_type = x_type, .y = y, .y_type = y_type, .count = count};
    run_elementwise(engine, &e, copy_task);
}

static void non_finite_task(void *context, ptrdiff_t task, int thread) {
    (void)thread;
    elementwise *e = context;
    ptrdiff_t start, count = piece_of(e, task, &start);
    if (e->engine->kernels->has_non_finite(e->x + start * cc_element_bytes(e->x_type), e->x_type, count))
        atomic_store_explicit(&e->found, 1, memory_order_relaxed);
}

int cc_has_non_finite(cc_engine *engine, const void *x, int type, ptrdiff_t count) {
    elementwise e = {.x = x, .x_type = type, .count = count};
    run_elementwise(engine, &e, non_finite_task);
    return e.found;
}

// One task: a piece of one row.
static void gated_silu_task(void *context, ptrdiff_t task, int thread) {
    const elementwise *e = context;
    const cc_kernels *kernels = e->engine->kernels;
    ptrdiff_t pieces = cc_ceil_div(e->width, piece), row = task / pieces, column = task % pieces * piece;
    ptrdiff_t count = cc_min(piece, e->width - column), size = cc_element_bytes(e->x_type);
    float *gate = (float *)cc_scratch(e->engine, thread), *up = gate + piece;
    kernels->widen(gate, e->x + (row * e->stride + column) * size, e->x_type, count);
    kernels->widen(up, e->up + (row * e->stride + column) * size, e->x_type, count);
    kernels->gated_silu(gate, up, count);
    kernels->narrow(e->y + (row * e->width + column) * size, e->x_type, gate, count);
}

void cc_gated_silu(cc_engine *engine, const void *gate, const void *up, ptrdiff_t stride, int type, ptrdiff_t rows,
                   ptrdiff_t width, void *y) {
    elementwise e = {
        .engine = engine, .x = gate, .x_type = type, .up = up, .y = y, .width = width, .stride = stride};
    cc_pool_run(engine->pool, rows * cc_ceil_div(width, piece), gated_silu_task, &e);
}

// MARK: Gathers

typedef struct gather {
    const cc_engine *engine;
    const char *source;
    int type;
    const int32_t *indices;
    ptrdiff_t channels, side, patch; // pictures
    ptrdiff_t width;                 // elements of a row of y
    char *y;
    int y_type;
} gather;

static void gather_task(void *context, ptrdiff_t row, int thread) {
    const gather *g = context;
    if (g->indices[row] < 0)
        return;
    const char *from = g->source + g->indices[row] * g->width * cc_element_bytes(g->type);
    char *to = g->y + row * g->width * cc_element_bytes(g->y_type);
    convert(g->engine->kernels, from, g->type, to, g->y_type, g->width, (float *)cc_scratch(g->engine, thread));
}

void cc_gather_rows(cc_engine *engine, const void *table, int table_type, const int32_t *indices, ptrdiff_t rows,
                    ptrdiff_t width, void *y, int y_type) {
    gather g = {.engine = engine,
                .source = table,
                .type = table_type,
                .indices = indices,
                .width = width,
                .y = y,
                .y_type = y_type};
    cc_pool_run(engine->pool, rows, gather_task, &g);
}

static void patchify_task(void *context, ptrdiff_t row, int thread) {
    (void)thread;
    const gather *g = context;
    ptrdiff_t grid = g->side / g->patch, image = row / (grid * grid), cell = row % (grid * grid);
    const float *corner = (const float *)g->source + image * g->channels * g->side * g->side +
                          cell / grid * g->patch * g->side + cell % grid * g->patch;
    char *to = g->y + row * g->width * cc_element_bytes(g->y_type);
    for (ptrdiff_t channel = 0; channel < g->channels; channel++)
        for (ptrdiff_t line = 0; line < g->patch; line++) {
            const float *from = corner + (channel * g->side + line) * g->side;
            g->engine->kernels->narrow(to, g->y_type, from, g->patch);
            to += g->patch * cc_element_bytes(g->y_type);
        }
}

void cc_patchify(cc_engine *engine, const float *pixels, ptrdiff_t images, ptrdiff_t channels, ptrdiff_t side,
                 ptrdiff_t patch, void *y, int y_type) {
    gather g = {.engine = engine,
                .source = (const char *)pixels,
                .channels = channels,
                .side = side,
                .patch = patch,
                .width = channels * patch * patch,
                .y = y,
                .y_type = y_type};
    cc_pool_run(engine->pool, images * (side / patch) * (side / patch), patchify_task, &g);
}

static void neighborhood_task(void *context, ptrdiff_t row, int thread) {
    (void)thread;
    const gather *g = context;
    ptrdiff_t half = g->side / 2, top = row / half * 2, left = row % half * 2;
    ptrdiff_t size = cc_element_bytes(g->type);
    char *to = g->y + row * g->width * size;
    const char *from[4];
    for (ptrdiff_t i = 0; i < 4; i++)
        from[i] = g->source + ((top + i / 2) * g->side + left + i % 2) * g->channels * size;
    if (size == 2)
        for (ptrdiff_t i = 0; i < g->width; i++)
            ((uint16_t *)to)[i] = ((const uint16_t *)from[i % 4])[i / 4];
    else
        for (ptrdiff_t i = 0; i < g->width; i++)
            ((uint32_t *)to)[i] = ((const uint32_t *)from[i % 4])[i / 4];
}

void cc_gather_neighborhoods(cc_engine *engine, const void *grid, int type, ptrdiff_t side, ptrdiff_t channels,
                             void *y) {
    gather g = {.engine = engine,
                .source = grid,
                .type = type,
                .channels = channels,
                .side = side,
                .width = 4 * channels,
                .y = y,
                .y_type = type};
    cc_pool_run(engine->pool, side / 2 * (side / 2), neighborhood_task, &g);
}
