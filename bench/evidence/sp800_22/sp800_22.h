// The statistical tests of NIST SP 800-22 rev. 1a ("A Statistical Test Suite for Random and
// Pseudorandom Number Generators for Cryptographic Applications", 2010), all fifteen, and the
// analysis of many sequences by its section 4.2.
//
// A pass is a check for bugs, not evidence of security: a counter hashed without any secret passes.
//
// Bits are taken from bytes most significant bit first, in every entry below. A sequence of n bits
// begins where the one before it ended, also inside a byte.
#ifndef ORRERY_BENCH_EVIDENCE_SP800_22_SP800_22_H
#define ORRERY_BENCH_EVIDENCE_SP800_22_SP800_22_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "bench/evidence/sp800_22/nist_bits.h"

struct cJSON;

#ifdef __cplusplus
extern "C" {
#endif

// ---- one sequence, one test (section numbers are those of SP 800-22) ----

// Which constants a test uses: the right ones, or those from which the P-values printed in the
// document come. They differ in the longest run (exact chances of the classes; printed to four
// digits), the spectral test (variance n .95 .05 / 3.8 of Pareschi, Rovatti and Setti 2012; / 4),
// overlapping templates (exact, which are the corrected chances of section 2.8; the limit of
// section 3.8), linear complexity (1/96; 0.01047) and matrices other than 32 x 32.
typedef enum orr_nist_constants { ORR_NIST_CORRECTED, ORR_NIST_AS_PRINTED } orr_nist_constants;

// `p` is NAN where the test does not apply (too few bits, too few cycles, no memory); `statistic`
// is the figure that the section calls its test statistic.
typedef struct orr_nist_value {
    double statistic, p;
} orr_nist_value;

orr_nist_value orr_nist_frequency(orr_bits bits);                                 // 2.1
orr_nist_value orr_nist_block_frequency(orr_bits bits, size_t block);             // 2.2
orr_nist_value orr_nist_runs(orr_bits bits);                                      // 2.3
orr_nist_value orr_nist_longest_run(orr_bits bits, orr_nist_constants constants); // 2.4
orr_nist_value orr_nist_rank(orr_bits bits, unsigned size, orr_nist_constants);   // 2.5, size <= 32
orr_nist_value orr_nist_spectral(orr_bits bits, orr_nist_constants constants);    // 2.6
orr_nist_value orr_nist_universal(orr_bits bits, unsigned length, unsigned warm_up); // 2.9
orr_nist_value orr_nist_complexity(orr_bits bits, size_t block, orr_nist_constants); // 2.10
orr_nist_value orr_nist_entropy(orr_bits bits, unsigned length);                     // 2.12
orr_nist_value orr_nist_cusum(orr_bits bits, int backward);                          // 2.13

// 2.9.7: the L and Q of the document for n bits: 0 and 0 below 387,840.
void orr_nist_universal_parameters(size_t count, unsigned *length, unsigned *warm_up);

// 2.7: one value for each template of `length` bits (2..16) that cannot overlap itself, in
// ascending order of its number, over `blocks` blocks. Returns how many there are; values may be
// NULL. 148 for length 9.
#define ORR_NIST_TEMPLATES 148 // of 9 bits
size_t orr_nist_templates(orr_bits bits, unsigned length, size_t blocks, orr_nist_value *values);
// Number of the template whose value has this index, or UINT32_MAX.
uint32_t orr_nist_template(unsigned length, size_t index);

// 2.8: the template of `length` ones in blocks of `block` bits, classes 0..4 and 5 or more.
orr_nist_value orr_nist_overlapping(orr_bits bits, unsigned length, size_t block,
                                    orr_nist_constants constants);
// 2.11: values[0] is of the first difference, values[1] of the second.
void orr_nist_serial(orr_bits bits, unsigned length, orr_nist_value values[2]);

// 2.14: values in the order x = -4 .. -1, 1 .. 4; 2.15: x = -9 .. -1, 1 .. 9, `statistic` being the
// number of visits. Both return the number of cycles J. P-values are NAN when J is below
// `least_cycles`; the document asks for max(0.005 sqrt n, 500).
#define ORR_NIST_EXCURSIONS 8
#define ORR_NIST_EXCURSIONS_VARIANT 18
size_t orr_nist_excursions(orr_bits bits, size_t least_cycles,
                           orr_nist_value values[ORR_NIST_EXCURSIONS]);
size_t orr_nist_excursions_variant(orr_bits bits, size_t least_cycles,
                                   orr_nist_value values[ORR_NIST_EXCURSIONS_VARIANT]);
size_t orr_nist_least_cycles(size_t count);

// Discrete Fourier transform of n complex numbers in place: z[2 k] + i z[2 k + 1], exponent -2 pi i
// / n, any n >= 1. Factors 2, 3, 4 and 5 directly, everything else by Bluestein's convolution.
// Relative error of a coefficient below 1e-13 of the norm for n to 2^21. A plan serves one thread.
typedef struct orr_fft orr_fft;
orr_fft *orr_fft_new(size_t count); // NULL when memory runs out
void orr_fft_run(orr_fft *plan, double *z);
void orr_fft_free(orr_fft *plan);

// ---- the battery ----

typedef enum orr_nist_test {
    ORR_NIST_FREQUENCY,
    ORR_NIST_BLOCK_FREQUENCY,
    ORR_NIST_RUNS,
    ORR_NIST_LONGEST_RUN,
    ORR_NIST_RANK,
    ORR_NIST_SPECTRAL,
    ORR_NIST_NON_OVERLAPPING,
    ORR_NIST_OVERLAPPING,
    ORR_NIST_UNIVERSAL,
    ORR_NIST_COMPLEXITY,
    ORR_NIST_SERIAL,
    ORR_NIST_ENTROPY,
    ORR_NIST_CUSUM,
    ORR_NIST_RANDOM_EXCURSIONS,
    ORR_NIST_RANDOM_EXCURSIONS_VARIANT,
    ORR_NIST_TESTS // 15
} orr_nist_test;

// Name for people ("Linear complexity") and key for JSON ("linear-complexity"); static.
const char *orr_nist_test_name(orr_nist_test test);
const char *orr_nist_test_key(orr_nist_test test);

// A sequence has this many P-values, in a fixed order: the tests as above, the parts of a test in
// the order of the functions above.
#define ORR_NIST_COLUMNS 188
// First column of a test, and how many it has.
size_t orr_nist_test_first(orr_nist_test test);
size_t orr_nist_test_columns(orr_nist_test test);
// What a column is within its test ("000000001", "forward", "x = -4"), "" where there is only one.
void orr_nist_column_label(size_t column, char label[16]);

typedef struct orr_nist_options {
    size_t bits;        // in a sequence, 1000 .. 2^24; 0: 1,000,000
    uint64_t sequences; // at most so many, up to 100,000; 0: all there are, up to 100,000
    double alpha;       // level of significance; 0: 0.01
    unsigned threads;   // 0: one for each processor
    orr_nist_constants constants;
    // Called from one thread at a time after each sequence; `total` is 0 when it is not known.
    // Returning non-zero stops the run with ORR_STOPPED. NULL: no calls.
    int (*progress)(void *context, uint64_t done, uint64_t total);
    void *progress_context;
} orr_nist_options;

// From so many sequences on the document's own analysis holds (4.2.2).
#define ORR_NIST_MANY 55

// One P-value per sequence, analysed as in section 4.2.
typedef struct orr_nist_column {
    uint64_t sequences; // to which the test applied
    uint64_t passed;    // P >= alpha
    uint64_t bins[10];  // P-values in [0, .1), [.1, .2) ... [.9, 1]
    double proportion;  // passed / sequences; NAN for none
    double low, high;   // band: 1 - alpha -+ 3 sqrt(alpha (1 - alpha) / sequences), cut to [0, 1];
                        // below 55 sequences the exact binomial's at the level of three sigma
    double least;       // the least P-value; NAN for none. Where the runs test gives 0 unseen,
                        // since the ones are not balanced, the P-value of the frequency test
    double uniformity;  // P-value of chi-square over the bins, 9 degrees of freedom; NAN below 55
                        // sequences
    double kolmogorov;  // P-value of Kolmogorov and Smirnov's distance from uniform; NAN for none
    int in_band;        // proportion inside the band
    int uniform;        // uniformity >= 0.0001
} orr_nist_column;

typedef struct orr_nist_summary {
    size_t columns, applicable;       // of the test; those with at least one sequence
    uint64_t sequences;               // to which it applied
    size_t outside_band, not_uniform; // how many columns fail by the document's own reading
    double least;                     // of all its P-values; NAN for none
    // A test of many columns is bound to have some outside a band of three sigma. These are the
    // probabilities of a proportion, of a uniformity (below 55 sequences Kolmogorov's and
    // Smirnov's, of one sequence 1), and of a least P-value as bad as the worst of them or worse
    // in as many independent P-values of a perfect source (Sidak); exact binomial tails.
    double joint_proportion, joint_uniformity, joint_least;
    int beyond_chance; // one of the three is below 1e-6: no perfect source is as bad as that
    // At least one column is applicable, nothing is beyond chance, joint_proportion >= 0.0027
    // (three sigma) and joint_uniformity >= 0.0001, the document's levels for the test as a whole;
    // of a single sequence joint_least >= alpha, its level for one sequence.
    int passed;
} orr_nist_summary;

// What a file was taken for, from its first 4 KiB.
typedef enum orr_nist_format {
    ORR_NIST_BYTES,
    ORR_NIST_DIGITS, // the characters 0 and 1, a bit each, white space ignored
    ORR_NIST_TEXT    // bytes that all print: tested as they are, and likely not what was meant
} orr_nist_format;

typedef struct orr_nist_result {
    size_t bits;
    uint64_t sequences;
    uint64_t unused_bits; // at the end of the input; 0 when it was not read to its end
    double alpha;
    orr_nist_constants constants;
    double seconds;           // wall clock
    double processor_seconds; // of the whole process meanwhile, making the bits included
    unsigned threads;
    double *p; // sequences x ORR_NIST_COLUMNS, NAN where a test did not apply; owned
    orr_nist_column columns[ORR_NIST_COLUMNS];
    orr_nist_summary tests[ORR_NIST_TESTS];
    int passed, applicable; // how many of the 15 tests did, and how many were applicable
    // The verdict: `needed` of the applicable tests have to pass. That is all but one, since at
    // those levels a perfect source misses one test in every 24th run (of a single sequence in
    // every ninth) and more in every 1,200th (80th); all, where a miss is beyond chance.
    int needed, sound;
    orr_nist_format format; // of the file; bytes for all other sources
} orr_nist_result;

// Where bytes come from: fills up to `count` bytes and sets *got, 0 only at the end.
typedef struct orr_nist_source {
    orr_status (*read)(void *context, uint8_t *bytes, size_t count, size_t *got, orr_error *error);
    void *context;
    uint64_t bytes; // in all, for the progress; 0: not known
    // Bits at the end of the last byte that are none of the data, 0 before the end; NULL: never any
    const unsigned *padding;
} orr_nist_source;

// Runs the battery over the source. ORR_UNSUPPORTED when it holds less than one sequence,
// ORR_USAGE for options out of range, ORR_STOPPED when progress() says so, ORR_INTERNAL when memory
// runs out (no test is left out for that), the source's own status.
// *result is overwritten and must be freed, whatever the outcome.
orr_status orr_nist_run(const orr_nist_source *source, const orr_nist_options *options,
                        orr_nist_result *result, orr_error *error);
// The same over a regular file or a pipe ("-" is standard input), or over bytes in memory. A file
// that begins with nothing but the digits 0 and 1, white space and commas (behind a byte order mark
// of UTF-8, perhaps) holds a bit in each digit, as those of NIST's own program do: ORR_UNSUPPORTED
// when something else comes later, and for digits in UTF-16.
orr_status orr_nist_file(const char *path, const orr_nist_options *options, orr_nist_result *result,
                         orr_error *error);
orr_status orr_nist_bytes(const uint8_t *bytes, size_t count, const orr_nist_options *options,
                          orr_nist_result *result, orr_error *error);
void orr_nist_result_free(orr_nist_result *result);

// The analysis of given P-values (p, bits, sequences, alpha set; the rest is computed).
orr_status orr_nist_analyse(orr_nist_result *result, orr_error *error);

// The result as JSON, owned by the caller; NULL when memory runs out. Schema:
//   bits, sequences, unused_bits, format ("bytes"|"digits"|"text"), alpha, constants
//   ("corrected"|"as-printed"), seconds, processor_seconds, threads, verdict ("pass"|"fail"),
//   passed, applicable, needed, tests: [{test, name, passed, columns, applicable, sequences,
//   outside_band, not_uniform, least, joint_proportion, joint_uniformity, joint_least,
//   beyond_chance, parts: [{label, sequences, passed, proportion, low, high, least, uniformity,
//   kolmogorov, in_band, uniform, bins[10], p_values[sequences] (only when asked for)}]}]
// A P-value that does not exist is null.
struct cJSON *orr_nist_json(const orr_nist_result *result, int with_p_values);

// The result as a table of plain text like the document's finalAnalysisReport; owned by the
// caller, NULL when memory runs out.
char *orr_nist_text(const orr_nist_result *result);

#ifdef __cplusplus
}
#endif

#endif
