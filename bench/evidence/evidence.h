// The evidence suite: every measure and attack on given images, as one report for people
// (report.html, self-contained) and one for programs (report.json, docs/EVIDENCE.md).
#ifndef ORRERY_BENCH_EVIDENCE_EVIDENCE_H
#define ORRERY_BENCH_EVIDENCE_EVIDENCE_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>

#include "base/library.h"
#include "base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_evidence_options {
    char **images; // PNG, JPEG or TIFF files; none: phantoms
    size_t image_count;
    const char *output;  // the report's directory: made anew, or empty
    const char *weights; // safetensors of a discriminator; NULL: one initialised from the seed
    const char *bits; // a file whose bits the SP 800-22 battery takes, instead of everything else
    const char *program; // name and version, for the report
    const char *only;    // keys of sections, apart by commas; NULL: all
    int quick;           // fewer trials, smaller attacks: under a minute on two cores
    uint64_t seed;       // of keys, noise and chosen texts: the same seed, the same figures
    unsigned threads;    // 0: one for each processor
    const volatile sig_atomic_t *stop; // nonzero: end soon with ORR_STOPPED; NULL: never
    // What is being done, and how much of the whole (0..1) is behind. Called on the caller's
    // thread. NULL: no calls.
    void (*progress)(void *context, const char *what, double share);
    // An image that was taken though its file lacks something. NULL: no calls.
    void (*flawed)(void *context, const char *path, const char *flaw);
    void *progress_context; // of both
} orr_evidence_options;

typedef struct orr_evidence_summary {
    size_t findings, passed, failed; // the rest of the findings has no pass or fail
    size_t failed_controls;          // of the failed: negative controls, which are there for it
    int sound;                       // with `bits`: the verdict on them
    char verdict[1400]; // with `bits`: the verdict in words, what failed, what was read; else empty
    double seconds;
    int unflushed; // a file system does not flush (base/flush.h: the module has a copy of its own)
} orr_evidence_summary;

// Writes the report. ORR_USAGE when `bits` is given with images, sections or weights, ORR_EXISTS
// when the directory holds something already (nothing is touched), ORR_UNSUPPORTED for an image
// that cannot be used, ORR_IO, ORR_STOPPED, ORR_INTERNAL. A measure that fails its test is a
// finding, not an error.
orr_status orr_evidence_run(const orr_evidence_options *options, orr_evidence_summary *summary,
                            orr_error *error);

// ---- what the shared object exports -------------------------------------------------------------

#define ORR_EVIDENCE_ABI 1u

typedef struct orr_evidence_library {
    uint32_t abi; // ORR_EVIDENCE_ABI
    orr_status (*run)(const orr_evidence_options *options, orr_evidence_summary *summary,
                      orr_error *error);
} orr_evidence_library;

const orr_evidence_library *orr_evidence_library_get(void);

extern orr_library orr_evidence_module; // its table is an orr_evidence_library

#ifdef __cplusplus
}
#endif
#endif
