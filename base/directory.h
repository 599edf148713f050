// Directories: what is in them, and making them so that they last. -1 with errno.
#ifndef ORRERY_BASE_DIRECTORY_H
#define ORRERY_BASE_DIRECTORY_H

#include <dirent.h>
#include <stddef.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

// The entries of an open directory, whose own position stays; the caller closes the listing
// (closedir). NULL with errno.
DIR *orr_directory_list(int directory);
// Does a directory list this very name? Looking it up may find another one: a file system may take
// capitals for small letters, say.
int orr_directory_lists(int directory, const char *name);

typedef struct orr_listing {
    char **names; // without "." and "..", in byte order; owned
    size_t count;
} orr_listing;

// Lists an open directory, whose own position stays. -1 with errno (ENOMEM too), and an empty
// listing, when it cannot be read to the end. Free with orr_listing_free.
int orr_listing_read(int directory, orr_listing *listing);
void orr_listing_free(orr_listing *listing); // a zeroed one is fine

// Makes a directory with the permission bits `mode` (less the umask) and flushes the one that it is
// in, if that may be read. 0: made. 1: there is something of that name already; what it is in was
// flushed also then, since a run that made it may have been killed before it did so, and only
// storage that fails counts. After -1 it is not there.
int orr_directory_make(const char *path, mode_t mode);
// mkdir -p of what lies above the last component of `path`. 0 or -1.
int orr_directory_make_above(const char *path);
// Makes one in an open directory, and flushes that when it did. 0, 1, or -1, as above, but that one
// which could not be flushed stays.
int orr_directory_make_at(int directory, const char *name, mode_t mode);

#ifdef __cplusplus
}
#endif
#endif
