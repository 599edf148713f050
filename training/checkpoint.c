#include "training/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/digest.h"
#include "base/directory.h"
#include "base/flush.h"
#include "base/partial.h"
#include "base/rename.h"
#include "gan/weights.h"

#define MAGIC "ORRTRAIN"
#define HEADER 128
#define DIGEST 32
#define FOLDER "checkpoints"
#define MAX_STATE ((size_t)2 << 30) // the largest network is below 1.1 GB

// ---- bytes

// The arrays in the file's order; returns how many floats.
#define ARRAYS 8
static size_t list_arrays(const orr_gan_state *state, float *arrays[ARRAYS], size_t count[ARRAYS]) {
    size_t total = 0;
    for (int n = 0; n < 2; n++) {
        const orr_gan_network_state *s = &state->state[n];
        float *of[4] = {s->parameters, s->running, s->moment1, s->moment2};
        for (int i = 0; i < 4; i++) {
            arrays[4 * n + i] = of[i];
            count[4 * n + i] =
                i == 1 ? state->networks[n].running_count : state->networks[n].parameter_count;
            total += count[4 * n + i];
        }
    }
    return total;
}

orr_status orr_checkpoint_encode(const orr_gan_state *state, const char data_hash[65],
                                 uint8_t **bytes, size_t *count, orr_error *error) {
    float *arrays[ARRAYS];
    size_t counts[ARRAYS], floats = list_arrays(state, arrays, counts);
    *count = HEADER + 4 * floats + DIGEST;
    *bytes = calloc(1, *count);
    if (!*bytes) return orr_fail(error, ORR_INTERNAL, "no memory for a checkpoint");
    uint8_t *at = *bytes;
    memcpy(at, MAGIC, 8);
    orr_store_le32(at + 8, 1);
    orr_store_le32(at + 12, state->shape.image_size);
    orr_store_le32(at + 16, state->shape.channels);
    orr_store_le32(at + 20, state->shape.latent);
    orr_store_le32(at + 24, state->shape.width);
    orr_store_le64(at + 32, state->seed);
    orr_store_le64(at + 40, state->step);
    memcpy(at + 48, data_hash, 64);
    orr_store_le64(at + 112, state->state[ORR_GAN_GENERATOR].batches);
    orr_store_le64(at + 120, state->state[ORR_GAN_DISCRIMINATOR].batches);
    at += HEADER;
    for (int n = 0; n < ARRAYS; n++)
        for (size_t i = 0; i < counts[n]; i++, at += 4) {
            uint32_t word;
            memcpy(&word, &arrays[n][i], 4);
            orr_store_le32(at, word);
        }
    orr_status status = orr_digest(*bytes, *count - DIGEST, at, error);
    if (status != ORR_OK) {
        free(*bytes);
        *bytes = NULL;
    }
    return status;
}

static orr_status damaged_file(const char *shown, const char *why, orr_error *error) {
    return orr_fail(error, ORR_UNSUPPORTED, "%s: not a usable checkpoint: %s", shown, why);
}

static void take_arrays(const uint8_t *at, orr_gan_state *state) {
    float *arrays[ARRAYS];
    size_t counts[ARRAYS];
    list_arrays(state, arrays, counts);
    for (int n = 0; n < ARRAYS; n++)
        for (size_t i = 0; i < counts[n]; i++, at += 4) {
            uint32_t word = orr_load_le32(at);
            memcpy(&arrays[n][i], &word, 4);
        }
}

orr_status orr_checkpoint_decode(const uint8_t *bytes, size_t count, const char *shown,
                                 orr_gan_state *state, char data_hash[65], orr_error *error) {
    orr_gan_network generator, discriminator;
    uint8_t digest[DIGEST];
    memset(state, 0, sizeof *state);
    if (count < HEADER + DIGEST || memcmp(bytes, MAGIC, 8))
        return damaged_file(shown, "it does not begin like one", error);
    if (orr_load_le32(bytes + 8) != 1)
        return damaged_file(shown, "it is of a version that this program does not know", error);
    orr_gan_shape shape = {orr_load_le32(bytes + 12), orr_load_le32(bytes + 16),
                           orr_load_le32(bytes + 20), orr_load_le32(bytes + 24)};
    if (orr_gan_shape_check(&shape, NULL) != ORR_OK)
        return damaged_file(shown, "it is of a network that cannot be", error);
    orr_gan_generator(&shape, &generator);
    orr_gan_discriminator(&shape, &discriminator);
    size_t floats = 3 * (generator.parameter_count + discriminator.parameter_count) +
                    generator.running_count + discriminator.running_count;
    if (count != HEADER + 4 * floats + DIGEST)
        return damaged_file(shown, "its length is wrong", error);
    orr_status status = orr_digest(bytes, count - DIGEST, digest, error);
    if (status != ORR_OK) return status;
    if (memcmp(digest, bytes + count - DIGEST, DIGEST))
        return damaged_file(shown, "its checksum is wrong", error);
    status = orr_gan_state_new(&shape, state, error);
    if (status != ORR_OK) return status;
    state->seed = orr_load_le64(bytes + 32);
    state->step = orr_load_le64(bytes + 40);
    memcpy(data_hash, bytes + 48, 64);
    data_hash[64] = 0;
    state->state[ORR_GAN_GENERATOR].batches = orr_load_le64(bytes + 112);
    state->state[ORR_GAN_DISCRIMINATOR].batches = orr_load_le64(bytes + 120);
    take_arrays(bytes + HEADER, state);
    return ORR_OK;
}

static int is_finite(const orr_gan_state *state) {
    float *arrays[ARRAYS];
    size_t counts[ARRAYS];
    list_arrays(state, arrays, counts);
    for (int n = 0; n < ARRAYS; n++)
        for (size_t i = 0; i < counts[n]; i++)
            if (!isfinite(arrays[n][i])) return 0;
    return 1;
}

// ---- directories

static void name_of(uint64_t step, char name[32]) {
    snprintf(name, 32, "step-%010llu", (unsigned long long)step);
}

static int compare_steps(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

// Steps of the checkpoints that have their final name, ascending; the caller frees them. -1 with
// errno.
static int list_checkpoints(int folder, uint64_t **steps, size_t *count) {
    orr_listing listing;
    *steps = NULL;
    *count = 0;
    if (orr_listing_read(folder, &listing)) return -1;
    uint64_t *found = calloc(listing.count + 1, sizeof *found);
    for (size_t i = 0; found && i < listing.count; i++) {
        unsigned long long step;
        char name[32];
        if (sscanf(listing.names[i], "step-%20llu", &step) != 1) continue;
        name_of(step, name);
        if (!strcmp(name, listing.names[i])) found[(*count)++] = step; // no "step-7" of a user's
    }
    orr_listing_free(&listing);
    if (!found) return -1; // errno: ENOMEM
    qsort(found, *count, sizeof *found, compare_steps);
    *steps = found;
    return 0;
}

// What is being made, or removed, is a directory with the name and the mark of a partial file
// (base/partial.h); the lock of the run directory says that nobody else is at work in there.
static void remove_partial(int folder, const char *name) {
    static const char *const files[] = {"state", "generator.safetensors",
                                        "discriminator.safetensors"};
    int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return;
    orr_partial_sweep(fd, NULL);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) unlinkat(fd, files[i], 0);
    close(fd);
    unlinkat(folder, name, AT_REMOVEDIR); // stays when somebody else's file is in it
}

// Those of runs that were killed.
static void sweep(int folder) {
    DIR *listing = orr_directory_list(folder);
    struct dirent *d;
    struct stat st;
    while (listing && (d = readdir(listing)))
        if (orr_partial_is_name(d->d_name) &&
            fstatat(folder, d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode) &&
            st.st_mode & ORR_PARTIAL_MARK)
            remove_partial(folder, d->d_name);
    if (listing) closedir(listing);
}

// Marks a checkpoint that is to go: a run that is killed meanwhile leaves it to be swept.
static void mark(int folder, const char *name) {
    int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return;
    (void)fchmod(fd, 0700 | ORR_PARTIAL_MARK);
    close(fd);
}

// Removes a checkpoint: first its name, so that half of one never looks whole.
static void remove_checkpoint(int folder, const char *name) {
    char partial[ORR_PARTIAL_NAME_BYTES];
    if (orr_partial_draw(ORR_PARTIAL_SUFFIX, partial)) return;
    mark(folder, name);
    if (renameat(folder, name, folder, partial) == 0) remove_partial(folder, partial);
}

static orr_status io_error(const orr_run_directory *run, const char *doing, orr_error *error) {
    int number = errno;
    return orr_fail(error, ORR_IO, "%s/" FOLDER ": cannot %s: %s%s", run->path, doing,
                    strerror(number),
                    number == ENOSPC || number == EDQUOT
                        ? ": free some space and run the same command again with --resume"
                        : "");
}

static int open_folder(const orr_run_directory *run) {
    if (orr_directory_make_at(run->fd, FOLDER, 0700) < 0) return -1;
    return openat(run->fd, FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

orr_status orr_checkpoint_export(const char *folder, const orr_gan_state *state,
                                 const char data_hash[65], orr_error *error) {
    static const char *const names[2] = {"generator", "discriminator"};
    char steps[24];
    snprintf(steps, sizeof steps, "%llu", (unsigned long long)state->step);
    orr_safetensors_entry more[] = {{"steps", steps}, {"data_sha256", data_hash}};
    orr_status status = ORR_OK;
    orr_error failure = {0};
    for (int n = 0; n < 2 && status == ORR_OK; n++) {
        char *path; // whole, however long: part of one would name another file
        if (asprintf(&path, "%s/%s.safetensors", folder, names[n]) < 0)
            return orr_fail(error, ORR_INTERNAL, "no memory for a file name");
        status = orr_gan_weights_write(path, state, n, ORR_DTYPE_F32, more,
                                       sizeof more / sizeof *more, 1, &failure);
        free(path);
    }
    if (status == ORR_IO) // most often: no space
        return orr_fail(error, status,
                        "%s: free some space, or see to what else is wrong, and run the same "
                        "command again with --resume",
                        failure.text);
    return status != ORR_OK ? orr_fail(error, status, "%s", failure.text) : ORR_OK;
}

static orr_status write_files(const orr_run_directory *run, int directory, const char *partial,
                              const char *shown, const orr_gan_state *state,
                              const char data_hash[65], orr_error *error) {
    uint8_t *bytes = NULL;
    size_t count = 0;
    char *folder;
    if (asprintf(&folder, "%s/" FOLDER "/%s", run->path, partial) < 0)
        return orr_fail(error, ORR_INTERNAL, "no memory for a file name");
    orr_status status = orr_checkpoint_encode(state, data_hash, &bytes, &count, error);
    if (status == ORR_OK) status = orr_run_write_at(directory, shown, "state", bytes, count, error);
    if (status == ORR_OK) status = orr_checkpoint_export(folder, state, data_hash, error);
    free(bytes);
    free(folder);
    return status;
}

// Removes all but the newest `keep` up to `step`, and later ones: those are what this run went back
// behind, because they are damaged. -1 with errno when they cannot be listed.
static int retire(int folder, uint64_t step, unsigned keep) {
    char name[32];
    uint64_t *steps = NULL;
    size_t count = 0;
    if (list_checkpoints(folder, &steps, &count)) return -1;
    while (count && steps[count - 1] > step) {
        name_of(steps[--count], name);
        remove_checkpoint(folder, name);
    }
    for (size_t i = 0; i + (keep ? keep : 1) < count; i++) {
        name_of(steps[i], name);
        remove_checkpoint(folder, name);
    }
    free(steps);
    return 0;
}

// -1 with errno. Where a file system cannot exchange names, the older one goes first: a run that is
// killed there goes on from the checkpoint before.
static int change_places(int folder, const char *partial, const char *name) {
    mark(folder, name);
    if (orr_rename_exchange(folder, partial, name) == 0) return 0;
    if (!orr_is_refusal(errno)) return -1;
    remove_checkpoint(folder, name);
    return renameat(folder, partial, folder, name);
}

orr_status orr_checkpoint_write(const orr_run_directory *run, const orr_gan_state *state,
                                const char data_hash[65], unsigned keep, orr_error *error) {
    char name[32], shown[4096], partial[ORR_PARTIAL_NAME_BYTES] = "";
    int directory = -1;
    if (!is_finite(state))
        return orr_fail(error, ORR_UNSUPPORTED,
                        "%s: the networks hold numbers that are not finite after step %llu: the "
                        "training has diverged, and this state is not kept",
                        run->path, (unsigned long long)state->step);
    name_of(state->step, name);
    snprintf(shown, sizeof shown, "%s/" FOLDER "/%s", run->path, name);
    int folder = open_folder(run);
    orr_status status = ORR_OK;
    if (folder >= 0) sweep(folder);
    if (folder < 0 || (directory = orr_partial_create_directory(folder, partial)) < 0) {
        status = io_error(run, "make a checkpoint", error);
        goto end;
    }
    status = write_files(run, directory, partial, shown, state, data_hash, error);
    if (status != ORR_OK) goto end;
    // A checkpoint of the same step may be there (it may be damaged): it changes places with this
    // one and is removed.
    if ((renameat(folder, partial, folder, name) &&
         ((errno != EEXIST && errno != ENOTEMPTY) || change_places(folder, partial, name))) ||
        orr_partial_unmark(directory)) {
        status = io_error(run, "name a checkpoint", error);
        goto end;
    }
    if (orr_flush(folder) < 0) {
        status = io_error(run, "flush a checkpoint", error);
        goto end;
    }
    if (retire(folder, state->step, keep)) status = io_error(run, "list the checkpoints", error);
end:
    if (directory >= 0) close(directory);
    if (folder >= 0 && *partial) remove_partial(folder, partial); // or the one that was there
    if (folder >= 0) close(folder);
    return status;
}

void orr_checkpoint_sweep(const orr_run_directory *run) {
    int folder = openat(run->fd, FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0) return;
    sweep(folder);
    close(folder);
}

void orr_checkpoint_retire(const orr_run_directory *run, uint64_t step, unsigned keep) {
    int folder = openat(run->fd, FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0) return;
    retire(folder, step, keep);
    close(folder);
}

static orr_status read_one(const orr_run_directory *run, int folder, uint64_t step,
                           orr_gan_state *state, char data_hash[65], orr_error *error) {
    char name[32], shown[4096];
    uint8_t *bytes = NULL;
    size_t count = 0;
    orr_status status = ORR_OK;
    memset(state, 0, sizeof *state);
    name_of(step, name);
    snprintf(shown, sizeof shown, "%s/" FOLDER "/%s", run->path, name);
    int directory = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (directory < 0) return damaged_file(shown, strerror(errno), error);
    status = orr_run_read_at(directory, shown, "state", MAX_STATE, &bytes, &count, error);
    if (status == ORR_OK && !bytes) status = damaged_file(shown, "it has no file \"state\"", error);
    if (status == ORR_OK)
        status = orr_checkpoint_decode(bytes, count, shown, state, data_hash, error);
    if (status == ORR_OK && state->step != step) {
        orr_gan_state_free(state);
        status = damaged_file(shown, "it is of another step than its name says", error);
    }
    close(directory);
    free(bytes);
    return status;
}

orr_status orr_checkpoint_read(const orr_run_directory *run, const orr_gan_shape *shape,
                               void (*damaged)(void *context, const char *reason), void *context,
                               orr_gan_state *state, char data_hash[65], int *found,
                               orr_error *error) {
    uint64_t *steps = NULL;
    size_t count = 0;
    orr_status status = ORR_OK;
    memset(state, 0, sizeof *state);
    *found = 0;
    int folder = openat(run->fd, FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0 && errno == ENOENT) return ORR_OK;
    if (folder < 0 || list_checkpoints(folder, &steps, &count)) {
        status = io_error(run, "read the checkpoints", error);
        goto end;
    }
    for (size_t i = count; i-- > 0 && !*found;) {
        orr_error failure = {0};
        status = read_one(run, folder, steps[i], state, data_hash, &failure);
        if (status != ORR_OK && status != ORR_UNSUPPORTED) {
            orr_fail(error, status, "%s", failure.text);
            goto end;
        }
        *found = status == ORR_OK;
        if (!*found && damaged) damaged(context, failure.text);
    }
    status = ORR_OK;
    // The run that wrote it may have been killed before it flushed its name; others go after this.
    if (*found && (orr_flush(folder) < 0 || orr_flush(run->fd) < 0)) {
        status = io_error(run, "flush a checkpoint", error);
        orr_gan_state_free(state);
        *found = 0;
    } else if (count && !*found) {
        status = orr_fail(error, ORR_UNSUPPORTED,
                          "%s/" FOLDER ": none of the %zu checkpoints is whole: train anew in "
                          "another directory",
                          run->path, count);
    } else if (*found && memcmp(&state->shape, shape, sizeof *shape)) {
        orr_gan_state_free(state);
        *found = 0;
        status = orr_fail(error, ORR_UNSUPPORTED,
                          "%s/" FOLDER ": they are of another network than options.json says",
                          run->path);
    }
end:
    if (folder >= 0) close(folder);
    free(steps);
    return status;
}
