// Where the files that belong to the program are: as seen from the program's own file, so that an
// installed program finds its own, wherever it was moved to, and a build tree its own.
#ifndef ORRERY_BASE_PLACE_H
#define ORRERY_BASE_PLACE_H

#include <limits.h>

#include "base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

// The path of `relative` ("../lib/orrery"; "" is the program's directory) seen from the directory
// of the program's file, free of links; empty when it is too long. ORR_UNSUPPORTED without /proc.
orr_status orr_place(const char *relative, char path[PATH_MAX], orr_error *error);

#ifdef __cplusplus
}
#endif
#endif
