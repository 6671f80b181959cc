// Fibers: stacks that take turns on one thread.
#pragma once
#include <cstddef>

namespace simt {

// A stack that runs `entry(argument)` when it is first switched to; `entry` must not return.
class fiber {
public:
    fiber() = default;
    fiber(const fiber &) = delete;
    fiber &operator=(const fiber &) = delete;
    ~fiber();

    // Prepares the stack for a new run; false when memory for it cannot be had.
    bool prepare(void (*entry)(void *), void *argument);

    // Runs the fiber until it yields.
    void resume();

    // Goes back to `resume`; called on the fiber's stack.
    void yield();

private:
    // Where a thread sanitizer watches, it is told which stack runs.
    void tell_resume();
    void tell_yield();
    void tell_end();

    void *stack = nullptr;
    void *context = nullptr; // saved stack pointer, or a ucontext_t
    void *resumer = nullptr; // of the thread that resumed it
    // Known to the thread sanitizer, which else sees one stack used by all.
    [[maybe_unused]] void *known = nullptr, *known_resumer = nullptr;
};

} // namespace simt
