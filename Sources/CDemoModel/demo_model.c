#include "CDemoModel.h"

#define ALIGNED _Alignas(64) static const unsigned char

// `#embed` is C23, which this target is compiled as; clang's pedantic mode still calls it an extension.
#pragma clang diagnostic ignored "-Wc23-extensions"

ALIGNED configuration[] = {
#embed "model/config.json"
};

ALIGNED generation[] = {
#embed "model/generation_config.json"
};

ALIGNED vocabulary[] = {
#embed "model/tokenizer.model"
};

ALIGNED special_tokens[] = {
#embed "model/tokenizer_config.json"
};

ALIGNED weights[] = {
#embed "model/model.safetensors"
};

static const dm_file files[] = {
    {"config.json", configuration, sizeof configuration},
    {"generation_config.json", generation, sizeof generation},
    {"tokenizer.model", vocabulary, sizeof vocabulary},
    {"tokenizer_config.json", special_tokens, sizeof special_tokens},
    {"model.safetensors", weights, sizeof weights},
};

const dm_file *dm_files(size_t *count) {
    *count = sizeof files / sizeof files[0];
    return files;
}
