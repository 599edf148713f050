#include "host/keys/key_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "host/keys/name.h"

#define WAIT_MS 5
#define WAITS 6000 // half a minute; an update holds its lock for the time of a few scrypts

struct orr_key_watch {
    pthread_mutex_t lock; // guards what follows `waits`
    char *path;
    orr_passphrase passphrase;
    uint8_t id[ORR_KEY_ID_BYTES];
    int retired_too;
    atomic_int waits; // how often the lock is asked for; once, when an update has hung before
    uint8_t seen[ORR_KEYRING_SEAL_BYTES]; // of the keyring that was found good
    orr_error verdict;                    // once it was not
    char warning[4608];
};

orr_status orr_key_watch_open(orr_key_watch **watch, const char *path, const orr_keyring *keyring,
                              const orr_passphrase *passphrase, const uint8_t id[ORR_KEY_ID_BYTES],
                              int retired_too, orr_error *error) {
    orr_key_watch *w = *watch = calloc(1, sizeof *w);
    if (w) w->path = strdup(path);
    if (!w || !w->path) {
        free(w);
        *watch = NULL;
        return orr_fail(error, ORR_INTERNAL, "out of memory");
    }
    pthread_mutex_init(&w->lock, NULL);
    (void)mlock(&w->passphrase, sizeof w->passphrase); // a courtesy, as elsewhere
    w->passphrase = *passphrase;
    memcpy(w->id, id, sizeof w->id);
    memcpy(w->seen, keyring->seal, sizeof w->seen);
    w->retired_too = retired_too;
    atomic_init(&w->waits, WAITS);
    char *target = realpath(path, NULL);
    int fd = target ? orr_keyring_lock_open(target, 1) : -1;
    if (fd >= 0) close(fd);
    free(target);
    return ORR_OK;
}

void orr_key_watch_close(orr_key_watch *watch) {
    if (!watch) return;
    orr_passphrase_wipe(&watch->passphrase);
    pthread_mutex_destroy(&watch->lock);
    free(watch->path);
    free(watch);
}

// Takes the lock of updates, shared. Asks for it again and again rather than wait inside the
// system: a signal may come to another thread. *fd is -1 when it is done without.
static orr_status keep_updates_out(orr_key_watch *w, orr_stop_flag *stop, int *fd,
                                   orr_error *error) {
    char *target = realpath(w->path, NULL);
    int waits = atomic_load(&w->waits);
    *fd = target ? orr_keyring_lock_open(target, 0) : -1;
    free(target);
    for (int n = 0; *fd >= 0 && flock(*fd, LOCK_SH | LOCK_NB) != 0; n++) {
        if (errno == EINTR) continue;
        if (orr_stopped(stop) || errno != EWOULDBLOCK || n >= waits) {
            close(*fd);
            *fd = -1;
            atomic_store(&w->waits, 0);
            return orr_stopped(stop) ? orr_fail(error, ORR_STOPPED, "stopped by a signal") : ORR_OK;
        }
        nanosleep(&(struct timespec){0, WAIT_MS * 1000000L}, NULL);
    }
    atomic_store(&w->waits, WAITS);
    return ORR_OK;
}

// What is wrong with the key in the keyring as it is now?
static orr_status judge(const orr_key_watch *w, const orr_keyring *now, orr_error *error) {
    char shown[ORR_SHOWN_ID];
    const orr_master_key *key = NULL;
    for (size_t i = 0; i < now->key_count; i++)
        if (!memcmp(now->keys[i].id, w->id, sizeof w->id)) key = &now->keys[i];
    orr_shown_id(w->id, key ? key->label : "", shown);
    if (!key)
        return orr_fail(error, ORR_KEY,
                        "%s: has no master key %s any more, under which this job writes: was "
                        "another keyring, or an older copy, put in its place? The job stops",
                        w->path, shown);
    if (key->state == ORR_KEY_ACTIVE || (w->retired_too && key->state != ORR_KEY_DESTROYED))
        return ORR_OK;
    return orr_fail(error, ORR_KEY,
                    "%s: master key %s, under which this job writes, was made %s while it ran: the "
                    "job stops, lest files be written that the keyring does not open; run the same "
                    "command again to go on under the active key",
                    w->path, shown, orr_key_state_name(key->state));
}

static void warn_unseen(orr_key_watch *w, const orr_error *why, const char **warning) {
    if (*w->warning) return;
    snprintf(w->warning, sizeof w->warning,
             "%.4000s: the job goes on under the key that it began with; leave the keyring where "
             "it is, so that a change of its keys is seen",
             why->text);
    *warning = w->warning;
}

// Loads it only when it is another than was seen last: each update seals it anew.
static orr_status look(orr_key_watch *w, const char **warning, orr_error *error) {
    uint8_t seal[ORR_KEYRING_SEAL_BYTES];
    orr_keyring now = {0};
    orr_error why = {0};
    orr_status status = orr_keyring_look(w->path, seal, &why);
    if (status == ORR_OK && !memcmp(seal, w->seen, sizeof seal)) return ORR_OK;
    if (status == ORR_OK) status = orr_keyring_load(&now, w->path, &w->passphrase, &why);
    if (status == ORR_OK) {
        status = judge(w, &now, error);
        memcpy(w->seen, now.seal, sizeof w->seen);
        orr_keyring_free(&now);
        return status;
    }
    if (status == ORR_IO) {
        warn_unseen(w, &why, warning);
        return ORR_OK;
    }
    if (status == ORR_INTERNAL)
        return orr_fail(error, status, "%.4000s: the job stops; run the same command again",
                        why.text);
    return orr_fail(error, ORR_KEY,
                    "%.4000s: the keyring was changed while this job ran, and it cannot see its "
                    "keys any more: the job stops; run the same command again",
                    why.text);
}

orr_status orr_key_watch_hold(orr_key_watch *watch, orr_stop_flag *stop, int *hold,
                              const char **warning, orr_error *error) {
    *warning = NULL;
    orr_status status = keep_updates_out(watch, stop, hold, error);
    if (status != ORR_OK) return status;
    pthread_mutex_lock(&watch->lock);
    if (watch->verdict.status == ORR_OK) look(watch, warning, &watch->verdict);
    status = watch->verdict.status;
    if (status != ORR_OK && error) *error = watch->verdict;
    pthread_mutex_unlock(&watch->lock);
    if (status == ORR_OK) return ORR_OK;
    orr_key_watch_release(*hold);
    *hold = -1;
    return status;
}

void orr_key_watch_release(int hold) {
    if (hold >= 0) close(hold); // and its lock with it
}
