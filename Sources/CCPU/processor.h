// What the drivers ask of the processor beside its instruction sets.
#pragma once
#include <stddef.h>

// How far ahead of its use memory that is read once, from its first byte to its last, is best asked for, in bytes; 0: the
// processor reads faster when it is not.
ptrdiff_t cc_bytes_ahead(void);
