#include "training/run_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "base/directory.h"
#include "base/fresh.h"
#include "base/io.h"

static orr_status io_error(orr_error *error, const char *directory, const char *name,
                           const char *doing) {
    int number = errno;
    const char *next = number == ENOSPC || number == EDQUOT
                           ? ": free some space and run the same command again with --resume"
                           : "";
    return orr_fail(error, ORR_IO, "%s%s%s: cannot %s: %s%s", directory, *name ? "/" : "", name,
                    doing, strerror(number), next);
}

// 1: nothing in it, 0: something, -1: errno. What a run wrote and was killed at is nothing.
static int is_empty(int fd) {
    orr_listing listing;
    int empty = 1;
    if (orr_listing_read(fd, &listing)) return -1;
    for (size_t i = 0; i < listing.count; i++)
        empty = empty && orr_partial_is_name(listing.names[i]);
    orr_listing_free(&listing);
    return empty;
}

orr_status orr_run_directory_open(orr_run_directory *run, const char *path, int resume, int create,
                                  orr_error *error) {
    orr_status status = ORR_OK;
    *run = (orr_run_directory){.fd = -1, .path = strdup(path)};
    if (!run->path) return orr_fail(error, ORR_INTERNAL, "out of memory");
    // "run/" is not a directory above the run, with the rights of those.
    for (size_t n = strlen(path); n > 1 && path[n - 1] == '/'; n--) run->path[n - 1] = 0;
    path = run->path;
    int found = !create                              ? 1
                : orr_directory_make_above(path) < 0 ? -1
                                                     : orr_directory_make(path, 0700);
    run->made = found == 0;
    if (found < 0) {
        status = io_error(error, path, "", "make this directory");
        goto end;
    }
    run->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (run->fd < 0 && errno == ENOENT && !create) {
        run->fresh = 1;
        return ORR_OK;
    }
    if (run->fd < 0) {
        status = errno == ENOTDIR
                     ? orr_fail(error, ORR_IO,
                                "%s: not a directory; name one that is to be made, or an empty one",
                                path)
                     : io_error(error, path, "", "open this directory");
        goto end;
    }
    if (flock(run->fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK) {
        status =
            orr_fail(error, ORR_IO, "%s: another training run is at work in this directory", path);
        goto end;
    }
    if (create) orr_partial_sweep(run->fd, NULL);
    run->fresh = is_empty(run->fd);
    if (run->fresh < 0) {
        status = io_error(error, path, "", "read this directory");
        goto end;
    }
    if (!run->fresh && !resume) {
        status = orr_fail(error, ORR_EXISTS,
                          "%s: there is something in it, and a run is never overwritten: give "
                          "another directory, or --resume to go on with the run in it",
                          path);
        goto end;
    }
    // Before thousands of images are read for nothing.
    if (create && faccessat(run->fd, ".", W_OK | X_OK, AT_EACCESS)) {
        status = io_error(error, path, "", "write into this directory");
        goto end;
    }
end:
    if (status != ORR_OK) orr_run_directory_close(run);
    return status;
}

int orr_run_directory_is(int directory) {
    uint8_t *bytes = NULL;
    size_t count;
    if (orr_run_read_at(directory, "", ORR_RUN_OPTIONS, ORR_RUN_OPTIONS_MAX, &bytes, &count,
                        NULL) != ORR_OK)
        return 0;
    cJSON *json = bytes ? cJSON_Parse((char *)bytes) : NULL;
    const cJSON *program = cJSON_GetObjectItemCaseSensitive(json, "program");
    int is = cJSON_IsString(program) && !strcmp(program->valuestring, ORR_RUN_PROGRAM);
    cJSON_Delete(json);
    free(bytes);
    return is;
}

void orr_run_directory_close(orr_run_directory *run) {
    if (run->made) rmdir(run->path); // refused when there is anything in it
    if (run->fd >= 0) close(run->fd);
    free(run->path);
    *run = (orr_run_directory){.fd = -1};
}

orr_status orr_run_write_at(int directory, const char *shown, const char *name, const void *bytes,
                            size_t count, orr_error *error) {
    orr_fresh fresh;
    int failed = orr_fresh_begin_at(&fresh, directory, name) ? errno : 0;
    const char *doing = failed ? "create" : "write";
    if (!failed && (orr_write_in_full(fresh.fd, bytes, count) < count ||
                    orr_fresh_commit(&fresh, ORR_FRESH_REPLACE)))
        failed = errno;
    orr_fresh_end(&fresh);
    if (!failed) return ORR_OK;
    errno = failed;
    return io_error(error, shown, name, doing);
}

orr_status orr_run_write(const orr_run_directory *run, const char *name, const void *bytes,
                         size_t count, orr_error *error) {
    return orr_run_write_at(run->fd, run->path, name, bytes, count, error);
}

orr_status orr_run_append(const orr_run_directory *run, const char *name, const void *bytes,
                          size_t count, orr_error *error) {
    int fd = openat(run->fd, name, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) return io_error(error, run->path, name, "open");
    int failed =
        orr_write_in_full(fd, bytes, count) < count ? errno : 0; // not flushed: the checkpoints are
    if (close(fd) && !failed) failed = errno;
    if (!failed) return ORR_OK;
    errno = failed;
    return io_error(error, run->path, name, "write");
}

orr_status orr_run_read_at(int directory, const char *shown, const char *name, size_t most,
                           uint8_t **bytes, size_t *count, orr_error *error) {
    struct stat info;
    orr_status status = ORR_OK;
    *bytes = NULL;
    *count = 0;
    int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) return ORR_OK;
    if (fd < 0 || fstat(fd, &info)) {
        status = io_error(error, shown, name, "read");
        goto end;
    }
    if (!S_ISREG(info.st_mode) || (uint64_t)info.st_size > most) {
        status = orr_fail(error, ORR_UNSUPPORTED, "%s/%s: not a file of at most %zu bytes", shown,
                          name, most);
        goto end;
    }
    size_t size = (size_t)info.st_size;
    *bytes = malloc(size + 1);
    if (!*bytes) {
        status = orr_fail(error, ORR_INTERNAL, "%s/%s: out of memory", shown, name);
        goto end;
    }
    *count = orr_read_in_full(fd, *bytes, size);
    if (*count < size && errno) {
        status = io_error(error, shown, name, "read");
        goto end;
    }
    (*bytes)[*count] = 0;
end:
    if (fd >= 0) close(fd);
    if (status != ORR_OK) {
        free(*bytes);
        *bytes = NULL;
        *count = 0;
    }
    return status;
}
