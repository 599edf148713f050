// Shared objects that belong to the program and are loaded when they are needed and there: what
// encrypting does not need is not linked, and one build runs on machines with and without a GPU.
//
// They are looked for beside the program (a build tree, a pack) and where `cmake --install` puts
// them, seen from the program's own file (bin/orrery: lib/orrery), nowhere else: neither the
// environment nor the working directory has a say.
#ifndef ORRERY_BASE_LIBRARY_H
#define ORRERY_BASE_LIBRARY_H

#include <stdint.h>

#include "base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum orr_library_state {
    ORR_LIBRARY_UNTRIED,
    ORR_LIBRARY_LOADED,
    ORR_LIBRARY_MISSING, // there is no such file
    ORR_LIBRARY_REFUSED  // it does not load, or is of another build
} orr_library_state;

typedef struct orr_library {
    const char *file; // "liborrery_cuda.so"
    // Its one function, without arguments: the address of a table that lasts as long as the program
    // and begins with a uint32_t, its ABI number.
    const char *entry;
    uint32_t abi;          // that this program understands
    const char *what;      // "the CUDA backend"
    const char *package;   // Debian package that brings it
    const char *needs;     // what a build needs to make it: "nvcc"
    const char *from;      // where what it links comes from; NULL: Debian
    void (*prepare)(void); // called before it is loaded; NULL: nothing to do

    // What orr_library_table() found out, once.
    orr_library_state state;
    const void *table;
    orr_error error;
} orr_library;

// The library's table; loads it at the first call, from any thread. It stays loaded until the
// program ends. NULL with ORR_UNSUPPORTED in *error (NULL allowed) when there is none, with a
// sentence that says where it was looked for, or why it does not load, and what to install.
const void *orr_library_table(orr_library *library, orr_error *error);

// The same from the shared object at `path`, remembering nothing: the tests' way in.
const void *orr_library_load(const orr_library *library, const char *path, orr_error *error);

// The Debian package that a shared object is in by Debian's rule for names ("libdnnl.so.3":
// "libdnnl3"; "libpng16.so.16": "libpng16-16"). Empty when `soname` has no version.
void orr_library_package(const char *soname, char package[64]);

#ifdef __cplusplus
}
#endif
#endif
