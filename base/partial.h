// Files while they are incomplete: how they are named and marked, and how those of a killed run are
// found and removed.
//
// A partial file is `.orrery-<16 hex digits>.partial` with random digits, so that no name that
// somebody restores or keeps is ever in its way, mode 0600 with the sticky bit, and locked (flock)
// as long as its writer lives. The name alone would not do for removing one: a partial file that
// was archived and restored has such a name too, and is data then. The sticky bit, which has no
// meaning on a regular file, tells them apart: what is restored never has it, and a partial file
// loses it only after it has its final name. So a file with the name, the bit and no lock belongs
// to a run that was killed. On a file system that keeps no sticky bit none is ever removed, but
// probes, which hold at most one byte and so nothing of anybody's.
//
// An unfinished file is a partial one that the next run may go on with: `.unfinished` in place of
// `.partial`, and digits by which that run finds it.
#ifndef ORRERY_BASE_PARTIAL_H
#define ORRERY_BASE_PARTIAL_H

#include <stdint.h>
#include <sys/stat.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ORR_PARTIAL_MARK S_ISVTX
#define ORR_PARTIAL_SUFFIX ".partial"
#define ORR_UNFINISHED_SUFFIX ".unfinished"
#define ORR_PROBE_SUFFIX ".probe" // of a file that only tries what its file system can do
#define ORR_PARTIAL_NAME_BYTES 64 // enough for any that is made, with the NUL

// The name with these digits. The suffix has at most 38 bytes.
void orr_partial_name(uint64_t digits, const char *suffix, char name[ORR_PARTIAL_NAME_BYTES]);
// Draws a name `.orrery-<16 hex digits><suffix>`, with a suffix of at most 38 bytes. -1 with errno.
int orr_partial_draw(const char *suffix, char name[ORR_PARTIAL_NAME_BYTES]);
// Creates a file of such a name in a directory (0600 and the mark, which may be 0; read and write,
// locked). Returns its descriptor, or -1 with errno.
int orr_partial_create(int directory, const char *suffix, mode_t mark,
                       char name[ORR_PARTIAL_NAME_BYTES]);
// The same under a name that is given: an unfinished file. -1 with errno also where locks or the
// mark are missing, by which the next run would tell it.
int orr_partial_create_as(int directory, mode_t mark, const char *name);
// Opens the unfinished file of this name that a killed or stopped run left, locked as by its
// writer. -1: there is none, it has a writer for two more seconds, or it is not certainly one of
// this user's: regular, with one name and the mark, and nobody else may write to it. Its mode is
// 0600 and the mark.
int orr_partial_reopen(int directory, const char *name);
// The same of a directory (0700 and the mark, not locked), named as a partial file.
int orr_partial_create_directory(int directory, char name[ORR_PARTIAL_NAME_BYTES]);
// The suffix of a name that orr_partial_create makes, or NULL when it is none.
const char *orr_partial_suffix(const char *name);
// Is it a partial or unfinished file's, or a probe's?
int orr_partial_is_name(const char *name);
// Did a job make this file for itself: is it marked, or a probe of at most one byte?
int orr_partial_is_left(const char *name, const struct stat *st);
// Has this process's own partial file, open as `fd`, still its name? Nobody else draws that name,
// so where inode numbers do not last, a file of that name is it.
int orr_partial_is_there(int directory, const char *name, int fd);
// Removes it if it has.
void orr_partial_remove(int directory, const char *name, int fd);
// Removes a file that was left and whose writer is gone; all such calls of a process together wait
// 0.3 s for writers that are dying. Returns 1 when it has one, or may have; else 0.
int orr_partial_remove_stale(int directory, const char *name);
// Removes the partial files of killed runs from a directory (not below it), but the one named
// `except` (may be NULL). What cannot be looked at, or may have a writer, stays.
void orr_partial_sweep(int directory, const char *except);
// The same, and tells the names of unfinished files, which stay.
void orr_partial_sweep_telling(int directory, const char *except,
                               void (*unfinished)(void *context, const char *name), void *context);
// Takes the mark from a file or directory that has its final name. 0, also where the file system
// refuses; -1 with errno.
int orr_partial_unmark(int fd);
// Do inode numbers of the file system that `fd` lies on stay as they are?
int orr_inodes_last(int fd);
// Are they one file? Where inode numbers do not last (`fd` is one of the two, or lies beside them),
// regular files of one mode, length and time are.
int orr_is_same(const struct stat *a, const struct stat *b, int fd);
// Is `name` in that directory still the file that is open as `fd`? As orr_is_same.
int orr_is_same_file(int directory, const char *name, int fd);

#ifdef __cplusplus
}
#endif

#endif
