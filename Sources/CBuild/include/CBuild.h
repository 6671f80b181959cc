// What Swift cannot say of an executable: what only the build knows, and what the loader's macros hide.
#ifndef CBUILD_H
#define CBUILD_H

/// The commit that the sources were at, as FACET_COMMIT named it to the build; NULL when nothing did.
const char *_Nullable cb_commit(void);

/// The path of the file that a library was loaded from, valid while it is loaded; NULL when the loader does not tell.
///
/// `handle` is what `dlopen` returned.
const char *_Nullable cb_library_path(void *_Nonnull handle);

#endif
