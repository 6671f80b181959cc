#define _GNU_SOURCE // dladdr

#include "ccuda_library.h"
#include <dlfcn.h>
#include <stdio.h>

void *ccuda_open(const char *path, char *reason, size_t reason_size) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        const char *said = dlerror();
        snprintf(reason, reason_size, "%s", said ? said : "the loader gives no reason");
    }
    return library;
}

void *ccuda_symbol(void *library, const char *name) { return dlsym(library, name); }

const char *ccuda_file(void *library, const char *name) {
    void *address = dlsym(library, name);
    Dl_info found;
    return address && dladdr(address, &found) ? found.dli_fname : NULL;
}
