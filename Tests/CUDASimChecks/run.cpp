// A program of the checks, for sanitizers: `run [words of a name]`.
#include "cudasim_checks.h"
#include <cstdio>
#include <cstring>

int main(int count, char **arguments) {
    int failures = 0, runs = 0;
    for (unsigned i = 0; i < cudasim_check_count(); ++i) {
        const char *name = cudasim_check_name(i);
        if (count > 1 && !strstr(name, arguments[1])) continue;
        const char *problem = cudasim_check_run(i);
        ++runs;
        if (!problem) continue;
        ++failures;
        printf("FAILED: %s\n  %s\n", name, problem);
    }
    printf("%d checks, %d failed\n", runs, failures);
    return failures != 0 || runs == 0;
}
