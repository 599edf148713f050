#include "bench/evidence/workshop.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "media/phantom_draw.h"

#define PATH_ROOM 4400

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *place) {
    (void)info;
    (void)type;
    (void)place;
    return remove(path);
}

static void remove_tree(const char *path) {
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static orr_status add_decoys(orr_keyring *keyring, orr_error *error) {
    orr_status status = ORR_OK;
    for (uint64_t n = 0; n < 8 && status == ORR_OK; n++) {
        phantom_image image;
        orr_decoy decoy = {{0, 0, 0}};
        if (draw_decoy(&image, n) != 0) return orr_fail(error, ORR_INTERNAL, "memory ran out");
        for (size_t p = 0; p < (size_t)image.width * image.height * 3; p++)
            decoy.sum[p % 3] += image.pixels[p];
        free(image.pixels);
        status = orr_keyring_add_decoy(keyring, &decoy, error);
    }
    return status;
}

orr_status orr_workshop_open(orr_workshop *shop, const char *parent, unsigned threads,
                             const volatile sig_atomic_t *stop, orr_error *error) {
    static const volatile sig_atomic_t never = 0;
    memset(shop, 0, sizeof *shop);
    shop->stop = stop ? stop : &never;
    snprintf(shop->directory, sizeof shop->directory, "%s/working-XXXXXX", parent);
    if (!mkdtemp(shop->directory)) {
        orr_fail(error, ORR_IO, "%s: cannot make the directory: %s", shop->directory,
                 strerror(errno));
        shop->directory[0] = 0;
        return ORR_IO;
    }
    orr_status status = orr_keyring_init(&shop->keyring, "evidence", error);
    if (status == ORR_OK) status = add_decoys(&shop->keyring, error);
    if (status == ORR_OK)
        status = orr_cpu_backend_open(threads, ORR_SIMD_BEST, &shop->backend, error);
    return status;
}

void orr_workshop_close(orr_workshop *shop) {
    if (shop->backend) shop->backend->api->close(shop->backend);
    orr_keyring_free(&shop->keyring);
    if (shop->directory[0]) remove_tree(shop->directory);
    memset(shop, 0, sizeof *shop);
}

// ---- files

static orr_status write_file(const char *path, const uint8_t *data, size_t bytes,
                             orr_error *error) {
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return orr_fail(error, ORR_IO, "%s: %s", path, strerror(errno));
    orr_status status = orr_pwrite_all(fd, data, bytes, 0, path, error);
    if (close(fd) != 0 && status == ORR_OK)
        status = orr_fail(error, ORR_IO, "%s: %s", path, strerror(errno));
    return status;
}

static orr_status read_file(const char *path, uint8_t **data, size_t *bytes, orr_error *error) {
    struct stat info;
    *data = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return orr_fail(error, ORR_IO, "%s: %s", path, strerror(errno));
    orr_status status = ORR_OK;
    if (fstat(fd, &info) != 0) {
        status = orr_fail(error, ORR_IO, "%s: %s", path, strerror(errno));
    } else {
        *bytes = (size_t)info.st_size;
        *data = malloc(*bytes ? *bytes : 1);
        status = *data ? orr_pread_all(fd, *data, *bytes, 0, path, error)
                       : orr_fail(error, ORR_INTERNAL, "memory ran out");
    }
    close(fd);
    if (status != ORR_OK) {
        free(*data);
        *data = NULL;
    }
    return status;
}

// ---- jobs

// What the hooks hear of a job: the first failure.
static void hear_file(void *context, const orr_file_event *event) {
    orr_error *first = context;
    if (event->outcome == ORR_OUT_FAILED && first->status == ORR_OK)
        orr_fail(first, event->status, "%s", event->reason ? event->reason : "failed");
}

static orr_status run(orr_workshop *shop, orr_verb verb, const char *input, const char *output,
                      int salvage, orr_error *error) {
    char *paths[1] = {(char *)input};
    orr_error first = {0};
    orr_job_options options = {.verb = verb,
                               .inputs = {.paths = paths, .count = 1},
                               .output = output,
                               .profile = ORR_PROFILE_ARCHIVE,
                               .salvage = salvage,
                               .jobs = 2,
                               .keyring = &shop->keyring,
                               .backend = shop->backend};
    orr_job_hooks hooks = {.context = &first, .file = hear_file};
    orr_progress progress = {0};
    orr_summary summary = {0};
    orr_status status = orr_job_run(&options, &hooks, &progress, shop->stop, &summary, error);
    if (status != ORR_OK || summary.status == ORR_OK) return status;
    return orr_fail(error, summary.status, "%s", first.text);
}

// New directories for the input and output of a job.
static orr_status new_job(orr_workshop *shop, char in[PATH_ROOM], char out[PATH_ROOM],
                          orr_error *error) {
    shop->jobs++;
    snprintf(in, PATH_ROOM, "%s/%u-in", shop->directory, shop->jobs);
    snprintf(out, PATH_ROOM, "%s/%u-out", shop->directory, shop->jobs);
    if (mkdir(in, 0700) != 0) return orr_fail(error, ORR_IO, "%s: %s", in, strerror(errno));
    return ORR_OK;
}

orr_status orr_workshop_encrypt(orr_workshop *shop, const uint8_t *plain, size_t bytes,
                                uint8_t **file, size_t *file_bytes, orr_error *error) {
    char in[PATH_ROOM], out[PATH_ROOM], path[2 * PATH_ROOM];
    *file = NULL;
    orr_status status = new_job(shop, in, out, error);
    snprintf(path, sizeof path, "%s/scan", in);
    if (status == ORR_OK) status = write_file(path, plain, bytes, error);
    if (status == ORR_OK) status = run(shop, ORR_VERB_ENCRYPT, path, out, 0, error);
    snprintf(path, sizeof path, "%s/scan" ORR_SUFFIX, out);
    if (status == ORR_OK) status = read_file(path, file, file_bytes, error);
    remove_tree(in);
    remove_tree(out);
    return status;
}

orr_status orr_workshop_decrypt(orr_workshop *shop, const uint8_t *file, size_t file_bytes,
                                int salvage, uint8_t **plain, size_t *bytes, orr_error *error) {
    char in[PATH_ROOM], out[PATH_ROOM], path[2 * PATH_ROOM];
    *plain = NULL;
    *bytes = 0;
    orr_status status = new_job(shop, in, out, error);
    snprintf(path, sizeof path, "%s/scan" ORR_SUFFIX, in);
    if (status == ORR_OK) status = write_file(path, file, file_bytes, error);
    if (status == ORR_OK) {
        status = run(shop, ORR_VERB_DECRYPT, path, out, salvage, error);
        snprintf(path, sizeof path, "%s/scan%s", out,
                 salvage && status == ORR_AUTH ? ".salvaged" : "");
        // Nothing there is the expected end of a refused file.
        orr_status read = read_file(path, plain, bytes, status == ORR_OK ? error : NULL);
        if (status == ORR_OK) status = read;
    }
    remove_tree(in);
    remove_tree(out);
    return status;
}

orr_status orr_workshop_tiles(const uint8_t *file, size_t file_bytes, orr_workshop *shop,
                              size_t *offset, size_t *length, orr_error *error) {
    char path[PATH_ROOM];
    orr_container *container = calloc(1, sizeof *container);
    if (!container) return orr_fail(error, ORR_INTERNAL, "memory ran out");
    snprintf(path, sizeof path, "%s/looked-at", shop->directory);
    orr_status status = write_file(path, file, file_bytes, error);
    int fd = status == ORR_OK ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (status == ORR_OK && fd < 0)
        status = orr_fail(error, ORR_IO, "%s: %s", path, strerror(errno));
    if (status == ORR_OK) status = orr_container_read(container, fd, file_bytes, path, error);
    if (status == ORR_OK && container->geometry.segments != 1)
        status = orr_fail(error, ORR_UNSUPPORTED, "%s: more than one segment", path);
    if (status == ORR_OK) {
        *offset = (size_t)orr_tile_offset(&container->geometry, 0);
        *length = (size_t)container->geometry.rows * ORR_TILE_ROW_BYTES;
    }
    if (fd >= 0) close(fd);
    unlink(path);
    orr_container_free(container);
    free(container);
    return status;
}

// ---- the oracle

// The strips of the n-th output.
static orr_status collect(const orr_whole_files *files, const char *out, const char *in, size_t n,
                          size_t *offset, uint8_t *cipher, orr_error *error) {
    char path[2 * PATH_ROOM];
    uint8_t *file;
    size_t file_bytes, length;
    snprintf(path, sizeof path, "%s/%s/%zu" ORR_SUFFIX, out, strrchr(in, '/') + 1, n);
    orr_status status = read_file(path, &file, &file_bytes, error);
    if (status != ORR_OK) return status;
    // Names of one length each give files of one layout, but "9" and "10" do not.
    status = orr_workshop_tiles(file, file_bytes, files->shop, offset, &length, error);
    if (status == ORR_OK) memcpy(cipher, file + *offset, files->bytes);
    free(file);
    return status;
}

orr_status orr_whole_files_encrypt(void *context, size_t count, const uint8_t *plain,
                                   uint8_t *cipher, orr_error *error) {
    const orr_whole_files *files = context;
    char in[PATH_ROOM], out[PATH_ROOM], path[2 * PATH_ROOM];
    size_t offset;
    orr_status status = new_job(files->shop, in, out, error);
    for (size_t n = 0; n < count && status == ORR_OK; n++) {
        snprintf(path, sizeof path, "%s/%zu", in, n);
        status = write_file(path, plain + n * files->bytes, files->bytes, error);
    }
    if (status == ORR_OK) status = run(files->shop, ORR_VERB_ENCRYPT, in, out, 0, error);
    for (size_t n = 0; n < count && status == ORR_OK; n++)
        status = collect(files, out, in, n, &offset, cipher + n * files->bytes, error);
    remove_tree(in);
    remove_tree(out);
    return status;
}
