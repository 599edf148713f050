// safetensors files of strangers, read as any tensors and as the weights of either network.
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "gan/weights.h"
#include "tests/fuzz/fuzz.h"

static void read_any(const char *path, size_t size) {
    orr_error error = {0};
    orr_safetensors file;
    if (orr_safetensors_open(path, &file, &error) != ORR_OK) {
        fuzz_check(error.status == ORR_UNSUPPORTED, "a file is refused as unsupported");
        return;
    }
    uint64_t bytes = 0;
    for (size_t i = 0; i < file.count; i++) {
        const orr_tensor_info *tensor = &file.tensors[i];
        fuzz_check(orr_safetensors_find(&file, tensor->name) == tensor, "names are unique");
        fuzz_check(tensor->offset + tensor->elements * orr_dtype_bytes(tensor->dtype) <= size,
                   "tensors lie inside the file");
        bytes += tensor->elements * orr_dtype_bytes(tensor->dtype);
        if (tensor->dtype > ORR_DTYPE_F64) continue;
        float *values = malloc(tensor->elements * sizeof *values + 1);
        fuzz_check(values != NULL, "tensors are no larger than the file");
        fuzz_check_ok(orr_safetensors_floats(&file, tensor, tensor->elements, values, &error),
                      &error, "numbers can be read");
        free(values);
    }
    fuzz_check(bytes < size, "tensors do not share bytes");
    orr_safetensors_close(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    int fd = fuzz_file(data, size);
    char path[32];
    fuzz_path(fd, path);
    read_any(path, size);
    for (int which = 0; which < 2; which++) {
        orr_error error = {0};
        orr_gan_weights weights;
        if (orr_gan_weights_read(path, which, &weights, &error) == ORR_OK) {
            for (size_t i = 0; i < weights.network.parameter_count; i++) {
                fuzz_check(isfinite(weights.parameters[i]), "weights are finite");
            }
            orr_gan_weights_free(&weights);
        } else {
            fuzz_check(error.status == ORR_UNSUPPORTED, "weights are refused as unsupported");
        }
    }
    close(fd);
    return 0;
}
