#include "base/place.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

orr_status orr_place(const char *relative, char path[PATH_MAX], orr_error *error) {
    char program[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length <= 0)
        return orr_fail(error, ORR_UNSUPPORTED,
                        "the program's own directory is unknown: there is no /proc");
    program[length] = '\0';
    *strrchr(program, '/') = '\0';
    // The name is free of links, so that `..` is what stands before the last slash.
    for (char *slash; strncmp(relative, "../", 3) == 0; relative += 3)
        if ((slash = strrchr(program, '/')) != NULL) *slash = '\0';
    if (snprintf(path, PATH_MAX, "%s%s%s", program, *relative ? "/" : "", relative) >= PATH_MAX)
        path[0] = '\0';
    return ORR_OK;
}
