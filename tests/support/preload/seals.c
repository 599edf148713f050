// Records what a program seals with AES-256-GCM, so that a test can look for a key and nonce that
// sealed two texts (tests/support/seals.py): LD_PRELOAD=libseals.so ORRERY_SEALS=LOG
//
// One line for each seal, written when it ends, before its tag can be read: what reaches a disk has
// been recorded, also when the process is killed. SHA-256 of the key, the nonce, SHA-256 of
// (SHA-256 of AAD || SHA-256 of plaintext); hexadecimal, with single spaces. Processes may share a
// log.
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <openssl/evp.h>

#define REAL(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))
#define NONCE 12
#define HASH 32

// What a context has been given. `next` and `of` are guarded by the lock; the rest is, as the
// context itself, its thread's.
typedef struct seal {
    struct seal *next;
    const EVP_CIPHER_CTX *of;
    uint8_t key[HASH], nonce[NONCE];
    EVP_MD_CTX *aad, *text;
} seal;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static seal *seals;

static void need(int holds) {
    if (!holds) abort();
}

// The context's, made when it has none and `make` says so.
static seal *seal_of(const EVP_CIPHER_CTX *ctx, int make) {
    pthread_mutex_lock(&lock);
    seal *s = seals;
    while (s && s->of != ctx) s = s->next;
    if (!s && make) {
        need((s = calloc(1, sizeof *s)) != NULL);
        need((s->aad = EVP_MD_CTX_new()) && (s->text = EVP_MD_CTX_new()));
        s->of = ctx;
        s->next = seals;
        seals = s;
    }
    pthread_mutex_unlock(&lock);
    return s;
}

static void forget(const EVP_CIPHER_CTX *ctx) {
    pthread_mutex_lock(&lock);
    seal **at = &seals;
    while (*at && (*at)->of != ctx) at = &(*at)->next;
    seal *s = *at;
    if (s) *at = s->next;
    pthread_mutex_unlock(&lock);
    if (!s) return;
    EVP_MD_CTX_free(s->aad);
    EVP_MD_CTX_free(s->text);
    free(s);
}

static void begin(EVP_MD_CTX *hash) {
    need(EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1);
}

static char *put_hex(char *at, const uint8_t *bytes, size_t count, char end) {
    for (size_t i = 0; i < count; i++) at += snprintf(at, 3, "%02x", bytes[i]);
    *at++ = end;
    return at;
}

static void record(seal *s) {
    const char *log = getenv("ORRERY_SEALS");
    uint8_t both[2 * HASH], hash[HASH];
    char line[2 * HASH + 1 + 2 * NONCE + 1 + 2 * HASH + 1], *at = line;
    need(EVP_DigestFinal_ex(s->aad, both, NULL) == 1 &&
         EVP_DigestFinal_ex(s->text, both + HASH, NULL) == 1 &&
         EVP_Digest(both, sizeof both, hash, NULL, EVP_sha256(), NULL) == 1);
    at = put_hex(at, s->key, HASH, ' ');
    at = put_hex(at, s->nonce, NONCE, ' ');
    at = put_hex(at, hash, HASH, '\n');
    if (!log) return;
    int fd =
        (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    need(fd >= 0);
    need(syscall(SYS_write, fd, line, (size_t)(at - line)) == at - line); // whole: O_APPEND
    syscall(SYS_close, fd);
    begin(s->aad); // whoever goes on without a new nonce is recorded, too
    begin(s->text);
}

int EVP_EncryptInit_ex2(EVP_CIPHER_CTX *ctx, const EVP_CIPHER *cipher, const unsigned char *key,
                        const unsigned char *nonce, const OSSL_PARAM params[]) {
    int done = REAL(EVP_EncryptInit_ex2)(ctx, cipher, key, nonce, params);
    const EVP_CIPHER *now = done == 1 ? EVP_CIPHER_CTX_get0_cipher(ctx) : NULL;
    if (!now || EVP_CIPHER_get_mode(now) != EVP_CIPH_GCM_MODE) {
        forget(ctx);
        return done;
    }
    seal *s = seal_of(ctx, 1);
    need(EVP_CIPHER_CTX_get_key_length(ctx) == 32 && EVP_CIPHER_CTX_get_iv_length(ctx) == NONCE);
    if (key) need(EVP_Digest(key, 32, s->key, NULL, EVP_sha256(), NULL) == 1);
    if (nonce) memcpy(s->nonce, nonce, NONCE);
    begin(s->aad);
    begin(s->text);
    return done;
}

int EVP_EncryptUpdate(EVP_CIPHER_CTX *ctx, unsigned char *out, int *written,
                      const unsigned char *in, int bytes) {
    seal *s = seal_of(ctx, 0);
    if (s && bytes > 0) // before `in` is overwritten
        need(EVP_DigestUpdate(out ? s->text : s->aad, in, (size_t)bytes) == 1);
    return REAL(EVP_EncryptUpdate)(ctx, out, written, in, bytes);
}

int EVP_EncryptFinal_ex(EVP_CIPHER_CTX *ctx, unsigned char *out, int *written) {
    seal *s = seal_of(ctx, 0);
    if (s) record(s);
    return REAL(EVP_EncryptFinal_ex)(ctx, out, written);
}

void EVP_CIPHER_CTX_free(EVP_CIPHER_CTX *ctx) {
    if (ctx) forget(ctx);
    REAL(EVP_CIPHER_CTX_free)(ctx);
}
