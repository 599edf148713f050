// Names in an open directory that change hands without anything being lost. -1 with errno.
#ifndef ORRERY_BASE_RENAME_H
#define ORRERY_BASE_RENAME_H

#ifdef __cplusplus
extern "C" {
#endif

// How a file gets a name that nothing has. Not every file system can do each.
typedef enum orr_naming {
    ORR_NAMING_NOREPLACE, // a rename that does not replace
    ORR_NAMING_LINK,      // a hard link, which never does
    ORR_NAMING_LOOK       // a look, under the lock of the directory, and then a rename
} orr_naming;

// Renames `from` to `to`, or fails with EEXIST where something has that name. Begins with *way
// (NULL: with the first) and goes on to the next where the file system refuses; *way is then the
// one that did it. LOOK excludes others of this program only: the caller holds the directory's
// flock (`locked`), or it is taken for that moment, and EWOULDBLOCK tells that another one keeps
// it.
int orr_rename_new(int directory, const char *from, const char *to, orr_naming *way, int locked);
// Lets two names change places in one step. Few file systems can (orr_is_refusal).
int orr_rename_exchange(int directory, const char *a, const char *b);

#ifdef __cplusplus
}
#endif
#endif
