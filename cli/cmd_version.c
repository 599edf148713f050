// orrery version: which Orrery this is, and which of its modules are there.
#include <string.h>

#include "base/version.h"
#include "cli/cli.h"
#include "cli/modules.h"

static const char *state_of(const orr_library *module) {
    switch (module->state) {
    case ORR_LIBRARY_LOADED:
        return "present";
    case ORR_LIBRARY_MISSING:
        return "missing";
    default:
        return "refused";
    }
}

static cJSON *module_object(const orr_library *module) {
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "file", module->file);
    cJSON_AddStringToObject(object, "what", module->what);
    cJSON_AddStringToObject(object, "state", state_of(module));
    if (module->state != ORR_LIBRARY_LOADED)
        cJSON_AddStringToObject(object, "reason", module->error.text);
    return object;
}

static orr_status run(orr_cli *cli, orr_error *error) {
    (void)error;
    for (size_t i = 0; i < orr_cli_module_count; i++) orr_library_table(orr_cli_modules[i], NULL);
    if (cli->console.json) {
        cJSON *object = orr_json_message("version");
        cJSON_AddStringToObject(object, "version", orr_version());
        cJSON_AddStringToObject(object, "commit", orr_commit());
        cJSON *modules = cJSON_AddArrayToObject(object, "modules");
        for (size_t i = 0; i < orr_cli_module_count; i++)
            cJSON_AddItemToArray(modules, module_object(orr_cli_modules[i]));
        orr_console_json(&cli->console, object);
        return ORR_OK;
    }
    orr_console_data(&cli->console, "orrery %s", orr_version());
    orr_console_data(&cli->console, "commit %s", orr_commit());
    for (size_t i = 0; i < orr_cli_module_count; i++) {
        const orr_library *module = orr_cli_modules[i];
        int present = module->state == ORR_LIBRARY_LOADED;
        orr_console_data(&cli->console, "%s  %s", state_of(module),
                         present ? module->what : module->error.text);
    }
    return ORR_OK;
}

const orr_command orr_cmd_version = {
    .name = "version",
    .synopsis = "[OPTION]...",
    .summary = "show version, commit and modules",
    .details = "Shows the version, the commit that was built, and of each module (a part of the "
               "program that is loaded when it is needed) whether it is there, and if not, why.",
    .example = "orrery version",
    .options = ORR_OPTIONS(&orr_option_json),
    .unstoppable = 1,
    .run = run,
};
