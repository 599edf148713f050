#include "kernels/device.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/cuda_loader.h"

#define MOST_DEVICES 64

static const orr_device_options no_options;

// Passes a backend on when it passes its self-test, else closes it.
static orr_status tested(orr_status status, orr_backend **backend, orr_error *error) {
    if (status == ORR_OK) status = orr_backend_self_test(*backend, error);
    if (status != ORR_OK && *backend) {
        (*backend)->api->close(*backend);
        *backend = NULL;
    }
    return status;
}

static orr_status open_cpu(const orr_device_options *options, orr_backend **backend,
                           orr_error *error) {
    return tested(orr_cpu_backend_open(options->threads, ORR_SIMD_BEST, backend, error), backend,
                  error);
}

static orr_status open_cuda(unsigned device, const orr_device_options *options,
                            orr_backend **backend, orr_error *error) {
    orr_cuda_options cuda = {.memory = options->memory};
    return tested(orr_cuda_backend_open(device, &cuda, backend, error), backend, error);
}

// A CUDA device with the CPU to fall back on. The device has failed when *backend stays NULL.
static orr_status open_with_fallback(unsigned device, const orr_device_options *options,
                                     orr_backend **backend, orr_error *error) {
    orr_backend *primary = NULL, *cpu = NULL;
    orr_error failure = {.status = ORR_OK};
    *backend = NULL;
    if (open_cuda(device, options, &primary, &failure) != ORR_OK) {
        if (options->report) options->report(options->context, &failure, 1);
        return ORR_OK;
    }
    orr_status status = open_cpu(options, &cpu, error);
    if (status != ORR_OK) {
        primary->api->close(primary);
        return status;
    }
    return orr_fallback_backend_open(primary, cpu, options->report, options->context, backend,
                                     error);
}

static orr_status join(orr_backend **members, unsigned count, orr_backend **backend,
                       orr_error *error) {
    if (count > 1) return orr_multi_backend_open(members, count, backend, error);
    *backend = members[0];
    return ORR_OK;
}

static void close_members(orr_backend **members, unsigned count) {
    for (unsigned n = 0; n < count; n++) members[n]->api->close(members[n]);
}

static orr_status open_auto(const orr_device_options *options, orr_backend **backend,
                            orr_error *error) {
    orr_backend *members[MOST_DEVICES];
    unsigned devices = orr_cuda_device_count(NULL), count = 0;
    for (unsigned n = 0; n < devices && n < MOST_DEVICES; n++) {
        orr_status status = open_with_fallback(n, options, &members[count], error);
        if (status != ORR_OK) {
            close_members(members, count);
            return status;
        }
        count += members[count] != NULL;
    }
    return count ? join(members, count, backend, error) : open_cpu(options, backend, error);
}

static orr_status open_all_cuda(const orr_device_options *options, orr_backend **backend,
                                orr_error *error) {
    orr_backend *members[MOST_DEVICES];
    unsigned devices = orr_cuda_device_count(error);
    if (devices == 0) return ORR_UNSUPPORTED;
    if (devices > MOST_DEVICES) devices = MOST_DEVICES;
    for (unsigned n = 0; n < devices; n++) {
        orr_status status = open_cuda(n, options, &members[n], error);
        if (status != ORR_OK) {
            close_members(members, n);
            return status;
        }
    }
    return join(members, devices, backend, error);
}

orr_status orr_device_open(const char *device, const orr_device_options *options,
                           orr_backend **backend, orr_error *error) {
    if (!options) options = &no_options;
    *backend = NULL;
    if (strcmp(device, "cpu") == 0) return open_cpu(options, backend, error);
    if (strcmp(device, "auto") == 0) return open_auto(options, backend, error);
    if (strcmp(device, "cuda") == 0) return open_all_cuda(options, backend, error);
    size_t digits = strncmp(device, "cuda:", 5) ? 0 : strspn(device + 5, "0123456789");
    if (digits >= 1 && digits <= 4 && device[5 + digits] == '\0')
        return open_cuda((unsigned)strtoul(device + 5, NULL, 10), options, backend, error);
    return orr_fail(error, ORR_USAGE, "unknown device '%.32s': choose auto, cpu, cuda or cuda:N",
                    device);
}
