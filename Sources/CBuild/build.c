#define _GNU_SOURCE
#include "CBuild.h"

#include <dlfcn.h>
#include <link.h>
#include <stddef.h>

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)

const char *cb_commit(void) {
#ifdef FACET_COMMIT
    return TEXT(FACET_COMMIT);
#else
    return NULL;
#endif
}

const char *cb_library_path(void *handle) {
#ifdef RTLD_DI_LINKMAP
    struct link_map *map = NULL;
    if (dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0 || map == NULL) return NULL;
    return map->l_name;
#else
    // musl has no dlinfo for this; there the handle is the map.
    return ((struct link_map *)handle)->l_name;
#endif
}
