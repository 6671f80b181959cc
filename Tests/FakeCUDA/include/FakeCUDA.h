/// A small stand-in for NVIDIA's libraries: host memory, no threads, no kernels but a few of its own.
///
/// It exports every symbol that CCUDA asks for (fake.h declares them from its lists), so that each wrapper is exercised where there is no card. It is opened by
/// explicit path only. Each test opens a copy of the file, and so has a machine of its own.
///
/// Work runs when it is enqueued, or, lazily, as late as possible: when somebody waits for it. What is right in both
/// orders waits wherever it must.
#pragma once
#include <stddef.h>

/// Ways of a link between two cards.
enum { FAKE_LINK_NONE = 0, FAKE_LINK_SOUND = 1, FAKE_LINK_CORRUPTS = 2, FAKE_LINK_REFUSES = 3 };

/// Makes a machine of `count` cards (at most 4) with so much memory each; before `cuInit`.
void fake_machine(int count, size_t bytes);

/// Lets work run when somebody waits for it, instead of at once.
void fake_run_lazily(int is_lazy);

/// Sets what the link from one card to another does.
void fake_link(int from, int to, int way);

/// Lets the `number`-th next call of a function (1: the very next) return a code; a sticky one stays with its card.
void fake_fail(const char *function, int number, int code);

/// How often a function has been called.
int fake_calls(const char *function);

/// What is alive and should not be at the end: allocations, pinned memory, streams, events, graphs, libraries.
int fake_alive(void);

/// Sets the version that the driver, or the compiler, says it has.
void fake_driver_version(int version);
void fake_compiler_version(int major, int minor);
