// What was in memory when a file was written counts for nothing here but as that which must come
// out.
#include "host/job/job_check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "host/container/tile_read.h"
#include "host/job/job_key.h"
#include "host/job/sealed.h"

// Is there a wrap for this reader?
static int has_reader(const orr_slot *slot, const orr_wrap_key *reader) {
    orr_wrap wrap;
    for (size_t at = 0; orr_slot_next(slot, &at, &wrap);)
        if (wrap.type == reader->type && !memcmp(wrap.key_id, reader->key_id, ORR_KEY_ID_BYTES))
            return 1;
    return 0;
}

// All slots are there, alike and for the readers of the job, and what they wrap is the file's
// secret.
static orr_status check_slots(const orr_job *job, const orr_container *c,
                              const orr_file_secret *opened, const orr_file_secret *meant,
                              orr_error *error) {
    orr_wrap_key *readers;
    size_t count;
    orr_status status = orr_job_readers(job, &readers, &count, error);
    if (status != ORR_OK) return status;
    for (int i = 0; i < c->slots; i++)
        if (!c->slot_good[i] || memcmp(c->slot[i].bytes, c->slot[0].bytes, c->slot[0].size))
            status = ORR_SELF_TEST;
    for (size_t i = 0; i < count && status == ORR_OK; i++)
        if (!has_reader(&c->slot[0], &readers[i])) status = ORR_SELF_TEST;
    if (status == ORR_OK &&
        (c->slot[0].count != count || !orr_equal_secret(opened, meant, sizeof *opened)))
        status = ORR_SELF_TEST;
    orr_wipe(readers, count * sizeof *readers);
    free(readers);
    return status;
}

// Was this sealed? All of it, digests and the paper profile's record of tags with it.
static orr_status check_metadata(const orr_metadata *read, const orr_metadata *meant,
                                 orr_error *error) {
    int same = orr_metadata_same(read, meant);
    if (same < 0) return orr_fail(error, ORR_INTERNAL, "out of memory");
    return same ? ORR_OK : ORR_SELF_TEST;
}

static orr_status check_data(const orr_sealed *s, const orr_metadata *m, orr_error *error) {
    const orr_container *c = &s->container;
    const orr_seal *seal = &s->seal;
    const orr_paper_means means = {.stop = s->means.stop};
    if (c->header.profile == ORR_PROFILE_PAPER)
        return orr_paper_decrypt(c, &seal->secret, m, &means, s->fd, -1, s->name, error);
    return orr_container_check(s->fd, &c->geometry, &seal->secret, &seal->keys, &seal->cipher,
                               c->header.length, m->digest, s->means.stop, s->name, error);
}

// NULL when memory ran out.
static orr_sealed *begin(const orr_job *job, int fd, const char *shown) {
    orr_sealed *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    s->fd = fd;
    s->name = shown;
    s->keyring = job->options->keyring;
    s->means = (orr_paper_means){.memory = UINT64_MAX, .stop = job->stop};
    return s;
}

static void end(orr_sealed *s) {
    if (s) orr_sealed_close(s);
    free(s);
}

// As orr_sealed_open, with the secret that is known: the key that opens it is elsewhere.
static orr_status open_known(orr_sealed *s, uint64_t bytes, const orr_file_secret *secret,
                             orr_metadata **metadata, orr_error *error) {
    orr_container *c = &s->container;
    orr_seal *seal = &s->seal;
    orr_metadata *m = calloc(1, sizeof *m);
    orr_status status = m ? orr_container_read(c, s->fd, bytes, s->name, error)
                          : orr_fail(error, ORR_INTERNAL, "%s: out of memory", s->name);
    seal->secret = *secret;
    seal->geometry = c->geometry;
    if (status == ORR_OK)
        status = orr_file_keys_derive(&seal->keys, secret, c->header_bytes, error);
    if (status == ORR_OK && !orr_equal_secret(seal->keys.commitment, c->commitment, 32))
        status = ORR_SELF_TEST;
    for (int i = 0; i < c->slots && status == ORR_OK; i++)
        if (orr_slot_verify(&c->slot[i], seal->keys.header_mac) != ORR_OK) status = ORR_SELF_TEST;
    if (status == ORR_OK)
        status = orr_cipher_init(&seal->cipher, c->header.rule, c->header.k2, error);
    if (status == ORR_OK) status = orr_container_metadata(c, s->fd, &seal->keys, s->name, m, error);
    if (status == ORR_OK)
        *metadata = m;
    else
        free(m);
    return status;
}

orr_status orr_check_output(const orr_job *job, int fd, const char *shown,
                            const orr_file_secret *meant, const orr_metadata *metadata,
                            orr_error *error) {
    struct stat st;
    orr_metadata *m = NULL;
    orr_sealed *s = begin(job, fd, shown);
    orr_status status = ORR_OK;
    if (!s)
        status = orr_fail(error, ORR_INTERNAL, "%s: out of memory", shown);
    else if (fstat(fd, &st) != 0)
        status = orr_fail(error, ORR_IO, "%s: %s", shown, strerror(errno));
    if (status == ORR_OK)
        status = job->options->writer_only ? open_known(s, (uint64_t)st.st_size, meant, &m, error)
                                           : orr_sealed_open(s, (uint64_t)st.st_size, &m, error);
    if (status == ORR_OK) status = check_slots(job, &s->container, &s->seal.secret, meant, error);
    if (status == ORR_OK) status = check_metadata(m, metadata, error);
    if (status == ORR_OK) status = check_data(s, m, error);
    if (error) error->of_source = 0; // it is the output that was read
    // Whatever a reader would call it: the file was made a moment ago, so it is a fault.
    if (status != ORR_OK && status != ORR_IO && status != ORR_INTERNAL && status != ORR_STOPPED)
        status = orr_check_failed(shown, error);
    if (m) orr_metadata_free(m);
    free(m);
    end(s);
    return status;
}

orr_status orr_check_existing(const orr_job *job, int fd, const char *shown,
                              const orr_file_secret *secret, const orr_metadata *metadata,
                              int *damaged, orr_error *error) {
    struct stat st;
    orr_error inner = {0};
    orr_sealed *s = begin(job, fd, shown);
    *damaged = 0;
    if (!s) return orr_fail(error, ORR_INTERNAL, "%s: out of memory", shown);
    orr_container *c = &s->container;
    orr_seal *seal = &s->seal;
    orr_status status = fstat(fd, &st) == 0
                            ? orr_container_read(c, fd, (uint64_t)st.st_size, shown, &inner)
                            : orr_fail(&inner, ORR_IO, "%s: %s", shown, strerror(errno));
    seal->secret = *secret;
    if (status == ORR_OK)
        status = orr_file_keys_derive(&seal->keys, secret, c->header_bytes, &inner);
    if (status == ORR_OK)
        status = orr_cipher_init(&seal->cipher, c->header.rule, c->header.k2, &inner);
    if (status == ORR_OK) status = check_data(s, metadata, &inner);
    *damaged = status == ORR_AUTH || status == ORR_SELF_TEST;
    end(s);
    if (status == ORR_OK || *damaged) return ORR_OK;
    *error = inner;
    return status;
}
