// Files while they are incomplete: how they are named and marked, and how those of a killed run are
// found and removed.
//
// A partial file is `.orrery-<16 hex digits>.partial` with random digits, so that no name that
// somebody restores or keeps is ever in its way, mode 0600 with the sticky bit, and locked (flock)
// as long as its writer lives. The name alone would not do for removing one: a partial file that
// was archived and restored has such a name too, and is data then. The sticky bit, which has no
// meaning on a regular file, tells them apart: what is restored never has it, and a partial file
// loses it only after it has its final name. So a file with the name, the bit and no lock belongs
// to a run that was killed. On a file system that keeps no sticky bit nothing is ever removed.
#ifndef ORRERY_KERNELS_PARTIAL_H
#define ORRERY_KERNELS_PARTIAL_H

#include <dirent.h>
#include <sys/stat.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ORR_PARTIAL_MARK S_ISVTX
#define ORR_PARTIAL_SUFFIX ".partial"
#define ORR_PROBE_SUFFIX ".probe" // of a file that only tries what its file system can do
#define ORR_PARTIAL_NAME_BYTES 64 // enough for any that is made, with the NUL

// Draws a name `.orrery-<16 hex digits><suffix>`, with a suffix of at most 38 bytes. -1 with errno.
int orr_partial_draw(const char *suffix, char name[ORR_PARTIAL_NAME_BYTES]);
// Creates a file of such a name in a directory (0600 and the mark, which may be 0; read and write,
// locked). Returns its descriptor, or -1 with errno.
int orr_partial_create(int directory, const char *suffix, mode_t mark,
                       char name[ORR_PARTIAL_NAME_BYTES]);
// The suffix of a name that orr_partial_create makes, or NULL when it is none.
const char *orr_partial_suffix(const char *name);
// Is it a partial file's, or a probe's?
int orr_partial_is_name(const char *name);
// Removes a marked file whose writer is gone. Returns 1 when it has one, or may have; else 0.
int orr_partial_remove_stale(int directory, const char *name);
// Removes the partial files of killed runs from a directory (not below it), but the one named
// `except` (may be NULL). What cannot be looked at, or may have a writer, stays.
void orr_partial_sweep(int directory, const char *except);
// Takes the mark from a file or directory that has its final name. 0, also where the file system
// refuses; -1 with errno.
int orr_partial_unmark(int fd);
// The entries of an open directory, whose own position stays; the caller closes the listing
// (closedir). NULL with errno.
DIR *orr_directory_list(int directory);
// Does a directory list this very name? Looking it up may find another one: a file system may take
// capitals for small letters, say.
int orr_directory_lists(int directory, const char *name);
// Is `name` in that directory still the file that is open as `fd`?
int orr_is_same_file(int directory, const char *name, int fd);

#ifdef __cplusplus
}
#endif

#endif
