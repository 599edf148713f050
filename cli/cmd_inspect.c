// orrery inspect: what anyone can read from an encrypted file, or from a recipient file.
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/cli.h"
#include "cli/stop.h"

#define ARCHIVE_WORDS \
    "confidentiality and integrity: AES-256-GCM; the planet layer adds no claimed bits"
#define PAPER_WORDS                                                                               \
    "pixels are not sealed: no confidentiality is claimed and they are not authenticated; path, " \
    "tags and digest are sealed with AES-256-GCM"

// *fd is the caller's, or -1.
static orr_status open_regular(const char *path, int *fd, uint64_t *bytes, orr_error *error) {
    struct stat info;
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (*fd < 0) return orr_fail(error, ORR_IO, "%s: cannot open: %s", path, strerror(errno));
    if (fstat(*fd, &info) != 0) return orr_fail(error, ORR_IO, "%s: %s", path, strerror(errno));
    if (!S_ISREG(info.st_mode))
        return orr_fail(error, ORR_UNSUPPORTED, "%s: not a regular file", path);
    *bytes = (uint64_t)info.st_size;
    return ORR_OK;
}

static const char *plural(uint64_t count) {
    return count == 1 ? "" : "s";
}

static const char *profile_name(orr_profile profile) {
    return profile == ORR_PROFILE_PAPER ? "paper" : "archive";
}

// Paper-profile files have no geometry record; the first bytes tell the TIFF flavour of both.
static int is_big(const orr_container *container) {
    return container->page0[2] == 0x2b;
}

static uint64_t overhead(const orr_header *header) {
    return header->file_length > header->length ? header->file_length - header->length : 0;
}

static const char *wrap_name(unsigned type) {
    switch (type) {
    case ORR_WRAP_MASTER:
        return "master key";
    case ORR_WRAP_RECIPIENT:
        return "recipient";
    default:
        return "unknown";
    }
}

static cJSON *slot_object(const orr_container *container, int slot) {
    cJSON *object = cJSON_CreateObject();
    char letter[2] = {(char)('A' + slot), 0};
    cJSON_AddStringToObject(object, "slot", letter);
    cJSON_AddBoolToObject(object, "damaged", !container->slot_good[slot]);
    cJSON_AddBoolToObject(object, "active", container->active == slot);
    if (!container->slot_good[slot]) return object;
    cJSON_AddNumberToObject(object, "generation", (double)container->slot[slot].generation);
    cJSON *ids = cJSON_AddArrayToObject(object, "key_ids"),
          *wraps = cJSON_AddArrayToObject(object, "wraps");
    orr_wrap wrap;
    for (size_t at = 0; orr_slot_next(&container->slot[slot], &at, &wrap);) {
        char hex[2 * ORR_KEY_ID_BYTES + 1];
        cJSON *item = cJSON_CreateObject();
        orr_hex(wrap.key_id, ORR_KEY_ID_BYTES, hex);
        cJSON_AddItemToArray(ids, cJSON_CreateString(hex));
        cJSON_AddStringToObject(item, "type", wrap_name(wrap.type));
        cJSON_AddStringToObject(item, "key_id", hex);
        cJSON_AddItemToArray(wraps, item);
    }
    return object;
}

// `status`: ORR_AUTH when the first page is damaged and this comes from the second head.
static void print_json(orr_cli *cli, const char *path, const orr_container *c, orr_status status) {
    const orr_header *h = &c->header;
    cJSON *object = orr_json_message("file");
    orr_json_add_bytes(object, "file", path);
    cJSON_AddStringToObject(object, "status", orr_status_name(status));
    cJSON_AddNumberToObject(object, "exit_status", status);
    if (status != ORR_OK) cJSON_AddBoolToObject(object, "first_page_damaged", 1);
    cJSON_AddNumberToObject(object, "format_version", h->version);
    cJSON_AddNumberToObject(object, "suite", h->suite);
    cJSON_AddStringToObject(object, "profile", profile_name(h->profile));
    cJSON_AddNumberToObject(object, "rule", h->rule);
    cJSON_AddNumberToObject(object, "map_constant", h->k2);
    orr_json_add_hex(object, "file_id", h->file_id, sizeof h->file_id);
    cJSON_AddNumberToObject(object, "bytes", (double)h->length);
    cJSON_AddNumberToObject(object, "file_bytes", (double)h->file_length);
    cJSON_AddNumberToObject(object, "overhead_bytes", (double)overhead(h));
    cJSON_AddNumberToObject(object, "metadata_bytes", (double)h->metadata_length);
    cJSON_AddNumberToObject(object, "slot_pages", h->slot_pages);
    cJSON_AddNumberToObject(object, "repair_pages", h->repair_pages);
    cJSON_AddNumberToObject(object, "repair_groups", h->groups);
    cJSON_AddStringToObject(object, "tiff", is_big(c) ? "BigTIFF" : "classic");
    cJSON_AddNumberToObject(object, "pages", h->pages);
    if (h->profile == ORR_PROFILE_ARCHIVE) {
        cJSON_AddNumberToObject(object, "columns", ORR_TILE_COLUMNS);
        cJSON_AddNumberToObject(object, "rows", (double)c->geometry.rows);
        cJSON_AddNumberToObject(object, "tiles", (double)c->geometry.tiles);
        cJSON_AddNumberToObject(object, "segments", (double)c->geometry.segments);
    }
    cJSON *slots = cJSON_AddArrayToObject(object, "slots");
    for (int i = 0; i < c->slots; i++) cJSON_AddItemToArray(slots, slot_object(c, i));
    cJSON_AddBoolToObject(object, "pixels_sealed", h->profile == ORR_PROFILE_ARCHIVE);
    cJSON_AddStringToObject(object, "note",
                            h->profile == ORR_PROFILE_PAPER ? PAPER_WORDS : ARCHIVE_WORDS);
    orr_console_json(&cli->console, object);
}

static void print_slot(orr_cli *cli, const orr_container *c, int slot) {
    char letter = (char)('A' + slot), hex[2 * ORR_KEY_ID_BYTES + 1];
    orr_wrap wrap;
    if (!c->slot_good[slot]) {
        orr_console_data(&cli->console, "  wrap slot %c      damaged", letter);
        return;
    }
    orr_console_data(&cli->console, "  wrap slot %c      generation %" PRIu64 "%s", letter,
                     c->slot[slot].generation, c->active == slot ? " (in use)" : "");
    for (size_t at = 0; orr_slot_next(&c->slot[slot], &at, &wrap);) {
        orr_hex(wrap.key_id, ORR_KEY_ID_BYTES, hex);
        orr_console_data(&cli->console, "    %-14s %s", wrap_name(wrap.type), hex);
    }
}

static void print_repair(orr_cli *cli, const orr_header *h) {
    if (h->groups)
        orr_console_data(&cli->console,
                         "  repair data      %u page%s in each of %" PRIu32 " group%s: any %" PRIu64
                         " page%s in a row",
                         h->repair_pages, plural(h->repair_pages), h->groups, plural(h->groups),
                         (uint64_t)h->repair_pages * h->groups,
                         plural((uint64_t)h->repair_pages * h->groups));
    else
        orr_console_data(&cli->console, "  repair data      none");
}

static void print_text(orr_cli *cli, const char *path, const orr_container *c) {
    const orr_header *h = &c->header;
    orr_console *out = &cli->console;
    char hex[65], size[24], file_size[24], extra[24];
    orr_hex(h->file_id, sizeof h->file_id, hex);
    orr_human_size(h->length, size);
    orr_human_size(h->file_length, file_size);
    orr_human_size(overhead(h), extra);
    orr_console_data(out, "%s", path);
    orr_console_data(out, "  format           Orrery version %u, suite %u, profile %s", h->version,
                     h->suite, profile_name(h->profile));
    orr_console_data(out, "  cipher           VPD rule %u, map constant %" PRIu32, h->rule, h->k2);
    orr_console_data(out, "  file ID          %s", hex);
    orr_console_data(out, "  original         %" PRIu64 " bytes (%s)%s", h->length, size,
                     h->profile == ORR_PROFILE_PAPER ? " of pixels" : "");
    orr_console_data(out, "  encrypted        %" PRIu64 " bytes (%s), overhead %s", h->file_length,
                     file_size, extra);
    orr_console_data(out, "  sealed metadata  %" PRIu64 " bytes", h->metadata_length);
    if (h->profile == ORR_PROFILE_ARCHIVE) {
        orr_console_data(out,
                         "  TIFF             %s, %d x %" PRIu64 " RGB, %" PRIu64
                         " tile%s in %" PRIu64 " segment%s",
                         is_big(c) ? "BigTIFF" : "classic", ORR_TILE_COLUMNS, c->geometry.rows,
                         c->geometry.tiles, plural(c->geometry.tiles), c->geometry.segments,
                         plural(c->geometry.segments));
    } else {
        orr_console_data(out, "  TIFF             %s, %" PRIu32 " page%s",
                         is_big(c) ? "BigTIFF" : "classic", h->pages, plural(h->pages));
    }
    print_repair(cli, h);
    for (int i = 0; i < c->slots; i++) print_slot(cli, c, i);
    orr_console_data(out, "  %s", h->profile == ORR_PROFILE_PAPER ? PAPER_WORDS : ARCHIVE_WORDS);
}

static orr_status inspect_recipient(orr_cli *cli, const char *path, int fd, orr_error *error) {
    orr_recipient recipient;
    orr_status status = orr_recipient_read_from(&recipient, fd, path, error);
    return status == ORR_OK ? orr_cli_show_recipient(cli, path, &recipient, error) : status;
}

// Reads the head at the end of a file with repair data. Is it right, and the file's length?
static int read_second(orr_container *c, int fd, uint64_t bytes, const char *path) {
    return bytes >= 2 * ORR_PAGE &&
           orr_container_read_damaged(c, fd, bytes - ORR_PAGE, path, NULL) == ORR_OK &&
           c->header.groups && c->header.file_length == bytes;
}

static orr_status inspect_container(orr_cli *cli, const char *path, int fd, uint64_t bytes,
                                    orr_error *error) {
    orr_container container;
    memset(&container, 0, sizeof container);
    orr_status status = orr_container_read(&container, fd, bytes, path, error);
    int shown = status == ORR_OK;
    if (!shown && read_second(&container, fd, bytes, path)) {
        shown = 1;
        *error = (orr_error){0};
        status =
            orr_fail(error, ORR_AUTH,
                     "%s: first page damaged: shown from the second head; `orrery repair`", path);
    }
    if (shown && cli->console.json)
        print_json(cli, path, &container, status);
    else if (shown && !cli->console.quiet)
        print_text(cli, path, &container);
    orr_container_free(&container);
    return status;
}

static orr_status inspect_one(orr_cli *cli, const char *path) {
    orr_error error = {0};
    uint64_t bytes = 0;
    int fd = -1;
    orr_status status = open_regular(path, &fd, &bytes, &error);
    if (status == ORR_OK)
        status = orr_recipient_is_here(fd) ? inspect_recipient(cli, path, fd, &error)
                                           : inspect_container(cli, path, fd, bytes, &error);
    if (fd >= 0) close(fd);
    if (status != ORR_OK) orr_console_error(&cli->console, &error, path);
    return status;
}

static orr_status run(orr_cli *cli, orr_error *error) {
    const orr_arguments *a = &cli->arguments;
    orr_name_list list;
    orr_status status = orr_name_list_read(a, &list, error);
    if (status != ORR_OK) return status;
    size_t count = a->operand_count + list.count, failed = 0;
    cli->said = 1;
    for (size_t i = 0; i < count && status != ORR_STOPPED; i++) {
        orr_status one =
            orr_stop_requested
                ? ORR_STOPPED
                : inspect_one(cli, i < a->operand_count ? a->operands[i]
                                                        : list.names[i - a->operand_count]);
        failed += one != ORR_OK;
        status = count == 1 || one == ORR_STOPPED ? one : orr_status_merge(status, one);
    }
    if (cli->console.json) {
        cli->summary = orr_json_message("summary");
        cJSON_AddNumberToObject(cli->summary, "files", (double)count);
        cJSON_AddNumberToObject(cli->summary, "failed", (double)failed);
    }
    orr_name_list_free(&list);
    return status;
}

const orr_command orr_cmd_inspect = {
    .name = "inspect",
    .synopsis = "[OPTION]... FILE...",
    .summary = "show the headers of encrypted files; needs no key",
    .details = "Shows what anyone can read from an encrypted file: profile, sizes, geometry, "
               "wrap slots. Nothing of it is authenticated. Of a recipient file (keyring export) "
               "it shows the key's ID and label, and the fingerprint to compare.",
    .example = "orrery inspect sealed/scan.svs.orr.tif",
    .options = ORR_OPTIONS(ORR_OPTIONS_LIST, &orr_option_json, &orr_option_quiet),
    .operands = {{"FILE", ORR_VALUE_FILE, NULL}},
    .least = 1,
    .most = SIZE_MAX,
    .operands_needed = "encrypted files",
    .exit_statuses = ORR_EXIT(SOME_FAILED) | ORR_EXIT(AUTH) | ORR_EXIT(IO) | ORR_EXIT(UNSUPPORTED) |
                     ORR_EXIT(NOT_ORRERY),
    .run = run,
};
