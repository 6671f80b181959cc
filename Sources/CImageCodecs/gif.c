// GIF through giflib: the first frame, on a canvas of the transparent index or of index 0, as Pillow shows it.
//
// DGifSlurp would decode every frame of an animation, so records are walked by hand up to the first image.
#include "codec.h"

#include <stdlib.h>
#include <string.h>

#include <gif_lib.h>

typedef struct session {
    const ic_input *input;
    size_t offset;
    GifFileType *gif;
    int transparent_index; // -1: none
    int ran_out;
} session;

static int read_bytes(GifFileType *gif, GifByteType *target, int count) {
    session *s = gif->UserData;
    size_t left = s->input->count - s->offset;
    if ((size_t)count > left) {
        s->ran_out = 1;
        count = (int)left;
    }
    memcpy(target, s->input->bytes + s->offset, (size_t)count);
    s->offset += (size_t)count;
    return count;
}

static ic_status broken(const session *s, int code) {
    if (s->ran_out) return ic_fail(s->input, IC_TRUNCATED, "the file ends after %zu bytes", s->input->count);
    const char *text = GifErrorString(code);
    ic_status status = code == D_GIF_ERR_NOT_ENOUGH_MEM ? IC_OUT_OF_MEMORY : IC_MALFORMED;
    return ic_fail(s->input, status, "%s", text ? text : "the GIF data is damaged");
}

/// Reads one extension; keeps the transparent index of a graphic control block.
static int read_extension(session *s) {
    int code;
    GifByteType *block;
    if (DGifGetExtension(s->gif, &code, &block) == GIF_ERROR) return 0;
    if (code == GRAPHICS_EXT_FUNC_CODE && block && block[0] >= 4 && (block[1] & 1)) s->transparent_index = block[4];
    while (block) {
        if (DGifGetExtensionNext(s->gif, &block) == GIF_ERROR) return 0;
    }
    return 1;
}

/// Stands before the first frame's pixels when it returns IC_OK.
static ic_status begin(session *s, const ic_input *input, ic_header *header) {
    *s = (session){.input = input, .transparent_index = -1};
    int code = 0;
    s->gif = DGifOpen(s, read_bytes, &code);
    if (!s->gif) return broken(s, code);

    GifRecordType record;
    do {
        if (DGifGetRecordType(s->gif, &record) == GIF_ERROR) return broken(s, s->gif->Error);
        if (record == TERMINATE_RECORD_TYPE) return ic_fail(input, IC_MALFORMED, "the GIF holds no frame");
        if (record == EXTENSION_RECORD_TYPE && !read_extension(s)) return broken(s, s->gif->Error);
    } while (record != IMAGE_DESC_RECORD_TYPE);
    if (DGifGetImageDesc(s->gif) == GIF_ERROR) return broken(s, s->gif->Error);

    const GifImageDesc *frame = &s->gif->Image;
    if (frame->Left < 0 || frame->Top < 0 || frame->Width <= 0 || frame->Height <= 0) {
        return ic_fail(input, IC_MALFORMED, "the first frame is %d x %d pixels", frame->Width, frame->Height);
    }
    header->frame_x = (uint32_t)frame->Left;
    header->frame_y = (uint32_t)frame->Top;
    header->frame_width = (uint32_t)frame->Width;
    header->frame_height = (uint32_t)frame->Height;
    // A frame that reaches over the canvas makes it larger.
    uint32_t right = header->frame_x + header->frame_width, bottom = header->frame_y + header->frame_height;
    header->width = (uint32_t)s->gif->SWidth > right ? (uint32_t)s->gif->SWidth : right;
    header->height = (uint32_t)s->gif->SHeight > bottom ? (uint32_t)s->gif->SHeight : bottom;
    header->channels = 1;
    header->bits_per_sample = 8;
    return IC_OK;
}

static void end(session *s) {
    int code;
    if (s->gif) DGifCloseFile(s->gif, &code);
}

ic_status ic_gif_header(const ic_input *input, ic_header *header) {
    session s;
    ic_status status = begin(&s, input, header);
    end(&s);
    return status;
}

/// Whether every entry equals its own index: Pillow then takes the indices as gray levels.
static int is_gray_ramp(const ColorMapObject *map) {
    for (int i = 0; i < map->ColorCount; i++) {
        const GifColorType *c = &map->Colors[i];
        if (c->Red != i || c->Green != i || c->Blue != i) return 0;
    }
    return 1;
}

/// 256 RGB colors; indices past the end of the color map are black.
static void fill_palette(const GifFileType *gif, uint8_t palette[256][3]) {
    const ColorMapObject *map = gif->Image.ColorMap ? gif->Image.ColorMap : gif->SColorMap;
    memset(palette, 0, 256 * 3);
    if (!map || is_gray_ramp(map)) {
        for (int i = 0; i < 256; i++) memset(palette[i], i, 3);
        return;
    }
    for (int i = 0; i < map->ColorCount && i < 256; i++) {
        palette[i][0] = map->Colors[i].Red;
        palette[i][1] = map->Colors[i].Green;
        palette[i][2] = map->Colors[i].Blue;
    }
}

static ic_status decode_row(session *s, const ic_header *header, const uint8_t palette[256][3], uint8_t *line,
                            uint8_t *target) {
    if (DGifGetLine(s->gif, line, (int)header->frame_width) == GIF_ERROR) return broken(s, s->gif->Error);
    for (uint32_t x = 0; x < header->frame_width; x++) memcpy(target + 3 * (size_t)x, palette[line[x]], 3);
    return IC_OK;
}

static ic_status decode_frame(session *s, const ic_header *header, uint8_t *line, uint8_t *rgb) {
    static const uint32_t starts[4] = {0, 4, 2, 1}, steps[4] = {8, 8, 4, 2};
    uint8_t palette[256][3];
    fill_palette(s->gif, palette);

    size_t stride = (size_t)header->width * 3, pixels = (size_t)header->width * header->height;
    const uint8_t *background = palette[s->transparent_index < 0 ? 0 : s->transparent_index];
    for (size_t i = 0; i < pixels; i++) memcpy(rgb + 3 * i, background, 3);

    int interlaced = s->gif->Image.Interlace;
    uint8_t *origin = rgb + stride * header->frame_y + 3 * (size_t)header->frame_x;
    for (int pass = 0; pass < (interlaced ? 4 : 1); pass++) {
        uint32_t step = interlaced ? steps[pass] : 1;
        for (uint32_t y = interlaced ? starts[pass] : 0; y < header->frame_height; y += step) {
            ic_status status = decode_row(s, header, palette, line, origin + stride * y);
            if (status != IC_OK) return status;
        }
    }
    return IC_OK;
}

ic_status ic_gif_decode(const ic_input *input, const ic_header *header, uint8_t *rgb) {
    session s;
    ic_header found = {0};
    ic_status status = begin(&s, input, &found);
    if (status == IC_OK && (found.width != header->width || found.height != header->height)) {
        status = ic_fail(input, IC_WRONG_BUFFER, "the header is of other bytes");
    }
    if (status == IC_OK) {
        uint8_t *line = malloc(found.frame_width);
        status = line ? decode_frame(&s, &found, line, rgb) : ic_fail(input, IC_OUT_OF_MEMORY, "no memory for a row");
        free(line);
    }
    end(&s);
    return status;
}
