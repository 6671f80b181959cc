// How a loader fills its table from the list of functions.
#pragma once
#include "ccuda_library.h"
#include <stdlib.h>

#define CCUDA_TAKE_REQUIRED(field, symbol, result, parameters)                                                         \
    *(void **)&table->field = ccuda_symbol(library, #symbol);                                                          \
    if (!table->field) {                                                                                               \
        free(table);                                                                                                   \
        *missing = #symbol;                                                                                            \
        return NULL;                                                                                                   \
    }

#define CCUDA_TAKE_OPTIONAL(field, symbol, result, parameters)                                                         \
    *(void **)&table->field = ccuda_symbol(library, #symbol);

// Defines `table_type *loader(library, missing)`; a table lives as long as the program.
#define CCUDA_LOADER(loader, table_type, list)                                                                         \
    table_type *loader(void *library, const char **missing) {                                                          \
        *missing = NULL;                                                                                               \
        table_type *table = calloc(1, sizeof *table);                                                                  \
        if (!table) return NULL;                                                                                       \
        list(CCUDA_TAKE_REQUIRED, CCUDA_TAKE_OPTIONAL) return table;                                                   \
    }
