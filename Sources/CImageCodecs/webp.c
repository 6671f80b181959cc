// WebP through libwebp: lossy, lossless, with alpha, and the first frame of an animation.
//
// The demuxer walks the container and hands out the first frame; it refuses a file that lacks bytes, as Pillow does.
#include "codec.h"

#include <string.h>

#include <webp/decode.h>
#include <webp/demux.h>

typedef struct session {
    WebPDemuxer *demuxer;
    WebPIterator frame;
} session;

static uint64_t stated_byte_count(const ic_input *input) {
    const uint8_t *b = input->bytes + 4;
    return 8 + ((uint64_t)b[0] | (uint64_t)b[1] << 8 | (uint64_t)b[2] << 16 | (uint64_t)b[3] << 24);
}

static ic_status begin(session *s, const ic_input *input, ic_header *header) {
    WebPData file = {input->bytes, input->count};
    memset(s, 0, sizeof *s);
    s->demuxer = WebPDemux(&file);
    if (!s->demuxer || !WebPDemuxGetFrame(s->demuxer, 1, &s->frame)) {
        if (stated_byte_count(input) > input->count) {
            return ic_fail(input, IC_TRUNCATED, "the file ends after %zu of %llu bytes", input->count,
                           (unsigned long long)stated_byte_count(input));
        }
        return ic_fail(input, IC_MALFORMED, "the WebP container is damaged");
    }

    WebPBitstreamFeatures features;
    if (WebPGetFeatures(s->frame.fragment.bytes, s->frame.fragment.size, &features) != VP8_STATUS_OK ||
        features.width != s->frame.width || features.height != s->frame.height) {
        return ic_fail(input, IC_MALFORMED, "the first frame's header is damaged");
    }
    header->width = WebPDemuxGetI(s->demuxer, WEBP_FF_CANVAS_WIDTH);
    header->height = WebPDemuxGetI(s->demuxer, WEBP_FF_CANVAS_HEIGHT);
    header->channels = features.has_alpha ? 4 : 3;
    header->bits_per_sample = 8;
    header->frame_x = (uint32_t)s->frame.x_offset;
    header->frame_y = (uint32_t)s->frame.y_offset;
    header->frame_width = (uint32_t)s->frame.width;
    header->frame_height = (uint32_t)s->frame.height;
    if ((uint64_t)header->frame_x + header->frame_width > header->width ||
        (uint64_t)header->frame_y + header->frame_height > header->height) {
        return ic_fail(input, IC_MALFORMED, "the first frame lies outside the canvas");
    }
    return IC_OK;
}

static void end(session *s) {
    WebPDemuxReleaseIterator(&s->frame);
    WebPDemuxDelete(s->demuxer);
}

ic_status ic_webp_header(const ic_input *input, ic_header *header) {
    session s;
    ic_status status = begin(&s, input, header);
    end(&s);
    return status;
}

static ic_status decode_frame(const session *s, const ic_input *input, const ic_header *header, uint8_t *rgb) {
    size_t stride = (size_t)header->width * 3, total = stride * header->height;
    size_t start = stride * header->frame_y + (size_t)header->frame_x * 3;
    // What the first frame does not cover is black.
    if (header->frame_width < header->width || header->frame_height < header->height) memset(rgb, 0, total);

    WebPDecoderConfig config;
    if (!WebPInitDecoderConfig(&config)) return ic_fail(input, IC_UNSUPPORTED, "libwebp is of another version");
    config.output.colorspace = MODE_RGB;
    config.output.is_external_memory = 1;
    config.output.u.RGBA.rgba = rgb + start;
    config.output.u.RGBA.stride = (int)stride;
    config.output.u.RGBA.size = total - start;
    VP8StatusCode code = WebPDecode(s->frame.fragment.bytes, s->frame.fragment.size, &config);
    WebPFreeDecBuffer(&config.output);
    switch (code) {
    case VP8_STATUS_OK:
        return IC_OK;
    case VP8_STATUS_OUT_OF_MEMORY:
        return ic_fail(input, IC_OUT_OF_MEMORY, "libwebp found no memory");
    case VP8_STATUS_UNSUPPORTED_FEATURE:
        return ic_fail(input, IC_UNSUPPORTED, "a WebP feature that libwebp does not read");
    case VP8_STATUS_NOT_ENOUGH_DATA:
        return ic_fail(input, IC_TRUNCATED, "the first frame lacks bytes");
    default:
        return ic_fail(input, IC_MALFORMED, "the first frame's data is damaged");
    }
}

ic_status ic_webp_decode(const ic_input *input, const ic_header *header, uint8_t *rgb) {
    session s;
    ic_header found = {0};
    ic_status status = begin(&s, input, &found);
    if (status == IC_OK && (found.width != header->width || found.height != header->height)) {
        status = ic_fail(input, IC_WRONG_BUFFER, "the header is of other bytes");
    }
    if (status == IC_OK) status = decode_frame(&s, input, &found, rgb);
    end(&s);
    return status;
}
