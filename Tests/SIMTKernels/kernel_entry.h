// Turns a kernel's signature into the table entry that launches it.
#pragma once
#include "simt_kernels.h"
#include "simt.h"
#include <utility>

namespace simt {

template <auto kernel, unsigned max_threads, class... P> struct entry {
    static constexpr unsigned sizes[] = {sizeof(P)...};

    template <size_t... i> static void call(void **params, std::index_sequence<i...>) { kernel(*(P *)params[i]...); }
    static void unpack(void **params) { call(params, std::index_sequence_for<P...>{}); }

    static int run(const simt_launch *launch, char *error, unsigned long error_size) {
        return run_grid(
            name, unpack, launch->grid, launch->block, launch->shared_bytes, launch->schedule, max_threads,
            launch->params, error, error_size);
    }

    static inline const char *name = nullptr;
};

template <auto kernel, unsigned max_threads, class... P> simt_kernel describe(const char *name, void (*)(P...)) {
    using its_entry = entry<kernel, max_threads, P...>;
    its_entry::name = name;
    return {name, sizeof...(P), its_entry::sizes, max_threads, its_entry::run};
}

} // namespace simt

// The kernels of one source, from the list that the device side is launched by.
#define SIMT_ENTRY(name, signature, threads) simt::describe<name, threads>(#name, name),
#define SIMT_SOURCE(source)                                                                                           \
    const simt_kernel *simt_kernels_of_##source(unsigned *count) {                                                    \
        static const simt_kernel kernels[] = {CK_KERNELS_##source(SIMT_ENTRY)};                                       \
        *count = sizeof kernels / sizeof kernels[0];                                                                  \
        return kernels;                                                                                               \
    }
