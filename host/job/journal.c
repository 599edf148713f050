#include "host/job/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "base/clock.h"
#include "base/directory.h"
#include "base/flush.h"
#include "base/text.h"
#include "host/container/crypto.h"
#include "host/job/state.h"

#define SHARD_LEAD ORR_JOURNAL_NAME "-"
#define NAME_BYTES 64
#define TAG_BYTES 16
#define MAX_TAGS 1024 // above, the inputs have one tag together
#define MAX_KEYS 8    // of each key a set of tags: some may be destroyed before the work is done
#define MAX_LINE (512 << 10) // a start line with that many
#define MAX_NUMBER 999
#define LABEL "orrery v1 journal of inputs"

typedef char tag_text[2 * TAG_BYTES + 1];

// What a job is to do, as far as its journal says: tags of its inputs under one master key.
typedef struct tag_set {
    char key_id[2 * ORR_KEY_ID_BYTES + 1];
    tag_text *tags;
    size_t count;
} tag_set;
typedef struct work {
    const orr_job_options *options;
    tag_set sets[MAX_KEYS];
    size_t set_count;
} work;

struct orr_journal {
    int directory;
    FILE *file;
    char name[NAME_BYTES];
    char (*covered)[NAME_BYTES]; // earlier ones whose work this job does, its own among them
    size_t covered_count;
};

static const char *verb_of(const orr_job_options *o) {
    return o->verb == ORR_VERB_REENCRYPT ? "reencrypt" : "encrypt";
}

static void part_of(const orr_job_options *o, char part[32]) {
    if (o->shard_n)
        snprintf(part, 32, "%u/%u", o->shard_i, o->shard_n);
    else
        part[0] = 0;
}

// ---- what a job is to do

// The input as it is known to the system: its directory's real path, so that it has one name also
// when it is missing or a link, and its own. "scans" and "scans/" are one input, "scans/." is
// another. Names from a list keep their path below the output, which is part of what they are.
static char *input_text(const orr_inputs *in, size_t i) {
    int listed = i >= in->count;
    const char *path = listed ? in->listed[i - in->count] : in->paths[i];
    char *copy = strdup(path), *text = NULL;
    size_t end = strlen(path);
    if (!copy) return NULL;
    while (end > 1 && copy[end - 1] == '/') copy[--end] = 0;
    char *slash = strrchr(copy, '/'), *last = slash ? slash + 1 : copy;
    char *name = strdup(last);
    if (slash) slash[slash == copy] = 0;
    char *real = realpath(slash ? copy : ".", NULL);
    if (name && asprintf(&text, "%s%c%s%c%s", real ? real : copy, '/', name, listed ? 'l' : 'o',
                         listed ? path : "") < 0)
        text = NULL;
    free(real);
    free(name);
    free(copy);
    return text;
}

static int make_tag(const uint8_t key[32], const void *text, size_t bytes, tag_text tag) {
    uint8_t mac[32];
    if (orr_hmac_sha256(key, text, bytes, mac) != ORR_OK) return 0;
    orr_hex(mac, TAG_BYTES, tag);
    return 1;
}

// Tags of the inputs under a master key. 0: memory ran out.
static int make_set(tag_set *set, const orr_inputs *in, const orr_master_key *key) {
    size_t inputs = in->count + in->listed_count;
    uint8_t derived[32], all[32] = {0};
    int together = inputs > MAX_TAGS;
    set->count = together ? 1 : inputs;
    set->tags = calloc(set->count ? set->count : 1, sizeof *set->tags);
    orr_hex(key->id, ORR_KEY_ID_BYTES, set->key_id);
    int good = set->tags && orr_hmac_sha256(key->key, LABEL, sizeof LABEL - 1, derived) == ORR_OK;
    for (size_t i = 0; good && i < inputs; i++) {
        char *text = input_text(in, i);
        tag_text tag;
        good = text && make_tag(derived, text, strlen(text), together ? tag : set->tags[i]);
        if (good && together) { // chained: the order is part of it
            uint8_t both[32 + sizeof tag];
            memcpy(both, all, 32);
            memcpy(both + 32, tag, sizeof tag);
            good = orr_hmac_sha256(derived, both, sizeof both, all) == ORR_OK;
        }
        free(text);
    }
    if (good && together) orr_hex(all, TAG_BYTES, set->tags[0]);
    orr_wipe(derived, sizeof derived);
    return good;
}

// Under the newest keys, which will be there longest.
static int make_work(work *w, const orr_job_options *options) {
    const orr_keyring *ring = options->keyring;
    *w = (work){.options = options};
    for (size_t i = ring->key_count; i > 0 && w->set_count < MAX_KEYS; i--)
        if (ring->keys[i - 1].state != ORR_KEY_DESTROYED &&
            !make_set(&w->sets[w->set_count++], &options->inputs, &ring->keys[i - 1]))
            return 0;
    return w->set_count > 0;
}

static void work_free(work *w) {
    for (size_t i = 0; i < w->set_count; i++) free(w->sets[i].tags);
}

static int has_tag(const tag_set *set, const char *tag) {
    for (size_t i = 0; tag && i < set->count; i++)
        if (!strcmp(set->tags[i], tag)) return 1;
    return 0;
}

static const char *text_at(const cJSON *object, const char *key) {
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
    return text ? text : "";
}

// Does this job do what this start line tells of? One key that both know is enough.
static int covers(const work *w, const cJSON *line) {
    char part[32];
    const cJSON *inputs = cJSON_GetObjectItemCaseSensitive(line, "inputs"), *tags = NULL, *tag;
    const tag_set *set = NULL;
    part_of(w->options, part);
    if (strcmp(text_at(line, "verb"), verb_of(w->options))) return 0;
    if (part[0] && strcmp(part, text_at(line, "shard"))) return 0;
    for (size_t i = 0; !tags && i < w->set_count; i++) {
        set = &w->sets[i];
        tags = cJSON_GetObjectItemCaseSensitive(inputs, set->key_id);
    }
    if (!cJSON_IsArray(tags)) return 0;
    cJSON_ArrayForEach(tag, tags) {
        if (!has_tag(set, cJSON_GetStringValue(tag))) return 0;
    }
    return 1;
}

// Is there nothing but zero bytes, or none, or the beginning of a line? A power cut leaves that of
// a journal whose job had not begun: its start line is on the disk before anything else.
static int is_blank(const char *line, size_t bytes) {
    if (*line && !strchr(line, '\n')) return 1;
    while (bytes && !line[bytes - 1]) bytes--;
    return !bytes;
}

// Reads a journal: does this job do all that its start lines tell of? One that has something else
// and none of them is of nobody known.
static int reads_as_covered(const work *w, int directory, const char *name, char *buffer) {
    int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat st;
    FILE *file = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? fdopen(fd, "r") : NULL;
    int starts = 0, covered = 1, blank = 1;
    if (!file) {
        if (fd >= 0) close(fd);
        return 0;
    }
    while (covered && (memset(buffer, 0, 64), fgets(buffer, MAX_LINE, file))) {
        blank = blank && is_blank(buffer, 64);
        if (!strstr(buffer, "\"start\"")) continue;
        cJSON *line = cJSON_Parse(buffer);
        if (line && !strcmp(text_at(line, "event"), "start")) {
            starts++;
            covered = covers(w, line);
        }
        cJSON_Delete(line);
    }
    fclose(file);
    return covered && (starts || blank);
}

// ---- names

// A number without sign or leading zeros, from 2.
static int is_number(const char *text) {
    return text[0] >= '1' && text[0] <= '9' && strspn(text, "0123456789") == strlen(text) &&
           strlen(text) <= 3 && strcmp(text, "1");
}

int orr_journal_is_name(const char *name) {
    char copy[NAME_BYTES];
    unsigned shard, shards;
    if (strncmp(name, ORR_JOURNAL_NAME, sizeof ORR_JOURNAL_NAME - 1)) return 0;
    if (!strcmp(name, ORR_JOURNAL_NAME) || orr_part_parse(name, SHARD_LEAD, &shard, &shards))
        return 1;
    const char *dash = strrchr(name, '-');
    if (!dash || !is_number(dash + 1) || (size_t)(dash - name) >= sizeof copy) return 0;
    memcpy(copy, name, (size_t)(dash - name));
    copy[dash - name] = 0;
    return !strcmp(copy, ORR_JOURNAL_NAME) || orr_part_parse(copy, SHARD_LEAD, &shard, &shards);
}

static void make_name(const orr_job_options *o, unsigned number, char name[NAME_BYTES]) {
    int n = o->shard_n ? snprintf(name, NAME_BYTES, SHARD_LEAD "%u-of-%u", o->shard_i, o->shard_n)
                       : snprintf(name, NAME_BYTES, ORR_JOURNAL_NAME);
    if (number > 1) snprintf(name + n, NAME_BYTES - (size_t)n, "-%u", number);
}

// ---- writing

static int write_line(orr_journal *journal, cJSON *line) {
    char *text = line ? cJSON_PrintUnformatted(line) : NULL;
    int good = text && fprintf(journal->file, "%s\n", text) > 0;
    good = fflush(journal->file) == 0 && good;
    free(text);
    cJSON_Delete(line);
    return good;
}

static cJSON *new_line(const char *event) {
    cJSON *line = cJSON_CreateObject();
    char when[32];
    orr_utc(time(NULL), ORR_UTC_STAMP, when, sizeof when);
    cJSON_AddStringToObject(line, "event", event);
    cJSON_AddStringToObject(line, "time", when);
    return line;
}

// On a line of its own, whatever a power cut left there.
static int write_start(orr_journal *journal, const work *w) {
    char part[32];
    struct stat st;
    cJSON *line = new_line("start"), *inputs, *tags;
    if (fstat(fileno(journal->file), &st) == 0 && st.st_size) fputc('\n', journal->file);
    part_of(w->options, part);
    cJSON_AddStringToObject(line, "verb", verb_of(w->options));
    if (part[0]) cJSON_AddStringToObject(line, "shard", part);
    inputs = cJSON_AddObjectToObject(line, "inputs");
    for (size_t n = 0; n < w->set_count; n++) {
        tags = cJSON_AddArrayToObject(inputs, w->sets[n].key_id);
        for (size_t i = 0; tags && i < w->sets[n].count; i++)
            cJSON_AddItemToArray(tags, cJSON_CreateString(w->sets[n].tags[i]));
    }
    return write_line(journal, line);
}

// Finds the journals whose work this job does; they go when it is done.
static int find_covered(orr_journal *journal, const work *w) {
    char *buffer = malloc(MAX_LINE);
    DIR *listing = buffer ? orr_directory_list(journal->directory) : NULL;
    struct dirent *d;
    int good = listing != NULL;
    while (good && (d = readdir(listing))) {
        if (!orr_journal_is_name(d->d_name) || strlen(d->d_name) >= NAME_BYTES ||
            !reads_as_covered(w, journal->directory, d->d_name, buffer))
            continue;
        void *grown = realloc(journal->covered, (journal->covered_count + 1) * NAME_BYTES);
        good = grown != NULL;
        if (!good) break;
        journal->covered = grown;
        memcpy(journal->covered[journal->covered_count++], d->d_name, strlen(d->d_name) + 1);
    }
    if (listing) closedir(listing);
    free(buffer);
    return good;
}

static int is_covered(const orr_journal *journal, const char *name) {
    for (size_t i = 0; i < journal->covered_count; i++)
        if (!strcmp(journal->covered[i], name)) return 1;
    return 0;
}

// The first name that is free, or of this very work.
static FILE *open_file(orr_journal *journal, const orr_job_options *o) {
    for (unsigned number = 1; number <= MAX_NUMBER; number++) {
        make_name(o, number, journal->name);
        int ours = is_covered(journal, journal->name);
        int fd = openat(journal->directory, journal->name,
                        O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC |
                            (ours ? O_NONBLOCK : O_EXCL),
                        0600);
        if (fd < 0 && !ours && errno == EEXIST) continue;
        FILE *file = fd >= 0 ? fdopen(fd, "a") : NULL;
        if (!file && fd >= 0) close(fd);
        return file;
    }
    errno = EEXIST;
    return NULL;
}

static void journal_free(orr_journal *journal) {
    if (journal->file) fclose(journal->file);
    if (journal->directory >= 0) close(journal->directory);
    free(journal->covered);
    free(journal);
}

orr_journal *orr_journal_open(int directory, const orr_job_options *options, orr_error *error) {
    orr_journal *journal = calloc(1, sizeof *journal);
    work w = {0};
    if (!journal) {
        orr_fail(error, ORR_INTERNAL, "out of memory");
        return NULL;
    }
    errno = 0;
    journal->directory = fcntl(directory, F_DUPFD_CLOEXEC, 0);
    int good = journal->directory >= 0 && make_work(&w, options) && find_covered(journal, &w);
    if (good) journal->file = open_file(journal, options);
    good = journal->file && write_start(journal, &w);
    good = good && orr_fsync(fileno(journal->file)) >= 0 && orr_fsync(journal->directory) >= 0;
    work_free(&w);
    if (good) return journal;
    orr_fail(error, ORR_IO, "cannot write the journal %s: %s", journal->name,
             errno ? strerror(errno) : "out of memory");
    journal_free(journal);
    return NULL;
}

void orr_journal_file(orr_journal *journal, const char *target, uint64_t bytes, orr_status status) {
    if (!journal) return;
    cJSON *line = new_line("file");
    orr_json_add_bytes(line, "target", target);
    cJSON_AddNumberToObject(line, "bytes", (double)bytes);
    cJSON_AddStringToObject(line, "status", orr_status_name(status));
    write_line(journal, line);
}

void orr_journal_close(orr_journal *journal, orr_status status, int found) {
    if (!journal) return;
    int new = !is_covered(journal, journal->name);
    if (status == ORR_OK || (!found && status != ORR_STOPPED && new)) {
        for (size_t i = 0; status == ORR_OK && i < journal->covered_count; i++)
            unlinkat(journal->directory, journal->covered[i], 0);
        unlinkat(journal->directory, journal->name, 0);
        (void)orr_fsync(journal->directory); // or they may be back after a power cut
    } else {
        cJSON *line = new_line("end");
        cJSON_AddStringToObject(line, "status", orr_status_name(status));
        write_line(journal, line);
    }
    journal_free(journal);
}

// ---- looking for them

// Counts the journals in a directory. *vault: jobs wrote into it.
static unsigned look_in(const char *directory, int *vault, char *found, size_t room) {
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *listing = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *d;
    unsigned count = 0;
    while (listing && (d = readdir(listing))) {
        if (strncmp(d->d_name, ".orrery-", 8)) continue;
        if (orr_state_is_name(d->d_name)) *vault = 1;
        if (!orr_journal_is_name(d->d_name)) continue;
        *vault = 1;
        if (!count++) snprintf(found, room, "%s/%s", directory, d->d_name);
    }
    if (listing)
        closedir(listing);
    else if (fd >= 0)
        close(fd);
    return count;
}

int orr_journal_is_vault(const char *directory) {
    char found[NAME_MAX + 1];
    int vault = 0;
    look_in(directory, &vault, found, sizeof found);
    return vault;
}

unsigned orr_journal_above(const char *path, char *found, size_t room) {
    char *real = realpath(path, NULL);
    unsigned count = 0;
    int vault = 0;
    char *slash;
    while (!vault && real && (slash = strrchr(real, '/')) && real[1]) {
        slash[slash == real] = 0;
        count = look_in(real, &vault, found, room);
    }
    free(real);
    return count;
}
