// Lists of input names: --files-from (a name a line) and --files-from0 (ended by zero bytes).
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

#define MAX_LIST_BYTES ((size_t)4 << 30)

static orr_status read_all(FILE *in, const char *name, char **text, size_t *bytes,
                           orr_error *error) {
    size_t room = 0;
    for (*bytes = 0;;) {
        if (*bytes + 1 >= room) {
            room = room ? 2 * room : 65536;
            char *larger = room <= MAX_LIST_BYTES ? realloc(*text, room) : NULL;
            if (!larger)
                return orr_fail(error, ORR_INTERNAL, "%s: the list does not fit into memory", name);
            *text = larger;
        }
        size_t got = fread(*text + *bytes, 1, room - 1 - *bytes, in);
        *bytes += got;
        if (got == 0) break;
    }
    if (ferror(in))
        return orr_fail(error, ORR_IO, "%s: cannot read the list of files: %s", name,
                        strerror(errno));
    (*text)[*bytes] = 0;
    return ORR_OK;
}

static orr_status split(orr_name_list *list, size_t bytes, char end, const char *name,
                        orr_error *error) {
    size_t room = 1;
    for (size_t i = 0; i < bytes; i++) {
        if (end != 0 && list->text[i] == 0) {
            return orr_fail(error, ORR_USAGE,
                            "%s: a zero byte in a list of lines; use --files-from0", name);
        }
        room += list->text[i] == end;
    }
    list->names = calloc(room, sizeof *list->names);
    if (!list->names) return orr_fail(error, ORR_INTERNAL, "memory ran out");
    for (char *at = list->text; at < list->text + bytes;) {
        char *stop = memchr(at, end, (size_t)(list->text + bytes - at));
        if (!stop) stop = list->text + bytes; // the last name may lack its end
        *stop = 0;
        if (*at) list->names[list->count++] = at; // empty lines name nothing
        at = stop + 1;
    }
    return ORR_OK;
}

orr_status orr_name_list_read(const orr_arguments *a, orr_name_list *list, orr_error *error) {
    *list = (orr_name_list){0};
    const char *name = a->files_from ? a->files_from : a->files_from0;
    if (!name) return ORR_OK;
    int standard = strcmp(name, "-") == 0;
    FILE *in = standard ? stdin : fopen(name, "rb");
    if (!in)
        return orr_fail(error, ORR_IO, "%s: cannot open the list of files: %s", name,
                        strerror(errno));
    size_t bytes = 0;
    orr_status status = read_all(in, name, &list->text, &bytes, error);
    if (status == ORR_OK) status = split(list, bytes, a->files_from ? '\n' : '\0', name, error);
    if (!standard) fclose(in);
    if (status == ORR_OK && list->count == 0 && a->operand_count == 0) {
        status = orr_fail(error, ORR_USAGE, "%s: the list of files is empty", name);
    }
    if (status != ORR_OK) orr_name_list_free(list);
    return status;
}

void orr_name_list_free(orr_name_list *list) {
    free(list->names);
    free(list->text);
    *list = (orr_name_list){0};
}
