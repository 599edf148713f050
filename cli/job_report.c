#include "cli/job_report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static const char *const done_word[] = {
    [ORR_VERB_ENCRYPT] = "encrypted", [ORR_VERB_DECRYPT] = "decrypted",
    [ORR_VERB_VERIFY] = "verified",   [ORR_VERB_REWRAP] = "rewrapped",
    [ORR_VERB_REPAIR] = "repaired",   [ORR_VERB_REENCRYPT] = "re-encrypted"};
static const char *const plain_word[] = {
    [ORR_VERB_ENCRYPT] = "encrypt", [ORR_VERB_DECRYPT] = "decrypt",
    [ORR_VERB_VERIFY] = "verify",   [ORR_VERB_REWRAP] = "rewrap",
    [ORR_VERB_REPAIR] = "repair",   [ORR_VERB_REENCRYPT] = "re-encrypt"};
static const char *const outcome_word[] = {[ORR_OUT_DONE] = "done",
                                           [ORR_OUT_PRESENT] = "present",
                                           [ORR_OUT_PLANNED] = "planned",
                                           [ORR_OUT_SKIPPED] = "skipped",
                                           [ORR_OUT_FAILED] = "failed"};

static int is_in_place(orr_verb verb) {
    return verb == ORR_VERB_REWRAP || verb == ORR_VERB_REPAIR;
}

void orr_report_init(orr_report *report, orr_cli *cli, orr_verb verb) {
    memset(report, 0, sizeof *report);
    report->cli = cli;
    report->verb = verb;
}

void orr_report_free(orr_report *report) {
    for (size_t i = 0; i < ORR_REPORT_KEPT && i < report->failures; i++) free(report->kept[i]);
    report->failures = 0;
}

static void file_json(orr_report *report, const orr_file_event *event) {
    cJSON *object = orr_json_message("file");
    cJSON_AddStringToObject(object, "outcome", outcome_word[event->outcome]);
    orr_json_add_bytes(object, "file", event->source ? event->source : "");
    if (event->target) orr_json_add_bytes(object, "target", event->target);
    if (event->sha256) cJSON_AddStringToObject(object, "sha256", event->sha256);
    cJSON_AddNumberToObject(object, "bytes", (double)event->bytes);
    cJSON_AddStringToObject(object, "status", orr_status_name(event->status));
    cJSON_AddNumberToObject(object, "exit_status", event->status);
    if (event->reason) orr_json_add_bytes(object, "reason", event->reason);
    if (event->file_id) {
        cJSON_AddStringToObject(object, "file_id", event->file_id);
        if (event->key_id) cJSON_AddStringToObject(object, "key_id", event->key_id);
        orr_json_add_bytes(object, "sealed_path", event->sealed_path);
        if (event->sealed_at) cJSON_AddStringToObject(object, "sealed_at", event->sealed_at);
        cJSON_AddNumberToObject(object, "generation", (double)event->generation);
        if (event->damaged_slot)
            cJSON_AddStringToObject(object, "damaged_slot", event->damaged_slot);
        if (event->unlike_slot) cJSON_AddStringToObject(object, "unlike_slot", event->unlike_slot);
        cJSON_AddBoolToObject(object, "known_origin", event->known_origin);
        if (event->repairable) cJSON_AddBoolToObject(object, "repairable", 1);
        if (event->repair_damaged) cJSON_AddBoolToObject(object, "damaged_repair_data", 1);
    }
    if (event->went_on) {
        cJSON_AddNumberToObject(object, "segments", (double)event->segments);
        cJSON_AddNumberToObject(object, "kept_segments", (double)event->kept_segments);
    }
    if (report->verb == ORR_VERB_REPAIR && event->outcome != ORR_OUT_SKIPPED) {
        cJSON_AddNumberToObject(object, "repaired_pages", (double)event->repaired_pages);
        cJSON_AddNumberToObject(object, "pages_from_copy", (double)event->copied_pages);
        cJSON_AddNumberToObject(object, "lost_bytes", (double)event->lost_bytes);
    }
    if (event->outcome == ORR_OUT_DONE)
        cJSON_AddBoolToObject(object, "pixels_sealed", event->pixels_sealed);
    if (event->released) orr_json_add_bytes(object, "unauthenticated", event->released);
    if (event->salvaged) {
        orr_json_add_bytes(object, "salvaged", event->salvaged);
        cJSON_AddNumberToObject(object, "salvaged_bytes", (double)event->salvaged_bytes);
    }
    orr_console_json(&report->cli->console, object);
}

// "path: reason" without saying the path twice. Owned by the caller; NULL when memory ran out.
static char *failure_line(const orr_file_event *event) {
    const char *source = event->source ? event->source : "";
    const char *reason = event->reason ? event->reason : orr_status_name(event->status);
    size_t length = strlen(source), room = length + strlen(reason) + 3;
    char *line = malloc(room);
    if (line && length && strncmp(reason, source, length) == 0) {
        memcpy(line, reason, strlen(reason) + 1);
    } else if (line) {
        snprintf(line, room, "%s%s%s", source, length ? ": " : "", reason);
    }
    return line;
}

static void file_failed(orr_report *report, const orr_file_event *event) {
    orr_error error = {.status = event->status};
    char *line = failure_line(event);
    if (event->altered) report->altered = 1;
    if (event->released) report->released = 1;
    if (event->damaged && event->pixels_sealed && !event->repairable) report->salvage_helps = 1;
    if (event->damaged && !event->repairable && !event->pixels_sealed && !event->altered)
        report->copy_helps = 1;
    if (event->salvaged && event->salvaged_bytes) report->salvaged = 1;
    if (event->repeats) report->repeats++;
    if (!report->cli->console.json && !event->repeats) {
        snprintf(error.text, sizeof error.text, "%s", line ? line : "a file failed");
        orr_console_error(&report->cli->console, &error, NULL);
    }
    if (event->repeats) {
        free(line);
        return;
    }
    if (report->failures < ORR_REPORT_KEPT) {
        report->kept[report->failures] = line;
    } else {
        free(line);
    }
    report->failures++;
}

static const char *origin(const orr_file_event *event) {
    return event->file_id && !event->known_origin ? ", of unknown origin" : "";
}

static void say_went_on(orr_console *console, const orr_file_event *event) {
    if (event->went_on)
        orr_console_note(console, "%s: went on at %" PRIu64 " of %" PRIu64 " segments",
                         event->source, event->kept_segments, event->segments);
}

static const char *already(const orr_report *report) {
    return report->verb == ORR_VERB_REPAIR ? "already whole" : "already finished";
}

static void say_repaired(orr_console *console, const orr_file_event *event, const char *word) {
    char copied[64] = "";
    if (event->copied_pages)
        snprintf(copied, sizeof copied, ", %" PRIu64 " of them from the copy", event->copied_pages);
    orr_console_note(console, "%s: %" PRIu64 " page%s %s%s", event->source, event->repaired_pages,
                     event->repaired_pages == 1 ? "" : "s", word, copied);
}

void orr_report_file(void *context, const orr_file_event *event) {
    orr_report *report = context;
    orr_console *console = &report->cli->console;
    const char *source = event->source ? event->source : "";
    const char *arrow = event->target ? " -> " : "", *target = event->target ? event->target : "";
    if (console->json) file_json(report, event);
    switch (event->outcome) {
    case ORR_OUT_DONE:
        if (report->verb == ORR_VERB_REPAIR) say_repaired(console, event, "repaired");
        if (!event->pixels_sealed &&
            report->verb != ORR_VERB_ENCRYPT) { // encrypt has said so already
            report->unsealed++;
            orr_console_note(console, "%s: paper profile, pixels not %s%s", source,
                             report->verb == ORR_VERB_REENCRYPT ? "sealed" : "authenticated",
                             console->verbose ? origin(event) : "");
        } else if (console->verbose) {
            say_went_on(console, event);
            orr_console_note(console, "%s %s%s%s%s%s%s", done_word[report->verb], source, arrow,
                             target, event->sha256 ? ", sha256 " : "",
                             event->sha256 ? event->sha256 : "", origin(event));
        }
        break;
    case ORR_OUT_PRESENT:
        if (console->verbose)
            orr_console_note(console, "%s %s%s%s", already(report), source,
                             event->reason ? ": " : "", event->reason ? event->reason : "");
        break;
    case ORR_OUT_PLANNED:
        if (report->verb == ORR_VERB_REPAIR) {
            say_repaired(console, event, "would be repaired");
            break;
        }
        orr_console_note(console, "would %s %s%s%s", plain_word[report->verb], source, arrow,
                         target);
        break;
    case ORR_OUT_SKIPPED:
        if (console->verbose || event->reason) {
            orr_console_note(console, "skipped %s%s%s", source, event->reason ? ": " : "",
                             event->reason ? event->reason : "");
        }
        break;
    case ORR_OUT_FAILED:
        file_failed(report, event);
        break;
    }
}

void orr_report_warning(void *context, const char *text) {
    orr_report *report = context;
    orr_console_warn(&report->cli->console, 0, "%s", text);
}

void orr_report_warning_always(void *context, const char *text) {
    orr_report *report = context;
    orr_console_warn(&report->cli->console, 1, "%s", text);
}

void orr_report_note(void *context, const char *text) {
    orr_report *report = context;
    if (report->cli->console.verbose) orr_console_note(&report->cli->console, "%s", text);
}

static void end_json(orr_report *report, const orr_summary *s, double seconds) {
    cJSON *object = report->cli->summary = orr_json_message("summary");
    cJSON_AddNumberToObject(object, "files", (double)s->files);
    cJSON_AddNumberToObject(object, "done", (double)s->done);
    cJSON_AddNumberToObject(object, "present", (double)s->present);
    cJSON_AddNumberToObject(object, "planned", (double)s->planned);
    cJSON_AddNumberToObject(object, "skipped", (double)s->skipped);
    cJSON_AddNumberToObject(object, "failed", (double)s->failed);
    cJSON_AddNumberToObject(object, "bytes", (double)s->bytes);
    cJSON_AddNumberToObject(object, "seconds", (double)(uint64_t)(seconds * 1000) / 1000);
    cJSON_AddBoolToObject(object, "broke_off", s->broke_off);
    if (report->cli->arguments.output) {
        cJSON_AddNumberToObject(object, "without_mode", (double)s->without.modes);
        cJSON_AddNumberToObject(object, "without_exact_time", (double)s->without.times);
        cJSON_AddNumberToObject(object, "not_flushed", (double)s->without.flushes);
        cJSON_AddNumberToObject(object, "went_on", (double)s->went_on);
    }
    if (report->verb == ORR_VERB_VERIFY) {
        cJSON_AddNumberToObject(object, "pixels_not_authenticated", (double)report->unsealed);
        cJSON_AddNumberToObject(object, "unfinished_jobs", (double)s->unfinished);
    }
    if (report->verb == ORR_VERB_VERIFY || report->verb == ORR_VERB_DECRYPT)
        cJSON_AddNumberToObject(object, "misnamed", (double)s->misnamed);
    if (report->verb != ORR_VERB_ENCRYPT)
        cJSON_AddNumberToObject(object, "unknown_origin", (double)s->unknown_origin);
    if (report->verb == ORR_VERB_ENCRYPT || report->verb == ORR_VERB_REENCRYPT) {
        cJSON_AddNumberToObject(object, "without_recipient", (double)s->lacking);
        cJSON_AddNumberToObject(object, "without_repair_data", (double)s->lacking_repair);
    }
    if (report->verb == ORR_VERB_REENCRYPT) {
        cJSON_AddNumberToObject(object, "dropped_recipients", (double)s->dropped_recipients);
        cJSON_AddNumberToObject(object, "dropped_repair_data", (double)s->dropped_repair);
    }
}

static const char *plural(uint64_t count) {
    return count == 1 ? "" : "s";
}

static void print_figures(orr_report *report, const orr_summary *s, double seconds) {
    char size[24], rate[24], time[32], rest[400] = "";
    size_t used = 0;
    const struct {
        uint64_t count;
        const char *what;
    } others[] = {{s->present, already(report)},
                  {s->skipped, "skipped"},
                  {s->failed, "failed"},
                  {s->went_on, "gone on with"},
                  {s->without.modes, "without their mode"},
                  {s->without.times, "without their exact time"},
                  {s->without.flushes, "not flushed"}};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (!others[i].count) continue;
        used += (size_t)snprintf(rest + used, sizeof rest - used, "%s%" PRIu64 " %s",
                                 used ? ", " : "; ", others[i].count, others[i].what);
    }
    orr_human_size(s->bytes, size);
    orr_human_size(seconds > 0 ? (uint64_t)((double)s->bytes / seconds) : 0, rate);
    if (seconds < 60) {
        snprintf(time, sizeof time, "%.1f s", seconds);
    } else {
        orr_human_time(seconds, time);
    }
    orr_console *console = &report->cli->console;
    const char *verb = plain_word[report->verb], *done = done_word[report->verb];
    if (report->cli->arguments.dry_run) {
        orr_console_note(console, "would %s %" PRIu64 " file%s%s", verb, s->planned,
                         plural(s->planned), rest);
    } else if (s->done == 0) {
        orr_console_note(console, "%s no file%s", done, rest);
    } else if (report->verb == ORR_VERB_REWRAP) { // its bytes are not touched
        orr_console_note(console, "%s %" PRIu64 " file%s in %s%s", done, s->done, plural(s->done),
                         time, rest);
    } else {
        orr_console_note(console, "%s %" PRIu64 " file%s (%s) in %s, %s/s%s", done, s->done,
                         plural(s->done), size, time, rate, rest);
    }
}

// What was said of one file holds for those that were in work, and for the rest.
static void tell_of_the_rest(const orr_report *report) {
    orr_console *console = &report->cli->console;
    if (report->repeats)
        orr_console_hint(console, "%zu other file%s in work failed with it", report->repeats,
                         report->repeats == 1 ? "" : "s");
    orr_console_hint(console, "the job broke off: every other file would have failed as well");
}

static const char *salvage_hint(const orr_report *report) {
    const orr_arguments *a = &report->cli->arguments;
    if (report->salvaged)
        return "what verified of a damaged file is in NAME.salvaged; restore the rest from a copy";
    if (!a->job.salvage)
        return "restore a damaged file from a copy, make it anew from its source (`orrery encrypt "
               "--redo-damaged`), or try `orrery decrypt --salvage`";
    return a->dry_run ? "without --dry-run, --salvage looks for what verifies of a damaged file"
                      : "restore a damaged file from a copy";
}

static void print_next_step(orr_report *report, const orr_summary *s) {
    orr_status status = s->status;
    orr_console *console = &report->cli->console;
    int reads = report->verb != ORR_VERB_ENCRYPT;
    if (s->broke_off) tell_of_the_rest(report);
    if (reads && report->salvage_helps)
        orr_console_hint(console, "%s", salvage_hint(report));
    else if (reads && report->copy_helps)
        orr_console_hint(console, "restore a damaged file from a copy");
    if (reads && report->altered)
        orr_console_hint(
            console, "%s",
            report->released
                ? "altered pixels are in NAME.unauthenticated.tif; restore the image from a copy"
                : "restore an altered image from a copy; `orrery decrypt --unauthenticated` shows "
                  "its pixels as they are now");
    if (status == ORR_STOPPED) {
        orr_console_hint(console, report->verb == ORR_VERB_VERIFY
                                      ? "stopped; the same command verifies all of it anew"
                                      : "stopped; run the same command again to resume");
    } else if (status == ORR_SELF_TEST) {
        orr_console_hint(console,
                         "the device computes wrongly: do not use it before it has been examined");
    } else if (status == ORR_EXISTS) {
        orr_console_hint(console,
                         "nothing was overwritten; name another output, or move the file away");
    } else if (status == ORR_IO && reads && is_in_place(report->verb)) {
        orr_console_hint(console,
                         "nothing is lost; run the same command again once the cause is gone");
    } else if (status == ORR_IO) {
        orr_console_hint(
            console, "no source was changed; run the same command again once the cause is gone");
    }
}

// Nothing done is what a mistaken directory looks like, or a disk that is not mounted. An archive
// without a file is a failure: somebody may delete originals, or a key, after it.
static void tell_of_nothing(orr_report *report, const orr_summary *s) {
    static const char *const texts[] = {
        "there is no encrypted file in what was named: is it the archive, and is its disk mounted?",
        "there is nothing to encrypt: no regular file was found; is the disk mounted? "
        "(--allow-empty takes it as it is)",
        "there is nothing to encrypt: what was found was skipped"};
    orr_error none = {.status = ORR_NOT_ORRERY};
    if (s->status != ORR_NOT_ORRERY || s->done || s->present || s->planned || s->failed) return;
    int which = report->verb != ORR_VERB_ENCRYPT ? 0 : s->skipped ? 2 : 1;
    snprintf(none.text, sizeof none.text, "%s", texts[which]);
    orr_console_error(&report->cli->console, &none, NULL);
}

void orr_report_origin(orr_report *report, const orr_summary *summary) {
    if (!summary->unknown_origin) return;
    // A statement about safety: said whatever the options.
    orr_console_warn(&report->cli->console, 1,
                     "%" PRIu64 " of these files open%s with a recipient's key alone: anyone "
                     "who has its public file can have made them (--require-origin refuses "
                     "them)",
                     summary->unknown_origin, summary->unknown_origin == 1 ? "s" : "");
}

// What is, or comes out, with less than it was asked for or had.
static void warn_of_lacks(orr_console *console, const orr_summary *s) {
    if (s->lacking)
        orr_console_warn(console, 0,
                         "%" PRIu64 " finished file%s no wrap for a recipient of this job, who "
                         "cannot open %s: `orrery rewrap -k KEYRING --add FILE.orrpub` adds it",
                         s->lacking, s->lacking == 1 ? " has" : "s have",
                         s->lacking == 1 ? "it" : "them");
    if (s->lacking_repair)
        orr_console_warn(console, 0,
                         "%" PRIu64
                         " finished file%s no repair data: `orrery reencrypt --parity P` "
                         "makes new files that have them",
                         s->lacking_repair, s->lacking_repair == 1 ? " has" : "s have");
    if (s->dropped_recipients)
        orr_console_warn(console, 0,
                         "%" PRIu64 " file%s recipients who cannot open the new one%s: --add "
                         "FILE.orrpub gives them to new files, and `orrery rewrap --add` to these",
                         s->dropped_recipients, s->dropped_recipients == 1 ? " had" : "s had",
                         s->dropped_recipients == 1 ? "" : "s");
    if (s->dropped_repair)
        orr_console_warn(console, 0,
                         "%" PRIu64
                         " file%s repair data, which the new one%s not: --parity P makes "
                         "them",
                         s->dropped_repair, s->dropped_repair == 1 ? " had" : "s had",
                         s->dropped_repair == 1 ? " has" : "s have");
}

void orr_report_end(orr_report *report, const orr_summary *summary, double seconds) {
    orr_console *console = &report->cli->console;
    tell_of_nothing(report, summary);
    if (summary->misnamed > ORR_MISNAMED_SAID)
        orr_console_warn(console, 0,
                         "%" PRIu64 " files have other names than their seals; of %" PRIu64
                         " it was not said (--json names all)",
                         summary->misnamed, summary->misnamed - ORR_MISNAMED_SAID);
    orr_report_origin(report, summary);
    warn_of_lacks(console, summary);
    // Whoever deletes originals after this must know: said whatever the options.
    if (report->verb == ORR_VERB_VERIFY && summary->unfinished)
        orr_console_warn(console, 1,
                         "a job has not finished what it was to write here, or still runs: run it "
                         "again before any original is deleted (or, if that is given up, delete "
                         "its journal %s)",
                         summary->journal);
    if (console->json) {
        end_json(report, summary, seconds);
        return;
    }
    // Each was said as it failed: again only where that has rolled off a screen.
    int gone = console->terminal && (console->verbose || summary->files > ORR_REPORT_SCREEN);
    if (report->failures && gone && !console->quiet) {
        orr_console_hint(console, "%zu of %" PRIu64 " files failed:", report->failures,
                         summary->files);
        for (size_t i = 0; i < report->failures && i < ORR_REPORT_KEPT; i++) {
            if (report->kept[i]) orr_console_hint(console, "  %s", report->kept[i]);
        }
        if (report->failures > ORR_REPORT_KEPT) {
            orr_console_hint(console, "  and %zu more, said above",
                             report->failures - ORR_REPORT_KEPT);
        }
    }
    print_figures(report, summary, seconds);
    print_next_step(report, summary);
}
