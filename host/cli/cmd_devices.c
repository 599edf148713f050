// orrery devices
#include "host/cli/cli.h"

orr_status orr_cmd_devices(orr_cli *cli, orr_error *error) {
    orr_backend *backend = NULL;
    orr_status status = orr_cpu_backend_open(0, ORR_SIMD_BEST, &backend, error);
    if (status != ORR_OK) return status;
    orr_backend_properties properties = {0};
    backend->api->properties(backend, &properties);
    status = orr_backend_self_test(backend, error);
    const char *verdict = status == ORR_OK ? "ok" : "FAILED";
    if (cli->console.json) {
        cJSON *object = orr_json_message("device");
        cJSON_AddStringToObject(object, "device", backend->api->name);
        cJSON_AddStringToObject(object, "name", properties.name);
        cJSON_AddStringToObject(object, "simd", orr_simd_name(orr_cpu_simd(ORR_SIMD_BEST)));
        cJSON_AddNumberToObject(object, "threads", properties.threads);
        cJSON_AddBoolToObject(object, "self_test_passed", status == ORR_OK);
        orr_console_json(&cli->console, object);
    } else if (!cli->console.quiet) {
        orr_console_data(&cli->console, "%-8s%s; self-test %s", backend->api->name, properties.name,
                         verdict);
    }
    backend->api->close(backend);
    return status;
}
