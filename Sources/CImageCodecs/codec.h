// What the four codecs share: one pair of functions each, and how they report.
#pragma once

#include "CImageCodecs.h"

/// The bytes of one file and what may be spent on them.
typedef struct ic_input {
    const uint8_t *bytes;
    size_t count;
    const ic_limits *limits;
    char *message;
} ic_input;

/// Writes a printf-style message into `input->message` and returns `status`.
ic_status ic_fail(const ic_input *input, ic_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// Each `..._header` fills everything but the limits' verdict; each `..._decode` may count on a header that passed.
ic_status ic_jpeg_header(const ic_input *input, ic_header *header);
ic_status ic_jpeg_decode(const ic_input *input, const ic_header *header, uint8_t *rgb);
ic_status ic_png_header(const ic_input *input, ic_header *header);
ic_status ic_png_decode(const ic_input *input, const ic_header *header, uint8_t *rgb);
ic_status ic_webp_header(const ic_input *input, ic_header *header);
ic_status ic_webp_decode(const ic_input *input, const ic_header *header, uint8_t *rgb);
ic_status ic_gif_header(const ic_input *input, ic_header *header);
ic_status ic_gif_decode(const ic_input *input, const ic_header *header, uint8_t *rgb);
