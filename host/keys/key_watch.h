// The keyring while a job runs. A job loads it once, and works for hours: meanwhile the key that it
// wraps new files under may be retired, the archive be rewrapped, and the key be destroyed. So a
// job looks at the keyring again before each file gets its name (or each slot of rewrap is
// written), and keeps updates out (orr_keyring_update) until it has: either the update comes first,
// and the job stops, or the file comes first, and whoever changed the keyring finds it.
#ifndef ORRERY_HOST_KEYS_KEY_WATCH_H
#define ORRERY_HOST_KEYS_KEY_WATCH_H

#include "host/keys/keyring.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_key_watch orr_key_watch;

// Watches one key of `keyring`, which was loaded from `path` with `passphrase`. `retired_too`: it
// need only not be destroyed, else it must be active. Keeps a copy of the passphrase in locked
// memory. Makes the lock file beside the keyring where it may. ORR_INTERNAL: memory.
orr_status orr_key_watch_open(orr_key_watch **watch, const char *path, const orr_keyring *keyring,
                              const orr_passphrase *passphrase, const uint8_t id[ORR_KEY_ID_BYTES],
                              int retired_too, orr_error *error);
// Wipes. NULL is allowed.
void orr_key_watch_close(orr_key_watch *watch);

// Looks, and keeps updates out until orr_key_watch_release(*hold): for microseconds only. Any
// thread. ORR_KEY, with a sentence, once the key is not what it must be, or the keyring does not
// open any more; so are all later looks. A keyring that is not there or cannot be read holds nobody
// up: *warning is then, the first time, a sentence that lives as long as the watch, else NULL.
// ORR_STOPPED: a signal came while an update was waited for. A lock that cannot be had (a directory
// that may not be read, an update that hangs) is done without.
orr_status orr_key_watch_hold(orr_key_watch *watch, orr_stop_flag *stop, int *hold,
                              const char **warning, orr_error *error);
void orr_key_watch_release(int hold);

#ifdef __cplusplus
}
#endif
#endif
