/// Image bytes to RGB through libjpeg-turbo, libpng, libwebp and giflib.
///
/// Two steps, so that nothing large is allocated for a header that lies:
///
///     ic_read_header   walks the header only; the caller's limits are checked here
///     ic_decode_rgb    writes width * height * 3 bytes into the caller's buffer
///
/// The libraries' own error handling (longjmp out of libjpeg and libpng) never leaves this target: every call
/// returns a status and, when it is not IC_OK, a short message. There is no global state; any thread may call.
///
/// Pixels are those of Pillow 10.4's `Image.open(file).convert("RGB")`: alpha and transparent colors are dropped, not
/// blended; 16-bit color keeps its high byte and 16-bit gray is clipped at 255; CMYK JPEGs are read as Adobe writes
/// them (inverted); gamma, color profiles and Exif orientation are ignored; animations give their first frame.
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Bytes a message buffer must have, including the closing zero.
enum { IC_MESSAGE_CAPACITY = 256 };

/// How a call ended.
typedef enum ic_status {
    IC_OK = 0,
    /// The first bytes are those of no known format.
    IC_UNKNOWN_FORMAT,
    /// The bytes break the rules of their format.
    IC_MALFORMED,
    /// The bytes end before the last pixel.
    IC_TRUNCATED,
    /// Valid, but of a kind that is not read (12-bit JPEG, two-component JPEG).
    IC_UNSUPPORTED,
    /// The header states more pixels than `max_pixels`; the header is filled in.
    IC_TOO_MANY_PIXELS,
    /// A side longer than `max_side`; the header is filled in.
    IC_SIDE_TOO_LONG,
    /// A JPEG with more scans than `max_scans`.
    IC_TOO_MANY_SCANS,
    /// More bytes than `max_file_bytes`.
    IC_FILE_TOO_LARGE,
    /// The decoder's own memory would pass `max_decoder_bytes`, or the system has none left.
    IC_OUT_OF_MEMORY,
    /// The output buffer does not have width * height * 3 bytes, or the header is of other bytes.
    IC_WRONG_BUFFER,
} ic_status;

/// File format, known from the first bytes and never from a name.
typedef enum ic_format {
    IC_FORMAT_UNKNOWN = 0,
    IC_FORMAT_JPEG,
    IC_FORMAT_PNG,
    IC_FORMAT_WEBP,
    IC_FORMAT_GIF,
} ic_format;

/// What a picture may cost. All fields must be set; none has a hidden default.
typedef struct ic_limits {
    uint64_t max_file_bytes;
    uint64_t max_pixels;
    uint32_t max_side;
    /// Scans of one JPEG. Libraries write about ten; a bomb has thousands, each a pass over every coefficient.
    uint32_t max_scans;
    /// Memory of the decoder itself (libjpeg's coefficient arrays), beside the output.
    uint64_t max_decoder_bytes;
    /// Largest PNG chunk that may be allocated at once.
    uint64_t max_chunk_bytes;
} ic_limits;

/// What the header says. The first frame's rectangle is the whole canvas except in GIF and animated WebP.
typedef struct ic_header {
    ic_format format;
    uint32_t width;
    uint32_t height;
    /// Samples per pixel as stored: 1 gray or palette, 2 gray and alpha, 3 color, 4 color and alpha or CMYK.
    uint32_t channels;
    uint32_t bits_per_sample;
    uint32_t frame_x;
    uint32_t frame_y;
    uint32_t frame_width;
    uint32_t frame_height;
} ic_header;

/// The format that the first bytes announce.
ic_format ic_sniff(const uint8_t *bytes, size_t count);

/// Reads the header and checks `limits`. Allocates a few kilobytes at most, whatever the header claims.
ic_status ic_read_header(const uint8_t *bytes, size_t count, const ic_limits *limits, ic_header *header,
                         char *message);

/// Decodes into `rgb`, rows from the top, 3 bytes per pixel, no padding. `header` is what ic_read_header gave for the
/// same bytes; `capacity` must be width * height * 3. On failure `rgb` holds whatever rows were done.
ic_status ic_decode_rgb(const uint8_t *bytes, size_t count, const ic_limits *limits, const ic_header *header,
                        uint8_t *rgb, size_t capacity, char *message);

#ifdef __cplusplus
}
#endif
