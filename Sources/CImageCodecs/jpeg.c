// JPEG through libjpeg-turbo: baseline, progressive, gray, YCbCr, RGB, CMYK and YCCK.
//
// libjpeg reports errors by a callback that must not return; ours jumps back to the `setjmp` of the function below
// that began the work, and everything libjpeg allocated is freed by jpeg_destroy_decompress there.
// Warnings (damaged entropy data that the library repairs) are ignored, as Pillow does; missing bytes are an error.
#include "codec.h"

#include <setjmp.h>
#include <stdio.h>

#include <jerror.h>
#include <jpeglib.h>

typedef struct session {
    struct jpeg_decompress_struct decoder;
    struct jpeg_error_mgr errors;
    struct jpeg_source_mgr source;
    struct jpeg_progress_mgr progress;
    jmp_buf escape;
    const ic_input *input;
    ic_status status;
} session;

static _Noreturn void leave(session *s, ic_status status) {
    s->status = status;
    longjmp(s->escape, 1);
}

static ic_status status_of(int code) {
    switch (code) {
    case JERR_OUT_OF_MEMORY:
    case JERR_NO_BACKING_STORE: // what exceeding max_memory_to_use ends in: the libraries have no temporary files
        return IC_OUT_OF_MEMORY;
    case JERR_IMAGE_TOO_BIG:
        return IC_TOO_MANY_PIXELS;
    case JERR_BAD_PRECISION:
    case JERR_ARITH_NOTIMPL:
    case JERR_NOT_COMPILED:
    case JERR_SOF_UNSUPPORTED:
    case JERR_CONVERSION_NOTIMPL:
        return IC_UNSUPPORTED;
    case JERR_INPUT_EOF:
        return IC_TRUNCATED;
    default:
        return IC_MALFORMED;
    }
}

static void on_error(j_common_ptr decoder) {
    session *s = decoder->client_data;
    char text[JMSG_LENGTH_MAX];
    decoder->err->format_message(decoder, text);
    ic_fail(s->input, IC_MALFORMED, "%s", text);
    leave(s, status_of(decoder->err->msg_code));
}

static void ignore_message(j_common_ptr decoder, int level) {
    if (level < 0) decoder->err->num_warnings++;
}

static void ignore_output(j_common_ptr decoder) { (void)decoder; }

static void ignore_source(j_decompress_ptr decoder) { (void)decoder; }

static boolean out_of_bytes(j_decompress_ptr decoder) {
    // jpeg_mem_src would pretend that the file ended properly and paint the rest gray.
    session *s = decoder->client_data;
    ic_fail(s->input, IC_TRUNCATED, "the file ends after %zu bytes", s->input->count);
    leave(s, IC_TRUNCATED);
}

static void skip_bytes(j_decompress_ptr decoder, long count) {
    if (count <= 0) return;
    if ((size_t)count > decoder->src->bytes_in_buffer) out_of_bytes(decoder);
    decoder->src->next_input_byte += count;
    decoder->src->bytes_in_buffer -= (size_t)count;
}

static void check_scan_count(j_common_ptr decoder) {
    session *s = decoder->client_data;
    int scan = s->decoder.input_scan_number;
    if (scan > 0 && (uint32_t)scan > s->input->limits->max_scans) {
        ic_fail(s->input, IC_TOO_MANY_SCANS, "more than %u scans", s->input->limits->max_scans);
        leave(s, IC_TOO_MANY_SCANS);
    }
}

/// Must run under the caller's setjmp: jpeg_create_decompress may already report an error.
static void begin(session *s, const ic_input *input) {
    s->input = input;
    s->status = IC_OK;
    s->decoder.err = jpeg_std_error(&s->errors);
    s->decoder.client_data = s;
    s->errors.error_exit = on_error;
    s->errors.emit_message = ignore_message;
    s->errors.output_message = ignore_output;
    jpeg_create_decompress(&s->decoder);

    uint64_t budget = input->limits->max_decoder_bytes;
    s->decoder.mem->max_memory_to_use = budget > INT32_MAX ? INT32_MAX : (long)budget;
    s->source = (struct jpeg_source_mgr){
        .next_input_byte = input->bytes,
        .bytes_in_buffer = input->count,
        .init_source = ignore_source,
        .fill_input_buffer = out_of_bytes,
        .skip_input_data = skip_bytes,
        .resync_to_restart = jpeg_resync_to_restart,
        .term_source = ignore_source,
    };
    s->decoder.src = &s->source;
    s->progress.progress_monitor = check_scan_count;
    s->decoder.progress = &s->progress;
}

static void read_header(session *s, ic_header *header) {
    jpeg_read_header(&s->decoder, TRUE);
    int channels = s->decoder.num_components;
    if (s->decoder.data_precision != 8 || (channels != 1 && channels != 3 && channels != 4)) {
        ic_fail(s->input, IC_UNSUPPORTED, "a JPEG of %d components with %d bits", channels, s->decoder.data_precision);
        leave(s, IC_UNSUPPORTED);
    }
    header->width = header->frame_width = s->decoder.image_width;
    header->height = header->frame_height = s->decoder.image_height;
    header->channels = (uint32_t)channels;
    header->bits_per_sample = 8;
}

ic_status ic_jpeg_header(const ic_input *input, ic_header *header) {
    session s = {0};
    if (setjmp(s.escape) == 0) {
        begin(&s, input);
        read_header(&s, header);
    } else if (s.status == IC_TOO_MANY_PIXELS) {
        // libjpeg's own bound (65,500 a side): the caller still learns what the file claims.
        header->width = s.decoder.image_width;
        header->height = s.decoder.image_height;
    }
    jpeg_destroy_decompress(&s.decoder);
    return s.status;
}

/// a * b / 255, rounded, as Pillow's MULDIV255 does it.
static inline uint32_t multiply_divide_255(uint32_t a, uint32_t b) {
    uint32_t t = a * b + 128;
    return ((t >> 8) + t) >> 8;
}

/// One row of inverted CMYK (Adobe's convention, which Pillow assumes of every CMYK JPEG) to RGB.
static void convert_cmyk_row(const uint8_t *cmyk, uint8_t *rgb, size_t width) {
    for (size_t x = 0; x < width; x++, cmyk += 4, rgb += 3) {
        uint32_t not_black = cmyk[3];
        for (int c = 0; c < 3; c++) rgb[c] = (uint8_t)(not_black - multiply_divide_255(255u - cmyk[c], not_black));
    }
}

static void decode_rows(session *s, const ic_header *header, uint8_t *rgb) {
    size_t stride = (size_t)header->width * 3;
    int is_cmyk = s->decoder.num_components == 4;
    s->decoder.out_color_space = is_cmyk ? JCS_CMYK : JCS_RGB;
    jpeg_start_decompress(&s->decoder);

    JSAMPARRAY cmyk = NULL;
    if (is_cmyk) {
        cmyk = s->decoder.mem->alloc_sarray((j_common_ptr)&s->decoder, JPOOL_IMAGE, header->width * 4, 1);
    }
    while (s->decoder.output_scanline < s->decoder.output_height) {
        uint8_t *row = rgb + stride * s->decoder.output_scanline;
        JSAMPROW target = is_cmyk ? cmyk[0] : row;
        jpeg_read_scanlines(&s->decoder, &target, 1);
        if (is_cmyk) convert_cmyk_row(target, row, header->width);
    }
    jpeg_finish_decompress(&s->decoder);
}

ic_status ic_jpeg_decode(const ic_input *input, const ic_header *header, uint8_t *rgb) {
    session s = {0};
    if (setjmp(s.escape) == 0) {
        ic_header found = {0};
        begin(&s, input);
        read_header(&s, &found);
        if (found.width == header->width && found.height == header->height) {
            decode_rows(&s, header, rgb);
        } else {
            s.status = ic_fail(input, IC_WRONG_BUFFER, "the header is of other bytes");
        }
    }
    jpeg_destroy_decompress(&s.decoder);
    return s.status;
}
