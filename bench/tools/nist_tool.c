// The battery of SP 800-22 by itself, for scripts/nist.
//
//   nist [OPTION]... FILE|-           bits of a file or of standard input, most significant first,
//   or
//                                     digits 0 and 1 as text
//   nist [OPTION]... --subject NAME   ciphertext of zeros: archive, planet-layer, paper,
//   control-hash ...
//
//   --bits N  --sequences N  -j N  --as-printed  --json FILE  --p-values
//
// The table goes to standard output, progress to standard error.
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "bench/evidence/nist_source.h"

typedef struct arguments {
    orr_nist_options options;
    const char *json, *subject, *file;
    int p_values;
} arguments;

static int show_progress(void *context, uint64_t done, uint64_t total) {
    (void)context;
    if (done % 50 == 0) {
        fprintf(stderr, "nist: %llu", (unsigned long long)done);
        if (total)
            fprintf(stderr, " of %llu", (unsigned long long)total); // a pipe's end is unknown
        fprintf(stderr, " sequences\n");
    }
    return 0;
}

static int parse(int argc, char **argv, arguments *a) {
    static const struct option table[] = {
        {"bits", required_argument, NULL, 'b'}, {"sequences", required_argument, NULL, 's'},
        {"jobs", required_argument, NULL, 'j'}, {"subject", required_argument, NULL, 'c'},
        {"json", required_argument, NULL, 'o'}, {"p-values", no_argument, NULL, 'p'},
        {"as-printed", no_argument, NULL, 'a'}, {NULL, 0, NULL, 0}};
    for (int c; (c = getopt_long(argc, argv, "j:", table, NULL)) != -1;) {
        switch (c) {
        case 'b':
            a->options.bits = strtoull(optarg, NULL, 10);
            break;
        case 's':
            a->options.sequences = strtoull(optarg, NULL, 10);
            break;
        case 'j':
            a->options.threads = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'c':
            a->subject = optarg;
            break;
        case 'o':
            a->json = optarg;
            break;
        case 'p':
            a->p_values = 1;
            break;
        case 'a':
            a->options.constants = ORR_NIST_AS_PRINTED;
            break;
        default:
            return 0;
        }
    }
    a->file = optind < argc ? argv[optind] : NULL;
    return argc - optind <= 1 && !a->file != !a->subject && (a->file || a->options.sequences);
}

static orr_status run_subject(const arguments *a, orr_nist_result *result, orr_error *error) {
    int subject = 0;
    while (subject < ORR_SUBJECTS && strcmp(a->subject, orr_subject_key((orr_subject)subject))) {
        subject++;
    }
    if (subject == ORR_SUBJECTS) return orr_fail(error, ORR_USAGE, "no subject %s", a->subject);
    orr_nist_subject *made = orr_nist_subject_new((orr_subject)subject, 1);
    if (!made) return orr_fail(error, ORR_INTERNAL, "memory ran out");
    orr_nist_source source = orr_nist_subject_source(made);
    source.bytes = a->options.sequences * (a->options.bits ? a->options.bits : 1000000) / 8;
    orr_status status = orr_nist_run(&source, &a->options, result, error);
    orr_nist_subject_free(made);
    return status;
}

static orr_status write_json(const arguments *a, const orr_nist_result *result, orr_error *error) {
    cJSON *json = orr_nist_json(result, a->p_values);
    char *text = cJSON_Print(json);
    cJSON_Delete(json);
    if (!text) return orr_fail(error, ORR_INTERNAL, "memory ran out");
    FILE *out = fopen(a->json, "w");
    int good = out && fputs(text, out) >= 0 && fputc('\n', out) >= 0;
    if (out && fclose(out) != 0) good = 0;
    free(text);
    return good ? ORR_OK : orr_fail(error, ORR_IO, "%s: cannot be written", a->json);
}

int main(int argc, char **argv) {
    arguments a = {.options.progress = show_progress};
    if (!parse(argc, argv, &a)) {
        fprintf(stderr, "usage: nist [--bits N] [--sequences N] [-j N] [--as-printed] [--json FILE]"
                        " [--p-values] FILE|-|--subject NAME (with --sequences)\n");
        return ORR_USAGE;
    }
    orr_nist_result result = {0};
    orr_error error = {0};
    orr_status status = a.subject ? run_subject(&a, &result, &error)
                                  : orr_nist_file(a.file, &a.options, &result, &error);
    if (status == ORR_OK && a.json) status = write_json(&a, &result, &error);
    char *text = status == ORR_OK ? orr_nist_text(&result) : NULL;
    if (text) printf("%s", text);
    free(text);
    orr_nist_result_free(&result);
    if (status != ORR_OK) fprintf(stderr, "nist: %s\n", error.text);
    return (int)status;
}
