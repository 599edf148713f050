// Every option of every command.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cli/options.h"
#include "base/text.h"

#define ON(command) (1u << ORR_COMMAND_##command)
#define CIPHER_JOBS (ON(ENCRYPT) | ON(DECRYPT) | ON(VERIFY) | ON(REENCRYPT))
#define ALL_JOBS (CIPHER_JOBS | ON(REWRAP))
#define KEYRING_CHANGES (ON(KEYRING_ADD) | ON(KEYRING_SET_STATE) | ON(KEYRING_PASSWD))
#define KEYRING_READERS (KEYRING_CHANGES | ON(KEYRING_LIST))
#define ALL_KEYRING (KEYRING_READERS | ON(KEYRING_NEW))

#define FLAG(field)                                                                        \
    static orr_status set_##field(orr_arguments *a, const char *value, orr_error *error) { \
        (void)value, (void)error;                                                          \
        a->field = 1;                                                                      \
        return ORR_OK;                                                                     \
    }
#define TEXT(field, what)                                                                  \
    static orr_status set_##field(orr_arguments *a, const char *value, orr_error *error) { \
        if (!*value) return orr_fail(error, ORR_USAGE, "%s must not be empty", what);      \
        a->field = value;                                                                  \
        return ORR_OK;                                                                     \
    }
FLAG(help)
FLAG(json)
FLAG(quiet)
FLAG(verbose)
FLAG(dry_run)
FLAG(salvage)
FLAG(unauthenticated)
FLAG(trust_times)
FLAG(redo_damaged)
FLAG(allow_empty)
FLAG(nested)
FLAG(sparse)
FLAG(sha256)
FLAG(yes)
FLAG(quick)
FLAG(no_passphrase)
TEXT(keyring, "--keyring")
TEXT(output, "--output")
TEXT(to, "--to")
TEXT(passphrase_file, "--passphrase-file")
TEXT(new_passphrase_file, "--new-passphrase-file")
TEXT(files_from, "--files-from")
TEXT(files_from0, "--files-from0")
TEXT(bits_file, "--bits")
TEXT(only, "--only")
TEXT(attacked, "--weights")
TEXT(json_file, "--json")
TEXT(html_file, "--html")
TEXT(directory, "--directory")
TEXT(weights, "--weights")
TEXT(latents, "--latents")
TEXT(save_decoys, "--save-decoys")

static orr_status set_label(orr_arguments *a, const char *value, orr_error *error) {
    size_t length = strlen(value);
    if (length == 0 || length >= ORR_LABEL_BYTES || !orr_utf8_valid(value)) {
        return orr_fail(error, ORR_USAGE, "--label takes 1 to %d bytes of UTF-8 text",
                        ORR_LABEL_BYTES - 1);
    }
    a->label = value;
    return ORR_OK;
}

static orr_status set_decoy(orr_arguments *a, const char *value, orr_error *error) {
    if (!*value) return orr_fail(error, ORR_USAGE, "--decoy must not be empty");
    a->decoys[a->decoy_count++] = (char *)value; // room for argc of them
    return ORR_OK;
}

static orr_status set_passphrase_fd(orr_arguments *a, const char *value, orr_error *error) {
    uint64_t fd = 0;
    orr_status status = orr_value_count(value, "--passphrase-fd", 0, 65535, &fd, error);
    a->passphrase_fd = (int)fd;
    return status;
}

static orr_status set_new_passphrase_fd(orr_arguments *a, const char *value, orr_error *error) {
    uint64_t fd = 0;
    orr_status status = orr_value_count(value, "--new-passphrase-fd", 0, 65535, &fd, error);
    a->new_passphrase_fd = (int)fd;
    return status;
}

static orr_status set_profile(orr_arguments *a, const char *value, orr_error *error) {
    if (strcmp(value, "archive") == 0) {
        a->profile = ORR_PROFILE_ARCHIVE;
    } else if (strcmp(value, "paper") == 0) {
        a->profile = ORR_PROFILE_PAPER;
    } else {
        return orr_fail(error, ORR_USAGE, "--profile takes archive or paper, not \"%s\"", value);
    }
    return ORR_OK;
}

static orr_status set_rule(orr_arguments *a, const char *value, orr_error *error) {
    uint64_t rule = 0;
    orr_status status = orr_value_count(value, "--rule", 1, ORR_RULE_COUNT, &rule, error);
    a->rule = (uint32_t)rule;
    return status;
}

static orr_status set_mu(orr_arguments *a, const char *value, orr_error *error) {
    return orr_value_real(value, "--mu", &a->mu, error);
}

static orr_status set_device(orr_arguments *a, const char *value, orr_error *error) {
    uint64_t number = 0;
    a->device = value;
    if (strcmp(value, "auto") == 0 || strcmp(value, "cpu") == 0 || strcmp(value, "cuda") == 0)
        return ORR_OK;
    if (strncmp(value, "cuda:", 5) == 0 &&
        orr_value_count(value + 5, "--device cuda:N", 0, 255, &number, NULL) == ORR_OK)
        return ORR_OK;
    return orr_fail(error, ORR_USAGE, "--device takes auto, cpu, cuda or cuda:N, not \"%s\"",
                    value);
}

static orr_status set_jobs(orr_arguments *a, const char *value, orr_error *error) {
    uint64_t jobs = 0;
    orr_status status = orr_value_count(value, "--jobs", 1, ORR_CLI_MAX_JOBS, &jobs, error);
    a->jobs = (unsigned)jobs;
    return status;
}

static orr_status set_mem(orr_arguments *a, const char *value, orr_error *error) {
    orr_status status = orr_value_size(value, "--mem", &a->mem, error);
    if (status == ORR_OK && a->mem < ORR_CLI_MIN_MEM) {
        status = orr_fail(error, ORR_USAGE, "--mem must be at least 64M, not \"%s\"", value);
    }
    return status;
}

static orr_status set_names(orr_arguments *a, const char *value, orr_error *error) {
    a->opaque_names = strcmp(value, "opaque") == 0;
    if (!a->opaque_names && strcmp(value, "keep") != 0) {
        return orr_fail(error, ORR_USAGE, "--names takes keep or opaque, not \"%s\"", value);
    }
    return ORR_OK;
}

static orr_status set_check(orr_arguments *a, const char *value, orr_error *error) {
    if (strcmp(value, "cpu") != 0)
        return orr_fail(error, ORR_USAGE, "--check takes cpu, not \"%s\"", value);
    a->check_cpu = 1;
    return ORR_OK;
}

static orr_status set_subset(orr_arguments *a, const char *value, orr_error *error) {
    size_t length = strlen(value);
    char number[32];
    if (length < 2 || value[length - 1] != '%') {
        if (orr_value_fraction(value, "--subset", &a->subset_n, &a->subset_of, NULL) == ORR_OK)
            return ORR_OK;
    } else if (length < sizeof number) {
        memcpy(number, value, length - 1);
        number[length - 1] = 0;
        double percent = 0;
        if (orr_value_real(number, "--subset", &percent, NULL) == ORR_OK && percent > 0 &&
            percent <= 100) {
            a->subset_share = percent;
            return ORR_OK;
        }
    }
    return orr_fail(error, ORR_USAGE,
                    "--subset takes a part as in 3/7, or a percentage as in 5%%, not \"%s\"",
                    value);
}

static orr_status set_shard(orr_arguments *a, const char *value, orr_error *error) {
    return orr_value_fraction(value, "--shard", &a->shard_i, &a->shard_n, error);
}

static orr_status set_seed(orr_arguments *a, const char *value, orr_error *error) {
    return orr_value_hex(value, "--seed", a->seed, sizeof a->seed, error);
}

static orr_status set_run_seed(orr_arguments *a, const char *value, orr_error *error) {
    return orr_value_count(value, "--seed", 0, UINT64_MAX, &a->run_seed, error);
}

static orr_status set_count(orr_arguments *a, const char *value, orr_error *error) {
    uint64_t count = 0;
    orr_status status = orr_value_count(value, "--count", 1, ORR_KEYRING_MAX_DECOYS, &count, error);
    a->count = (uint32_t)count;
    return status;
}

static orr_status set_decoys(orr_arguments *a, const char *value, orr_error *error) {
    uint64_t count = 0;
    orr_status status =
        orr_value_count(value, "--decoys", 1, ORR_KEYRING_MAX_DECOYS, &count, error);
    a->decoy_pool = (uint32_t)count;
    return status;
}

static orr_status set_bytes(orr_arguments *a, const char *value, orr_error *error) {
    return orr_value_size(value, "--bytes", &a->bytes, error);
}

// ---- train
static orr_status set_data(orr_arguments *a, const char *value, orr_error *error) {
    if (!*value) return orr_fail(error, ORR_USAGE, "--data must not be empty");
    a->folders[a->training.folder_count++] = value; // room for argc of them
    return ORR_OK;
}

// A whole number that goes to a field of the training options.
#define TRAINING_COUNT(field, target, option, least, most, bit)                            \
    static orr_status set_##field(orr_arguments *a, const char *value, orr_error *error) { \
        uint64_t number = 0;                                                               \
        orr_status status = orr_value_count(value, option, least, most, &number, error);   \
        a->training.target = (uint32_t)number;                                             \
        a->training.given |= (bit);                                                        \
        return status;                                                                     \
    }
TRAINING_COUNT(epochs, epochs, "--epochs", 1, ORR_TRAINING_MAX_EPOCHS, ORR_TRAINING_GAVE_EPOCHS)
TRAINING_COUNT(batch, gan.batch, "--batch", 1, ORR_GAN_MAX_BATCH, ORR_TRAINING_GAVE_BATCH)
TRAINING_COUNT(width, shape.width, "--width", 1, ORR_GAN_MAX_WIDTH, ORR_TRAINING_GAVE_WIDTH)
TRAINING_COUNT(latent, shape.latent, "--latent", 1, ORR_GAN_MAX_LATENT, ORR_TRAINING_GAVE_LATENT)
TRAINING_COUNT(snapshot_every, snapshot_every, "--snapshot-every", 1, ORR_TRAINING_MAX_EPOCHS,
               ORR_TRAINING_GAVE_EVERY)
TRAINING_COUNT(keep, keep, "--keep", 1, ORR_TRAINING_MAX_KEEP, ORR_TRAINING_GAVE_KEEP)
TRAINING_COUNT(threads, gan.threads, "--threads", 1, ORR_CLI_MAX_JOBS, 0)

static orr_status set_image(orr_arguments *a, const char *value, orr_error *error) {
    if (strcmp(value, "32") && strcmp(value, "64") && strcmp(value, "128"))
        return orr_fail(error, ORR_USAGE, "--image takes 32, 64 or 128, not \"%s\"", value);
    a->training.shape.image_size = (uint32_t)strtoul(value, NULL, 10);
    a->training.given |= ORR_TRAINING_GAVE_SIZE;
    return ORR_OK;
}

static orr_status set_channels(orr_arguments *a, const char *value, orr_error *error) {
    if (strcmp(value, "1") && strcmp(value, "3"))
        return orr_fail(error, ORR_USAGE, "--channels takes 1 (gray) or 3 (RGB), not \"%s\"",
                        value);
    a->training.shape.channels = (uint32_t)strtoul(value, NULL, 10);
    a->training.given |= ORR_TRAINING_GAVE_CHANNELS;
    return ORR_OK;
}

static orr_status set_training_seed(orr_arguments *a, const char *value, orr_error *error) {
    a->training.given |= ORR_TRAINING_GAVE_SEED;
    return orr_value_count(value, "--seed", 0, UINT64_MAX, &a->training.seed, error);
}

static orr_status set_learning_rate(orr_arguments *a, const char *value, orr_error *error) {
    double rate = 0;
    orr_status status = orr_value_real(value, "--learning-rate", &rate, error);
    if (status == ORR_OK && !((float)rate > 0 && rate <= 1)) // 1e-50 is 0 as a float
        status = orr_fail(error, ORR_USAGE, "--learning-rate takes a number above 0, at most 1");
    a->training.gan.learning_rate = (float)rate;
    a->training.given |= ORR_TRAINING_GAVE_RATE;
    return status;
}

static orr_status set_window(orr_arguments *a, const char *value, orr_error *error) {
    int low = 0, high = 0, end = 0;
    if (sscanf(value, "%6d:%6d%n", &low, &high, &end) != 2 || value[end] || low >= high ||
        low < -32768 || high > 65535)
        return orr_fail(error, ORR_USAGE,
                        "--window takes two whole numbers as in -160:240, the lower one first, not "
                        "\"%s\"",
                        value);
    a->training.window = (orr_window){low, high};
    a->training.has_window = 1;
    a->training.given |= ORR_TRAINING_GAVE_WINDOW;
    return ORR_OK;
}

static orr_status set_precision(orr_arguments *a, const char *value, orr_error *error) {
    static const char *const names[] = {"float32", "tf32", "bf16"}; // as orr_gan_precision
    for (int i = 0; i < 3; i++) {
        if (strcmp(value, names[i])) continue;
        a->training.gan.precision = (orr_gan_precision)i;
        a->training.given |= ORR_TRAINING_GAVE_PRECISION;
        return ORR_OK;
    }
    return orr_fail(error, ORR_USAGE, "--precision takes float32, tf32 or bf16, not \"%s\"", value);
}

static orr_status set_no_flip(orr_arguments *a, const char *value, orr_error *error) {
    (void)value, (void)error;
    a->training.flip = 0;
    a->training.given |= ORR_TRAINING_GAVE_FLIP;
    return ORR_OK;
}

static orr_status set_resume(orr_arguments *a, const char *value, orr_error *error) {
    (void)value, (void)error;
    a->training.resume = 1;
    return ORR_OK;
}

const orr_option orr_options[] = {
    {'k', "keyring", "FILE", "the keyring file", ALL_JOBS | KEYRING_READERS, set_keyring, 0},
    {'o', "output", "OUT", "output directory; for one input also a file",
     ON(ENCRYPT) | ON(REENCRYPT), set_output, 0},
    {'o', "output", "OUT", "output directory; for one input also a file, or -", ON(DECRYPT),
     set_output, 0},
    {'o', "output", "KEYRING", "the new keyring file; never overwrites", ON(KEYRING_NEW),
     set_output, 0},
    {'o', "output", "REPORTDIR", "the report's directory; made anew, or empty", ON(ANALYZE),
     set_output, 0},
    {0, "data", "DIR...", "folders of PNG, JPEG, TIFF images", ON(TRAIN), set_data, 1},
    {'o', "output", "RUNDIR", "directory of the run; never overwritten", ON(TRAIN), set_output, 0},
    {0, "resume", NULL, "go on with the run in RUNDIR, if there is one", ON(TRAIN), set_resume, 0},
    {0, "epochs", "N", "how often each image is seen [100]", ON(TRAIN), set_epochs, 0},
    {0, "batch", "N", "images a step, 1 to 4096 [128]", ON(TRAIN), set_batch, 0},
    {0, "image", "PIXELS", "size to train at: 32, 64 or 128 [64]", ON(TRAIN), set_image, 0},
    {0, "channels", "N", "1: gray, 3: RGB [3]", ON(TRAIN), set_channels, 0},
    {0, "width", "N", "feature maps, 1 to 256; published: 64 [64]", ON(TRAIN), set_width, 0},
    {0, "latent", "N", "numbers an image is made from, 1 to 1024 [100]", ON(TRAIN), set_latent, 0},
    {0, "learning-rate", "X", "of Adam, with beta 0.5 and 0.999 [0.0002]", ON(TRAIN),
     set_learning_rate, 0},
    {0, "no-flip", NULL, "do not mirror every other image", ON(TRAIN), set_no_flip, 0},
    {0, "window", "LOW:HIGH", "16-bit values that become 0 and 255 [0:65535]", ON(TRAIN),
     set_window, 0},
    {0, "seed", "N", "of weights, order, latents [1]", ON(TRAIN), set_training_seed, 0},
    {0, "snapshot-every", "N", "epochs between grids and checkpoints [5]", ON(TRAIN),
     set_snapshot_every, 0},
    {0, "keep", "N", "how many checkpoints stay [3]", ON(TRAIN), set_keep, 0},
    {0, "precision", "NAME", "float32; on GPUs also tf32, bf16 [float32]", ON(TRAIN), set_precision,
     0},
    {'j', "threads", "N", "CPU threads [one a core]", ON(TRAIN), set_threads, 0},
    {'o', "output", "OUT", "grid.png: one picture; else a directory of files", ON(GENERATE),
     set_output, 0},
    {0, "weights", "FILE", "the generator, a safetensors file", ON(GENERATE), set_weights, 0},
    {0, "weights", "FILE", "a generator, whose images are the decoys", ON(KEYRING_NEW), set_weights,
     0},
    {0, "decoys", "N", "how many decoys the generator makes [256]", ON(KEYRING_NEW), set_decoys, 0},
    {0, "save-decoys", "DIR", "keep the generator's decoys, as PNG files", ON(KEYRING_NEW),
     set_save_decoys, 0},
    {'n', "count", "N", "how many images, 1 to 65536 [64]", ON(GENERATE), set_count, 0},
    {0, "seed", "N", "of the latent vectors [1]", ON(GENERATE), set_run_seed, 0},
    {0, "latents", "FILE", "latent vectors from a NumPy file (.npy) instead", ON(GENERATE),
     set_latents, 0},
    {0, "decoy", "IMAGE...", "PNG, JPEG, TIFF images that take part in the keys", ON(KEYRING_NEW),
     set_decoy, 1},
    {0, "label", "TEXT", "name of the new master key [master]", ON(KEYRING_NEW) | ON(KEYRING_ADD),
     set_label, 0},
    {0, "to", "KEY", "master key to wrap under [the active one]", ON(REWRAP) | ON(REENCRYPT),
     set_to, 0},
    {0, "profile", "NAME", "archive, or paper: pixels not sealed [archive]", ON(ENCRYPT),
     set_profile, 0},
    {0, "rule", "N", "VPD rule, 1 to 40320 [37241, or the file's own]", ON(ENCRYPT) | ON(REENCRYPT),
     set_rule, 0},
    {0, "mu", "X", "of the 1-DEC map, paper only [0.0519999999988]", ON(ENCRYPT), set_mu, 0},
    {0, "names", "HOW", "keep, or opaque: names that tell nothing [keep]",
     ON(ENCRYPT) | ON(REENCRYPT), set_names, 0},
    {0, "sha256", NULL, "record each file's SHA-256 inside the seal", ON(ENCRYPT), set_sha256, 0},
    {0, "check", "cpu", "decrypt on the CPU before a file gets its name",
     ON(ENCRYPT) | ON(REENCRYPT), set_check, 0},
    {0, "salvage", NULL, "write what verifies of damaged files, with gaps", ON(DECRYPT),
     set_salvage, 0},
    {0, "unauthenticated", NULL, "paper: write altered pixels, by another name", ON(DECRYPT),
     set_unauthenticated, 0},
    {0, "trust-times", NULL, "sealed size and time are enough to be finished",
     ON(ENCRYPT) | ON(DECRYPT), set_trust_times, 0},
    {0, "redo-damaged", NULL, "read existing outputs; make damaged ones anew", ON(ENCRYPT),
     set_redo_damaged, 0},
    {0, "allow-empty", NULL, "an input without any file is fine", ON(ENCRYPT), set_allow_empty, 0},
    {0, "nested", NULL, "encrypt also what is encrypted already", ON(ENCRYPT), set_nested, 0},
    {0, "sparse", NULL, "archive: leave holes for zero blocks of 4 KiB", ON(DECRYPT), set_sparse,
     0},
    {0, "subset", "PART", "3/7: the third of seven parts; 5%: that share", ON(VERIFY), set_subset,
     0},
    {0, "shard", "I/N", "the I-th of N shares of the files", ALL_JOBS, set_shard, 0},
    {0, "files-from", "FILE", "inputs from FILE (-: stdin), one a line",
     ALL_JOBS | ON(INSPECT), set_files_from, 0},
    {0, "files-from0", "FILE", "each ended by a zero byte", ALL_JOBS | ON(INSPECT),
     set_files_from0, 0},
    {0, "json", "FILE", "write the record there (docs/BENCHMARKS.md)", ON(BENCH), set_json_file, 0},
    {0, "html", "FILE", "write a page with tables and charts", ON(BENCH), set_html_file, 0},
    {0, "quick", NULL, "smaller sizes and fewer rounds: under a minute", ON(BENCH), set_quick, 0},
    {0, "directory", "DIR", "for the pipeline's files [/dev/shm]", ON(BENCH), set_directory, 0},
    {0, "device", "NAME", "auto, cpu, cuda or cuda:N [auto]",
     CIPHER_JOBS | ON(BENCH) | ON(TRAIN) | ON(GENERATE) | ON(KEYRING_NEW), set_device, 0},
    {'j', "jobs", "N", "worker threads, 1 to 1024 [one a core]",
     ALL_JOBS | ON(ANALYZE) | ON(BENCH) | ON(GENERATE), set_jobs, 0},
    {0, "mem", "SIZE", "most memory, as in 2G [256M; paper: half of RAM]", CIPHER_JOBS, set_mem, 0},
    {0, "passphrase-file", "FILE", "the passphrase is FILE's first line",
     ALL_JOBS | ALL_KEYRING, set_passphrase_file, 0},
    {0, "passphrase-fd", "N", "passphrase from descriptor N", ALL_JOBS | ALL_KEYRING,
     set_passphrase_fd, 0},
    {0, "new-passphrase-file", "FILE", "the new one is FILE's first line",
     ON(KEYRING_PASSWD), set_new_passphrase_file, 0},
    {0, "new-passphrase-fd", "N", "the new one from descriptor N", ON(KEYRING_PASSWD),
     set_new_passphrase_fd, 0},
    {0, "no-passphrase", NULL, "none: whoever reads the file has the keys",
     ON(KEYRING_NEW) | ON(KEYRING_PASSWD), set_no_passphrase, 0},
    {0, "yes", NULL, "do not ask before destroying a key", ON(KEYRING_SET_STATE), set_yes, 0},
    {0, "seed", "HEX", "up to 64 bytes, zeros appended [zeros]", ON(KEYSTREAM), set_seed, 0},
    {0, "seed", "N", "of keys, noise and chosen texts [1]", ON(ANALYZE), set_run_seed, 0},
    {0, "only", "LIST", "sections, apart by commas, as in keys,attacks", ON(ANALYZE), set_only, 0},
    {0, "weights", "FILE", "safetensors of the discriminator to attack", ON(ANALYZE), set_attacked,
     0},
    {0, "bits", "FILE", "only NIST SP 800-22, on the bits of FILE", ON(ANALYZE), set_bits_file, 0},
    {0, "quick", NULL, "fewer trials, smaller attacks: under a minute", ON(ANALYZE), set_quick, 0},
    {0, "bytes", "N", "how many, as in 1G [until the reader stops]", ON(KEYSTREAM), set_bytes, 0},
    {0, "dry-run", NULL, "only say what would be done",
     ON(ENCRYPT) | ON(DECRYPT) | ON(REWRAP) | ON(REENCRYPT) | ON(KEYRING_NEW) | KEYRING_CHANGES |
         ON(TRAIN) | ON(GENERATE),
     set_dry_run, 0},
    {0, "json", NULL, "JSON lines on stdout (docs/CLI.md)",
     ALL_JOBS | ALL_KEYRING | ON(INSPECT) | ON(DEVICES) | ON(ANALYZE) | ON(TRAIN) | ON(GENERATE),
     set_json, 0},
    {'q', "quiet", NULL, "only errors",
     ALL_JOBS | ALL_KEYRING | ON(INSPECT) | ON(DEVICES) | ON(ANALYZE) | ON(BENCH) | ON(TRAIN) |
         ON(GENERATE),
     set_quiet, 0},
    {'v', "verbose", NULL, "a line for each file", ALL_JOBS, set_verbose, 0},
    {'v', "verbose", NULL, "name files left out, devices passed over", ON(TRAIN),
     set_verbose, 0},
    {'v', "verbose", NULL, "name devices that auto passes over",
     ON(GENERATE) | ON(KEYRING_NEW), set_verbose, 0},
    {'h', "help", NULL, "this text", ~0u, set_help, 1},
};
const size_t orr_option_count = sizeof orr_options / sizeof *orr_options;
