// Chooses the codec by the first bytes, and checks limits between header and pixels.
#include "codec.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

ic_status ic_fail(const ic_input *input, ic_status status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(input->message, IC_MESSAGE_CAPACITY, format, arguments);
    va_end(arguments);
    return status;
}

ic_format ic_sniff(const uint8_t *bytes, size_t count) {
    if (count >= 3 && memcmp(bytes, "\xFF\xD8\xFF", 3) == 0) return IC_FORMAT_JPEG;
    if (count >= 8 && memcmp(bytes, "\x89PNG\r\n\x1A\n", 8) == 0) return IC_FORMAT_PNG;
    if (count >= 12 && memcmp(bytes, "RIFF", 4) == 0 && memcmp(bytes + 8, "WEBP", 4) == 0) return IC_FORMAT_WEBP;
    if (count >= 6 && (memcmp(bytes, "GIF87a", 6) == 0 || memcmp(bytes, "GIF89a", 6) == 0)) return IC_FORMAT_GIF;
    return IC_FORMAT_UNKNOWN;
}

static ic_status read_header(const ic_input *input, ic_header *header) {
    header->format = ic_sniff(input->bytes, input->count);
    switch (header->format) {
    case IC_FORMAT_JPEG:
        return ic_jpeg_header(input, header);
    case IC_FORMAT_PNG:
        return ic_png_header(input, header);
    case IC_FORMAT_WEBP:
        return ic_webp_header(input, header);
    case IC_FORMAT_GIF:
        return ic_gif_header(input, header);
    case IC_FORMAT_UNKNOWN:
        break;
    }
    return ic_fail(input, IC_UNKNOWN_FORMAT, "the first bytes are of no known image format");
}

ic_status ic_read_header(const uint8_t *bytes, size_t count, const ic_limits *limits, ic_header *header,
                         char *message) {
    ic_input input = {bytes, count, limits, message};
    memset(header, 0, sizeof *header);
    message[0] = 0;
    if (count > limits->max_file_bytes) return ic_fail(&input, IC_FILE_TOO_LARGE, "%zu bytes", count);

    ic_status status = read_header(&input, header);
    if (status != IC_OK) return status;
    if (header->width == 0 || header->height == 0) {
        return ic_fail(&input, IC_MALFORMED, "the picture is %u x %u pixels", header->width, header->height);
    }
    // Both factors are below 2^32, so the product cannot wrap.
    uint64_t pixels = (uint64_t)header->width * header->height;
    if (pixels > limits->max_pixels) {
        return ic_fail(&input, IC_TOO_MANY_PIXELS, "%u x %u pixels", header->width, header->height);
    }
    if (header->width > limits->max_side || header->height > limits->max_side) {
        return ic_fail(&input, IC_SIDE_TOO_LONG, "%u x %u pixels", header->width, header->height);
    }
    return IC_OK;
}

ic_status ic_decode_rgb(const uint8_t *bytes, size_t count, const ic_limits *limits, const ic_header *header,
                        uint8_t *rgb, size_t capacity, char *message) {
    ic_input input = {bytes, count, limits, message};
    message[0] = 0;
    if (header->format != ic_sniff(bytes, count) || capacity / 3 / header->width != header->height ||
        capacity != (size_t)header->width * header->height * 3) {
        return ic_fail(&input, IC_WRONG_BUFFER, "%zu bytes for %u x %u pixels", capacity, header->width,
                       header->height);
    }
    switch (header->format) {
    case IC_FORMAT_JPEG:
        return ic_jpeg_decode(&input, header, rgb);
    case IC_FORMAT_PNG:
        return ic_png_decode(&input, header, rgb);
    case IC_FORMAT_WEBP:
        return ic_webp_decode(&input, header, rgb);
    case IC_FORMAT_GIF:
        return ic_gif_decode(&input, header, rgb);
    case IC_FORMAT_UNKNOWN:
        break;
    }
    return ic_fail(&input, IC_UNKNOWN_FORMAT, "the first bytes are of no known image format");
}
