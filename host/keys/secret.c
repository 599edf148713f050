// The secret of one file (docs/FORMAT.md, "Keys").
#include "host/keys/secret.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/keys/keyring.h"

#ifdef ORRERY_TEST_HOOKS

static _Thread_local struct {
    int begun;
    uint64_t block;
    uint8_t key[64];
} stream;

void orr_file_draw_begin(const uint8_t *path, size_t bytes) {
    const char *seed = getenv("ORRERY_TEST_SEED");
    stream.begun = seed && !orr_sha512(seed, strlen(seed) + 1, path, bytes, stream.key);
    stream.block = 0;
}

void orr_file_draw_part(const uint8_t *path, size_t bytes, uint64_t part) {
    uint8_t number[9] = {0};
    for (int i = 0; i < 8; i++) number[1 + i] = (uint8_t)(part >> (56 - 8 * i));
    orr_file_draw_begin(path, bytes);
    stream.begun = stream.begun &&
                   !orr_sha512(stream.key, sizeof stream.key, number, sizeof number, stream.key);
}

orr_status orr_file_random(void *out, size_t bytes, orr_error *error) {
    uint8_t *at = out, number[8], block[64];
    if (!getenv("ORRERY_TEST_SEED")) return orr_random(out, bytes, error);
    if (!stream.begun) return orr_fail(error, ORR_INTERNAL, "test seed set, but no draw was begun");
    while (bytes) {
        size_t n = bytes < sizeof block ? bytes : sizeof block;
        for (int i = 0; i < 8; i++) number[i] = (uint8_t)(stream.block >> (56 - 8 * i));
        stream.block++;
        orr_status status = orr_sha512(stream.key, sizeof stream.key, number, sizeof number, block);
        if (status != ORR_OK) return orr_fail(error, status, "SHA-512 failed");
        memcpy(at, block, n);
        at += n;
        bytes -= n;
    }
    return ORR_OK;
}

struct timespec orr_file_now(void) {
    struct timespec now = {.tv_sec = 1732406400};
    if (!getenv("ORRERY_TEST_SEED")) clock_gettime(CLOCK_REALTIME, &now);
    return now;
}

#endif

// A uniform index below n, 1 <= n <= 65536: draws that would favour small indices are thrown away.
static orr_status draw_below(uint32_t n, uint32_t *index, orr_error *error) {
    const uint32_t limit = UINT32_MAX - UINT32_MAX % n; // a multiple of n
    uint32_t word;
    do {
        orr_status status = orr_file_random(&word, sizeof word, error);
        if (status != ORR_OK) return status;
    } while (word >= limit);
    *index = word % n;
    orr_wipe(&word, sizeof word);
    return ORR_OK;
}

static orr_status format_timestamp(int64_t now, char timestamp[20], orr_error *error) {
    struct tm utc;
    time_t t = (time_t)now;
    if (!gmtime_r(&t, &utc) || utc.tm_year < -1900 || utc.tm_year > 9999 - 1900)
        return orr_fail(error, ORR_UNSUPPORTED,
                        "the clock says %" PRId64
                        " seconds since 1970, outside the years 0 to 9999: set it",
                        now);
    char text[64]; // as large as the compiler can imagine the fields
    snprintf(text, sizeof text, "%02d-%02d-%04d %02d:%02d:%02d", utc.tm_mday, utc.tm_mon + 1,
             utc.tm_year + 1900, utc.tm_hour, utc.tm_min, utc.tm_sec);
    memcpy(timestamp, text, 20);
    return ORR_OK;
}

orr_status orr_planet_secret(const orr_decoy *decoy, const char timestamp[20], const uint8_t r[32],
                             uint8_t out[64]) {
    char text[3 * 20 + 20]; // three 64-bit decimals of up to 20 digits, 19 characters of time, NUL
    int n = snprintf(text, sizeof text, "%" PRIu64 "%" PRIu64 "%" PRIu64 "%.19s", decoy->sum[0] + 1,
                     decoy->sum[1] + 1, decoy->sum[2] + 1, timestamp);
    orr_status status = orr_sha512(text, (size_t)n, r, 32, out);
    orr_wipe(text, sizeof text);
    return status;
}

orr_status orr_file_secret_new(const orr_keyring *keyring, int64_t now, orr_file_secret *secret,
                               char timestamp[20], orr_error *error) {
    uint8_t r[32];
    uint32_t index = 0;
    if (!keyring->decoy_count)
        return orr_fail(
            error, ORR_KEY,
            "the keyring has no decoys; make one with `orrery keyring new --decoy IMAGE`");
    orr_status status = format_timestamp(now, timestamp, error);
    if (status == ORR_OK)
        status = orr_file_random(secret->seal_root, sizeof secret->seal_root, error);
    if (status == ORR_OK) status = orr_file_random(r, sizeof r, error);
    if (status == ORR_OK) status = draw_below((uint32_t)keyring->decoy_count, &index, error);
    if (status == ORR_OK) {
        status = orr_planet_secret(&keyring->decoys[index], timestamp, r, secret->planet_secret);
        if (status != ORR_OK) orr_fail(error, status, "SHA-512 failed");
    }
    orr_wipe(r, sizeof r);
    if (status != ORR_OK) orr_wipe(secret, sizeof *secret);
    return status;
}

orr_status orr_wraps_draw(orr_wraps *wraps, const orr_wrap_key *readers, size_t count,
                          const orr_file_secret *secret, const uint8_t header[ORR_HEADER_BYTES],
                          orr_error *error) {
    uint8_t seed[32];
    orr_status status = ORR_OK;
    for (size_t i = 0; i < count && status == ORR_OK; i++) {
        status = orr_file_random(seed, sizeof seed, error);
        if (status == ORR_OK)
            status = orr_wraps_make(wraps, &readers[i], seed, secret, header, error);
    }
    orr_wipe(seed, sizeof seed);
    return status;
}
