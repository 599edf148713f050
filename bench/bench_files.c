#include "bench/bench_files.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "bench/bench_machine.h"
#include "kernels/map.h"

#define PIECE ((size_t)1 << 20)
#define LEAST_ROOM ((uint64_t)256 << 20) // what a directory not asked for by name must offer

// Memory that can be had without swapping, the page cache's included: what the kernel calls
// MemAvailable. 0 when it does not say.
static uint64_t available_memory(void) {
    unsigned long long kilobytes = 0;
    char line[128];
    FILE *file = fopen("/proc/meminfo", "re");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "MemAvailable: %llu kB", &kilobytes) == 1) break;
    if (file) fclose(file);
    return (uint64_t)kilobytes << 10;
}

static int in_memory(const orr_bench_files *files) {
    return strcmp(files->type, "tmpfs") == 0 || strcmp(files->type, "ramfs") == 0;
}

orr_status orr_bench_files_open(orr_bench_files *files, orr_bench_place place, const char *parent,
                                orr_error *error) {
    int memory = place == ORR_BENCH_IN_MEMORY, made = 0;
    const char *tried[] = {memory ? "/dev/shm" : "/var/tmp", getenv("TMPDIR"), "/tmp"};
    if (parent) tried[0] = parent;
    memset(files, 0, sizeof *files);
    for (int n = 0; n < (parent ? 1 : 3); n++) {
        if (!tried[n] || !*tried[n]) continue;
        int length = snprintf(files->path, sizeof files->path, "%s/orrery-bench-XXXXXX", tried[n]);
        if (length >= (int)sizeof files->path || !mkdtemp(files->path)) continue;
        made = 1;
        orr_machine_filesystem(files->path, files->type);
        // A directory not asked for: no small or full /dev/shm.
        if (memory ? parent || orr_bench_files_room(files) >= LEAST_ROOM : !in_memory(files))
            return ORR_OK;
        rmdir(files->path);
    }
    files->path[0] = 0;
    if (made && !memory)
        return orr_fail(error, ORR_UNSUPPORTED,
                        "%s: lies in memory: --disk names a directory on one",
                        parent ? parent : "/var/tmp");
    return orr_fail(error, ORR_IO, "%s: no directory for the benchmark's files can be made: %s",
                    parent   ? parent
                    : memory ? "/dev/shm and /tmp"
                             : "/var/tmp and /tmp",
                    strerror(errno));
}

void orr_bench_files_path(const orr_bench_files *files, const char *name, char path[PATH_MAX]) {
    int length = snprintf(path, PATH_MAX, "%s%s%s", files->path, *name ? "/" : "", name);
    if (length >= PATH_MAX) path[0] = 0;
}

uint64_t orr_bench_files_room(const orr_bench_files *files) {
    struct statvfs st;
    if (statvfs(files->path, &st) != 0) return 0;
    uint64_t disk = (uint64_t)st.f_bavail * st.f_frsize;
    uint64_t memory = available_memory();
    return (disk < memory || !in_memory(files) ? disk : memory) / 2;
}

orr_status orr_bench_files_write(const orr_bench_files *files, const char *name, uint64_t bytes,
                                 orr_error *error) {
    char path[PATH_MAX];
    orr_bench_files_path(files, name, path);
    uint64_t *piece = malloc(PIECE), counter = bytes;
    FILE *file = fopen(path, "we");
    int good = file && piece;
    for (uint64_t left = bytes; left && good;) {
        size_t now = left < PIECE ? (size_t)left : PIECE;
        for (size_t n = 0; n < PIECE / 8; n++) piece[n] = orr_mix64(counter++);
        good = fwrite(piece, 1, now, file) == now;
        left -= now;
    }
    if (file && fclose(file) != 0) good = 0;
    free(piece);
    return good ? ORR_OK
                : orr_fail(error, ORR_IO, "%s: cannot be written: %s", path, strerror(errno));
}

orr_status orr_bench_files_compare(const orr_bench_files *files, const char *a, const char *b,
                                   orr_error *error) {
    char path[2][PATH_MAX];
    orr_bench_files_path(files, a, path[0]);
    orr_bench_files_path(files, b, path[1]);
    FILE *file[2] = {fopen(path[0], "re"), fopen(path[1], "re")};
    char *piece = malloc(2 * PIECE);
    size_t first = 1, second = 1;
    int same = file[0] && file[1] && piece;
    while (same && first) {
        first = fread(piece, 1, PIECE, file[0]);
        second = fread(piece + PIECE, 1, PIECE, file[1]);
        same = first == second && memcmp(piece, piece + PIECE, first) == 0;
    }
    for (int n = 0; n < 2; n++)
        if (file[n]) fclose(file[n]);
    free(piece);
    return same ? ORR_OK
                : orr_fail(error, ORR_SELF_TEST, "%s and %s differ; nothing is timed", path[0],
                           path[1]);
}

orr_status orr_bench_files_evict(const orr_bench_files *files, const char *name, orr_error *error) {
    char path[PATH_MAX];
    orr_bench_files_path(files, name, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int good = fd >= 0 && fsync(fd) == 0 && posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0;
    if (fd >= 0) close(fd);
    return good ? ORR_OK
                : orr_fail(error, ORR_IO, "%s: cannot be taken out of the page cache: %s", path,
                           strerror(errno));
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where) {
    (void)st, (void)kind, (void)where;
    remove(path);
    return 0;
}

void orr_bench_files_remove(const orr_bench_files *files, const char *name) {
    char path[PATH_MAX];
    if (!files->path[0]) return;
    orr_bench_files_path(files, name, path);
    if (path[0]) nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
