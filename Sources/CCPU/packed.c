// The driver of products with packed weights: y = epilogue(x · weightᵀ + bias).
//
// The rows of x are written as words first, in blocks of the depth: [block][row][row_words], or, where a path has rows that
// lie together, [block][rows / together][row_words][together]. Then every task multiplies some of them with some columns of
// panels, one block of panels at a time:
//
//     few rows   each thread has a share of the memory and reads one panel after the other, from its first byte to its last;
//                it writes the words of all rows for itself, as those that another core wrote would come late
//     many rows  a task is a chunk of rows and a block of four panels, of which one block of the depth at a time is
//                expanded into scratch (if the kernel does not take it as it is) and meets all rows of the chunk
//
// Each element's sum runs over the depth in one order whatever the tiling, so neither threads nor the number of rows
// change it. Layouts: packed.h.
#include "engine.h"

#include <string.h>

enum {
    few_rows = cc_few_packed_rows,
    panels_per_block = 4,
    columns_per_block = panels_per_block * cc_packed_width,
    expanded_bytes = panels_per_block * cc_block_words * cc_packed_width * 4,
    largest_chunk = 504, // rows, whose sums take 258 KB of the second cache; a multiple of every tile height
    smallest_chunk = 84,
    rows_per_fill_task = 16,
    largest_own_rows = 3 << 20, // bytes of words that a thread writes for itself
    bytes_at_once = 1 << 19,    // that a thread takes of its share
    bytes_per_thread = 1 << 18, // of few rows' panels: another thread would not pay for less
    rows_ahead = 12,            // whose results are asked for
};

typedef struct packed_product {
    const cc_engine *engine;
    const cc_packed_path *path;
    cc_packed matrix;
    ptrdiff_t panels, panel_bytes, words; // words of the path along the depth
    int ratio;                            // elements per word of the matrix / elements per word of the path
    const char *x;
    int x_type;
    ptrdiff_t rows; // of the part that fits `shared`
    const char *bias;
    int bias_type;
    int epilogue;
    char *y;
    int y_type;

    ptrdiff_t together; // rows that lie together
    int owns_rows;      // whether each thread writes words for itself
    ptrdiff_t depth_blocks;
    ptrdiff_t chunk, chunks; // rows of one task
    ptrdiff_t blocks;        // of panels, one a task
} packed_product;

static ptrdiff_t round_up(ptrdiff_t count, ptrdiff_t unit) { return cc_ceil_div(count, unit) * unit; }

// Where the words of rows are; those of a thread's own lie behind its sums.
static char *words_of(const packed_product *p, int thread) {
    return p->owns_rows ? cc_scratch(p->engine, thread) + expanded_bytes + few_rows * columns_per_block * 4
                        : p->engine->shared;
}

static ptrdiff_t bytes_of_words(const packed_product *p) {
    return p->depth_blocks * round_up(p->rows, p->together) * p->path->row_words * 4;
}

// `row` is the first of those that lie together.
static char *row_at(const packed_product *p, char *words, ptrdiff_t block, ptrdiff_t row) {
    return words + (block * round_up(p->rows, p->together) + row) * p->path->row_words * 4;
}

static void fill_row(const packed_product *p, void *to, ptrdiff_t block, ptrdiff_t row) {
    ptrdiff_t depth = (ptrdiff_t)cc_block_words * p->path->per_word, k = block * depth;
    ptrdiff_t group = p->matrix.group ? p->matrix.group : 128;
    int offset = p->matrix.format == CC_PACKED_INT4 ? 8 : 128;
    p->path->fill_row(to, p->x + (row * p->matrix.inputs + k) * cc_element_bytes(p->x_type), p->x_type,
                      cc_min(depth, p->matrix.inputs - k), group, offset);
}

// Rows that lie together are filled one after the other first.
static void fill_together(const packed_product *p, uint32_t *space, ptrdiff_t block, ptrdiff_t row) {
    ptrdiff_t count = cc_min(p->together, p->rows - row);
    ptrdiff_t words = cc_min(cc_block_words, p->words - block * cc_block_words);
    uint32_t *to = (uint32_t *)row_at(p, p->engine->shared, block, row);
    for (ptrdiff_t r = 0; r < count; r++) {
        uint32_t *from = space + r * p->path->row_words;
        fill_row(p, from, block, row + r);
        for (ptrdiff_t k = 0; k < words; k++)
            to[k * p->together + r] = from[k];
    }
}

static void fill_rows(const packed_product *p, char *words, ptrdiff_t first, ptrdiff_t end) {
    for (ptrdiff_t row = first; row < end; row++)
        for (ptrdiff_t block = 0; block < p->depth_blocks; block++)
            fill_row(p, row_at(p, words, block, row), block, row);
}

static ptrdiff_t rows_of_fill_task(const packed_product *p) { return round_up(rows_per_fill_task, p->together); }

static void fill_task(void *context, ptrdiff_t task, int thread) {
    const packed_product *p = context;
    ptrdiff_t first = task * rows_of_fill_task(p), end = cc_min(first + rows_of_fill_task(p), p->rows);
    if (p->together == 1)
        fill_rows(p, p->engine->shared, first, end);
    else
        for (ptrdiff_t row = first; row < end; row += p->together)
            for (ptrdiff_t block = 0; block < p->depth_blocks; block++)
                fill_together(p, (uint32_t *)cc_scratch(p->engine, thread), block, row);
}

// MARK: Sums

// Words of one panel in one block of the depth: as they are where `expanded` is null.
static cc_panel panel_at(const packed_product *p, ptrdiff_t index, ptrdiff_t block, char *expanded) {
    ptrdiff_t word = block * cc_block_words, words = cc_min(cc_block_words, p->words - word);
    cc_panel panel = cc_whole_panel(&p->matrix, (const char *)p->matrix.panels + index * p->panel_bytes);
    panel.first = word / p->ratio;
    panel.words = cc_ceil_div(words, p->ratio);
    panel.ahead = p->engine->ahead;
    if (!expanded)
        return panel;
    p->path->expand(expanded, panel);
    return (cc_panel){.format = p->path->per_word == 1 ? CC_PACKED_F32 : CC_PACKED_BF16,
                      .start = expanded,
                      .words = words,
                      .expanded = 1};
}

// Panels times few rows: one panel after the other.
static void sum_few(const packed_product *p, char *words, ptrdiff_t first, ptrdiff_t count, char *expanded, float *sums) {
    for (ptrdiff_t i = 0; i < count; i++)
        for (ptrdiff_t block = 0; block < p->depth_blocks; block++) {
            cc_panel panel = panel_at(p, first + i, block, expanded);
            p->path->multiply(row_at(p, words, block, 0), p->rows, &panel, sums + i * cc_packed_width, columns_per_block,
                              block > 0);
        }
}

// Panels times a chunk of rows: one block of the depth after the other.
static void sum_many(const packed_product *p, ptrdiff_t first, ptrdiff_t count, ptrdiff_t row, ptrdiff_t rows,
                     char *expanded, float *sums) {
    for (ptrdiff_t block = 0; block < p->depth_blocks; block++) {
        cc_panel panels[panels_per_block];
        for (ptrdiff_t i = 0; i < count; i++)
            panels[i] = panel_at(p, first + i, block,
                                 expanded ? expanded + i * cc_block_words * cc_packed_width * 4 : NULL);
        for (ptrdiff_t tile = 0; tile < rows; tile += p->path->tile_rows) {
            const char *left = row_at(p, p->engine->shared, block, row + tile);
            ptrdiff_t height = cc_min(p->path->tile_rows, rows - tile);
            for (ptrdiff_t i = 0; i < count; i++) {
                p->path->multiply(left, height, &panels[i], sums + tile * columns_per_block + i * cc_packed_width,
                                  columns_per_block, block > 0);
                panels[i].ahead = 0; // the next tile finds it in a cache
            }
        }
    }
}

// MARK: Results

static void scale_columns(const packed_product *p, ptrdiff_t first, ptrdiff_t count, ptrdiff_t rows, float *sums) {
    for (ptrdiff_t i = 0; i < count; i++) {
        const float *scales = (const float *)((const char *)p->matrix.panels + (first + i) * p->panel_bytes);
        for (ptrdiff_t row = 0; row < rows; row++)
            for (int column = 0; column < cc_packed_width; column++)
                sums[row * columns_per_block + i * cc_packed_width + column] *= scales[column];
    }
}

static void finish_gated(const packed_product *p, const float *bias, ptrdiff_t panel, ptrdiff_t row, float *sums) {
    const cc_kernels *kernels = p->engine->kernels;
    cc_panel_columns columns = cc_packed_columns(1, p->matrix.outputs, panel);
    if (bias)
        kernels->add(sums, bias, 2 * cc_packed_width);
    kernels->gated_silu(sums, sums + cc_packed_width, cc_packed_width);
    char *y = p->y + (row * (p->matrix.outputs / 2) + columns.place) * cc_element_bytes(p->y_type);
    kernels->finish(sums, NULL, CC_STORE, y, p->y_type, columns.count);
}

// Asks for the memory of a row that will be written soon: the results of a product of many are in no cache.
static void ask_for_results(const char *y, ptrdiff_t bytes) {
    for (ptrdiff_t byte = 0; byte < bytes; byte += 64)
        __builtin_prefetch(y + byte, 1, 3);
}

// Stores the sums of panels: of several at once, as what waits for them delays the next reading.
static void finish_block(const packed_product *p, ptrdiff_t first, ptrdiff_t count, ptrdiff_t row, ptrdiff_t rows,
                         float *sums) {
    const cc_kernels *kernels = p->engine->kernels;
    float space[columns_per_block] = {0}, *bias = p->bias ? space : NULL;
    ptrdiff_t width = 0;
    for (ptrdiff_t i = 0; i < count; i++) {
        cc_panel_columns columns = cc_packed_columns(p->matrix.gated, p->matrix.outputs, first + i);
        width += columns.count;
        if (bias)
            kernels->widen(bias + i * cc_packed_width, p->bias + columns.first * cc_element_bytes(p->bias_type),
                           p->bias_type, columns.count);
    }
    if (p->matrix.format == CC_PACKED_FP8)
        scale_columns(p, first, count, rows, sums);
    for (ptrdiff_t i = 0; i < rows; i++) {
        float *from = sums + i * columns_per_block;
        if (p->matrix.gated) {
            for (ptrdiff_t panel = 0; panel < count; panel += 2)
                finish_gated(p, bias ? bias + panel * cc_packed_width : NULL, first + panel, row + i,
                             from + panel * cc_packed_width);
        } else {
            ptrdiff_t size = cc_element_bytes(p->y_type), stride = p->matrix.outputs * size;
            char *y = p->y + (row + i) * stride + first * cc_packed_width * size;
            if (i + rows_ahead < rows)
                ask_for_results(y + rows_ahead * stride, width * size);
            kernels->finish(from, bias, p->epilogue, y, p->y_type, width);
        }
    }
}

// MARK: Tasks

// Scratch for expanded panels, or null if the kernel takes them as they are.
static char *expanding_scratch(const packed_product *p, int thread) {
    return p->path->direct(p->matrix.format, p->rows) ? NULL : cc_scratch(p->engine, thread);
}

static float *sums_of(const packed_product *p, int thread) {
    return (float *)(cc_scratch(p->engine, thread) + expanded_bytes);
}

// Columns of a gated matrix are finished together with those of the factor beside them.
static ptrdiff_t panels_per_piece(const packed_product *p) { return p->matrix.gated ? 2 : 1; }

// Few rows; a task is a thread that helps until nothing is left.
static void multiply_pieces(void *context, ptrdiff_t task, int thread) {
    (void)task;
    const packed_product *p = context;
    char *words = words_of(p, thread);
    ptrdiff_t width = panels_per_piece(p), most = cc_max(1, bytes_at_once / (width * p->panel_bytes));
    cc_pieces pieces;
    for (int is_first = 1; cc_take_pieces(p->engine->shares, p->engine->threads, thread, most, &pieces); is_first = 0) {
        if (is_first && p->owns_rows)
            fill_rows(p, words, 0, p->rows);
        ptrdiff_t end = pieces.end * width;
        for (ptrdiff_t panel = pieces.first * width; panel < end; panel += panels_per_block) {
            ptrdiff_t count = cc_min(panels_per_block, end - panel);
            sum_few(p, words, panel, count, expanding_scratch(p, thread), sums_of(p, thread));
            finish_block(p, panel, count, 0, p->rows, sums_of(p, thread));
        }
    }
}

static void multiply_few(packed_product *p) {
    ptrdiff_t threads = cc_min(p->engine->threads, cc_ceil_div(p->panels * p->panel_bytes, bytes_per_thread));
    cc_deal_shares(p->engine->shares, p->engine->threads, p->panels / panels_per_piece(p));
    cc_pool_run(p->engine->pool, threads, multiply_pieces, p);
}

// Many rows; all panels meet a chunk before the next chunk: it stays in the outer caches, and panels are read in order.
static void multiply_block(void *context, ptrdiff_t task, int thread) {
    const packed_product *p = context;
    ptrdiff_t panel = task % p->blocks * panels_per_block, count = cc_min(panels_per_block, p->panels - panel);
    ptrdiff_t row = task / p->blocks * p->chunk, rows = cc_min(p->chunk, p->rows - row);
    sum_many(p, panel, count, row, rows, expanding_scratch(p, thread), sums_of(p, thread));
    finish_block(p, panel, count, row, rows, sums_of(p, thread));
}

// Large chunks read the panels less often, small ones keep every thread busy to the end.
static void multiply_many(packed_product *p) {
    p->blocks = cc_ceil_div(p->panels, panels_per_block);
    ptrdiff_t wanted = cc_ceil_div(8 * p->engine->threads, p->blocks);
    ptrdiff_t chunk = cc_ceil_div(p->rows, cc_max(wanted, cc_ceil_div(p->rows, largest_chunk)));
    p->chunk = round_up(chunk, smallest_chunk);
    p->chunks = cc_ceil_div(p->rows, p->chunk);
    cc_pool_run(p->engine->pool, p->blocks * p->chunks, multiply_block, p);
}

static const cc_packed_path *choose_path(const cc_packed_kernels *kernels, int x_type, int format) {
    if (x_type == CC_BF16 && format >= CC_PACKED_INT8 && kernels->bytes)
        return kernels->bytes;
    if (x_type == CC_BF16 && (format == CC_PACKED_BF16 || format == CC_PACKED_FP8) && kernels->bf16.per_word)
        return &kernels->bf16;
    return &kernels->f32;
}

void cc_linear_packed(cc_engine *engine, const void *x, int x_type, ptrdiff_t rows, cc_packed matrix, const void *bias,
                      int bias_type, int epilogue, void *y, int y_type) {
    const cc_packed_path *path = choose_path(&engine->kernels->packed, x_type, matrix.format);
    packed_product p = {.engine = engine,
                        .path = path,
                        .matrix = matrix,
                        .panels = cc_packed_panels(matrix.gated, matrix.outputs),
                        .panel_bytes = cc_packed_panel_bytes(&matrix),
                        .words = cc_ceil_div(matrix.inputs, path->per_word),
                        .ratio = cc_packed_per_word(matrix.format) / path->per_word,
                        .x_type = x_type,
                        .bias = bias,
                        .bias_type = bias_type,
                        .epilogue = epilogue,
                        .y_type = y_type};
    if (rows <= 0 || p.panels <= 0)
        return;
    p.depth_blocks = cc_ceil_div(p.words, cc_block_words);
    ptrdiff_t capacity = cc_shared_bytes / (p.depth_blocks * path->row_words * 4) / path->together * path->together;
    ptrdiff_t part = cc_ceil_div(rows, cc_ceil_div(rows, capacity));
    ptrdiff_t y_width = matrix.gated ? matrix.outputs / 2 : matrix.outputs;
    for (ptrdiff_t row = 0; row < rows; row += part) {
        p.rows = cc_min(part, rows - row);
        p.x = (const char *)x + row * matrix.inputs * cc_element_bytes(x_type);
        p.y = (char *)y + row * y_width * cc_element_bytes(y_type);
        p.together = path->direct(matrix.format, p.rows) ? 1 : path->together;
        p.owns_rows = p.rows <= few_rows && p.together == 1 && bytes_of_words(&p) <= largest_own_rows;
        if (!p.owns_rows)
            cc_pool_run(engine->pool, cc_ceil_div(p.rows, rows_of_fill_task(&p)), fill_task, &p);
        if (p.rows <= few_rows)
            multiply_few(&p);
        else
            multiply_many(&p);
    }
}
