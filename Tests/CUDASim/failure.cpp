#include "failure.h"
#include <cstdarg>
#include <cstdio>

namespace [[gnu::visibility("hidden")]] cudasim {

static std::string formatted(const char *format, va_list arguments) {
    char line[1024];
    vsnprintf(line, sizeof line, format, arguments);
    return line;
}

void fail(CUresult code, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    Failure failure = {code, formatted(format, arguments)};
    va_end(arguments);
    throw failure;
}

std::string text(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    std::string line = formatted(format, arguments);
    va_end(arguments);
    return line;
}

} // namespace cudasim
