/// Shared libraries, and how a list of functions becomes a table of pointers.
#pragma once
#include <stddef.h>
#include <stdint.h>

// Pointers without a word on nullability are optional in Swift, which is what CUDA's parameters are.
#pragma clang diagnostic ignored "-Wnullability-completeness"

/// A field of a table: a function that every supported version of the library has …
#define CCUDA_REQUIRED_FIELD(name, symbol, result, parameters) result(*_Nonnull name) parameters;
/// … and one that older versions lack.
#define CCUDA_OPTIONAL_FIELD(name, symbol, result, parameters) result(*_Nullable name) parameters;

#ifdef __cplusplus
extern "C" {
#endif

/// Opens a shared library by path or by name; never closed again, since CUDA's libraries leave threads behind.
///
/// On failure returns null and writes the reason into `reason`.
void *_Nullable ccuda_open(const char *_Nonnull path, char *_Nonnull reason, size_t reason_size);

/// The address of a symbol of the library; null when it has none of that name.
void *_Nullable ccuda_symbol(void *_Nonnull library, const char *_Nonnull name);

/// The file from which a symbol of the library came; null when that cannot be told. Valid as long as the library.
const char *_Nullable ccuda_file(void *_Nonnull library, const char *_Nonnull name);

#ifdef __cplusplus
}
#endif
