#include "training/dataset.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/directory.h"
#include "gan/philox.h"
#include "media/sink.h"
#include "training/resample.h"

typedef struct loader {
    const orr_dataset_options *options;
    orr_dataset *set;
    size_t image_room;
    orr_sink manifest;
    orr_error *error;
} loader;

size_t orr_dataset_image_bytes(const orr_dataset *set) {
    return (size_t)set->size * set->size * set->channels;
}

void orr_dataset_free(orr_dataset *set) {
    free(set->images);
    free(set->manifest);
    memset(set, 0, sizeof *set);
}

static orr_status out_of_memory(const loader *l) {
    return orr_fail(l->error, ORR_INTERNAL,
                    "out of memory after %u images of %u x %u: train on fewer or smaller ones",
                    l->set->count, l->set->size, l->set->size);
}

static void skip(loader *l, const char *path, const char *reason) {
    l->set->skipped++;
    if (l->options->skipped) l->options->skipped(l->options->context, path, reason);
}

// Room for one more image.
static orr_status make_room(loader *l) {
    size_t image = orr_dataset_image_bytes(l->set);
    if (l->set->count < l->image_room) return ORR_OK;
    size_t room = l->image_room ? 2 * l->image_room : 256;
    if (room > UINT32_MAX / 2 || room > SIZE_MAX / image) return out_of_memory(l);
    uint8_t *grown = realloc(l->set->images, room * image);
    if (!grown) return out_of_memory(l);
    l->set->images = grown;
    l->image_room = room;
    return ORR_OK;
}

static orr_status add_line(loader *l, const uint8_t *image, const char *below) {
    char digest[65];
    orr_status status = orr_digest_hex(image, orr_dataset_image_bytes(l->set), digest, l->error);
    if (status != ORR_OK) return status;
    orr_sink_format(&l->manifest, "%s  ", digest);
    orr_sink_name(&l->manifest, below);
    orr_sink_text(&l->manifest, "\n");
    return orr_sink_finish(&l->manifest, l->error);
}

static int compare_digests(const void *a, const void *b) {
    return memcmp(*(const char *const *)a, *(const char *const *)b, 64);
}

// How many images have the same pixels as one before them, from the lines of the manifest.
static orr_status count_copies(loader *l) {
    const char **lines = calloc(l->set->count, sizeof *lines), *at = l->manifest.text;
    if (!lines) return out_of_memory(l);
    for (uint32_t i = 0; i < l->set->count; i++, at = strchr(at, '\n') + 1) lines[i] = at;
    qsort(lines, l->set->count, sizeof *lines, compare_digests);
    for (uint32_t i = 1; i < l->set->count; i++)
        l->set->copies += !compare_digests(&lines[i - 1], &lines[i]);
    free(lines);
    return ORR_OK;
}

// The reason alone: the skip report names the path itself.
static const char *reason_of(const orr_error *error, const char *path) {
    size_t n = strlen(path);
    return !strncmp(error->text, path, n) && !strncmp(error->text + n, ": ", 2)
               ? error->text + n + 2
               : error->text;
}

static orr_status take_image(loader *l, int fd, const char *path, const char *below) {
    orr_error failure = {0};
    orr_raster raster;
    orr_status status = orr_raster_read_fd(fd, path, l->options->window, &raster, &failure);
    if (status == ORR_INTERNAL) return orr_fail(l->error, status, "%s", failure.text);
    if (status != ORR_OK) {
        skip(l, path, reason_of(&failure, path));
        return ORR_OK;
    }
    if (raster.flaw && l->options->flawed)
        l->options->flawed(l->options->context, path, raster.flaw);
    status = make_room(l);
    if (status == ORR_OK) {
        uint8_t *image = l->set->images + l->set->count * orr_dataset_image_bytes(l->set);
        status = orr_resample(&raster, l->set->size, l->set->channels, image, l->error);
        if (status == ORR_OK) status = add_line(l, image, below);
        if (status == ORR_OK) l->set->count++;
    }
    orr_raster_free(&raster);
    if (status == ORR_OK && l->options->progress && l->set->count % 64 == 0)
        l->options->progress(l->options->context, l->set->count);
    return status;
}

static orr_status read_folder(loader *l, int folder, const char *path, size_t root, int depth);

// One entry, without ever following a link. `path` is its whole path; what lies behind `root` is
// below the folder given.
static orr_status read_entry(loader *l, int folder, const char *name, const char *path, size_t root,
                             int depth) {
    // Non-blocking: a FIFO must not hold up the whole data set.
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    struct stat info;
    orr_status status = ORR_OK;
    if (fd < 0 || fstat(fd, &info)) {
        skip(l, path, errno == ELOOP ? "a symbolic link, not followed" : strerror(errno));
    } else if (S_ISDIR(info.st_mode)) {
        if (depth >= ORR_DATASET_MAX_DEPTH)
            skip(l, path, "folders are nested too deeply");
        else
            status = read_folder(l, fd, path, root, depth + 1);
    } else if (S_ISREG(info.st_mode)) {
        status = take_image(l, fd, path, path + root);
    } else {
        skip(l, path, "not a regular file");
    }
    if (fd >= 0) close(fd);
    return status;
}

// Is this the directory of the run that reads, which may be too new to have options.json?
static int is_own_run(const loader *l, int folder) {
    const orr_run_directory *run = l->options->run;
    struct stat ours, its;
    return run && run->fd >= 0 && !fstat(run->fd, &ours) && !fstat(folder, &its) &&
           ours.st_dev == its.st_dev && ours.st_ino == its.st_ino;
}

static orr_status read_folder(loader *l, int folder, const char *path, size_t root, int depth) {
    orr_listing names;
    orr_status status = ORR_OK;
    if (is_own_run(l, folder)) {
        skip(l, path, "the directory of this training run");
        return ORR_OK;
    }
    if (orr_run_directory_is(folder)) {
        skip(l, path, "the directory of another training run, with all in it");
        return ORR_OK;
    }
    if (orr_listing_read(folder, &names)) {
        if (errno == ENOMEM) return out_of_memory(l);
        skip(l, path, strerror(errno));
        return ORR_OK;
    }
    for (size_t i = 0; i < names.count && status == ORR_OK; i++) {
        char *below = NULL;
        if (l->options->stop && *l->options->stop) {
            status = orr_fail(l->error, ORR_STOPPED, "stopped while reading the images");
        } else if (asprintf(&below, "%s/%s", path, names.names[i]) < 0) {
            status = out_of_memory(l);
        } else {
            status = read_entry(l, folder, names.names[i], below, root, depth);
            free(below);
        }
    }
    orr_listing_free(&names);
    return status;
}

static orr_status read_root(loader *l, const char *given) {
    int fd = open(given, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat info;
    if (fd < 0 || fstat(fd, &info)) {
        int failed = errno;
        if (fd >= 0) close(fd);
        return orr_fail(l->error, ORR_IO, "%s: cannot open this folder of images: %s", given,
                        strerror(failed));
    }
    if (!S_ISDIR(info.st_mode)) {
        close(fd);
        return orr_fail(l->error, ORR_UNSUPPORTED,
                        "%s: not a folder; training images are files in folders: unpack an archive "
                        "first, as in tar -xf ARCHIVE -C FOLDER",
                        given);
    }
    char *path = strdup(given);
    orr_status status = ORR_OK;
    if (path) { // "dir/" and "dir" give the same paths
        for (size_t n = strlen(path); n > 1 && path[n - 1] == '/'; n--) path[n - 1] = 0;
        status = read_folder(l, fd, path, strlen(path) + 1, 0);
    } else {
        status = out_of_memory(l);
    }
    free(path);
    close(fd);
    return status;
}

orr_status orr_dataset_load(const orr_dataset_options *options, orr_dataset *set,
                            orr_error *error) {
    loader l = {.options = options, .set = set, .error = error};
    orr_status status = ORR_OK;
    *set = (orr_dataset){.size = options->size, .channels = options->channels};
    orr_sink_memory(&l.manifest);
    for (size_t i = 0; i < options->folder_count && status == ORR_OK; i++) {
        uint32_t before = set->count;
        status = read_root(&l, options->folders[i]);
        // A disk that is not mounted, say, while the other folders have images.
        if (status == ORR_OK && options->folder_count > 1 && set->count == before)
            skip(&l, options->folders[i], "no image is in this folder");
    }
    if (status == ORR_OK && set->count < 2)
        status = orr_fail(
            error, ORR_UNSUPPORTED,
            "%s%s: %s found (and %llu other file%s); training needs at least two, and some "
            "thousands to be of use: 8- or 16-bit gray or RGB PNG, JPEG or TIFF",
            options->folder_count ? options->folders[0] : "",
            options->folder_count > 1 ? " ..." : "", set->count ? "only one image" : "no images",
            (unsigned long long)set->skipped, set->skipped == 1 ? "" : "s");
    if (status == ORR_OK) status = count_copies(&l);
    if (status == ORR_OK)
        status = orr_digest_hex(l.manifest.text, l.manifest.length, set->hash, error);
    set->manifest = l.manifest.text;
    set->manifest_bytes = l.manifest.length;
    if (status != ORR_OK) orr_dataset_free(set);
    return status;
}

void orr_dataset_order(uint64_t seed, uint64_t epoch, uint32_t count, uint32_t *order) {
    uint32_t words[4] = {0};
    for (uint32_t i = 0; i < count; i++) {
        if (i % 4 == 0) orr_philox_block(seed, ORR_STREAM_SHUFFLE, epoch, i / 4, words);
        uint32_t j = (uint32_t)(((uint64_t)words[i % 4] * (i + 1)) >> 32); // 0 .. i
        order[i] = i;
        order[i] = order[j];
        order[j] = i;
    }
}
