// The shared objects that belong to the program (base/library.h), for lists of them.
#ifndef ORRERY_CLI_MODULES_H
#define ORRERY_CLI_MODULES_H

#include "base/library.h"

#ifdef __cplusplus
extern "C" {
#endif

// Call orr_library_table() of one, then its `state` and `error` say whether it is there, is
// missing, or why it cannot be loaded.
extern orr_library *const orr_cli_modules[];
extern const size_t orr_cli_module_count;

#ifdef __cplusplus
}
#endif
#endif
