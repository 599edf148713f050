// From --device to an open backend that has passed its self-test.
#include "host/cli/cli.h"

orr_status orr_cli_backend(orr_cli *cli, orr_backend **backend, orr_error *error) {
    const orr_arguments *a = &cli->arguments;
    *backend = NULL;
    if (a->device == ORR_DEVICE_CUDA) {
        return orr_fail(error, ORR_UNSUPPORTED,
                        "no CUDA backend is built into this program; use --device cpu, or auto");
    }
    orr_status status = orr_cpu_backend_open(a->jobs, ORR_SIMD_BEST, backend, error);
    if (status != ORR_OK) return status;
    status = orr_backend_self_test(*backend, error);
    if (status != ORR_OK) {
        (*backend)->api->close(*backend);
        *backend = NULL;
    }
    return status;
}
