// Shared objects that belong to the program and are loaded when they are there, so that one build
// runs on machines with and without a GPU.
#ifndef ORRERY_BASE_LIBRARY_H
#define ORRERY_BASE_LIBRARY_H

#include "base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

// Loads the shared object at `path` and finds the function `entry` in it. The object stays loaded
// until the program ends. NULL with ORR_UNSUPPORTED in *error (NULL allowed) when it cannot be
// loaded, a library it needs included, or has no such function.
void *orr_library_load(const char *path, const char *entry, orr_error *error);

// The same for a file name, looked for beside the program, then in ../lib/orrery and ../lib seen
// from there, nowhere else. `what` names the object in the reason why it is not there.
void *orr_library_find(const char *file, const char *entry, const char *what, orr_error *error);

#ifdef __cplusplus
}
#endif
#endif
