// Packing: rows of a matrix to the panels of packed.h.
//
// One task packs one panel, a piece of the depth at a time: its rows are brought to words of 4 bytes, 32 rows of words
// are transposed, and what is narrower or wider than a word is separated.
#define _GNU_SOURCE
#include "engine.h"

#include <math.h>
#include <string.h>
#include <sys/mman.h>

// Rows of a piece are an odd number of cache lines apart: at a power of two, copies and transposition would compete for
// the same cache sets.
enum { piece_words = 512, line_bytes = piece_words * 4 + 64 };

ptrdiff_t cc_packed_step(void) { return cc_packed_width; }

ptrdiff_t cc_packed_bytes(cc_packed matrix) {
    return cc_packed_panels(matrix.gated, matrix.outputs) * cc_packed_panel_bytes(&matrix);
}

void cc_prefer_huge_pages(void *memory, ptrdiff_t bytes) {
    const uintptr_t page = 1 << 16; // at least a page, on every system
    uintptr_t first = ((uintptr_t)memory + page - 1) / page * page, end = ((uintptr_t)memory + (uintptr_t)bytes) / page * page;
    if (first < end)
        madvise((void *)first, end - first, MADV_HUGEPAGE);
}

typedef struct packing {
    const cc_engine *engine;
    cc_packed matrix;
    ptrdiff_t first, count; // outputs
    const char *rows;
    int row_type;
    const char *scales;
} packing;

static int storage_type(int format) {
    return format == CC_PACKED_F32 ? CC_F32 : format == CC_PACKED_F16 ? CC_F16 : CC_BF16;
}

// Converts elements of a float row to the format's type; `space` holds as many floats.
static void convert_row(const packing *p, char *to, const char *from, ptrdiff_t count, float *space) {
    int type = storage_type(p->matrix.format);
    if (type == p->row_type) {
        memcpy(to, from, (size_t)(count * cc_element_bytes(type)));
    } else {
        p->engine->kernels->widen(space, from, p->row_type, count);
        p->engine->kernels->narrow(to, type, space, count);
    }
}

// Four codes of int4 in 16 bits, as the low halves of four bytes.
static uint32_t spread(uint32_t x) { return (x & 0xf) | (x & 0xf0) << 4 | (x & 0xf00) << 8 | (x & 0xf000) << 12; }

// Where a word of a panel is written.
static char *word_of(cc_panel panel, ptrdiff_t word) { return (char *)cc_panel_word(panel, word); }

// Writes transposed source words as words of the panel, from word `word` on.
static void store_words(cc_panel panel, ptrdiff_t word, const uint32_t *words, ptrdiff_t count) {
    for (ptrdiff_t k = 0; k < count; k++, words += cc_packed_width) {
        if (panel.format <= CC_PACKED_BF16) {
            memcpy(word_of(panel, word + k), words, cc_packed_width * 4);
        } else if (panel.format == CC_PACKED_INT8) {
            uint32_t *to = (uint32_t *)word_of(panel, word + k);
            for (int i = 0; i < cc_packed_width; i++)
                to[i] = words[i] ^ 0x80808080u;
        } else {
            for (int half = 0; half < 2 && word + 2 * k + half < panel.words; half++) {
                char *to = word_of(panel, word + 2 * k + half);
                if (panel.format == CC_PACKED_FP8)
                    for (int i = 0; i < cc_packed_width; i++)
                        ((uint16_t *)to)[i] = (uint16_t)(words[i] >> 16 * half);
                else
                    for (int i = 0; i < cc_packed_width / 2; i++)
                        ((uint32_t *)to)[i] = spread(words[i] >> 16 * half) | spread(words[i + 16] >> 16 * half) << 4;
            }
        }
    }
}

// Bytes that a row of the source takes.
static ptrdiff_t source_bytes(const packing *p, ptrdiff_t elements) {
    switch (p->matrix.format) {
    case CC_PACKED_FP8:
    case CC_PACKED_INT8:
        return elements;
    case CC_PACKED_INT4:
        return cc_ceil_div(elements, 2);
    default:
        return elements * cc_element_bytes(p->row_type);
    }
}

// Writes elements of one row as whole 4-byte words, completed by zeros.
static void fill_words(const packing *p, char *to, const char *row, ptrdiff_t first, ptrdiff_t count, ptrdiff_t words,
                       float *space) {
    int format = p->matrix.format;
    const char *from = row + source_bytes(p, first);
    ptrdiff_t bytes = source_bytes(p, count);
    if (format <= CC_PACKED_BF16) {
        convert_row(p, to, from, count, space);
        bytes = count * cc_element_bytes(storage_type(format));
    } else {
        memcpy(to, from, (size_t)bytes);
    }
    memset(to + bytes, 0, (size_t)(words * 4 - bytes));
    if (format == CC_PACKED_INT4) {
        memset(to + bytes, 0x88, (size_t)(words * 4 - bytes));
        if (count % 2)
            to[bytes - 1] = (char)((to[bytes - 1] & 0xf) | 0x80);
    }
}

// Writes the scales of one panel; missing columns have zeros.
static void store_scales(const packing *p, cc_panel panel, cc_panel_columns columns, ptrdiff_t row) {
    const cc_packed *m = &p->matrix;
    ptrdiff_t groups = m->group ? cc_ceil_div(m->inputs, m->group) : 1, size = cc_element_bytes(m->scale_type);
    for (ptrdiff_t g = 0; g < groups; g++) {
        char *to = word_of(panel, g * panel.group_words) - cc_scale_bytes(m->scale_type);
        memset(to, 0, (size_t)cc_scale_bytes(m->scale_type));
        for (ptrdiff_t i = 0; i < columns.count; i++)
            memcpy(to + i * size, p->scales + ((row + i) * groups + g) * size, (size_t)size);
    }
}

// An fp8 row with a NaN among its codes gets a NaN for its scale, which makes the same of every sum with it; so the products
// need not look for one.
static void mark_nan_rows(const packing *p, cc_panel panel, cc_panel_columns columns, ptrdiff_t row) {
    float *scales = (float *)panel.start;
    size_t count = (size_t)p->matrix.inputs;
    for (ptrdiff_t i = 0; i < columns.count; i++) {
        const char *codes = p->rows + (row + i) * p->matrix.inputs;
        if (memchr(codes, 0x7f, count) || memchr(codes, 0xff, count))
            scales[i] = NAN;
    }
}

static void pack_task(void *context, ptrdiff_t task, int thread) {
    const packing *p = context;
    const cc_packed *m = &p->matrix;
    cc_panel_columns columns = cc_packed_columns(m->gated, m->outputs, task);
    if (columns.first < p->first || columns.first >= p->first + p->count)
        return;
    static const char nothing[1];
    cc_panel panel = cc_whole_panel(m, (const char *)m->panels + task * cc_packed_panel_bytes(m));
    char *filled = cc_scratch(p->engine, thread), *turned = filled + cc_packed_width * line_bytes;
    float *space = (float *)(turned + cc_packed_width * piece_words * 4);
    // Elements in a source word of 4 bytes, and words of the panel that come of it.
    ptrdiff_t elements = m->format == CC_PACKED_INT4 ? 8 : m->format == CC_PACKED_FP8 ? 4 : cc_packed_per_word(m->format);
    ptrdiff_t ratio = elements / cc_packed_per_word(m->format);
    const char *row = p->rows + (columns.first - p->first) * source_bytes(p, m->inputs);
    for (ptrdiff_t k = 0; k < m->inputs; k += piece_words * elements) {
        ptrdiff_t count = cc_min(piece_words * elements, m->inputs - k), words = cc_ceil_div(count, elements);
        const char *lines[cc_packed_width];
        for (ptrdiff_t i = 0; i < cc_packed_width; i++) {
            char *line = filled + i * line_bytes;
            lines[i] = line;
            if (i < columns.count)
                fill_words(p, line, row + i * source_bytes(p, m->inputs), k, count, words, space);
            else
                fill_words(p, line, nothing, 0, 0, words, space);
        }
        p->engine->kernels->packed.transpose_words((uint32_t *)turned, lines, words);
        store_words(panel, k / elements * ratio, (const uint32_t *)turned, words);
    }
    if (m->format >= CC_PACKED_FP8)
        store_scales(p, panel, columns, columns.first - p->first);
    if (m->format == CC_PACKED_FP8)
        mark_nan_rows(p, panel, columns, columns.first - p->first);
}

void cc_pack(cc_engine *engine, cc_packed matrix, ptrdiff_t first, ptrdiff_t count, const void *rows, int row_type,
             const void *scales) {
    packing p = {.engine = engine,
                 .matrix = matrix,
                 .first = first,
                 .count = count,
                 .rows = rows,
                 .row_type = row_type,
                 .scales = scales};
    cc_pool_run(engine->pool, cc_packed_panels(matrix.gated, matrix.outputs), pack_task, &p);
}
