#include "cli/stream_out.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/job_report.h"
#include "cli/progress.h"
#include "cli/stop.h"
#include "host/job/job_pipe.h"

// The descriptor that a name of the system stands for, -1 when it is no such name. Opening those
// names anew would begin at the front of a file that others write to as well.
static int descriptor_of(const char *name) {
    static const char *const lead[] = {"/dev/fd/", "/proc/self/fd/"};
    if (!strcmp(name, "-") || !strcmp(name, "/dev/stdout")) return STDOUT_FILENO;
    if (!strcmp(name, "/dev/stderr")) return STDERR_FILENO;
    for (int i = 0; i < 2; i++) {
        uint64_t number;
        if (!strncmp(name, lead[i], strlen(lead[i])) &&
            orr_value_count(name + strlen(lead[i]), "a descriptor", 0, 65535, &number, NULL) ==
                ORR_OK)
            return (int)number;
    }
    return -1;
}

// Does OUT take bytes in order, rather than hold files or be one?
static int is_stream(const char *out, orr_error *error, orr_status *status) {
    struct stat st;
    int fd = descriptor_of(out);
    *status = ORR_OK;
    if (fd >= 0 && fstat(fd, &st) != 0)
        *status = orr_fail(error, ORR_USAGE, "%s: there is no such descriptor", out);
    if (fd >= 0) return !S_ISDIR(st.st_mode);
    if (stat(out, &st) != 0 || S_ISDIR(st.st_mode) || S_ISREG(st.st_mode)) return 0;
    if (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)) return 1;
    *status = orr_fail(error, ORR_USAGE,
                       "%s: is a %s: OUT is a directory, a file, or for `decrypt` a pipe", out,
                       S_ISBLK(st.st_mode) ? "disk, and a disk is not written over" : "socket");
    return 1;
}

static orr_status check_stream(const orr_cli *cli, const orr_name_list *list, orr_error *error) {
    const orr_arguments *a = &cli->arguments;
    const char *input = a->operand_count ? a->operands[0] : list->count ? list->names[0] : NULL;
    struct stat st;
    if (!orr_command_option(a->command, "output")->dash)
        return orr_fail(error, ORR_USAGE,
                        "%s: %s cannot write to a pipe or device: the head of an encrypted file is "
                        "written last; name a directory or a file",
                        a->output, a->command->name);
    if (!input || a->operand_count + list->count != 1 ||
        (stat(input, &st) == 0 && S_ISDIR(st.st_mode)))
        return orr_fail(error, ORR_USAGE,
                        "-o %s takes one encrypted file, not several: give a "
                        "directory for those",
                        a->output);
    const char *without = a->json                  ? "json"
                          : a->job.salvage         ? "salvage"
                          : a->job.unauthenticated ? "unauthenticated"
                          : a->job.shard.whole     ? "shard"
                                                   : NULL;
    if (without)
        return orr_fail(error, ORR_USAGE,
                        "-o %s does not go with --%s: the output is the file's "
                        "bytes, and all of them",
                        a->output, without);
    return ORR_OK;
}

orr_status orr_stream_out_open(orr_cli *cli, const orr_name_list *list, orr_stream_out *stream,
                               orr_error *error) {
    const char *out = cli->arguments.output;
    orr_status status = ORR_OK;
    *stream = (orr_stream_out){.fd = -1};
    if (!out || !is_stream(out, error, &status) || status != ORR_OK) return status;
    status = check_stream(cli, list, error);
    if (status != ORR_OK) return status;
    stream->fd = descriptor_of(out);
    stream->shown = stream->fd == STDOUT_FILENO ? "standard output" : out;
    if (stream->fd < 0) {
        stream->own = 1;
        stream->fd = open(out, O_WRONLY | O_NOCTTY | O_CLOEXEC);
        if (stream->fd < 0 && errno == EINTR)
            return orr_fail(error, ORR_STOPPED, "%s: stopped before there was a reader", out);
        if (stream->fd < 0)
            return orr_fail_errno(error, errno, "%s: cannot open it: %s", out, strerror(errno));
    }
    if (!isatty(stream->fd)) return ORR_OK;
    orr_stream_out_close(stream);
    return orr_fail(error, ORR_USAGE,
                    "%s is a terminal, which a file's bytes would disturb: send them to a program "
                    "or a file",
                    stream->shown);
}

void orr_stream_out_close(orr_stream_out *stream) {
    if (stream->own && stream->fd >= 0) close(stream->fd);
    stream->fd = -1;
}

// What fails is told as the job tells it; that the file was verified is not the end of anything.
static void on_file(void *context, const orr_file_event *event) {
    if (event->outcome == ORR_OUT_FAILED || !event->pixels_sealed) orr_report_file(context, event);
}

// All of it is authenticated before the first byte goes out.
static orr_status verify_first(orr_cli *cli, orr_job_options *options, orr_error *error) {
    orr_report *report = malloc(sizeof *report);
    if (!report) return orr_fail(error, ORR_INTERNAL, "memory ran out");
    orr_report_init(report, cli, ORR_VERB_DECRYPT);
    orr_job_hooks hooks = {report, on_file, orr_report_warning, NULL, orr_report_warning_always};
    orr_progress progress = {0};
    orr_summary summary = {0};
    options->verb = ORR_VERB_VERIFY;
    options->past_damage = 1; // what comes out is right
    options->output = NULL;
    orr_ticker *ticker = orr_ticker_start(&cli->console, "verify", &progress);
    orr_status status =
        orr_job_run(options, &hooks, &progress, &orr_stop_requested, &summary, error);
    orr_ticker_stop(ticker);
    if (status == ORR_OK || status == ORR_STOPPED) {
        status = summary.status;
        cli->said = status != ORR_OK;
        if (cli->said)
            orr_report_end(report, &summary, 0);
        else
            orr_report_origin(report, &summary);
    }
    orr_report_free(report);
    free(report);
    return status;
}

orr_status orr_stream_out_run(orr_cli *cli, orr_job_options *options, const orr_stream_out *stream,
                              orr_error *error) {
    const orr_arguments *a = &cli->arguments;
    const char *input =
        options->inputs.count ? options->inputs.paths[0] : options->inputs.listed[0];
    orr_progress progress = {0};
    struct stat before;
    char size[24];
    if (stat(input, &before) != 0)
        return orr_fail_errno(error, errno, "%s: cannot look at this file: %s", input,
                              strerror(errno));
    orr_status status = verify_first(cli, options, error);
    if (status != ORR_OK) return status;
    if (a->dry_run) {
        orr_console_note(&cli->console, "would decrypt %s to %s", input, stream->shown);
        return ORR_OK;
    }
    orr_ticker *ticker = orr_ticker_start(&cli->console, a->command->name, &progress);
    status = orr_pipe_decrypt(options, input, &before, stream->fd, stream->shown, &progress,
                              &orr_stop_requested, error);
    orr_ticker_stop(ticker);
    if (status != ORR_OK) return status;
    orr_human_size(atomic_load(&progress.total_bytes), size);
    orr_console_note(&cli->console, "decrypted %s (%s) to %s", input, size, stream->shown);
    return ORR_OK;
}
