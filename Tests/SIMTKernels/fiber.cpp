#include "fiber.h"
#include <cstdint>
#include <cstring>
#include <sys/mman.h>
#include <unistd.h>

namespace simt {

namespace {

constexpr size_t stack_bytes = 256 * 1024; // only what is touched takes memory; sanitizers make frames large

// A mapping with an inaccessible page below, so that an overflow faults.
void *map_stack() {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void *base =
        mmap(nullptr, stack_bytes + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) return nullptr;
    mprotect(base, page, PROT_NONE);
    return (char *)base + page;
}

void unmap_stack(void *stack) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    munmap((char *)stack - page, stack_bytes + page);
}

} // namespace

#if __has_feature(thread_sanitizer)
extern "C" {
void *__tsan_get_current_fiber(void);
void *__tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void *fiber);
void __tsan_switch_to_fiber(void *fiber, unsigned flags);
}

void fiber::tell_resume() {
    if (!known) known = __tsan_create_fiber(0);
    known_resumer = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(known, 0);
}
void fiber::tell_yield() { __tsan_switch_to_fiber(known_resumer, 0); }
void fiber::tell_end() {
    if (known) __tsan_destroy_fiber(known);
    known = nullptr;
}
#else
void fiber::tell_resume() {}
void fiber::tell_yield() {}
void fiber::tell_end() {}
#endif

#if defined(__x86_64__)

// Saves what a call must preserve on the present stack, stores its top, and goes on where `load` was saved.
asm(R"(
    .text
    .p2align 4
    .type facet_simt_switch, @function
facet_simt_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    retq
    .size facet_simt_switch, .-facet_simt_switch

    .p2align 4
    .type facet_simt_start, @function
facet_simt_start:
    movq %r12, %rdi
    callq *%rbx
    ud2
    .size facet_simt_start, .-facet_simt_start
)");
extern "C" void facet_simt_switch(void **save, void *load) __asm__("facet_simt_switch");
extern "C" void facet_simt_start() __asm__("facet_simt_start");

fiber::~fiber() {
    tell_end();
    if (stack) unmap_stack(stack);
}

bool fiber::prepare(void (*entry)(void *), void *argument) {
    tell_end(); // a run that ended inside calls has left its frames
    if (!stack) stack = map_stack();
    if (!stack) return false;
    // As `facet_simt_switch` finds it: r15 r14 r13 r12 rbx rbp, return address; 16 bytes below the end at the call.
    auto *top = (uint64_t *)((char *)stack + stack_bytes) - 9;
    std::memset(top, 0, 9 * sizeof *top);
    top[3] = (uint64_t)argument;
    top[4] = (uint64_t)entry;
    top[6] = (uint64_t)&facet_simt_start;
    context = top;
    return true;
}

void fiber::resume() {
    tell_resume();
    facet_simt_switch(&resumer, context);
}
void fiber::yield() {
    tell_yield();
    facet_simt_switch(&context, resumer);
}

#else

} // namespace simt
#include <ucontext.h>
namespace simt {

namespace {
struct pair {
    ucontext_t own, resumer;
    void (*entry)(void *);
    void *argument;
};

void start(unsigned high, unsigned low) {
    auto *p = (pair *)(((uintptr_t)high << 32) | low);
    p->entry(p->argument);
}
} // namespace

fiber::~fiber() {
    tell_end();
    if (stack) unmap_stack(stack);
    delete (pair *)context;
}

bool fiber::prepare(void (*entry)(void *), void *argument) {
    tell_end(); // a run that ended inside calls has left its frames
    if (!stack) stack = map_stack();
    if (!stack) return false;
    if (!context) context = new pair;
    auto *p = (pair *)context;
    getcontext(&p->own);
    p->own.uc_stack = {.ss_sp = stack, .ss_flags = 0, .ss_size = stack_bytes};
    p->own.uc_link = nullptr;
    p->entry = entry;
    p->argument = argument;
    makecontext(&p->own, (void (*)())start, 2, (unsigned)((uintptr_t)p >> 32), (unsigned)(uintptr_t)p);
    return true;
}

void fiber::resume() {
    tell_resume();
    swapcontext(&((pair *)context)->resumer, &((pair *)context)->own);
}
void fiber::yield() {
    tell_yield();
    swapcontext(&((pair *)context)->own, &((pair *)context)->resumer);
}

#endif

} // namespace simt
