// Latent vectors from a NumPy file, for comparing with other frameworks.
#ifndef ORRERY_GAN_NPY_H
#define ORRERY_GAN_NPY_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ORR_NPY_MAX_LATENTS 65536

// Reads an array of shape (count, latent) or (count, latent, 1, 1), little-endian float32 or
// float64 in C order (NumPy's NPY format 1.0 to 3.0). ORR_IO; ORR_UNSUPPORTED for any other file,
// shape or type, more than ORR_NPY_MAX_LATENTS vectors, or numbers that are not finite. *latents
// [count][latent] is malloc'ed.
orr_status orr_npy_latents(const char *path, uint32_t latent, uint32_t *count, float **latents,
                           orr_error *error);

#ifdef __cplusplus
}
#endif
#endif
