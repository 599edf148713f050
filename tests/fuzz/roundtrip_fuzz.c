// Any bytes under any options: encrypt, verify, perhaps rewrap or reencrypt, decrypt, compare. Then
// one bit of the encrypted file is flipped, and nothing may come out under the final name.
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/job/job.h"
#include "kernels/map.h"
#include "tests/fuzz/fuzz.h"

#define MAX_BYTES 120000u

static char root[] = "/dev/shm/orrery-fuzz-XXXXXX";

static void remove_tree(int at, const char *name) {
    if (unlinkat(at, name, 0) == 0) return;
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return;
    DIR *directory = fdopendir(fd);
    for (struct dirent *e; directory && (e = readdir(directory));)
        if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..")) remove_tree(fd, e->d_name);
    if (directory) closedir(directory);
    unlinkat(at, name, AT_REMOVEDIR);
}

static void forget_root(void) {
    remove_tree(AT_FDCWD, root);
}

static const char *below(const char *name, char path[128]) {
    snprintf(path, 128, "%s/%s", root, name);
    return path;
}

static void keep(void *context, const orr_file_event *event) {
    (void)context;
    fuzz_check((event->outcome == ORR_OUT_FAILED) == (event->status != ORR_OK) &&
                   (event->outcome != ORR_OUT_FAILED || event->reason),
               "a failure has a status and a reason");
}

static int warnings;

static void warn(void *context, const char *text) {
    (void)context;
    fuzz_check(text[0], "a warning has a sentence");
    warnings++;
}

static orr_status job(orr_job_options *options, orr_verb verb, const char *input,
                      const char *output) {
    orr_error error = {0};
    orr_job_hooks hooks = {.file = keep, .warning = warn};
    orr_progress progress = {0};
    orr_summary summary;
    volatile sig_atomic_t stop = 0;
    char *paths[] = {(char *)input};
    options->verb = verb;
    options->inputs = (orr_inputs){.paths = paths, .count = 1};
    options->output = output;
    orr_status status = orr_job_run(options, &hooks, &progress, &stop, &summary, &error);
    fuzz_check_ok(status == summary.status ? ORR_OK : status, &error, "the job can start");
    fuzz_check(summary.files == 1, "one file goes in, one is counted");
    return summary.status;
}

// The one regular file below a directory, as a descriptor; its path below `directory` in `found`.
static int only_file(const char *directory, char found[512]) {
    DIR *entries = opendir(directory);
    fuzz_check(entries != NULL, "the output directory is there");
    int count = 0;
    for (struct dirent *e; (e = readdir(entries));) {
        if (e->d_name[0] == '.') continue; // the journal
        snprintf(found, 512, "%s/%.255s", directory, e->d_name);
        count++;
    }
    closedir(entries);
    return count;
}

static void check_content(const char *path, const uint8_t *data, size_t bytes) {
    size_t got;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    fuzz_check(fd >= 0, "the restored file opens");
    uint8_t *content = fuzz_content(fd, &got);
    fuzz_check(got == bytes && memcmp(content, data, bytes) == 0, "the bytes come back");
    free(content);
    close(fd);
}

static void write_source(const char *path, const uint8_t *data, size_t bytes) {
    orr_error error = {0};
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    fuzz_check(fd >= 0, "a source can be made");
    fuzz_check_ok(orr_pwrite_all(fd, data, bytes, 0, path, &error), &error, "a source is written");
    close(fd);
}

static void flip(const char *path, uint64_t place) {
    uint8_t byte;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    fuzz_check(fd >= 0, "the encrypted file opens");
    uint64_t bit = place % (8 * fuzz_length(fd));
    fuzz_check(pread(fd, &byte, 1, (off_t)(bit / 8)) == 1, "reads");
    byte ^= (uint8_t)(1u << bit % 8);
    fuzz_check(pwrite(fd, &byte, 1, (off_t)(bit / 8)) == 1, "writes");
    close(fd);
}

static void set_up(orr_backend **backend, orr_keyring *keyring) {
    orr_error error = {0};
    if (*backend) return;
    fuzz_check(mkdtemp(root) != NULL, "a directory in memory can be made");
    atexit(forget_root);
    fuzz_keyring(keyring);
    fuzz_check_ok(orr_cpu_backend_open(1, ORR_SIMD_BEST, backend, &error), &error, "a CPU backend");
}

// The whole way of one file; every path below `root`.
static void go(orr_job_options *job_options, unsigned options, const uint8_t *data, size_t bytes,
               uint64_t place) {
    char source[128], sealed[128], again[128], plain[128], found[512];
    below("source.bin", source);
    below("sealed", sealed);
    below("again", again);
    below("plain", plain);
    write_source(source, data, bytes);
    fuzz_check(job(job_options, ORR_VERB_ENCRYPT, source, sealed) == ORR_OK, "a file is encrypted");
    fuzz_check(only_file(sealed, found) == 1, "there is one encrypted file and nothing else");
    fuzz_check(job(job_options, ORR_VERB_VERIFY, found, NULL) == ORR_OK,
               "what was written verifies");
    if (options & 16)
        fuzz_check(job(job_options, ORR_VERB_REWRAP, found, NULL) == ORR_OK, "it rewraps");
    if (options & 32) {
        fuzz_check(job(job_options, ORR_VERB_REENCRYPT, found, again) == ORR_OK,
                   "it is re-encrypted");
        fuzz_check(only_file(again, found) == 1, "there is one re-encrypted file");
    }
    char encrypted[512];
    memcpy(encrypted, found, sizeof found);
    fuzz_check(job(job_options, ORR_VERB_DECRYPT, encrypted, plain) == ORR_OK, "it is decrypted");
    fuzz_check(only_file(plain, found) == 1, "there is one restored file");
    check_content(found, data, bytes);
    remove_tree(AT_FDCWD, plain);
    flip(encrypted, place);
    warnings = 0;
    fuzz_check(job(job_options, ORR_VERB_VERIFY, encrypted, NULL) != ORR_OK || warnings,
               "a flipped bit is noticed");
    // A damaged spare slot is only a warning: then the file has to be right.
    if (job(job_options, ORR_VERB_DECRYPT, encrypted, plain) == ORR_OK) {
        fuzz_check(only_file(plain, found) == 1, "there is one restored file");
        check_content(found, data, bytes);
    } else if (access(plain, F_OK) == 0) {
        fuzz_check(only_file(plain, found) == 0, "a refused file leaves nothing behind");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static orr_backend *backend;
    static orr_keyring keyring;
    static const char *const names[] = {"source.bin", "sealed", "again", "plain"};
    fuzz_input input = {bytes, size};
    set_up(&backend, &keyring);
    unsigned options = fuzz_byte(&input);
    size_t length = (size_t)fuzz_number(&input, 4) % MAX_BYTES;
    orr_job_options job_options = {.profile = ORR_PROFILE_ARCHIVE,
                                   .rule = (uint32_t)(1 + fuzz_number(&input, 2) % 40320),
                                   .k2 = ORR_MAP_K2_DEFAULT,
                                   .keyring = &keyring,
                                   .backend = backend};
    job_options.jobs = 1 + fuzz_byte(&input) % 2;
    job_options.mem = (uint64_t)24 << 20; // less memory to clear: more inputs
    job_options.sha256 = (int)(options & 1);
    job_options.opaque_names = (int)(options >> 1 & 1);
    job_options.check_cpu = (int)(options >> 2 & 1);
    job_options.chunk_tiles = options & 8 ? 128 : 0;
    uint64_t place = fuzz_number(&input, 4) * 2654435761u;
    // The input's rest, repeated and shifted to the length wanted.
    uint8_t *data = malloc(length + 1);
    fuzz_check(data != NULL, "memory can be had");
    for (size_t i = 0; i < length; i++)
        data[i] = input.left ? (uint8_t)(input.at[i % input.left] + i / input.left) : 0;
    go(&job_options, options, data, length, place);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[128];
        remove_tree(AT_FDCWD, below(names[i], path));
    }
    free(data);
    return 0;
}
