// PNG through libpng: every color type and bit depth, interlaced or not.
//
// libpng must not return from its error callback either; see jpeg.c. Ancillary chunks (text, profiles, gamma, ...) are
// skipped unread: none changes a pixel here, and their decompression is a classic way to exhaust memory.
// A wrong checksum of a critical chunk is an error. Bytes after the last row are not looked at, as in Pillow.
#include "codec.h"

#include <setjmp.h>
#include <string.h>

#include <png.h>

typedef struct session {
    png_structp reader;
    png_infop info;
    jmp_buf escape;
    const ic_input *input;
    size_t offset;
    ic_status status;
} session;

static _Noreturn void on_error(png_structp reader, png_const_charp text) {
    session *s = png_get_error_ptr(reader);
    if (s->status == IC_OK) s->status = ic_fail(s->input, IC_MALFORMED, "%s", text);
    longjmp(s->escape, 1);
}

static void ignore_warning(png_structp reader, png_const_charp text) {
    (void)reader;
    (void)text;
}

static void read_bytes(png_structp reader, png_bytep target, size_t count) {
    session *s = png_get_io_ptr(reader);
    if (count > s->input->count - s->offset) {
        s->status = ic_fail(s->input, IC_TRUNCATED, "the file ends after %zu bytes", s->input->count);
        png_error(reader, "truncated");
    }
    memcpy(target, s->input->bytes + s->offset, count);
    s->offset += count;
}

/// Must run under the caller's setjmp. Returns 0 when libpng could not even be started.
static int begin(session *s, const ic_input *input) {
    s->input = input;
    s->reader = png_create_read_struct(PNG_LIBPNG_VER_STRING, s, on_error, ignore_warning);
    if (s->reader) s->info = png_create_info_struct(s->reader);
    if (!s->info) {
        s->status = ic_fail(input, IC_OUT_OF_MEMORY, "libpng could not be started");
        return 0;
    }
    png_set_read_fn(s->reader, s, read_bytes);
    // The pixel count is checked by our own limit, which knows the product; these only have to be no lower.
    png_set_user_limits(s->reader, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_chunk_cache_max(s->reader, 128);
    png_set_chunk_malloc_max(s->reader, (png_alloc_size_t)input->limits->max_chunk_bytes);
#ifdef PNG_SET_UNKNOWN_CHUNKS_SUPPORTED
    png_set_keep_unknown_chunks(s->reader, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
#endif
    return 1;
}

static void end(session *s) { png_destroy_read_struct(&s->reader, &s->info, NULL); }

static void read_header(session *s, ic_header *header) {
    png_read_info(s->reader, s->info);
    header->width = header->frame_width = png_get_image_width(s->reader, s->info);
    header->height = header->frame_height = png_get_image_height(s->reader, s->info);
    header->channels = png_get_channels(s->reader, s->info);
    header->bits_per_sample = png_get_bit_depth(s->reader, s->info);
}

/// A big-endian number, as PNG writes sizes.
static uint32_t read_uint32(const uint8_t *bytes) {
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/// Fills in the announced size when it alone is more than the limit: a bomb is refused for what it is, even when the
/// rest of the file is missing or damaged.
static int announces_too_much(const ic_input *input, ic_header *header) {
    if (input->count < 24 || memcmp(input->bytes + 12, "IHDR", 4) != 0) return 0;
    header->width = header->frame_width = read_uint32(input->bytes + 16);
    header->height = header->frame_height = read_uint32(input->bytes + 20);
    // Zero and what PNG does not allow are for libpng to refuse.
    if (header->width > INT32_MAX || header->height > INT32_MAX) return 0;
    return (uint64_t)header->width * header->height > input->limits->max_pixels;
}

ic_status ic_png_header(const ic_input *input, ic_header *header) {
    session s = {0};
    if (announces_too_much(input, header)) return IC_OK;
    if (setjmp(s.escape) == 0 && begin(&s, input)) read_header(&s, header);
    end(&s);
    return s.status;
}

/// Big-endian 16-bit gray at the start of `row` to RGB over the same bytes, clipped (not scaled) at 255 as Pillow does.
static void clip_gray16_row(uint8_t *row, size_t width) {
    // From the right: pixel x is read at 2x and written at 3x, so nothing unread is overwritten.
    for (size_t x = width; x-- > 0;) {
        uint8_t value = row[2 * x] ? 255 : row[2 * x + 1];
        row[3 * x] = row[3 * x + 1] = row[3 * x + 2] = value;
    }
}

static void decode_rows(session *s, const ic_header *header, uint8_t *rgb) {
    png_structp reader = s->reader;
    int color = png_get_color_type(reader, s->info);
    int is_gray16 = color == PNG_COLOR_TYPE_GRAY && header->bits_per_sample == 16;
    if (!is_gray16) {
        png_set_strip_16(reader);
        png_set_strip_alpha(reader);
        if (color == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(reader);
        if (color == PNG_COLOR_TYPE_GRAY) png_set_expand_gray_1_2_4_to_8(reader);
        if (!(color & PNG_COLOR_MASK_COLOR)) png_set_gray_to_rgb(reader);
    }
    int passes = png_set_interlace_handling(reader);
    png_read_update_info(reader, s->info);

    size_t stride = (size_t)header->width * 3;
    if (png_get_rowbytes(reader, s->info) != (size_t)header->width * (is_gray16 ? 2 : 3)) {
        png_error(reader, "unexpected row size");
    }
    for (int pass = 0; pass < passes; pass++) {
        for (uint32_t y = 0; y < header->height; y++) png_read_row(reader, rgb + stride * y, NULL);
    }
    for (uint32_t y = 0; is_gray16 && y < header->height; y++) clip_gray16_row(rgb + stride * y, header->width);
}

ic_status ic_png_decode(const ic_input *input, const ic_header *header, uint8_t *rgb) {
    session s = {0};
    if (setjmp(s.escape) == 0 && begin(&s, input)) {
        ic_header found = {0};
        read_header(&s, &found);
        if (found.width == header->width && found.height == header->height) {
            decode_rows(&s, &found, rgb);
        } else {
            s.status = ic_fail(input, IC_WRONG_BUFFER, "the header is of other bytes");
        }
    }
    end(&s);
    return s.status;
}
