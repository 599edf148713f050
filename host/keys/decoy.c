// Channel sums of decoy images; reading them is media/image_file.h's business.
#include <string.h>

#include "host/keys/keyring.h"
#include "media/image_file.h"

orr_status orr_decoy_from_image(const char *path, orr_decoy *decoy, const char **flaw,
                                orr_error *error) {
    orr_raster raster;
    memset(decoy, 0, sizeof *decoy);
    orr_status status = orr_raster_read(path, NULL, &raster, error);
    if (flaw) *flaw = raster.flaw;
    if (status != ORR_OK) return status;
    size_t pixels = (size_t)raster.width * raster.height;
    const uint8_t *pixel = raster.pixels;
    for (size_t i = 0; i < pixels; i++, pixel += raster.channels)
        for (size_t c = 0; c < 3; c++) decoy->sum[c] += pixel[raster.channels == 3 ? c : 0];
    orr_raster_free(&raster);
    return ORR_OK;
}
