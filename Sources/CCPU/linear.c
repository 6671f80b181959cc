// The driver of matrix products: y = epilogue(x · weightᵀ + bias).
//
// Few rows are bound by the memory that holds the weights: each thread reads whole rows of it once, in order.
//
// Many rows are bound by arithmetic. Following Goto and van de Geijn 2008, the operands are packed into blocks
// that caches hold: all rows of x once, by one region; then every task packs one block of columns of the weights,
// one block of the depth at a time, and multiplies a chunk of rows with it:
//
//     shared    [depth block][row][cc_row_words]                 x, written by region 1
//     scratch   [8 panels][depth block][16]                      weights of one task
//               [rows of the chunk][128]                         float32 sums of one task
//               [16][depth block]                                quantized weights of one panel as numbers
//
// Quantized weights become numbers of the path's type on their way into a panel, or a few rows at a time for few rows
// of x; each is read once.
//
// Each element's sum runs over the depth in one order whatever the tiling, so threads do not change it.
#include "engine.h"

enum {
    few_rows = 8,
    columns_per_dot_task = 32,
    panels_per_block = 8,
    columns_per_block = panels_per_block * cc_panel_width,
    largest_chunk = 1008,  // rows; a multiple of every tile height
    smallest_chunk = 84,
    rows_per_dequantization = 4, // a row has at most 2^18 elements of 4 bytes: these fill the scratch of a thread
};

ptrdiff_t cc_few_rows(void) { return few_rows; }

typedef struct product {
    const cc_engine *engine;
    const cc_path *path;
    const char *x;
    int x_type;
    ptrdiff_t rows; // of the part that fits `shared`
    ptrdiff_t inputs;
    const char *weight; // null for a quantized one
    int weight_type;    // what the path multiplies
    const cc_quantized *quantized;
    ptrdiff_t outputs;
    const char *bias;
    int bias_type;
    int epilogue;
    char *y;
    int y_type;

    ptrdiff_t depth_blocks;
    ptrdiff_t chunk; // rows of one task
    ptrdiff_t chunks;
} product;

static ptrdiff_t block_depth(const product *p) { return (ptrdiff_t)cc_block_words * p->path->per_word; }

// Loads the biases of some columns, or says that there are none.
static const float *biases(const product *p, ptrdiff_t column, ptrdiff_t count, float *space) {
    if (!p->bias)
        return NULL;
    p->engine->kernels->widen(space, p->bias + column * cc_element_bytes(p->bias_type), p->bias_type, count);
    return space;
}

static void finish(const product *p, const float *sums, const float *bias, ptrdiff_t row, ptrdiff_t column,
                   ptrdiff_t count) {
    char *y = p->y + (row * p->outputs + column) * cc_element_bytes(p->y_type);
    p->engine->kernels->finish(sums, bias, p->epilogue, y, p->y_type, count);
}

// MARK: Quantized weights

static ptrdiff_t code_row_bytes(const product *p) {
    return p->quantized->format == CC_INT4 ? cc_ceil_div(p->inputs, 8) * 4 : p->inputs;
}

// Writes elements k ..< k + count of a row of the weight as numbers; k is even.
static void dequantize_row(const product *p, ptrdiff_t row, ptrdiff_t k, ptrdiff_t count, char *to) {
    const cc_quantized *q = p->quantized;
    const cc_kernels *kernels = p->engine->kernels;
    const char *codes = (const char *)q->codes + row * code_row_bytes(p);
    ptrdiff_t end = k + count;
    while (k < end) {
        ptrdiff_t group = k / q->group, length = cc_min(end, (group + 1) * q->group) - k;
        float scale;
        const char *scales = q->scales;
        kernels->widen(&scale, scales + (row * q->scale_stride + group) * cc_element_bytes(q->scale_type), q->scale_type, 1);
        kernels->dequantize(to, p->weight_type, codes, q->format, k, length, scale);
        to += length * cc_element_bytes(p->weight_type);
        k += length;
    }
}

// MARK: Few rows

// Multiplies with `count` rows of the weight from `column` on.
static void dot_columns(const product *p, ptrdiff_t column, ptrdiff_t count, float *sums, int thread) {
    ptrdiff_t row_bytes = p->inputs * cc_element_bytes(p->weight_type);
    ptrdiff_t step = p->quantized ? rows_per_dequantization : count;
    for (ptrdiff_t first = 0; first < count; first += step) {
        ptrdiff_t rows = cc_min(step, count - first);
        const char *weight;
        if (p->quantized) {
            char *numbers = cc_scratch(p->engine, thread);
            for (ptrdiff_t i = 0; i < rows; i++)
                dequantize_row(p, column + first + i, 0, p->inputs, numbers + i * row_bytes);
            weight = numbers;
        } else {
            weight = p->weight + (column + first) * row_bytes;
        }
        p->path->dot_rows(p->x, p->inputs, p->rows, weight, p->weight_type, p->inputs, rows, sums + first,
                          columns_per_dot_task);
    }
}

static void dot_task(void *context, ptrdiff_t task, int thread) {
    const product *p = context;
    ptrdiff_t column = task * columns_per_dot_task;
    ptrdiff_t count = cc_min(columns_per_dot_task, p->outputs - column);
    float sums[few_rows * columns_per_dot_task], space[columns_per_dot_task];
    dot_columns(p, column, count, sums, thread);
    const float *bias = biases(p, column, count, space);
    for (ptrdiff_t row = 0; row < p->rows; row++)
        finish(p, sums + row * columns_per_dot_task, bias, row, column, count);
}

static void multiply_few(product *p) {
    if (p->path->per_word == 1 && p->x_type != CC_F32) {
        p->engine->kernels->widen((float *)p->engine->shared, p->x, p->x_type, p->rows * p->inputs);
        p->x = p->engine->shared;
    }
    cc_pool_run(p->engine->pool, cc_ceil_div(p->outputs, columns_per_dot_task), dot_task, p);
}

// MARK: Many rows

enum { rows_per_fill_task = 16 };

static char *packed_row(const product *p, ptrdiff_t block, ptrdiff_t row) {
    return p->engine->shared + (block * p->rows + row) * cc_row_words * 4;
}

static void fill_task(void *context, ptrdiff_t task, int thread) {
    (void)thread;
    const product *p = context;
    ptrdiff_t first = task * rows_per_fill_task, end = cc_min(first + rows_per_fill_task, p->rows);
    ptrdiff_t size = cc_element_bytes(p->x_type);
    for (ptrdiff_t row = first; row < end; row++)
        for (ptrdiff_t block = 0; block < p->depth_blocks; block++) {
            ptrdiff_t k = block * block_depth(p);
            p->path->fill_row(packed_row(p, block, row), p->x + (row * p->inputs + k) * size, p->x_type,
                              cc_min(block_depth(p), p->inputs - k));
        }
}

// Packs the weights of `count` columns for one block of the depth; returns its words.
//
// numbers: where a panel's quantized weights become numbers.
static ptrdiff_t pack_weights(const product *p, char *panels, char *numbers, ptrdiff_t column, ptrdiff_t count,
                              ptrdiff_t block) {
    ptrdiff_t k = block * block_depth(p), depth = cc_min(block_depth(p), p->inputs - k);
    ptrdiff_t words = cc_ceil_div(depth, p->path->per_word), size = cc_element_bytes(p->weight_type);
    for (ptrdiff_t first = 0; first < count; first += cc_panel_width) {
        const void *rows[cc_panel_width];
        for (ptrdiff_t i = 0; i < cc_panel_width; i++) {
            ptrdiff_t row = column + first + i;
            rows[i] = p->quantized ? numbers + i * depth * size : p->weight + (row * p->inputs + k) * size;
            if (first + i >= count)
                rows[i] = NULL;
            else if (p->quantized)
                dequantize_row(p, row, k, depth, numbers + i * depth * size);
        }
        p->path->pack_transposed(panels + first * words * 4, rows, p->weight_type, depth);
    }
    return words;
}

static void multiply_task(void *context, ptrdiff_t task, int thread) {
    const product *p = context;
    ptrdiff_t column = task / p->chunks * columns_per_block, row = task % p->chunks * p->chunk;
    ptrdiff_t count = cc_min(columns_per_block, p->outputs - column), rows = cc_min(p->chunk, p->rows - row);
    char *panels = cc_scratch(p->engine, thread);
    float *sums = (float *)(panels + columns_per_block * cc_block_words * 4), space[columns_per_block];
    char *numbers = (char *)(sums + largest_chunk * columns_per_block);
    for (ptrdiff_t block = 0; block < p->depth_blocks; block++) {
        ptrdiff_t words = pack_weights(p, panels, numbers, column, count, block);
        p->path->multiply(packed_row(p, block, row), rows, panels, cc_ceil_div(count, cc_panel_width), words, sums,
                          columns_per_block, block > 0);
    }
    const float *bias = biases(p, column, count, space);
    for (ptrdiff_t i = 0; i < rows; i++)
        finish(p, sums + i * columns_per_block, bias, row + i, column, count);
}

// Large chunks pack the weights less often; small ones keep every thread busy to the end.
static void choose_chunks(product *p) {
    ptrdiff_t blocks = cc_ceil_div(p->outputs, columns_per_block);
    ptrdiff_t wanted = cc_ceil_div(8 * p->engine->threads, blocks);
    ptrdiff_t chunk = cc_ceil_div(p->rows, cc_max(wanted, cc_ceil_div(p->rows, largest_chunk)));
    p->chunk = cc_min(largest_chunk, cc_max(smallest_chunk, cc_ceil_div(chunk, smallest_chunk) * smallest_chunk));
    p->chunks = cc_ceil_div(p->rows, p->chunk);
}

static void multiply_many(product *p, ptrdiff_t rows) {
    p->depth_blocks = cc_ceil_div(p->inputs, block_depth(p));
    ptrdiff_t capacity = cc_shared_bytes / (p->depth_blocks * cc_row_words * 4);
    ptrdiff_t part = cc_ceil_div(rows, cc_ceil_div(rows, capacity));
    for (ptrdiff_t row = 0; row < rows; row += part) {
        product q = *p;
        q.rows = cc_min(part, rows - row);
        q.x += row * p->inputs * cc_element_bytes(p->x_type);
        q.y += row * p->outputs * cc_element_bytes(p->y_type);
        choose_chunks(&q);
        cc_pool_run(q.engine->pool, cc_ceil_div(q.rows, rows_per_fill_task), fill_task, &q);
        cc_pool_run(q.engine->pool, cc_ceil_div(q.outputs, columns_per_block) * q.chunks, multiply_task, &q);
    }
}

static void multiply(product *p) {
    if (p->rows <= 0 || p->outputs <= 0)
        return;
    if (p->rows <= few_rows)
        multiply_few(p);
    else
        multiply_many(p, p->rows);
}

void cc_linear(cc_engine *engine, const void *x, int x_type, ptrdiff_t rows, ptrdiff_t inputs, const void *weight,
               int weight_type, ptrdiff_t outputs, const void *bias, int bias_type, int epilogue, void *y, int y_type) {
    int pairs = x_type == CC_BF16 && weight_type == CC_BF16 && engine->kernels->bf16.per_word == 2;
    product p = {.engine = engine,
                 .path = pairs ? &engine->kernels->bf16 : &engine->kernels->f32,
                 .x = x,
                 .x_type = x_type,
                 .rows = rows,
                 .inputs = inputs,
                 .weight = weight,
                 .weight_type = weight_type,
                 .outputs = outputs,
                 .bias = bias,
                 .bias_type = bias_type,
                 .epilogue = epilogue,
                 .y = y,
                 .y_type = y_type};
    multiply(&p);
}

void cc_linear_quantized(cc_engine *engine, const void *x, int x_type, ptrdiff_t rows, ptrdiff_t inputs,
                         cc_quantized weight, ptrdiff_t outputs, const void *bias, int bias_type, int epilogue, void *y,
                         int y_type) {
    int pairs = x_type == CC_BF16 && engine->kernels->bf16.per_word == 2;
    product p = {.engine = engine,
                 .path = pairs ? &engine->kernels->bf16 : &engine->kernels->f32,
                 .x = x,
                 .x_type = x_type,
                 .rows = rows,
                 .inputs = inputs,
                 .weight_type = pairs ? CC_BF16 : CC_F32,
                 .quantized = &weight,
                 .outputs = outputs,
                 .bias = bias,
                 .bias_type = bias_type,
                 .epilogue = epilogue,
                 .y = y,
                 .y_type = y_type};
    multiply(&p);
}
