// The battery over a source of bytes: workers take one sequence after the other, in the order of
// the source, so that the result does not depend on how many there are.
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cores.h"
#include "bench/evidence/sp800_22/nist_internal.h"

#define DEFAULT_BITS 1000000
#define LEAST_BITS 1000
#define MOST_BITS ((size_t)1 << 24)
#define MOST_SEQUENCES 100000
#define MOST_THREADS 256

typedef struct battery {
    const orr_nist_source *source;
    orr_nist_options options; // defaults filled in
    pthread_mutex_t reading, storing;
    // Guarded by `reading`.
    uint64_t taken;  // sequences given to workers
    unsigned offset; // bits of `carried` that belong to the sequence before
    uint8_t carried; // the byte in which two sequences meet
    uint64_t unused; // bits behind the last whole sequence
    int ended;
    // Guarded by `storing`.
    orr_nist_result *result;
    uint64_t room, done;
    orr_status status;
    orr_error error;
} battery;

typedef struct worker {
    battery *battery;
    pthread_t thread;
    uint8_t *bytes;
    uint64_t *words;
    double *z;
    orr_fft *plan;
} worker;

static void fail(battery *b, orr_status status, const char *text) {
    pthread_mutex_lock(&b->storing);
    if (b->status == ORR_OK) b->status = orr_fail(&b->error, status, "%s", text);
    pthread_mutex_unlock(&b->storing);
}

static int failed(battery *b) {
    pthread_mutex_lock(&b->storing);
    int yes = b->status != ORR_OK;
    pthread_mutex_unlock(&b->storing);
    return yes;
}

// Reads until `count` bytes are there or the source ends; *got is how many.
static orr_status read_fully(const orr_nist_source *source, uint8_t *bytes, size_t count,
                             size_t *got, orr_error *error) {
    *got = 0;
    while (*got < count) {
        size_t now = 0;
        orr_status status = source->read(source->context, bytes + *got, count - *got, &now, error);
        if (status != ORR_OK) return status;
        if (now == 0) break;
        *got += now;
    }
    return ORR_OK;
}

// The next sequence, packed into w->words; returns its number, or UINT64_MAX at the end.
static uint64_t take_sequence(worker *w) {
    battery *b = w->battery;
    size_t n = b->options.bits;
    uint64_t number = UINT64_MAX;
    pthread_mutex_lock(&b->reading);
    if (!b->ended && b->taken < b->options.sequences) {
        size_t have = b->offset ? 1 : 0, got;
        if (have) w->bytes[0] = b->carried;
        size_t need = (b->offset + n + 7) / 8;
        orr_error error = {0};
        orr_status status = read_fully(b->source, w->bytes + have, need - have, &got, &error);
        size_t padding = b->source->padding ? *b->source->padding : 0;
        size_t there = 8 * (have + got) - b->offset; // bits
        there -= padding < there ? padding : there;
        if (status != ORR_OK) {
            b->ended = 1;
            fail(b, status, error.text);
        } else if (there < n) {
            b->ended = 1;
            b->unused = there;
        } else {
            number = b->taken++;
            orr_bits_pack(w->bytes, b->offset, n, w->words);
            b->offset = (unsigned)((b->offset + n) % 8);
            b->carried = w->bytes[need - 1];
        }
    }
    pthread_mutex_unlock(&b->reading);
    return number;
}

// Keeps the P-values of one sequence; the table grows by doubling.
static void store(battery *b, uint64_t number, const double *p) {
    pthread_mutex_lock(&b->storing);
    if (number >= b->room) {
        uint64_t room = b->room ? 2 * b->room : 64;
        while (room <= number) room *= 2;
        double *grown = realloc(b->result->p, room * ORR_NIST_COLUMNS * sizeof *grown);
        if (!grown) {
            if (b->status == ORR_OK) {
                b->status = orr_fail(&b->error, ORR_INTERNAL, "memory ran out");
            }
            goto end;
        }
        b->result->p = grown;
        b->room = room;
    }
    memcpy(b->result->p + number * ORR_NIST_COLUMNS, p, ORR_NIST_COLUMNS * sizeof *p);
    b->done++;
    uint64_t total = b->source->bytes ? b->source->bytes * 8 / b->options.bits : 0;
    if (total > b->options.sequences) total = b->options.sequences;
    if (b->options.progress && b->status == ORR_OK &&
        b->options.progress(b->options.progress_context, b->done, total)) {
        b->status = orr_fail(&b->error, ORR_STOPPED, "stopped");
    }
end:
    pthread_mutex_unlock(&b->storing);
}

static void *work(void *argument) {
    worker *w = argument;
    while (!failed(w->battery)) {
        uint64_t number = take_sequence(w);
        if (number == UINT64_MAX) break;
        double p[ORR_NIST_COLUMNS];
        orr_bits bits = {w->words, w->battery->options.bits};
        orr_nist_sequence(bits, w->battery->options.constants, w->plan, w->z, p);
        // A test that was left out would not count against the source.
        if (orr_nist_lost(bits.count, p)) {
            fail(w->battery, ORR_INTERNAL, "memory ran out");
            break;
        }
        store(w->battery, number, p);
    }
    return NULL;
}

static int prepare(worker *w, battery *b) {
    size_t n = b->options.bits;
    w->battery = b;
    w->bytes = malloc(n / 8 + 2);
    w->words = malloc(ORR_BITS_WORDS(n) * sizeof *w->words);
    if (n % 2 == 0) { // an odd length takes the general way of orr_nist_spectral
        w->z = malloc(n * sizeof *w->z);
        w->plan = orr_fft_new(n / 2);
        if (!w->z || !w->plan) return 0;
    }
    return w->bytes && w->words;
}

static void release(worker *w) {
    free(w->bytes);
    free(w->words);
    free(w->z);
    orr_fft_free(w->plan);
}

static orr_status fill_defaults(orr_nist_options *o, orr_error *error) {
    if (o->bits == 0) o->bits = DEFAULT_BITS;
    if (o->bits < LEAST_BITS || o->bits > MOST_BITS) {
        return orr_fail(error, ORR_USAGE, "a sequence takes %d to %zu bits, not %zu", LEAST_BITS,
                        MOST_BITS, o->bits);
    }
    if (o->sequences == 0) o->sequences = MOST_SEQUENCES;
    if (o->sequences > MOST_SEQUENCES) {
        return orr_fail(error, ORR_USAGE, "at most %d sequences", MOST_SEQUENCES);
    }
    if (o->alpha == 0) o->alpha = 0.01;
    if (!(o->alpha > 0 && o->alpha < 0.5)) {
        return orr_fail(error, ORR_USAGE, "a level of significance lies between 0 and 0.5");
    }
    if (o->threads == 0) o->threads = orr_cores();
    if (o->threads > MOST_THREADS) o->threads = MOST_THREADS;
    if (o->threads > o->sequences) o->threads = (unsigned)o->sequences;
    return ORR_OK;
}

static void run_workers(battery *b) {
    worker *workers = calloc(b->options.threads, sizeof *workers);
    unsigned prepared = 0, started = 0;
    for (; workers && prepared < b->options.threads; prepared++) {
        if (prepare(&workers[prepared], b)) continue;
        release(&workers[prepared]);
        break;
    }
    if (prepared == 0) fail(b, ORR_INTERNAL, "memory ran out");
    // Where threads or memory are short, fewer workers give the same result; the first is this one.
    for (unsigned i = 1; i < prepared; i++) {
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0) break;
        started = i;
    }
    if (prepared) work(&workers[0]);
    for (unsigned i = 1; i <= started; i++) pthread_join(workers[i].thread, NULL);
    for (unsigned i = 0; i < prepared; i++) release(&workers[i]);
    b->result->threads = prepared ? started + 1 : 0;
    free(workers);
}

orr_status orr_nist_run(const orr_nist_source *source, const orr_nist_options *options,
                        orr_nist_result *result, orr_error *error) {
    memset(result, 0, sizeof *result);
    battery b = {.source = source, .options = *options, .result = result};
    orr_status status = fill_defaults(&b.options, error);
    if (status != ORR_OK) return status;
    pthread_mutex_init(&b.reading, NULL);
    pthread_mutex_init(&b.storing, NULL);
    double began = orr_seconds(), used = orr_clock(CLOCK_PROCESS_CPUTIME_ID);
    run_workers(&b);
    pthread_mutex_destroy(&b.reading);
    pthread_mutex_destroy(&b.storing);
    if (b.status != ORR_OK) return orr_fail(error, b.status, "%s", b.error.text);
    if (b.done == 0) {
        return orr_fail(error, ORR_UNSUPPORTED,
                        "%llu bits are less than one sequence of %zu bits (%zu bytes, or as many "
                        "digits 0 and 1 as text)",
                        (unsigned long long)b.unused, b.options.bits, (b.options.bits + 7) / 8);
    }
    result->bits = b.options.bits;
    result->sequences = b.done;
    result->unused_bits = b.unused;
    result->alpha = b.options.alpha;
    result->constants = b.options.constants;
    result->seconds = orr_seconds() - began;
    result->processor_seconds = orr_clock(CLOCK_PROCESS_CPUTIME_ID) - used;
    return orr_nist_analyse(result, error);
}

void orr_nist_result_free(orr_nist_result *result) {
    free(result->p);
    result->p = NULL;
}
