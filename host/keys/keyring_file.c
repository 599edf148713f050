// A keyring on disk: exclusive creation, locked updates, atomic replacement.

#include "host/keys/keyring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/flush.h"
#include "base/fresh.h"
#include "base/io.h"
#include "host/keys/keyring_codec.h"
#include "host/keys/unlock.h"

static orr_status fail_errno(orr_error *error, const char *path, const char *what) {
    return orr_fail(error, ORR_IO, "%s: %s: %s", path, what, strerror(errno));
}

// No keyring there is a missing key, not a fault of the disk.
static orr_status fail_open(orr_error *error, const char *path) {
    if (errno == ENOENT)
        return orr_fail(error, ORR_KEY, "%s: there is no keyring: `orrery keyring new` makes one",
                        path);
    return fail_errno(error, path, "cannot open the keyring");
}

// Reads a whole keyring file, or with `head_only` what stands in the clear, into *file (malloc'ed).
// *length is the length of the file itself. O_NONBLOCK: a FIFO in the keyring's place must not
// hang.
static orr_status read_file(const char *path, int head_only, uint8_t **file, uint64_t *length,
                            struct stat *info, orr_error *error) {
    orr_status status = ORR_IO;
    *file = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return fail_open(error, path);
    if (fstat(fd, info)) {
        fail_errno(error, path, "cannot read the keyring");
        goto end;
    }
    if (!S_ISREG(info->st_mode) || info->st_size > ORR_KEYRING_MAX_FILE) {
        status = orr_fail(error, ORR_NOT_ORRERY, "%s: not an Orrery keyring", path);
        goto end;
    }
    size_t want = (size_t)info->st_size;
    if (head_only && want > ORR_KEYRING_MAX_HEAD) want = ORR_KEYRING_MAX_HEAD;
    *file = malloc(want + 1);
    if (!*file) {
        status = orr_fail(error, ORR_INTERNAL, "%s: out of memory", path);
        goto end;
    }
    if (orr_read_in_full(fd, *file, want) != want) {
        fail_errno(error, path, "cannot read the keyring");
        goto end;
    }
    *length = (uint64_t)info->st_size;
    status = ORR_OK;
end:
    if (status != ORR_OK) {
        free(*file);
        *file = NULL;
    }
    close(fd);
    return status;
}

static void count_ways(const orr_keyring_head *head, orr_keyring_ways *ways) {
    for (size_t i = 0; i < head->unlock_count; i++) {
        ways->passphrases += head->unlocks[i].type == ORR_UNLOCK_PASSPHRASE;
        ways->codes += head->unlocks[i].type == ORR_UNLOCK_CODE;
    }
}

orr_status orr_keyring_ways_of(const char *path, int old_too, orr_keyring_ways *ways,
                               orr_error *error) {
    orr_keyring_head head;
    struct stat info;
    uint8_t *file;
    uint64_t length;
    int needs = 0;
    memset(ways, 0, sizeof *ways);
    orr_status status = read_file(path, 1, &file, &length, &info, error);
    if (status != ORR_OK) return status;
    status = orr_keyring_version(file, length, path, &ways->version, error);
    if (status == ORR_OK && ways->version == 1 && old_too) {
        status = orr_keyring_v1_needs_passphrase(file, length, path, &needs, error);
        ways->passphrases = needs != 0;
    } else if (status == ORR_OK) {
        status = orr_keyring_head_decode(&head, file, length, path, error);
        if (status == ORR_OK) count_ways(&head, ways);
    }
    free(file);
    return status;
}

orr_status orr_keyring_look(const char *path, uint8_t seal[ORR_KEYRING_SEAL_BYTES],
                            orr_error *error) {
    orr_keyring_head head;
    struct stat info;
    uint8_t *file;
    uint64_t length;
    if (access(path, F_OK)) return fail_errno(error, path, "cannot look at the keyring");
    orr_status status = read_file(path, 1, &file, &length, &info, error);
    if (status != ORR_OK) return status;
    status = orr_keyring_head_decode(&head, file, length, path, error);
    if (status == ORR_OK) {
        memcpy(seal, head.salt, sizeof head.salt);
        memcpy(seal + sizeof head.salt, head.nonce, sizeof head.nonce);
    }
    free(file);
    return status;
}

static orr_status load(orr_keyring *keyring, const char *path, const orr_passphrase *passphrase,
                       struct stat *info, orr_error *error) {
    uint8_t *file;
    uint64_t length;
    memset(keyring, 0, sizeof *keyring);
    orr_status status = read_file(path, 0, &file, &length, info, error);
    if (status != ORR_OK) return status;
    status = orr_keyring_open(keyring, file, (size_t)length, passphrase, path, error);
    free(file);
    return status;
}

orr_status orr_keyring_load(orr_keyring *keyring, const char *path,
                            const orr_passphrase *passphrase, orr_error *error) {
    struct stat info;
    return load(keyring, path, passphrase, &info, error);
}

static orr_status fresh_begin(orr_fresh *fresh, const char *path, orr_error *error) {
    if (orr_fresh_begin(fresh, path) == 0) return ORR_OK;
    if (errno == EISDIR)
        return orr_fail(error, ORR_USAGE, "%s: names a directory; a keyring is a file", path);
    return fail_errno(error, path,
                      fresh->directory < 0 ? "cannot open its directory" : "cannot create");
}

// Writes it durably, with mode 0600 and, with `like`, the owner and group of the file that it will
// replace. What the file system lacks is told by orr_file_flush_warning and orr_file_mode_warning.
static orr_status fresh_write(const orr_fresh *fresh, const char *path, const uint8_t *bytes,
                              size_t count, const struct stat *like, orr_error *error) {
    struct stat mine;
    int failed = fstat(fresh->fd, &mine);
    if (!failed && like && (like->st_uid != mine.st_uid || like->st_gid != mine.st_gid))
        failed = fchown(fresh->fd, like->st_uid, like->st_gid);
    if (!failed && !orr_fresh_set_mode(fresh, 0600) &&
        orr_write_in_full(fresh->fd, bytes, count) == count && !orr_fresh_flush(fresh))
        return ORR_OK;
    return fail_errno(error, path, "cannot write the keyring");
}

static orr_status fail_exists(orr_error *error, const char *path) {
    return orr_fail(error, ORR_EXISTS, "%s: exists already; a keyring is never overwritten", path);
}

// Writes `bytes` under a name that nothing has.
static orr_status write_new(const char *path, const uint8_t *bytes, size_t count,
                            const struct stat *like, orr_error *error) {
    orr_fresh fresh = ORR_FRESH_NONE;
    orr_status status = fresh_begin(&fresh, path, error);
    if (status == ORR_OK) status = fresh_write(&fresh, path, bytes, count, like, error);
    if (status != ORR_OK) goto end;
    if (orr_fresh_name(&fresh, 0)) {
        status = errno == EEXIST ? fail_exists(error, path)
                                 : fail_errno(error, path, "cannot name the keyring");
        goto end;
    }
    if (orr_fresh_settle(&fresh)) {
        status = fail_errno(error, path, "cannot flush its directory");
        orr_fresh_take_back(&fresh); // nobody has used it yet: what is not sure to last goes
    }
end:
    orr_fresh_end(&fresh);
    return status;
}

orr_status orr_keyring_create(const orr_keyring *keyring, const char *path, orr_error *error) {
    uint8_t *file = NULL;
    size_t bytes;
    struct stat info;
    // Asked first only to spare work; the naming decides.
    if (!lstat(path, &info)) return fail_exists(error, path);
    orr_status status = orr_keyring_seal(keyring, path, &file, &bytes, error);
    if (status == ORR_OK) status = write_new(path, file, bytes, NULL, error);
    free(file);
    return status;
}

// The lock file stays: removing it would let two processes lock two different files of the same
// name. It belongs to the keyring's owner even when root made it, or the owner's next update could
// not open it.
int orr_keyring_lock_open(const char *target, int create) {
    struct stat keyring, mine;
    char *path;
    if (asprintf(&path, "%s.lock", target) < 0) return -1;
    const int flags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    int fd = create ? open(path, O_RDWR | O_CREAT | flags, 0600) : open(path, O_RDONLY | flags);
    free(path);
    if (fd < 0 || !create) return fd;
    int failed = stat(target, &keyring) || fstat(fd, &mine);
    if (!failed && mine.st_uid == geteuid() && mine.st_uid != keyring.st_uid)
        failed = fchown(fd, keyring.st_uid, keyring.st_gid);
    if (!failed) return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

// Takes the exclusive lock that serialises updates; *fd is closed to release it.
static orr_status lock(const char *target, int *fd, orr_error *error) {
    *fd = orr_keyring_lock_open(target, 1);
    if (*fd < 0) return fail_errno(error, target, "cannot open the keyring's lock file");
    int failed = 0;
    while (!failed && flock(*fd, LOCK_EX)) failed = errno != EINTR;
    if (!failed) return ORR_OK;
    fail_errno(error, target, "cannot lock the keyring");
    close(*fd);
    *fd = -1;
    return ORR_IO;
}

// Seals it into the place of the file that `info` is of.
static orr_status replace(const orr_keyring *keyring, const char *target, const struct stat *info,
                          orr_error *error) {
    uint8_t *file = NULL;
    size_t bytes;
    orr_fresh fresh = ORR_FRESH_NONE;
    orr_status status = orr_keyring_seal(keyring, target, &file, &bytes, error);
    if (status == ORR_OK) status = fresh_begin(&fresh, target, error);
    if (status == ORR_OK) status = fresh_write(&fresh, target, file, bytes, info, error);
    if (status != ORR_OK) goto end;
    if (orr_fresh_name(&fresh, 1))
        status = fail_errno(error, target, "cannot replace the keyring");
    else if (orr_fresh_settle(&fresh))
        status = fail_errno(error, target, "cannot flush its directory");
end:
    orr_fresh_end(&fresh);
    free(file);
    return status;
}

// What an update and a conversion do while they hold the lock. `target` is free of symlinks.
typedef struct task {
    const orr_passphrase *passphrase;
    orr_keyring_change change;
    void *context;
} task;
typedef orr_status (*locked_work)(const char *target, const task *t, orr_error *error);

static orr_status under_lock(const char *path, locked_work work, const task *t, orr_error *error) {
    int fd = -1;
    // A symlink stays and the file that it points to is replaced, under that file's own lock.
    char *target = realpath(path, NULL);
    if (!target) return fail_open(error, path);
    orr_status status = lock(target, &fd, error);
    if (status == ORR_OK) status = work(target, t, error);
    if (fd >= 0) close(fd);
    free(target);
    return status;
}

static orr_status update(const char *target, const task *t, orr_error *error) {
    orr_keyring keyring;
    struct stat info;
    orr_status status = load(&keyring, target, t->passphrase, &info, error);
    if (status != ORR_OK) return status;
    status = t->change ? t->change(&keyring, t->context, error) : ORR_OK;
    if (status == ORR_OK) status = replace(&keyring, target, &info, error);
    orr_keyring_free(&keyring);
    return status;
}

orr_status orr_keyring_update(const char *path, const orr_passphrase *passphrase,
                              orr_keyring_change change, void *context, orr_error *error) {
    const task t = {passphrase, change, context};
    return under_lock(path, update, &t, error);
}

// Keeps the old bytes as PATH.v1. A run that was killed may have done so already.
static orr_status keep_old(const char *target, const uint8_t *bytes, size_t count,
                           const struct stat *like, orr_error *error) {
    char *kept = NULL;
    uint8_t *there = NULL;
    uint64_t length = 0;
    struct stat info;
    orr_error ignored;
    if (asprintf(&kept, "%s.v1", target) < 0)
        return orr_fail(error, ORR_INTERNAL, "%s: out of memory", target);
    orr_status status = write_new(kept, bytes, count, like, error);
    if (status == ORR_EXISTS && read_file(kept, 0, &there, &length, &info, &ignored) == ORR_OK &&
        length == count && !memcmp(there, bytes, count))
        status = ORR_OK;
    free(there);
    free(kept);
    return status;
}

static orr_status convert(const char *target, const task *t, orr_error *error) {
    orr_keyring keyring = {0};
    struct stat info;
    uint8_t *file = NULL;
    uint64_t length;
    unsigned version = 0;
    orr_status status = read_file(target, 0, &file, &length, &info, error);
    if (status == ORR_OK) status = orr_keyring_version(file, length, target, &version, error);
    if (status == ORR_OK && version == 2)
        status = orr_fail(error, ORR_USAGE, "%s: is a keyring of version 2 already", target);
    if (status == ORR_OK)
        status = orr_keyring_v1_open(&keyring, file, (size_t)length, t->passphrase, target, error);
    if (status == ORR_OK) status = orr_keyring_add_unlock(&keyring, t->passphrase, "", error);
    if (status == ORR_OK) status = keep_old(target, file, (size_t)length, &info, error);
    if (status == ORR_OK) status = replace(&keyring, target, &info, error);
    orr_keyring_free(&keyring);
    free(file);
    return status;
}

orr_status orr_keyring_convert(const char *path, const orr_passphrase *passphrase,
                               orr_error *error) {
    const task t = {.passphrase = passphrase};
    return under_lock(path, convert, &t, error);
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

int orr_file_flush_warning(const char *path, char *text, size_t text_bytes) {
    if (text_bytes) text[0] = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return 0;
    int lacks = orr_fsync(fd) > 0;
    close(fd);
    if (lacks)
        snprintf(text, text_bytes,
                 "%s: its file system cannot be told to write it to the disk now: copy it before "
                 "anything is encrypted with it",
                 path);
    return lacks;
}
