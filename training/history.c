#include "training/history.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cjson/cJSON.h>

#include "training/events.h"

#define MAX_STATISTICS ((size_t)256 << 20)

void orr_history_free(orr_history *history) {
    free(history->steps);
    free(history->snapshots);
    memset(history, 0, sizeof *history);
}

static orr_status make_room(void **array, size_t *room, size_t count, size_t item,
                            orr_error *error) {
    if (count < *room) return ORR_OK;
    size_t more = *room ? 2 * *room : 64;
    void *grown = realloc(*array, more * item);
    if (!grown) return orr_fail(error, ORR_INTERNAL, "no memory for the statistics");
    *array = grown;
    *room = more;
    return ORR_OK;
}

static orr_status keep_steps(orr_history *h, const orr_history_steps *steps, orr_error *error) {
    orr_status status =
        make_room((void **)&h->steps, &h->step_room, h->step_count, sizeof *h->steps, error);
    if (status == ORR_OK) h->steps[h->step_count++] = *steps;
    return status;
}

static orr_status keep_snapshot(orr_history *h, const orr_history_snapshot *snapshot,
                                orr_error *error) {
    orr_status status = make_room((void **)&h->snapshots, &h->snapshot_room, h->snapshot_count,
                                  sizeof *h->snapshots, error);
    if (status == ORR_OK) h->snapshots[h->snapshot_count++] = *snapshot;
    return status;
}

// ---- lines. The fields of both kinds, with their names in JSON and in TensorBoard.

typedef struct field {
    const char *name, *tag; // tag NULL: not for TensorBoard
    size_t offset;
} field;

static const field step_fields[] = {
    {"epoch", "train/epoch", offsetof(orr_history_steps, epoch)},
    {"loss_d", "loss/discriminator", offsetof(orr_history_steps, loss_d)},
    {"loss_g", "loss/generator", offsetof(orr_history_steps, loss_g)},
    {"d_real", "discriminator/real", offsetof(orr_history_steps, d_real)},
    {"d_fake_before", "discriminator/fake_before", offsetof(orr_history_steps, d_fake_before)},
    {"d_fake_after", "discriminator/fake_after", offsetof(orr_history_steps, d_fake_after)},
    {"images_per_second", "train/images_per_second",
     offsetof(orr_history_steps, images_per_second)},
    {"time", NULL, offsetof(orr_history_steps, time)},
};
#define STEP_FIELDS (sizeof step_fields / sizeof *step_fields)

#define NUMBER(name) offsetof(orr_history_snapshot, numbers.name)
static const field snapshot_fields[] = {
    {"epoch", NULL, NUMBER(epoch)},
    {"swd", "quality/swd", NUMBER(swd)},
    {"swd_of_real_halves", NULL, NUMBER(swd_floor)},
    {"nearest_least", "quality/nearest_least", NUMBER(nearest_least)},
    {"nearest_median", "quality/nearest_median", NUMBER(nearest_median)},
    {"nearest_median_of_real", NULL, NUMBER(nearest_real)},
    {"diversity", "quality/diversity", NUMBER(diversity)},
    {"diversity_of_real", NULL, NUMBER(diversity_real)},
    {"time", NULL, offsetof(orr_history_snapshot, time)},
};
#define SNAPSHOT_FIELDS (sizeof snapshot_fields / sizeof *snapshot_fields)

static double value_of(const void *record, const field *f) {
    double value;
    memcpy(&value, (const char *)record + f->offset, sizeof value);
    return value;
}

static cJSON *line_of(const char *kind, uint64_t step, const void *record, const field *fields,
                      size_t count) {
    cJSON *line = cJSON_CreateObject();
    cJSON_AddStringToObject(line, "kind", kind);
    cJSON_AddNumberToObject(line, "step", (double)step);
    for (size_t i = 0; i < count; i++) {
        double value = value_of(record, &fields[i]);
        if (isfinite(value))
            cJSON_AddNumberToObject(line, fields[i].name, value);
        else
            cJSON_AddNullToObject(line, fields[i].name);
    }
    return line;
}

static cJSON *snapshot_line(const orr_history_snapshot *snapshot) {
    cJSON *line =
        line_of("snapshot", snapshot->numbers.step, snapshot, snapshot_fields, SNAPSHOT_FIELDS);
    cJSON *levels = cJSON_AddObjectToObject(line, "swd_levels");
    for (uint32_t i = 0; i < snapshot->swd.levels; i++) {
        char name[16];
        snprintf(name, sizeof name, "%u", snapshot->swd.size[i]);
        cJSON_AddNumberToObject(levels, name, snapshot->swd.distance[i]);
    }
    return line;
}

static orr_status put_line(orr_sink *sink, cJSON *line, orr_error *error) {
    char *text = line ? cJSON_PrintUnformatted(line) : NULL;
    cJSON_Delete(line);
    if (!text) return orr_fail(error, ORR_INTERNAL, "no memory for a line of statistics");
    orr_sink_text(sink, text);
    orr_sink_text(sink, "\n");
    cJSON_free(text);
    return ORR_OK;
}

static void put_event(orr_sink *sink, uint64_t step, double time, const void *record,
                      const field *fields, size_t count) {
    orr_event_scalar scalars[16];
    size_t n = 0;
    for (size_t i = 0; i < count && n < 16; i++)
        if (fields[i].tag)
            scalars[n++] = (orr_event_scalar){fields[i].tag, value_of(record, &fields[i])};
    orr_events_scalars(sink, time, step, scalars, n);
}

static orr_status append(const orr_run_directory *run, const char *name, orr_sink *sink,
                         orr_error *error) {
    orr_status status = orr_sink_finish(sink, error);
    return status != ORR_OK ? status : orr_run_append(run, name, sink->text, sink->length, error);
}

orr_status orr_history_add_steps(orr_history *h, const orr_run_directory *run,
                                 const orr_history_steps *steps, orr_error *error) {
    orr_sink line, event;
    orr_sink_memory(&line);
    orr_sink_memory(&event);
    orr_status status = keep_steps(h, steps, error);
    if (status == ORR_OK)
        status =
            put_line(&line, line_of("steps", steps->step, steps, step_fields, STEP_FIELDS), error);
    if (status == ORR_OK) status = append(run, ORR_STATISTICS, &line, error);
    put_event(&event, steps->step, steps->time, steps, step_fields, STEP_FIELDS);
    if (status == ORR_OK) status = append(run, ORR_EVENTS, &event, error);
    orr_sink_free(&line);
    orr_sink_free(&event);
    return status;
}

orr_status orr_history_add_snapshot(orr_history *h, const orr_run_directory *run,
                                    const orr_history_snapshot *snapshot, orr_error *error) {
    orr_sink line, event;
    orr_sink_memory(&line);
    orr_sink_memory(&event);
    orr_status status = keep_snapshot(h, snapshot, error);
    if (status == ORR_OK) status = put_line(&line, snapshot_line(snapshot), error);
    if (status == ORR_OK) status = append(run, ORR_STATISTICS, &line, error);
    put_event(&event, snapshot->numbers.step, snapshot->time, snapshot, snapshot_fields,
              SNAPSHOT_FIELDS);
    if (status == ORR_OK) status = append(run, ORR_EVENTS, &event, error);
    orr_sink_free(&line);
    orr_sink_free(&event);
    return status;
}

// ---- reading back

// A field that is null or missing was not finite.
static void take_fields(const cJSON *line, void *record, const field *fields, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const cJSON *item = cJSON_GetObjectItemCaseSensitive(line, fields[i].name);
        double value = cJSON_IsNumber(item) ? item->valuedouble : NAN;
        memcpy((char *)record + fields[i].offset, &value, sizeof value);
    }
}

static void take_levels(const cJSON *line, orr_swd *swd) {
    const cJSON *level;
    cJSON_ArrayForEach(level, cJSON_GetObjectItemCaseSensitive(line, "swd_levels")) {
        if (swd->levels == ORR_SWD_LEVELS || !level->string || !cJSON_IsNumber(level)) break;
        swd->size[swd->levels] = (uint32_t)strtoul(level->string, NULL, 10);
        swd->distance[swd->levels++] = level->valuedouble;
    }
}

static orr_status take_line(orr_history *h, const char *text, uint64_t last_step,
                            orr_error *error) {
    orr_status status = ORR_OK;
    cJSON *line = cJSON_Parse(text);
    const cJSON *kind = cJSON_GetObjectItemCaseSensitive(line, "kind");
    const cJSON *step = cJSON_GetObjectItemCaseSensitive(line, "step");
    if (!cJSON_IsString(kind) || !cJSON_IsNumber(step) || !(step->valuedouble >= 0) ||
        step->valuedouble > (double)last_step)
        goto end;
    if (!strcmp(kind->valuestring, "steps")) {
        orr_history_steps steps = {.step = (uint64_t)step->valuedouble};
        take_fields(line, &steps, step_fields, STEP_FIELDS);
        status = keep_steps(h, &steps, error);
    } else if (!strcmp(kind->valuestring, "snapshot")) {
        orr_history_snapshot snapshot = {.numbers.step = (uint64_t)step->valuedouble};
        take_fields(line, &snapshot, snapshot_fields, SNAPSHOT_FIELDS);
        take_levels(line, &snapshot.swd);
        snapshot.swd.mean = snapshot.numbers.swd;
        status = keep_snapshot(h, &snapshot, error);
    }
end:
    cJSON_Delete(line);
    return status;
}

// Both files from memory: lines in the order of the steps, a snapshot after the steps it follows.
static orr_status write_anew(const orr_history *h, const orr_run_directory *run, orr_error *error) {
    orr_sink lines, events;
    orr_status status = ORR_OK;
    size_t a = 0, b = 0;
    orr_sink_memory(&lines);
    orr_sink_memory(&events);
    orr_events_begin(&events, h->step_count ? h->steps[0].time : (double)time(NULL));
    while (status == ORR_OK && (a < h->step_count || b < h->snapshot_count)) {
        if (b == h->snapshot_count ||
            (a < h->step_count && h->steps[a].step <= h->snapshots[b].numbers.step)) {
            const orr_history_steps *s = &h->steps[a++];
            status =
                put_line(&lines, line_of("steps", s->step, s, step_fields, STEP_FIELDS), error);
            put_event(&events, s->step, s->time, s, step_fields, STEP_FIELDS);
        } else {
            const orr_history_snapshot *s = &h->snapshots[b++];
            status = put_line(&lines, snapshot_line(s), error);
            put_event(&events, s->numbers.step, s->time, s, snapshot_fields, SNAPSHOT_FIELDS);
        }
    }
    if (status == ORR_OK) status = orr_sink_finish(&lines, error);
    if (status == ORR_OK) status = orr_sink_finish(&events, error);
    if (status == ORR_OK)
        status = orr_run_write(run, ORR_STATISTICS, lines.text, lines.length, error);
    if (status == ORR_OK)
        status = orr_run_write(run, ORR_EVENTS, events.text, events.length, error);
    orr_sink_free(&lines);
    orr_sink_free(&events);
    return status;
}

orr_status orr_history_load(orr_history *history, const orr_run_directory *run, uint64_t last_step,
                            orr_error *error) {
    uint8_t *bytes;
    size_t count;
    memset(history, 0, sizeof *history);
    orr_status status =
        orr_run_read_at(run->fd, run->path, ORR_STATISTICS, MAX_STATISTICS, &bytes, &count, error);
    if (status != ORR_OK) return status;
    char *rest = (char *)bytes;
    for (char *line; status == ORR_OK && rest && (line = strsep(&rest, "\n"));)
        status = take_line(history, line, last_step, error);
    free(bytes);
    if (status == ORR_OK) status = write_anew(history, run, error);
    if (status != ORR_OK) orr_history_free(history);
    return status;
}
