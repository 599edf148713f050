#include "host/job/job_pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/partial.h"
#include "base/text.h"
#include "host/container/content_digest.h"
#include "host/container/tile_read.h"
#include "host/job/job_file.h"
#include "host/job/sealed.h"

#define COPY_BYTES (1u << 20)

typedef struct pipe_job {
    const orr_job_options *options;
    const char *path, *shown;
    int out;
    orr_progress *progress;
    orr_stop_flag *stop;
    orr_sealed from;
    orr_metadata *metadata;
} pipe_job;

static orr_status write_out(const pipe_job *p, const uint8_t *bytes, size_t count,
                            orr_error *error) {
    if (orr_write_to_reader(p->out, bytes, count, p->stop) == count) return ORR_OK;
    int number = errno;
    if (number == EINTR)
        return orr_fail(error, ORR_STOPPED, "%s: stopped before all of it was written", p->shown);
    return orr_fail_errno(error, number, "%s: cannot write all of %s: %s%s", p->shown, p->path,
                          strerror(number),
                          number == EPIPE ? " (its reader has gone)" : orr_errno_hint(number));
}

static orr_status archive(pipe_job *p, orr_error *error) {
    const orr_seal *seal = &p->from.seal;
    const orr_geometry *g = &seal->geometry;
    orr_tile_reader r = {p->from.fd,    g,    &seal->secret, &seal->keys,
                         &seal->cipher, NULL, p->from.healer};
    uint8_t *tile = malloc(ORR_TILE_BYTES);
    orr_content_digest running;
    uint8_t digest[ORR_DIGEST_BYTES];
    orr_status status = orr_content_digest_begin(&running) && tile
                            ? orr_tile_reader_init(&r, error)
                            : orr_fail(error, ORR_INTERNAL, "%s: out of memory", p->path);
    for (uint64_t n = 0; status == ORR_OK && n < g->tiles; n++) {
        size_t bytes = orr_tile_source_bytes(p->from.container.header.length, n);
        status = orr_tile_read(&r, n, tile, p->path, error);
        if (status == ORR_OK) status = write_out(p, tile, bytes, error);
        if (status != ORR_OK) break;
        atomic_fetch_add(&p->progress->done_bytes, bytes);
        orr_content_digest_add(&running, tile, bytes);
        if (n + 1 == g->tiles || (n + 1) % ORR_SEGMENT_TILES == 0)
            orr_content_digest_segment(&running, digest);
    }
    if (status == ORR_OK) {
        orr_content_digest_end(&running, digest);
        if (memcmp(digest, p->metadata->digest, sizeof digest))
            status = orr_fail(error, ORR_AUTH,
                              "%s: was verified, and its digest differs now: a hardware fault; do "
                              "not use what was written to %s",
                              p->path, p->shown);
    }
    orr_tile_reader_end(&r);
    orr_content_digest_free(&running);
    if (tile) orr_wipe(tile, ORR_TILE_BYTES);
    free(tile);
    return status;
}

static orr_status copy_out(const pipe_job *p, int from, orr_error *error) {
    uint8_t *buffer = malloc(COPY_BYTES);
    orr_status status =
        buffer ? ORR_OK : orr_fail(error, ORR_INTERNAL, "%s: out of memory", p->path);
    ssize_t n = 0;
    for (off_t at = 0; status == ORR_OK && (n = pread(from, buffer, COPY_BYTES, at)) > 0; at += n)
        status = write_out(p, buffer, (size_t)n, error);
    if (status == ORR_OK && n < 0)
        status = orr_fail(error, ORR_INTERNAL, "%s: memory cannot be read", p->path);
    if (buffer) orr_wipe(buffer, COPY_BYTES);
    free(buffer);
    return status;
}

// The writer of TIFFs goes back and forth, so the image passes through anonymous memory, and leaves
// it only when its digest was found right.
static orr_status paper(pipe_job *p, orr_error *error) {
    // Compression of pixels makes them longer by less than a half; tags are held twice.
    const orr_metadata *m = p->metadata;
    uint64_t memory = p->from.means.memory, pixels = p->from.container.header.length;
    uint64_t held = 2 * m->paper_length + ORR_PAGE;
    if (pixels > memory || pixels + pixels / 2 + held > memory / 2)
        return orr_fail(error, ORR_UNSUPPORTED,
                        "%s: an image of the paper profile is held in memory on its way to %s, and "
                        "half of --mem has no room for it: raise --mem, or decrypt to a directory",
                        p->path, p->shown);
    const orr_paper_means means = {.backend = p->options->backend,
                                   .memory = memory - pixels - pixels / 2 - held,
                                   .stop = p->stop,
                                   .healer = p->from.healer};
    int fd = memfd_create("orrery", MFD_CLOEXEC);
    if (fd < 0) return orr_fail(error, ORR_INTERNAL, "%s: out of memory", p->path);
    orr_status status = orr_paper_decrypt(&p->from.container, &p->from.seal.secret, m, &means,
                                          p->from.fd, fd, p->path, error);
    if (status == ORR_OK) status = copy_out(p, fd, error);
    close(fd);
    return status;
}

static orr_status open_source(pipe_job *p, const struct stat *verified, orr_error *error) {
    struct stat st;
    p->from.fd = open(p->path, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (p->from.fd < 0 || fstat(p->from.fd, &st) != 0)
        return orr_fail_errno(error, errno, "%s: cannot open this file: %s", p->path,
                              strerror(errno));
    if (!orr_is_same(&st, verified, p->from.fd) || st.st_size != verified->st_size ||
        !orr_same_time(&st.st_mtim, &verified->st_mtim))
        return orr_fail(error, ORR_IO,
                        "%s: was changed while it was verified: nothing was written to %s; run the "
                        "same command again",
                        p->path, p->shown);
    // The verifying job has told of what is wrong with a slot.
    const uint64_t pages = (uint64_t)sysconf(_SC_PHYS_PAGES),
                   page = (uint64_t)sysconf(_SC_PAGESIZE);
    p->from.name = p->path;
    p->from.keyring = p->options->keyring;
    p->from.means =
        (orr_paper_means){.backend = p->options->backend,
                          .memory = p->options->mem ? p->options->mem : pages * page / 2,
                          .stop = p->stop};
    orr_status status = orr_sealed_open(&p->from, (uint64_t)st.st_size, &p->metadata, error);
    if (status == ORR_OK && p->from.container.header.groups) (void)orr_sealed_heal(&p->from, NULL);
    return status;
}

orr_status orr_pipe_decrypt(const orr_job_options *options, const char *path,
                            const struct stat *verified, int out, const char *shown,
                            orr_progress *progress, orr_stop_flag *stop, orr_error *error) {
    pipe_job *p = calloc(1, sizeof *p);
    if (!p) return orr_fail(error, ORR_INTERNAL, "%s: out of memory", path);
    p->options = options;
    p->path = path;
    p->shown = shown;
    p->from.fd = -1;
    p->out = out;
    p->progress = progress;
    p->stop = stop;
    orr_status status = open_source(p, verified, error);
    if (status == ORR_OK) {
        atomic_store(&progress->total_bytes, p->from.container.header.length);
        atomic_store(&progress->total_files, 1);
        atomic_store(&progress->counted, 1);
        status = p->from.container.header.profile == ORR_PROFILE_PAPER ? paper(p, error)
                                                                       : archive(p, error);
    }
    int copy = status == ORR_OK ? fcntl(out, F_DUPFD_CLOEXEC, 0) : -1;
    if (copy >= 0 && close(copy) != 0) // a network file system says only then that it had no room
        status = orr_fail_errno(error, errno, "%s: cannot write all of %s: %s", shown, path,
                                strerror(errno));
    if (p->metadata) orr_metadata_free(p->metadata);
    free(p->metadata);
    orr_sealed_close(&p->from);
    orr_job_forget(options, p->from.fd);
    if (p->from.fd >= 0) close(p->from.fd);
    free(p);
    return status;
}
