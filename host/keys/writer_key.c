#include "host/keys/writer_key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/directory.h"
#include "base/fresh.h"
#include "base/io.h"

#define MAGIC "ORRWRKEY"
#define MAGIC_BYTES 8
#define FILE_BYTES (MAGIC_BYTES + 32)
#define PLACE "orrery/writer.key"

orr_status orr_writer_key_place(char path[PATH_MAX], orr_error *error) {
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    int length = 0;
    if (state && state[0] == '/')
        length = snprintf(path, PATH_MAX, "%s/" PLACE, state);
    else if (home && home[0] == '/')
        length = snprintf(path, PATH_MAX, "%s/.local/state/" PLACE, home);
    if (length > 0 && length < PATH_MAX) return ORR_OK;
    return orr_fail(error, ORR_USAGE,
                    "neither HOME nor XDG_STATE_HOME says where this machine keeps its records' "
                    "key: give --writer-key FILE");
}

static orr_status read_key(const char *path, uint8_t key[32], orr_error *error) {
    uint8_t file[FILE_BYTES + 1];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) return orr_fail_errno(error, errno, "%s: cannot open: %s", path, strerror(errno));
    errno = 0;
    size_t got = orr_read_in_full(fd, file, sizeof file);
    int number = got < FILE_BYTES ? errno : 0;
    close(fd);
    int good = got == FILE_BYTES && !memcmp(file, MAGIC, MAGIC_BYTES) &&
               !orr_all_zero(file + MAGIC_BYTES, 32);
    if (good) memcpy(key, file + MAGIC_BYTES, 32);
    orr_wipe(file, sizeof file);
    if (good) return ORR_OK;
    if (number == EIO || number == ESTALE) // the file may be as good as ever
        return orr_fail_errno(error, number, "%s: cannot read: %s", path, strerror(number));
    return orr_fail(error, ORR_KEY,
                    "%s: not a writer key, or damaged: move it away, and what was encrypted from "
                    "here counts as unknown",
                    path);
}

static orr_status make_key(const char *path, orr_error *error) {
    uint8_t file[FILE_BYTES] = MAGIC;
    orr_fresh fresh = ORR_FRESH_NONE;
    orr_status status = orr_random(file + MAGIC_BYTES, 32, error);
    if (status != ORR_OK) return status;
    int made = orr_directory_make_above(path) == 0 && orr_fresh_begin(&fresh, path) == 0 &&
               orr_write_in_full(fresh.fd, file, sizeof file) == sizeof file &&
               orr_fresh_commit(&fresh, ORR_FRESH_NEW) == 0;
    int number = errno;
    orr_fresh_end(&fresh);
    orr_wipe(file, sizeof file);
    if (made || number == EEXIST) return ORR_OK; // another run was quicker
    return orr_fail_errno(error, number,
                          "%s: cannot make the key of this machine's records: %s; --writer-key "
                          "names another place",
                          path, strerror(number));
}

// The key that is in the file, after it was made there if need be; with `make` 0 one that nothing
// is known by where there is none.
static orr_status read_or_make(const char *path, int make, uint8_t key[32], orr_error *error) {
    struct stat st;
    int missing = lstat(path, &st) != 0 && (errno == ENOENT || errno == ENOTDIR);
    if (missing && !make) return orr_random(key, 32, error);
    orr_status status = missing ? make_key(path, error) : ORR_OK;
    return status == ORR_OK ? read_key(path, key, error) : status;
}

orr_status orr_writer_key_load(orr_keyring *keyring, const char *path,
                               const orr_recipient *recipient, int make, orr_error *error) {
    memset(keyring, 0, sizeof *keyring);
    orr_master_key *key = keyring->keys = calloc(1, sizeof *keyring->keys);
    keyring->decoys = calloc(recipient->decoy_count, sizeof *keyring->decoys);
    if (!key || !keyring->decoys) {
        orr_keyring_free(keyring);
        return orr_fail(error, ORR_INTERNAL, "out of memory");
    }
    keyring->key_count = 1; // from here on it is wiped
    keyring->decoy_count = recipient->decoy_count;
    memcpy(keyring->decoys, recipient->decoys, recipient->decoy_count * sizeof *recipient->decoys);
    key->state = ORR_KEY_DECRYPT_ONLY;
    orr_status status = read_or_make(path, make, key->key, error);
    if (status == ORR_OK) status = orr_master_key_id(key->key, key->id, error);
    if (status != ORR_OK) orr_keyring_free(keyring);
    return status;
}

orr_status orr_writer_key_secret(const orr_keyring *keyring, const uint8_t *path, size_t bytes,
                                 const uint8_t file_id[32], orr_file_secret *secret) {
    static const char label[] = "orrery v1 writer record";
    uint8_t prk[64];
    memset(secret, 0, sizeof *secret);
    orr_status status = orr_hkdf_extract(label, sizeof label - 1, keyring->keys[0].key, 32, prk);
    if (status == ORR_OK)
        status = orr_hmac_sha256(prk, file_id, 32, secret->seal_root); // of one length
    if (status == ORR_OK)
        status = orr_hmac_sha256(secret->seal_root, path, bytes, secret->seal_root);
    orr_wipe(prk, sizeof prk);
    return status;
}
