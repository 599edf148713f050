// What is shown of a recipient file, by those who make one and by those who are given one.
#include "base/text.h"
#include "cli/cli.h"

orr_status orr_cli_show_recipient(orr_cli *cli, const char *path, const orr_recipient *recipient,
                                  orr_error *error) {
    char fingerprint[ORR_FINGERPRINT_TEXT], created[32], id[2 * ORR_KEY_ID_BYTES + 1];
    orr_console *out = &cli->console;
    orr_status status = orr_recipient_fingerprint(recipient, fingerprint, error);
    if (status != ORR_OK || (out->quiet && !out->json)) return status;
    orr_human_date(recipient->created, created);
    if (out->json) {
        cJSON *object = orr_json_message("recipient");
        orr_json_add_bytes(object, "file", path);
        orr_json_add_hex(object, "key_id", recipient->key_id, ORR_KEY_ID_BYTES);
        orr_json_add_bytes(object, "label", recipient->label);
        cJSON_AddStringToObject(object, "fingerprint", fingerprint);
        cJSON_AddStringToObject(object, "created", created);
        cJSON_AddNumberToObject(object, "decoys", (double)recipient->decoy_count);
        orr_console_json(out, object);
        return ORR_OK;
    }
    orr_hex(recipient->key_id, ORR_KEY_ID_BYTES, id);
    orr_console_data(out, "%s", path);
    orr_console_data(out, "  recipient        version 1: encrypts for this key, opens nothing");
    orr_console_data(out, "  key              %s", id);
    orr_console_data(out, "  label            %s", recipient->label);
    orr_console_data(out, "  fingerprint      %s", fingerprint);
    orr_console_data(out, "  created          %s", created);
    orr_console_data(out, "  decoys           %zu", recipient->decoy_count);
    return ORR_OK;
}
