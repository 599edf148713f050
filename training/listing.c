#include "training/listing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void orr_listing_free(orr_listing *listing) {
    for (size_t i = 0; i < listing->count; i++) free(listing->names[i]);
    free(listing->names);
    *listing = (orr_listing){0};
}

static int compare_names(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int add(orr_listing *listing, size_t *room, const char *name) {
    if (listing->count == *room) {
        size_t more = *room ? 2 * *room : 64;
        char **grown = realloc(listing->names, more * sizeof *grown);
        if (!grown) return -1;
        listing->names = grown;
        *room = more;
    }
    char *copy = strdup(name);
    if (!copy) return -1;
    listing->names[listing->count++] = copy;
    return 0;
}

int orr_listing_read(int directory, orr_listing *listing) {
    // Opened anew: a duplicate would share the position, and find nothing the second time.
    int copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), failed;
    size_t room = 0;
    *listing = (orr_listing){0};
    DIR *stream = copy < 0 ? NULL : fdopendir(copy);
    if (!stream) {
        failed = errno;
        if (copy >= 0) close(copy);
        errno = failed;
        return -1;
    }
    for (struct dirent *entry; errno = 0, entry = readdir(stream);) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        if (add(listing, &room, entry->d_name)) break;
    }
    failed = errno; // of readdir, or for want of memory
    closedir(stream);
    if (failed) orr_listing_free(listing);
    if (listing->count)
        qsort(listing->names, listing->count, sizeof *listing->names, compare_names);
    errno = failed;
    return failed ? -1 : 0;
}

void orr_put_name(orr_sink *sink, const char *name) {
    for (const unsigned char *p = (const unsigned char *)name; *p; p++) {
        if (*p < 32 || *p == 127 || *p == '\\')
            orr_sink_format(sink, "\\x%02X", *p);
        else
            orr_sink_put(sink, (const char *)p, 1);
    }
}
