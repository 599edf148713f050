// orrery devices: what this machine has, each with the known-answer self-test.
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "kernels/cuda_loader.h"
#include "kernels/device.h"

static void show_json(orr_cli *cli, const char *device, const char *name,
                      const orr_backend_properties *properties, const orr_error *failure) {
    cJSON *object = orr_json_message("device");
    cJSON_AddStringToObject(object, "device", device);
    cJSON_AddStringToObject(object, "name", name);
    if (strcmp(device, "cpu") == 0) {
        cJSON_AddStringToObject(object, "simd", orr_simd_name(orr_cpu_simd(ORR_SIMD_BEST)));
        cJSON_AddNumberToObject(object, "threads", properties->threads);
    }
    cJSON_AddBoolToObject(object, "usable", failure->status == ORR_OK);
    if (failure->status == ORR_OK || failure->status == ORR_SELF_TEST)
        cJSON_AddBoolToObject(object, "self_test_passed", failure->status == ORR_OK);
    if (failure->status != ORR_OK) cJSON_AddStringToObject(object, "reason", failure->text);
    orr_console_json(&cli->console, object);
}

static const char *verdict(orr_status status) {
    if (status == ORR_OK) return "self-test ok";
    if (status == ORR_SELF_TEST) return "self-test FAILED: ";
    return status == ORR_UNSUPPORTED ? "not usable: " : "FAILED: ";
}

// Opens (which runs the self-test) and shows one device; what does not work with its reason.
static orr_status show_device(orr_cli *cli, const char *device, const char *name) {
    orr_backend *backend = NULL;
    orr_backend_properties properties = {0};
    orr_error failure = {.status = ORR_OK};
    failure.status = orr_device_open(device, NULL, &backend, &failure);
    if (backend) backend->api->properties(backend, &properties);
    if (!name) name = backend ? properties.name : device;
    if (cli->console.json)
        show_json(cli, device, name, &properties, &failure);
    else if (!cli->console.quiet)
        orr_console_data(&cli->console, "%-8s%s; %s%s", device, name, verdict(failure.status),
                         failure.status == ORR_OK ? "" : failure.text);
    if (backend) backend->api->close(backend);
    return failure.status;
}

static orr_status run(orr_cli *cli, orr_error *error) {
    orr_error reason = {0};
    orr_status worst = show_device(cli, "cpu", NULL);
    unsigned count = orr_cuda_device_count(&reason);
    if (!count) orr_console_note(&cli->console, "no CUDA device: %s", reason.text);
    for (unsigned n = 0; n < count; n++) {
        char device[16];
        orr_cuda_device info = {0};
        snprintf(device, sizeof device, "cuda:%u", n);
        // One that cannot say what it is will hardly open, and opening says why.
        int described = orr_cuda_device_describe(n, &info, NULL) == ORR_OK;
        orr_status status = show_device(cli, device, described ? info.name : NULL);
        // A device that is too old, say, has not failed: there is nothing to repair.
        if (status != ORR_OK && !(described && status == ORR_UNSUPPORTED)) worst = status;
    }
    if (worst != ORR_OK) return orr_fail(error, ORR_SELF_TEST, "a device failed: see the list");
    return ORR_OK;
}

const orr_command orr_cmd_devices = {
    .name = "devices",
    .synopsis = "[OPTION]...",
    .summary = "list the devices and test them",
    .details = "Lists the devices that can run the cipher, with the known-answer test of each.",
    .example = "orrery devices",
    .options = ORR_OPTIONS(&orr_option_json, &orr_option_quiet),
    .exit_statuses = ORR_EXIT(SELF_TEST),
    .unstoppable = 1,
    .run = run,
};
