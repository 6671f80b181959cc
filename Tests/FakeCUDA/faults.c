#define _POSIX_C_SOURCE 200809L // strdup

#include "fake.h"
#include <string.h>

enum { FAKE_NAMES = 192 };

static struct {
    const char *name;
    int calls, fails_at, code;
} functions[FAKE_NAMES];

int fake_alive_count;

static int slot(const char *name) {
    for (int i = 0; i < FAKE_NAMES; i++) {
        if (!functions[i].name) functions[i].name = strdup(name);
        if (strcmp(functions[i].name, name) == 0) return i;
    }
    return FAKE_NAMES - 1;
}

bool fake_fails(const char *function, int *code) {
    int i = slot(function);
    functions[i].calls++;
    if (functions[i].fails_at == 0 || --functions[i].fails_at > 0) return false;
    *code = functions[i].code;
    return true;
}

FAKE_EXPORT void fake_fail(const char *function, int number, int code) {
    int i = slot(function);
    functions[i].fails_at = number;
    functions[i].code = code;
}

FAKE_EXPORT int fake_calls(const char *function) { return functions[slot(function)].calls; }

FAKE_EXPORT int fake_alive(void) { return fake_alive_count; }
