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

ptrdiff_t cc_packed_bytes(int format, int gated, ptrdiff_t outputs, ptrdiff_t inputs, ptrdiff_t group) {
    return cc_packed_panels(gated, outputs) * cc_packed_panel_bytes(format, inputs, group);
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
    const float *scales;
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

// Writes transposed source words as words of the panel, from word `word` on; returns how many panel words those are.
static void store_words(const cc_packed *m, char *panel, ptrdiff_t word, const uint32_t *words, ptrdiff_t count,
                        ptrdiff_t limit) {
    ptrdiff_t group_words = m->group / 4;
    for (ptrdiff_t k = 0; k < count; k++, words += cc_packed_width) {
        if (m->format <= CC_PACKED_BF16) {
            memcpy(panel + cc_packed_offset(m->format, 0, word + k), words, cc_packed_width * 4);
        } else if (m->format == CC_PACKED_INT8) {
            uint32_t *to = (uint32_t *)(panel + cc_packed_offset(m->format, group_words, word + k));
            for (int i = 0; i < cc_packed_width; i++)
                to[i] = words[i] ^ 0x80808080u;
        } else {
            for (int half = 0; half < 2 && word + 2 * k + half < limit; half++) {
                char *to = panel + cc_packed_offset(m->format, group_words, word + 2 * k + half);
                if (m->format == CC_PACKED_FP8)
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

// The scale of a row and group. An fp8 row with a NaN among its codes gets a NaN for its scale, which makes the same of
// every sum with it; so the products need not look for one.
static float scale_of(const packing *p, ptrdiff_t row, ptrdiff_t group, ptrdiff_t groups) {
    const char *codes = p->rows + row * p->matrix.inputs;
    size_t count = (size_t)p->matrix.inputs;
    if (p->matrix.format == CC_PACKED_FP8 && (memchr(codes, 0x7f, count) || memchr(codes, 0xff, count)))
        return NAN;
    return p->scales[row * groups + group];
}

// Writes the scales of one panel.
static void store_scales(const packing *p, char *panel, cc_panel_columns columns, ptrdiff_t row) {
    const cc_packed *m = &p->matrix;
    ptrdiff_t groups = m->group ? cc_ceil_div(m->inputs, m->group) : 1, group_words = m->group / 4;
    for (ptrdiff_t g = 0; g < groups; g++) {
        float *to = (float *)(panel + cc_packed_offset(m->format, group_words, g * group_words) - cc_scale_bytes);
        for (ptrdiff_t i = 0; i < cc_packed_width; i++)
            to[i] = i < columns.count ? scale_of(p, row + i, g, groups) : 0;
    }
}

static void pack_task(void *context, ptrdiff_t task, int thread) {
    const packing *p = context;
    const cc_packed *m = &p->matrix;
    cc_panel_columns columns = cc_packed_columns(m->gated, m->outputs, task);
    if (columns.first < p->first || columns.first >= p->first + p->count)
        return;
    static const char nothing[1];
    char *panel = (char *)m->panels + task * cc_packed_panel_bytes(m->format, m->inputs, m->group);
    char *filled = cc_scratch(p->engine, thread), *turned = filled + cc_packed_width * line_bytes;
    float *space = (float *)(turned + cc_packed_width * piece_words * 4);
    // Elements in a source word of 4 bytes, and words of the panel that come of it.
    ptrdiff_t elements = m->format == CC_PACKED_INT4 ? 8 : m->format == CC_PACKED_FP8 ? 4 : cc_packed_per_word(m->format);
    ptrdiff_t ratio = elements / cc_packed_per_word(m->format), limit = cc_packed_words(m->format, m->inputs);
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
        store_words(m, panel, k / elements * ratio, (const uint32_t *)turned, words, limit);
    }
    if (m->format >= CC_PACKED_FP8)
        store_scales(p, panel, columns, columns.first - p->first);
}

void cc_pack(cc_engine *engine, cc_packed matrix, ptrdiff_t first, ptrdiff_t count, const void *rows, int row_type,
             const float *scales) {
    packing p = {.engine = engine,
                 .matrix = matrix,
                 .first = first,
                 .count = count,
                 .rows = rows,
                 .row_type = row_type,
                 .scales = scales};
    cc_pool_run(engine->pool, cc_packed_panels(matrix.gated, matrix.outputs), pack_task, &p);
}
