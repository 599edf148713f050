// The decoy pool of a new keyring from a generator. Its latents come from the operating system's
// generator and are wiped; the images stay in memory only, unless --save-decoys asks for them.
#include <stdlib.h>
#include <string.h>

#include "cli/generator.h"
#include "cli/stop.h"
#include "gan/philox.h"
#include "training/quality.h"

#define WORDS 256 // drawn at a time

// Normal deviates from random words of the system, by the transform of gan/philox.h.
static orr_status secret_latents(float *latents, size_t count, orr_error *error) {
    uint32_t words[WORDS];
    float pair[2];
    orr_status status = ORR_OK;
    for (size_t i = 0; i < count && status == ORR_OK; i += 2) {
        size_t at = i % WORDS;
        if (at == 0) status = orr_random(words, sizeof words, error);
        if (status != ORR_OK) break;
        orr_normal_pair(words[at], words[at + 1], &pair[0], &pair[1]);
        latents[i] = pair[0];
        if (i + 1 < count) latents[i + 1] = pair[1];
    }
    orr_wipe(words, sizeof words);
    orr_wipe(pair, sizeof pair);
    return status;
}

// A generator that has collapsed makes the same image again and again: no pool of decoys. Before
// anything is kept or saved of them.
static orr_status check_diversity(const orr_generator *generator, orr_error *error) {
    double diversity =
        orr_diversity(generator->pixels, ORR_POOL_COMPARED, generator->weights.shape.image_size,
                      generator->weights.shape.channels);
    if (diversity >= ORR_POOL_DIVERSITY) return ORR_OK;
    return orr_fail(error, ORR_UNSUPPORTED,
                    "the generator's images hardly differ: by %.2f grey levels in the mean of %d "
                    "images, and less than %g is refused; use weights of another step or run",
                    diversity, (int)ORR_POOL_COMPARED, ORR_POOL_DIVERSITY);
}

static orr_status check_variety(const orr_keyring *keyring, orr_error *error) {
    size_t count = keyring->decoy_count;
    uint64_t(*sums)[3] = malloc(count * sizeof *sums);
    if (!sums) return orr_fail(error, ORR_INTERNAL, "memory ran out");
    for (size_t i = 0; i < count; i++) memcpy(sums[i], keyring->decoys[i].sum, sizeof *sums);
    size_t different = orr_different_sums(sums, count);
    orr_wipe(sums, count * sizeof *sums);
    free(sums);
    if (orr_pool_useful(ORR_POOL_DIVERSITY, different, count)) return ORR_OK;
    return orr_fail(
        error, ORR_UNSUPPORTED,
        "the generator makes too few different images: %zu among %zu; use other weights", different,
        count);
}

static orr_status one_batch(orr_generator *generator, orr_keyring *keyring, float *latents,
                            uint32_t count, const char *folder, orr_error *error) {
    size_t samples = orr_gan_output_floats(&generator->weights.network);
    int first = keyring->decoy_count == 0;
    uint32_t made = first && count < ORR_POOL_COMPARED ? ORR_POOL_COMPARED : count;
    orr_status status =
        secret_latents(latents, (size_t)made * generator->weights.shape.latent, error);
    if (status == ORR_OK) status = orr_generator_run(generator, latents, made, error);
    if (status == ORR_OK && first) status = check_diversity(generator, error);
    for (uint32_t i = 0; i < count && status == ORR_OK; i++) {
        const uint8_t *pixels = generator->pixels + i * samples;
        orr_decoy decoy;
        orr_generator_sums(generator, pixels, &decoy);
        if (folder)
            status = orr_generator_save(generator, pixels, folder, keyring->decoy_count, error);
        if (status == ORR_OK) status = orr_keyring_add_decoy(keyring, &decoy, error);
        orr_wipe(&decoy, sizeof decoy);
    }
    return status;
}

orr_status orr_cli_decoy_pool(orr_cli *cli, orr_generator *generator, orr_keyring *keyring,
                              orr_error *error) {
    const orr_arguments *a = &cli->arguments;
    uint32_t left = a->decoys.count ? a->decoys.count : ORR_DEFAULT_DECOYS;
    orr_status status = orr_generator_start(generator, 0, error);
    if (status != ORR_OK) return status;
    size_t bytes = generator->at_once * (size_t)generator->weights.shape.latent * sizeof(float);
    float *latents = malloc(bytes);
    if (!latents) return orr_fail(error, ORR_INTERNAL, "memory ran out");
    if (a->decoys.save) status = orr_generator_folder(generator, a->decoys.save, 1, error);
    while (left && status == ORR_OK) {
        if (orr_stop_requested) {
            status = orr_fail(error, ORR_STOPPED, "stopped by a signal; no keyring was written");
            break;
        }
        uint32_t some = left < generator->at_once ? left : generator->at_once;
        status = one_batch(generator, keyring, latents, some, a->decoys.save, error);
        left -= some;
    }
    if (status == ORR_OK) status = check_variety(keyring, error);
    memcpy(keyring->generator_hash, generator->sha256, sizeof keyring->generator_hash);
    orr_wipe(latents, bytes);
    free(latents);
    return status;
}
