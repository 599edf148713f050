// A keyring on disk: exclusive creation, locked updates, atomic replacement.
#define _GNU_SOURCE // asprintf

#include "host/keyring.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/keyring_codec.h"

static orr_status fail_errno(orr_error *error, const char *path, const char *what) {
    return orr_fail(error, ORR_IO, "%s: %s: %s", path, what, strerror(errno));
}

// Reads up to `bytes`; *got is less at the end of the file. Nonzero on error.
static int read_up_to(int fd, uint8_t *out, size_t bytes, size_t *got) {
    *got = 0;
    while (*got < bytes) {
        ssize_t n = read(fd, out + *got, bytes - *got);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return -1;
        if (n == 0) break;
        *got += (size_t)n;
    }
    return 0;
}

// No keyring there is a missing key, not a fault of the disk.
static orr_status fail_open(orr_error *error, const char *path) {
    if (errno == ENOENT)
        return orr_fail(error, ORR_KEY, "%s: there is no keyring: `orrery keyring new` makes one",
                        path);
    return fail_errno(error, path, "cannot open the keyring");
}

// Reads a whole keyring file, or with `head_only` its first 72 bytes, into *file (malloc'ed).
// *length is the length of the file itself. O_NONBLOCK: a FIFO in the keyring's place must not
// hang.
static orr_status read_file(const char *path, int head_only, uint8_t **file, uint64_t *length,
                            struct stat *info, orr_error *error) {
    orr_status status = ORR_IO;
    size_t got;
    *file = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return fail_open(error, path);
    if (fstat(fd, info)) {
        fail_errno(error, path, "cannot read the keyring");
        goto out;
    }
    if (!S_ISREG(info->st_mode) || info->st_size > ORR_KEYRING_MAX_FILE) {
        status = orr_fail(error, ORR_NOT_ORRERY, "%s: not an Orrery keyring", path);
        goto out;
    }
    size_t want = (size_t)info->st_size;
    if (head_only && want > ORR_KEYRING_HEADER_BYTES) want = ORR_KEYRING_HEADER_BYTES;
    *file = malloc(want + 1);
    if (!*file) {
        status = orr_fail(error, ORR_INTERNAL, "%s: out of memory", path);
        goto out;
    }
    if (read_up_to(fd, *file, want, &got) || got != want) {
        fail_errno(error, path, "cannot read the keyring");
        goto out;
    }
    *length = (uint64_t)info->st_size;
    status = ORR_OK;
out:
    if (status) {
        free(*file);
        *file = NULL;
    }
    close(fd);
    return status;
}

orr_status orr_keyring_needs_passphrase(const char *path, int *needs, orr_error *error) {
    orr_keyring_header header;
    struct stat info;
    uint8_t *file;
    uint64_t length;
    *needs = 0;
    orr_status status = read_file(path, 1, &file, &length, &info, error);
    if (status) return status;
    status = orr_keyring_header_decode(&header, file, length, path, error);
    if (!status) *needs = header.kdf == ORR_KDF_SCRYPT;
    free(file);
    return status;
}

static orr_status load(orr_keyring *keyring, const char *path, const orr_passphrase *passphrase,
                       struct stat *info, orr_error *error) {
    uint8_t *file;
    uint64_t length;
    memset(keyring, 0, sizeof *keyring);
    orr_status status = read_file(path, 0, &file, &length, info, error);
    if (status) return status;
    status = orr_keyring_open(keyring, file, (size_t)length, passphrase, path, error);
    free(file);
    return status;
}

orr_status orr_keyring_load(orr_keyring *keyring, const char *path,
                            const orr_passphrase *passphrase, orr_error *error) {
    struct stat info;
    return load(keyring, path, passphrase, &info, error);
}

static int write_all(int fd, const uint8_t *bytes, size_t count) {
    while (count) {
        ssize_t n = write(fd, bytes, count);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return -1;
        bytes += n;
        count -= (size_t)n;
    }
    return 0;
}

// Makes a creation or rename in path's directory durable.
static int sync_directory(const char *path) {
    char *copy = strdup(path);
    if (!copy) return -1;
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int failed = fd < 0 || fsync(fd);
    if (failed && fd >= 0 && (errno == EINVAL || errno == ENOTSUP))
        failed = 0; // no such notion there
    int saved = errno;
    if (fd >= 0) close(fd);
    free(copy);
    errno = saved;
    return failed ? -1 : 0;
}

// Creates `path` exclusively with mode 0600 and writes it durably; removes it again on failure.
// With `like`, the new file gets the owner and group of the one that it will replace.
static orr_status write_new(const char *path, const uint8_t *bytes, size_t count,
                            const struct stat *like, orr_error *error) {
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 && errno == EEXIST)
        return orr_fail(error, ORR_EXISTS, "%s: exists already; a keyring is never overwritten",
                        path);
    if (fd < 0) return fail_errno(error, path, "cannot create");
    int failed = fchmod(fd, 0600); // whatever the umask and default ACLs say
    if (!failed && like && (like->st_uid != geteuid() || like->st_gid != getegid()))
        failed = fchown(fd, like->st_uid, like->st_gid);
    failed = failed || write_all(fd, bytes, count) || fsync(fd);
    int saved = errno;
    if (close(fd) && !failed) {
        failed = 1;
        saved = errno;
    }
    if (!failed) return ORR_OK;
    unlink(path);
    errno = saved;
    return fail_errno(error, path, "cannot write the keyring");
}

orr_status orr_keyring_create(const orr_keyring *keyring, const char *path,
                              const orr_passphrase *passphrase, orr_error *error) {
    uint8_t *file;
    size_t bytes;
    struct stat info;
    // Asked first only to spare the user an scrypt; O_EXCL decides.
    if (!lstat(path, &info))
        return orr_fail(error, ORR_EXISTS, "%s: exists already; a keyring is never overwritten",
                        path);
    orr_status status = orr_keyring_seal(keyring, passphrase, path, &file, &bytes, error);
    if (!status) status = write_new(path, file, bytes, NULL, error);
    if (!status && sync_directory(path))
        status = fail_errno(error, path, "cannot sync its directory");
    free(file);
    return status;
}

// Takes the exclusive lock that serialises updates; *fd is closed to release it. The lock file
// stays: removing it would let two processes lock two different files of the same name. It belongs
// to the keyring's owner even when root made it, or the owner's next update could not open it.
static orr_status lock(const char *path, const char *target, int *fd, orr_error *error) {
    struct stat keyring, mine;
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (*fd < 0) return fail_errno(error, path, "cannot open the keyring's lock");
    int failed = stat(target, &keyring) || fstat(*fd, &mine);
    if (!failed && mine.st_uid == geteuid() && mine.st_uid != keyring.st_uid)
        failed = fchown(*fd, keyring.st_uid, keyring.st_gid);
    while (!failed && flock(*fd, LOCK_EX)) failed = errno != EINTR;
    if (!failed) return ORR_OK;
    fail_errno(error, path, "cannot lock the keyring");
    close(*fd);
    *fd = -1;
    return ORR_IO;
}

// The locked part of an update. `target` is free of symlinks, `fresh` is the new file's first name.
static orr_status replace(const char *target, const char *fresh, const orr_passphrase *passphrase,
                          const orr_passphrase *new_passphrase, orr_keyring_change change,
                          void *context, orr_error *error) {
    orr_keyring keyring;
    struct stat info;
    uint8_t *file = NULL;
    size_t bytes;
    orr_status status = load(&keyring, target, passphrase, &info, error);
    if (status) return status;
    status = change ? change(&keyring, context, error) : ORR_OK;
    if (status) goto out;
    if (!new_passphrase && keyring.has_passphrase) new_passphrase = passphrase;
    status = orr_keyring_seal(&keyring, new_passphrase, target, &file, &bytes, error);
    if (status) goto out;
    // Left over by an update that was killed; nobody else uses the name under the lock.
    if (unlink(fresh) && errno != ENOENT) {
        status = fail_errno(error, fresh, "cannot remove what an interrupted update left");
        goto out;
    }
    status = write_new(fresh, file, bytes, &info, error);
    if (status) goto out;
    if (rename(fresh, target)) {
        status = fail_errno(error, target, "cannot replace the keyring");
        unlink(fresh);
    } else if (sync_directory(target)) {
        status = fail_errno(error, target, "cannot sync its directory");
    }
out:
    free(file);
    orr_keyring_free(&keyring);
    return status;
}

orr_status orr_keyring_update(const char *path, const orr_passphrase *passphrase,
                              const orr_passphrase *new_passphrase, orr_keyring_change change,
                              void *context, orr_error *error) {
    char *lock_path = NULL, *fresh = NULL;
    int fd = -1;
    orr_status status = ORR_INTERNAL;
    // A symlink stays and the file that it points to is replaced, under that file's own lock.
    char *target = realpath(path, NULL);
    if (!target) return fail_open(error, path);
    if (asprintf(&lock_path, "%s.lock", target) < 0) lock_path = NULL;
    if (asprintf(&fresh, "%s.new", target) < 0) fresh = NULL;
    if (!lock_path || !fresh) {
        orr_fail(error, status, "%s: out of memory", path);
        goto out;
    }
    status = lock(lock_path, target, &fd, error);
    if (!status)
        status = replace(target, fresh, passphrase, new_passphrase, change, context, error);
out:
    if (fd >= 0) close(fd);
    free(fresh);
    free(lock_path);
    free(target);
    return status;
}

int orr_file_mode_warning(const char *path, char *text, size_t text_bytes) {
    struct stat info;
    if (text_bytes) text[0] = 0;
    if (stat(path, &info) || !S_ISREG(info.st_mode)) return 0;
    unsigned mode = (unsigned)info.st_mode & 07777;
    if (!(mode & 077)) return 0;
    snprintf(text, text_bytes,
             "%s: mode %04o lets the group or others at it; `chmod 600` keeps it to its owner",
             path, mode);
    return 1;
}
