// Tells ThreadSanitizer what Swift's Mutex does where threads wait for each other.
//
// Taking and giving back a free mutex is compiled into the program, and the sanitizer sees it. A thread that waits, and one
// that gives the mutex to a waiting one, go through the standard library, which the sanitizer does not see: it then reports
// races of everything that the mutex guards. This library, loaded first, stands between the two. It does nothing in
// programs without the sanitizer. For x86-64: the handle is `self`, which Swift passes in r13.
#define _GNU_SOURCE
#include <dlfcn.h>

#define LOCK "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define UNLOCK "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"

extern void __tsan_acquire(void *) __attribute__((weak));
extern void __tsan_release(void *) __attribute__((weak));

void *mutex_lock, *mutex_unlock; // the standard library's

__attribute__((constructor)) static void find_both(void) {
    mutex_lock = dlsym(RTLD_NEXT, LOCK);
    mutex_unlock = dlsym(RTLD_NEXT, UNLOCK);
}

void mutex_locked(void *handle) {
    if (__tsan_acquire)
        __tsan_acquire(handle);
}

void mutex_unlocking(void *handle) {
    if (__tsan_release)
        __tsan_release(handle);
}

__asm__(".globl \"" LOCK "\"\n.type \"" LOCK "\",@function\n\"" LOCK "\":\n"
        "push %rbp\n mov %rsp,%rbp\n push %r13\n push %r13\n"
        "mov mutex_lock@GOTPCREL(%rip),%rax\n call *(%rax)\n"
        "mov -8(%rbp),%rdi\n call mutex_locked@PLT\n"
        "pop %r13\n pop %r13\n pop %rbp\n ret\n"
        ".globl \"" UNLOCK "\"\n.type \"" UNLOCK "\",@function\n\"" UNLOCK "\":\n"
        "push %rbp\n mov %rsp,%rbp\n push %r13\n push %r13\n"
        "mov %r13,%rdi\n call mutex_unlocking@PLT\n"
        "mov -8(%rbp),%r13\n"
        "mov mutex_unlock@GOTPCREL(%rip),%rax\n call *(%rax)\n"
        "pop %r13\n pop %r13\n pop %rbp\n ret\n");
