#include "trace.h"
#include <cstdio>
#include <cstdlib>

namespace [[gnu::visibility("hidden")]] cudasim {

void Trace::find(const std::string &what) {
    findings.push_back(what);
    add("finding: " + what);
    fprintf(stderr, "cudasim: finding: %s\n", what.c_str());
    const char *ends = getenv("FACET_CUDASIM_ABORT");
    if (ends && *ends == '1') abort();
}

void Trace::clear() {
    lines.clear();
    findings.clear();
}

std::string Trace::text() const {
    std::string result;
    for (const std::string &line : lines) result += line + "\n";
    return result;
}

} // namespace cudasim
