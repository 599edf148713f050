#include "base/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/flush.h"

DIR *orr_directory_list(int directory) {
    // Opened anew: a duplicate would share the position, and find nothing the second time.
    int copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *listing = copy >= 0 ? fdopendir(copy) : NULL;
    int number = errno;
    if (!listing && copy >= 0) close(copy);
    errno = number;
    return listing;
}

int orr_directory_lists(int directory, const char *name) {
    DIR *listing = orr_directory_list(directory);
    struct dirent *d;
    int found = 0;
    while (listing && !found && (d = readdir(listing))) found = !strcmp(d->d_name, name);
    if (listing) closedir(listing);
    return found;
}

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
    size_t room = 0;
    *listing = (orr_listing){0};
    DIR *stream = orr_directory_list(directory);
    if (!stream) return -1;
    for (struct dirent *entry; errno = 0, entry = readdir(stream);) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        if (add(listing, &room, entry->d_name)) break;
    }
    int failed = errno; // of readdir, or for want of memory
    closedir(stream);
    if (failed) orr_listing_free(listing);
    if (listing->count)
        qsort(listing->names, listing->count, sizeof *listing->names, compare_names);
    errno = failed;
    return failed ? -1 : 0;
}

// Of the directory that `path` is in, through a symlink if it is one. One that may not be read
// cannot be flushed.
static int flush_above(const char *path) {
    int made = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int above = made >= 0 ? openat(made, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    int failed = above < 0 ? errno != EACCES : orr_fsync(above) < 0;
    int number = errno;
    if (made >= 0) close(made);
    if (above >= 0) close(above);
    errno = number;
    return failed ? -1 : 0;
}

int orr_directory_make(const char *path, mode_t mode) {
    int found = mkdir(path, mode) != 0;
    if (found && errno != EEXIST) return -1;
    if (flush_above(path) == 0) return found;
    // What was there before need not be ours, nor the disk's where the output goes.
    if (found) return errno == EIO || errno == ENOSPC || errno == EDQUOT ? -1 : 1;
    int number = errno;
    rmdir(path);
    errno = number;
    return -1;
}

int orr_directory_make_above(const char *path) {
    char *copy = strdup(path);
    int result = copy ? 0 : -1;
    for (char *p = copy && *copy ? copy + 1 : NULL; p && *p && result >= 0; p++) {
        if (*p != '/') continue;
        *p = 0;
        result = orr_directory_make(copy, 0777);
        *p = '/';
    }
    free(copy);
    return result < 0 ? -1 : 0;
}

int orr_directory_make_at(int directory, const char *name, mode_t mode) {
    if (mkdirat(directory, name, mode) != 0) return errno == EEXIST ? 1 : -1;
    return orr_fsync(directory) < 0 ? -1 : 0;
}
