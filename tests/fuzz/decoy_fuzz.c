// Decoy images: PNG, JPEG and TIFF files of strangers, down to their channel sums.
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    orr_error error = {0};
    orr_decoy decoy = {{0, 0, 0}};
    char path[32];
    int fd = fuzz_file(data, size);
    orr_status status = orr_decoy_from_image(fuzz_path(fd, path), &decoy, NULL, &error);
    if (status == ORR_OK) {
        for (int c = 0; c < 3; c++)
            fuzz_check(decoy.sum[c] <= 255ull << 26, "sums stay below 64 Mi samples of 255");
    } else {
        fuzz_check(status == ORR_UNSUPPORTED && error.text[0],
                   "a file that is no decoy is refused with a sentence");
    }
    close(fd);
    return 0;
}
