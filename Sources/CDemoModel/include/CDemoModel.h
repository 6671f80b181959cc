/// The demo model's checkpoint folder, inside the executable: an installed binary needs nothing beside it.
///
/// `Tools/demo-model` makes the files; `#embed` puts them here without a resource bundle.
#pragma once
#include <stddef.h>

/// One file of the folder.
typedef struct {
    /// File name within the folder, for example `config.json`.
    const char *_Nonnull name;
    /// First byte; 64-byte aligned, constant for the life of the process.
    const unsigned char *_Nonnull bytes;
    /// Length in bytes.
    size_t byteCount;
} dm_file;

/// The files of the embedded folder.
///
/// \param count receives how many there are.
const dm_file *_Nonnull dm_files(size_t *_Nonnull count);
