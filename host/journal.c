#include "host/journal.h"

#include <cjson/cJSON.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "kernels/partial.h"
#include "host/text.h"

#define SHARD_LEAD ORR_JOURNAL_NAME "-"

struct orr_journal {
    int directory;
    FILE *file;
    int whole; // not of a shard
    char name[48];
};

static void write_line(orr_journal *journal, cJSON *line) {
    char *text = line ? cJSON_PrintUnformatted(line) : NULL;
    // A journal that cannot be written is no reason to stop: it is a hint.
    if (text) {
        fprintf(journal->file, "%s\n", text);
        fflush(journal->file);
    }
    free(text);
    cJSON_Delete(line);
}

static cJSON *new_line(const char *event) {
    cJSON *line = cJSON_CreateObject();
    char when[32];
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &utc);
    cJSON_AddStringToObject(line, "event", event);
    cJSON_AddStringToObject(line, "time", when);
    return line;
}

int orr_journal_is_name(const char *name) {
    unsigned shard, shards;
    return !strcmp(name, ORR_JOURNAL_NAME) || orr_part_parse(name, SHARD_LEAD, &shard, &shards);
}

orr_journal *orr_journal_open(int directory, const char *verb, unsigned shard, unsigned shards) {
    orr_journal *journal = calloc(1, sizeof *journal);
    if (!journal) return NULL;
    journal->directory = fcntl(directory, F_DUPFD_CLOEXEC, 0);
    journal->whole = !shards;
    if (shards)
        snprintf(journal->name, sizeof journal->name, SHARD_LEAD "%u-of-%u", shard, shards);
    else
        memcpy(journal->name, ORR_JOURNAL_NAME, sizeof ORR_JOURNAL_NAME);
    int fd = openat(directory, journal->name,
                    O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    journal->file = fd >= 0 ? fdopen(fd, "a") : NULL;
    if (!journal->file) {
        if (fd >= 0) close(fd);
        if (journal->directory >= 0) close(journal->directory);
        free(journal);
        return NULL;
    }
    cJSON *line = new_line("start");
    cJSON_AddStringToObject(line, "verb", verb);
    write_line(journal, line);
    return journal;
}

void orr_journal_file(orr_journal *journal, const char *target, uint64_t bytes, orr_status status) {
    if (!journal) return;
    cJSON *line = new_line("file");
    orr_json_add_bytes(line, "target", target);
    cJSON_AddNumberToObject(line, "bytes", (double)bytes);
    cJSON_AddStringToObject(line, "status", orr_status_name(status));
    write_line(journal, line);
}

// What stopped shards left unfinished is finished when the whole job is.
static void remove_shards(int directory) {
    DIR *listing = orr_directory_list(directory);
    struct dirent *d;
    while (listing && (d = readdir(listing)))
        if (orr_journal_is_name(d->d_name)) unlinkat(directory, d->d_name, 0);
    if (listing) closedir(listing);
}

void orr_journal_close(orr_journal *journal, orr_status status) {
    if (!journal) return;
    if (status == ORR_OK) {
        unlinkat(journal->directory, journal->name, 0);
        if (journal->whole) remove_shards(journal->directory);
    } else {
        cJSON *line = new_line("end");
        cJSON_AddStringToObject(line, "status", orr_status_name(status));
        write_line(journal, line);
    }
    fclose(journal->file);
    if (journal->directory >= 0) close(journal->directory);
    free(journal);
}
