// NumPy files of strangers, read as latent vectors. Byte 0 is the generator's latent size.
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "gan/npy.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_input input = {data, size};
    uint32_t latent = fuzz_byte(&input), count = 0;
    int fd = fuzz_file(input.at, input.left);
    char path[32];
    float *latents = NULL;
    orr_error error = {0};
    if (orr_npy_latents(fuzz_path(fd, path), latent, &count, &latents, &error) == ORR_OK) {
        fuzz_check(count >= 1 && (uint64_t)count * latent * 4 <= input.left,
                   "vectors come from the file");
        for (size_t i = 0; i < (size_t)count * latent; i++)
            fuzz_check(isfinite(latents[i]), "numbers are finite");
        free(latents);
    } else {
        fuzz_check(error.status == ORR_UNSUPPORTED && !latents, "a file is refused as unsupported");
    }
    close(fd);
    return 0;
}
