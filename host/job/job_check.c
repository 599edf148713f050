// What was in memory when a file was written counts for nothing here but as that which must come
// out.
#include "host/job/job_check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "host/container/tile_read.h"
#include "host/job/job_key.h"
#include "host/paper/paper.h"

// Both slots are there, alike and under the key of the job, and what they wrap is the file's
// secret.
static orr_status check_slots(const orr_job *job, const orr_container *c,
                              const orr_file_secret *opened, const orr_file_secret *meant,
                              orr_error *error) {
    const orr_master_key *key;
    orr_status status = orr_job_target_key(job, &key, error);
    if (status != ORR_OK) return status;
    if (!c->slot_good[0] || !c->slot_good[1] ||
        memcmp(c->slot_page[0], c->slot_page[1], ORR_PAGE) || c->slot[0].count != 1 ||
        memcmp(c->slot[0].wrap[0].key_id, key->id, ORR_KEY_ID_BYTES) ||
        !orr_equal_secret(opened, meant, sizeof *opened))
        return ORR_SELF_TEST;
    return ORR_OK;
}

// Was this sealed? All of it, digests and the paper profile's record of tags with it.
static orr_status check_metadata(const orr_metadata *read, const orr_metadata *meant,
                                 orr_error *error) {
    size_t bytes = orr_metadata_length(meant);
    uint8_t *both = orr_metadata_length(read) == bytes ? malloc(2 * bytes) : NULL;
    if (orr_metadata_length(read) != bytes) return ORR_SELF_TEST;
    if (!both) return orr_fail(error, ORR_INTERNAL, "out of memory");
    orr_metadata_encode(read, both);
    orr_metadata_encode(meant, both + bytes);
    int same = !memcmp(both, both + bytes, bytes);
    orr_wipe(both, 2 * bytes);
    free(both);
    return same ? ORR_OK : ORR_SELF_TEST;
}

static orr_status check_data(const orr_job *job, int fd, const char *shown, const orr_container *c,
                             const orr_file_secret *secret, const orr_file_keys *keys,
                             const orr_metadata *m, orr_error *error) {
    orr_cipher cipher;
    if (c->header.profile == ORR_PROFILE_PAPER)
        return orr_paper_decrypt(c, secret, m, &(orr_paper_means){.stop = job->stop}, fd, -1, shown,
                                 error);
    orr_status status = orr_cipher_init(&cipher, c->header.rule, c->header.k2, error);
    if (status == ORR_OK)
        status = orr_container_check(fd, &c->geometry, secret, keys, &cipher, c->header.length,
                                     m->digest, job->stop, shown, error);
    return status;
}

orr_status orr_check_output(const orr_job *job, int fd, const char *shown,
                            const orr_file_secret *meant, const orr_metadata *metadata,
                            orr_error *error) {
    struct stat st;
    orr_file_secret secret = {0};
    orr_file_keys keys = {0};
    orr_metadata *m = calloc(1, sizeof *m);
    orr_container *c = malloc(sizeof *c);
    orr_status status = ORR_OK;
    if (!c || !m)
        status = orr_fail(error, ORR_INTERNAL, "%s: out of memory", shown);
    else if (fstat(fd, &st) != 0)
        status = orr_fail(error, ORR_IO, "%s: %s", shown, strerror(errno));
    if (status == ORR_OK) status = orr_container_read(c, fd, (uint64_t)st.st_size, shown, error);
    if (status == ORR_OK)
        status = orr_container_unlock(c, orr_keyring_lookup, (void *)job->options->keyring, shown,
                                      &secret, &keys, error);
    if (status == ORR_OK) status = check_slots(job, c, &secret, meant, error);
    if (status == ORR_OK) status = orr_container_metadata(c, fd, &keys, shown, m, error);
    if (status == ORR_OK) {
        status = check_metadata(m, metadata, error);
        if (status == ORR_OK) status = check_data(job, fd, shown, c, &secret, &keys, m, error);
        orr_metadata_free(m);
    }
    if (error) error->of_source = 0; // it is the output that was read
    // Whatever a reader would call it: the file was made a moment ago, so it is a fault.
    if (status != ORR_OK && status != ORR_IO && status != ORR_INTERNAL && status != ORR_STOPPED)
        status = orr_check_failed(shown, error);
    orr_wipe(&secret, sizeof secret);
    orr_wipe(&keys, sizeof keys);
    free(m);
    free(c);
    return status;
}

orr_status orr_check_existing(const orr_job *job, int fd, const char *shown,
                              const orr_file_secret *secret, const orr_metadata *metadata,
                              int *damaged, orr_error *error) {
    struct stat st;
    orr_file_keys keys = {0};
    orr_error inner = {0};
    orr_container *c = malloc(sizeof *c);
    *damaged = 0;
    if (!c) return orr_fail(error, ORR_INTERNAL, "%s: out of memory", shown);
    orr_status status = fstat(fd, &st) == 0
                            ? orr_container_read(c, fd, (uint64_t)st.st_size, shown, &inner)
                            : orr_fail(&inner, ORR_IO, "%s: %s", shown, strerror(errno));
    if (status == ORR_OK) status = orr_file_keys_derive(&keys, secret, c->header_bytes, &inner);
    if (status == ORR_OK) status = check_data(job, fd, shown, c, secret, &keys, metadata, &inner);
    *damaged = status == ORR_AUTH || status == ORR_SELF_TEST;
    orr_wipe(&keys, sizeof keys);
    free(c);
    if (status == ORR_OK || *damaged) return ORR_OK;
    *error = inner;
    return status;
}
