#include "host/keys/recipient.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/digest.h"
#include "base/fresh.h"
#include "base/io.h"
#include "base/text.h"
#include "host/container/content_digest.h"

static const char MAGIC[8] = {'O', 'R', 'R', 'P', 'U', 'B', 'L', '1'};

// Each of the pool's decoys is taken with the probability that leaves all sets of that size equal.
static orr_status draw_decoys(orr_recipient *recipient, const orr_keyring *keyring,
                              orr_error *error) {
    size_t pool = keyring->decoy_count;
    size_t want = pool < ORR_RECIPIENT_MAX_DECOYS ? pool : ORR_RECIPIENT_MAX_DECOYS;
    for (size_t i = 0; recipient->decoy_count < want; i++) {
        uint64_t word = 0; // 64 bits: what the remainder favours cannot be noticed
        orr_status status = orr_random(&word, sizeof word, error);
        if (status != ORR_OK) return status;
        if (word % (pool - i) < want - recipient->decoy_count)
            recipient->decoys[recipient->decoy_count++] = keyring->decoys[i];
    }
    return ORR_OK;
}

orr_status orr_recipient_make(orr_recipient *recipient, const orr_keyring *keyring,
                              const orr_master_key *key, orr_error *error) {
    char id[2 * ORR_KEY_ID_BYTES + 1];
    memset(recipient, 0, sizeof *recipient);
    orr_hex(key->id, ORR_KEY_ID_BYTES, id);
    if (key->state == ORR_KEY_DESTROYED)
        return orr_fail(error, ORR_KEY,
                        "key %s is destroyed: what is encrypted for it could not be opened", id);
    if (keyring->decoy_count == 0)
        return orr_fail(error, ORR_KEY, "the keyring has no decoys, which recipients need too");
    memcpy(recipient->key_id, key->id, ORR_KEY_ID_BYTES);
    memcpy(recipient->public_key, key->x25519_public, 32);
    memcpy(recipient->label, key->label, ORR_LABEL_BYTES);
    recipient->created = key->created;
    return draw_decoys(recipient, keyring, error);
}

// All but the checksum; returns its length.
static size_t encode(const orr_recipient *recipient, uint8_t *out) {
    memcpy(out, MAGIC, sizeof MAGIC);
    orr_store_le16(out + 8, 1);
    orr_store_le16(out + 10, 0);
    orr_store_le32(out + 12, (uint32_t)recipient->decoy_count);
    memcpy(out + 16, recipient->key_id, ORR_KEY_ID_BYTES);
    memcpy(out + 32, recipient->public_key, 32);
    orr_label_store(recipient->label, out + 64);
    orr_store_le64(out + 128, (uint64_t)recipient->created);
    orr_decoys_store(recipient->decoys, recipient->decoy_count, out + ORR_RECIPIENT_HEAD);
    return ORR_RECIPIENT_HEAD + recipient->decoy_count * ORR_DECOY_RECORD;
}

void orr_recipient_encode(const orr_recipient *recipient, uint8_t file[ORR_RECIPIENT_MAX_FILE],
                          size_t *bytes) {
    size_t at = encode(recipient, file);
    orr_content_digest_of(file, at, file + at);
    *bytes = at + ORR_RECIPIENT_SUM;
}

static orr_status fail_damaged(const char *name, orr_error *error) {
    return orr_fail(error, ORR_AUTH,
                    "%s: the recipient file is damaged; export it again with `orrery keyring "
                    "export`",
                    name);
}

// Magic, version, length and checksum.
static orr_status check_frame(const uint8_t *file, size_t bytes, const char *name,
                              orr_error *error) {
    uint8_t sum[ORR_RECIPIENT_SUM];
    if (bytes < sizeof MAGIC || memcmp(file, MAGIC, sizeof MAGIC) != 0)
        return orr_fail(error, ORR_NOT_ORRERY,
                        "%s: not a recipient file; `orrery keyring export` makes one", name);
    if (bytes < ORR_RECIPIENT_HEAD + ORR_RECIPIENT_SUM) return fail_damaged(name, error);
    if (orr_load_le16(file + 8) != 1 || orr_load_le16(file + 10) != 0)
        return orr_fail(error, ORR_UNSUPPORTED,
                        "%s: recipient file of version %u.%u; this program reads version 1.0", name,
                        orr_load_le16(file + 8), orr_load_le16(file + 10));
    uint32_t decoys = orr_load_le32(file + 12);
    if (decoys < 1 || decoys > ORR_RECIPIENT_MAX_DECOYS)
        return orr_fail(error, ORR_UNSUPPORTED, "%s: says %u decoys; 1 to %d are possible", name,
                        decoys, ORR_RECIPIENT_MAX_DECOYS);
    size_t end = ORR_RECIPIENT_HEAD + (size_t)decoys * ORR_DECOY_RECORD;
    if (bytes != end + ORR_RECIPIENT_SUM) return fail_damaged(name, error);
    orr_content_digest_of(file, end, sum);
    return memcmp(sum, file + end, sizeof sum) == 0 ? ORR_OK : fail_damaged(name, error);
}

// Is it a number below the field's prime, 2^255 - 19? Any other spelling would be hashed as it is
// by who seals, and never by who opens.
static int is_canonical(const uint8_t key[32]) {
    if (key[31] != 0x7f) return key[31] < 0x7f;
    for (size_t i = 30; i > 0; i--)
        if (key[i] != 0xff) return 1;
    return key[0] < 0xed;
}

// A key that gives everybody the same secret would let anybody open what is sealed for it.
static orr_status check_public_key(const uint8_t key[32], const char **why) {
    static const uint8_t any[32];
    uint8_t shared[32];
    *why = "its public key";
    if (!is_canonical(key)) return ORR_UNSUPPORTED;
    orr_status status = orr_x25519(any, key, shared);
    return status == ORR_AUTH ? ORR_UNSUPPORTED : status;
}

orr_status orr_recipient_decode(orr_recipient *recipient, const uint8_t *file, size_t bytes,
                                const char *name, orr_error *error) {
    const char *why = "its label";
    memset(recipient, 0, sizeof *recipient);
    orr_status status = check_frame(file, bytes, name, error);
    if (status != ORR_OK) return status;
    recipient->decoy_count = orr_load_le32(file + 12);
    memcpy(recipient->key_id, file + 16, ORR_KEY_ID_BYTES);
    memcpy(recipient->public_key, file + 32, 32);
    recipient->created = (int64_t)orr_load_le64(file + 128);
    if (!orr_label_load(recipient->label, file + 64)) status = ORR_UNSUPPORTED;
    if (status == ORR_OK) {
        why = "a decoy's sum";
        if (!orr_decoys_load(recipient->decoys, recipient->decoy_count, file + ORR_RECIPIENT_HEAD))
            status = ORR_UNSUPPORTED;
    }
    if (status == ORR_OK) status = check_public_key(recipient->public_key, &why);
    if (status == ORR_OK) return ORR_OK;
    memset(recipient, 0, sizeof *recipient);
    return orr_fail(error, status,
                    "%s: the recipient file was not written by this program: %s is wrong", name,
                    why);
}

orr_status orr_recipient_fingerprint(const orr_recipient *recipient,
                                     char text[ORR_FINGERPRINT_TEXT], orr_error *error) {
    static const char label[] = "orrery v1 recipient"; // its zero byte too
    uint8_t all[sizeof label + ORR_RECIPIENT_MAX_FILE], digest[32];
    memcpy(all, label, sizeof label);
    size_t bytes = sizeof label + encode(recipient, all + sizeof label);
    orr_status status = orr_digest(all, bytes, digest, error);
    if (status != ORR_OK) return status;
    for (size_t i = 0; i < 10; i++)
        snprintf(text + 5 * i, 6, "%02x%02x%s", digest[2 * i], digest[2 * i + 1], i < 9 ? " " : "");
    return ORR_OK;
}

int orr_recipient_is_here(int fd) {
    char magic[sizeof MAGIC];
    return orr_pread_in_full(fd, magic, sizeof magic, 0) == sizeof magic &&
           memcmp(magic, MAGIC, sizeof magic) == 0;
}

orr_status orr_recipient_read_from(orr_recipient *recipient, int fd, const char *name,
                                   orr_error *error) {
    uint8_t file[ORR_RECIPIENT_MAX_FILE + 1]; // one more byte shows that it is too long
    struct stat info;
    memset(recipient, 0, sizeof *recipient);
    if (fstat(fd, &info) != 0)
        return orr_fail_errno(error, errno, "%s: cannot read the recipient file: %s", name,
                              strerror(errno));
    if (!S_ISREG(info.st_mode))
        return orr_fail(error, ORR_NOT_ORRERY, "%s: not a recipient file: no regular file", name);
    size_t bytes = orr_pread_in_full(fd, file, sizeof file, 0);
    if (bytes < sizeof file && errno != 0)
        return orr_fail_errno(error, errno, "%s: cannot read the recipient file: %s", name,
                              strerror(errno));
    return orr_recipient_decode(recipient, file, bytes, name, error);
}

orr_status orr_recipient_read(orr_recipient *recipient, const char *path, orr_error *error) {
    memset(recipient, 0, sizeof *recipient);
    // O_NONBLOCK: a FIFO in its place must not hang.
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 && errno == ENOENT)
        return orr_fail(error, ORR_KEY,
                        "%s: there is no recipient file: `orrery keyring export` makes one", path);
    if (fd < 0)
        return orr_fail_errno(error, errno, "%s: cannot open the recipient file: %s", path,
                              strerror(errno));
    orr_status status = orr_recipient_read_from(recipient, fd, path, error);
    close(fd);
    return status;
}

orr_status orr_recipient_write(const orr_recipient *recipient, const char *path, orr_error *error) {
    uint8_t file[ORR_RECIPIENT_MAX_FILE];
    size_t bytes;
    orr_fresh fresh = ORR_FRESH_NONE;
    orr_status status = ORR_OK;
    orr_recipient_encode(recipient, file, &bytes);
    int written = orr_fresh_begin(&fresh, path) == 0 &&
                  orr_fresh_set_mode(&fresh, orr_default_mode()) == 0 &&
                  orr_write_in_full(fresh.fd, file, bytes) == bytes &&
                  orr_fresh_commit(&fresh, ORR_FRESH_NEW) == 0;
    if (!written && errno == EEXIST)
        status = orr_fail(error, ORR_EXISTS,
                          "%s: exists already; a recipient file is never overwritten", path);
    else if (!written && errno == EISDIR)
        status =
            orr_fail(error, ORR_USAGE, "%s: names a directory; a recipient file is a file", path);
    else if (!written)
        status = orr_fail_errno(error, errno, "%s: cannot write the recipient file: %s", path,
                                strerror(errno));
    orr_fresh_end(&fresh);
    return status;
}
