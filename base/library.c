#include "base/library.h"

#include <ctype.h>
#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/place.h"

void orr_library_package(const char *soname, char package[64]) {
    const char *end = strstr(soname, ".so.");
    size_t length = end ? (size_t)(end - soname) : 0, version = end ? strcspn(end + 4, ".") : 0;
    package[0] = '\0';
    if (length == 0 || version == 0 || length + version > 60) return;
    int digits = isdigit((unsigned char)soname[length - 1]) != 0;
    snprintf(package, 64, "%.*s%s%.*s", (int)length, soname, digits ? "-" : "", (int)version,
             end + 4);
    for (char *c = package; *c; c++) *c = (char)(*c == '_' ? '-' : tolower((unsigned char)*c));
}

// Why dlopen() refused a file: mostly for want of another one, which dlerror() names first.
static void tell_refusal(const orr_library *library, const char *path, const char *why,
                         orr_error *error) {
    char soname[128] = "", advice[128] = "", package[64];
    const char *colon = strchr(why, ':');
    if (colon && why[0] != '/' && strstr(colon, "No such file"))
        snprintf(soname, sizeof soname, "%.*s", (int)(colon - why), why);
    orr_library_package(soname, package);
    if (soname[0] && library->from)
        snprintf(advice, sizeof advice, "; %s", library->from);
    else if (package[0])
        snprintf(advice, sizeof advice, "; on Debian it is in the package %s", package);
    orr_fail(error, ORR_UNSUPPORTED, "%s cannot be loaded: %s%s", path, why, advice);
}

const void *orr_library_load(const orr_library *library, const char *path, orr_error *error) {
    const void *(*get)(void);
    if (library->prepare) library->prepare();
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        tell_refusal(library, path, dlerror(), error);
        return NULL;
    }
    void *symbol = dlsym(handle, library->entry);
    if (!symbol) {
        orr_fail(error, ORR_UNSUPPORTED, "%s is not %s (no %s in it)", path, library->what,
                 library->entry);
        dlclose(handle);
        return NULL;
    }
    memcpy(&get, &symbol, sizeof get); // ISO C has no cast between the two kinds of pointer
    const void *table = get();
    uint32_t abi;
    memcpy(&abi, table, sizeof abi);
    if (abi == library->abi) return table;
    orr_fail(error, ORR_UNSUPPORTED,
             "%s has ABI number %u, this program needs %u: install both from one build", path, abi,
             library->abi);
    return NULL; // and stays loaded: it may have started something
}

// Where libraries are looked for: beside the program, and where an installed program has them,
// which ORRERY_LIBRARIES says as seen from the program ("../lib/orrery"). ORR_UNSUPPORTED without
// /proc.
#define PLACES 2
static orr_status find_places(char places[PLACES][PATH_MAX], orr_error *error) {
    orr_status status = orr_place("", places[0], error);
    return status == ORR_OK ? orr_place(ORRERY_LIBRARIES, places[1], error) : status;
}

static void find(orr_library *library) {
    char places[PLACES][PATH_MAX], path[PATH_MAX + 128];
    library->state = ORR_LIBRARY_MISSING;
    if (find_places(places, &library->error) != ORR_OK) return;
    for (int n = 0; n < PLACES; n++) {
        int length = snprintf(path, sizeof path, "%s/%s", places[n], library->file);
        if (length >= (int)sizeof path || access(path, F_OK) != 0) continue;
        library->table = orr_library_load(library, path, &library->error);
        library->state = library->table ? ORR_LIBRARY_LOADED : ORR_LIBRARY_REFUSED;
        return;
    }
    orr_fail(&library->error, ORR_UNSUPPORTED,
             "%s is not installed: install the Debian package %s, or build with %s "
             "(%s is neither in %s nor in %s)",
             library->what, library->package, library->needs, library->file, places[0], places[1]);
}

const void *orr_library_table(orr_library *library, orr_error *error) {
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&lock);
    if (library->state == ORR_LIBRARY_UNTRIED) find(library);
    pthread_mutex_unlock(&lock);
    if (!library->table && error) *error = library->error;
    return library->table;
}
