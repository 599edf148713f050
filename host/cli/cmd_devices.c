// orrery devices: what this machine has, each with the known-answer self-test.
#include "host/cli/cli.h"
#include "kernels/cuda_loader.h"
#include "kernels/device.h"

// Opens (which runs the self-test) and shows one device. A failing device is shown with its reason.
static orr_status show_device(orr_cli *cli, const char *device, const char *name) {
    orr_backend *backend = NULL;
    orr_backend_properties properties = {0};
    orr_error failure = {0};
    orr_status status = orr_device_open(device, NULL, &backend, &failure);
    if (backend) backend->api->properties(backend, &properties);
    if (!name) name = properties.name;
    if (cli->console.json) {
        cJSON *object = orr_json_message("device");
        cJSON_AddStringToObject(object, "device", device);
        cJSON_AddStringToObject(object, "name", name);
        if (properties.threads) {
            cJSON_AddStringToObject(object, "simd", orr_simd_name(orr_cpu_simd(ORR_SIMD_BEST)));
            cJSON_AddNumberToObject(object, "threads", properties.threads);
        }
        cJSON_AddBoolToObject(object, "self_test_passed", status == ORR_OK);
        if (status != ORR_OK) cJSON_AddStringToObject(object, "reason", failure.text);
        orr_console_json(&cli->console, object);
    } else if (!cli->console.quiet) {
        orr_console_data(&cli->console, "%-8s%s; self-test %s%s%s", device, name,
                         status == ORR_OK ? "ok" : "FAILED", status == ORR_OK ? "" : ": ",
                         status == ORR_OK ? "" : failure.text);
    }
    if (backend) backend->api->close(backend);
    return status;
}

orr_status orr_cmd_devices(orr_cli *cli, orr_error *error) {
    orr_error reason = {0};
    orr_status worst = show_device(cli, "cpu", NULL);
    unsigned count = orr_cuda_device_count(&reason);
    if (!count) orr_console_note(&cli->console, "no CUDA device: %s", reason.text);
    for (unsigned n = 0; n < count; n++) {
        char device[16];
        orr_cuda_device info = {0};
        snprintf(device, sizeof device, "cuda:%u", n);
        orr_status status = orr_cuda_device_describe(n, &info, NULL);
        if (status == ORR_OK) status = show_device(cli, device, info.name);
        if (status != ORR_OK) worst = ORR_SELF_TEST;
    }
    if (worst != ORR_OK) return orr_fail(error, ORR_SELF_TEST, "a device failed: see the list");
    return ORR_OK;
}
