#include "guard.h"
#include <csetjmp>
#include <csignal>
#include <cstdlib>
#include <mutex>

namespace [[gnu::visibility("hidden")]] cudasim {

namespace {

struct Landing {
    sigjmp_buf place;
    volatile uintptr_t address;
};

thread_local Landing *landing = nullptr;
struct sigaction previous_segv, previous_bus;

void handle(int signal, siginfo_t *info, void *context) {
    if (Landing *here = landing) {
        here->address = (uintptr_t)info->si_addr;
        siglongjmp(here->place, 1);
    }
    // Not ours: what was there before decides.
    const struct sigaction &before = signal == SIGSEGV ? previous_segv : previous_bus;
    if (before.sa_flags & SA_SIGINFO) {
        before.sa_sigaction(signal, info, context);
    } else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
        before.sa_handler(signal);
    } else {
        sigaction(signal, &before, nullptr);
    }
}

void install() {
    static std::once_flag once;
    std::call_once(once, [] {
        struct sigaction action = {};
        action.sa_sigaction = handle;
        // A kernel may run on a small stack of its own, so the handler takes the thread's other one where there is one;
        // it leaves by a jump, so the signal must not stay blocked.
        action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
        sigemptyset(&action.sa_mask);
        sigaction(SIGSEGV, &action, &previous_segv);
        sigaction(SIGBUS, &action, &previous_bus);
    });
}

} // namespace

bool run_guarded(const std::function<void()> &body, uintptr_t *address) {
    install();
    Landing here;
    Landing *outer = landing;
    if (sigsetjmp(here.place, 1) != 0) {
        landing = outer;
        *address = here.address;
        return false;
    }
    landing = &here;
    body();
    landing = outer;
    return true;
}

} // namespace cudasim
