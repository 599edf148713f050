// From --device to an open backend that has passed its self-test.
#include <string.h>

#include "cli/generator.h"
#include "gan/gan_device.h"
#include "kernels/device.h"

// A device failed and the CPU goes on with the same bytes: the operator should know, whatever the
// job's outcome.
static void report_failure(void *context, const orr_error *error, int stopped) {
    orr_cli *cli = context;
    orr_console_warn(&cli->console, 1, "%s; %s", error->text,
                     stopped ? "the device is not used any more, the CPU goes on"
                             : "redone on the CPU");
}

orr_status orr_cli_backend(orr_cli *cli, orr_backend **backend, orr_error *error) {
    const orr_arguments *a = &cli->arguments;
    // A ceiling that was asked for holds on a device too; else the device's own choice does.
    orr_device_options options = {
        .threads = a->jobs, .memory = (size_t)a->job.mem, .report = report_failure, .context = cli};
    orr_error failure = {0};
    orr_status status = orr_device_open(a->device, &options, backend, &failure);
    if (status == ORR_UNSUPPORTED)
        return orr_fail(error, status, "--device %s: %s; --device auto runs on what is there",
                        a->device, failure.text);
    return status == ORR_OK ? status : orr_fail(error, status, "%s", failure.text);
}

static void note_passed_over(void *context, const char *reason) {
    orr_cli *cli = context;
    if (cli->console.verbose)
        orr_console_note(&cli->console, "--device auto passes over a device: %s", reason);
}

orr_status orr_cli_gan_device(orr_cli *cli, orr_gan_options *options,
                              const orr_gan_backend **backend, orr_error *error) {
    const char *device = cli->arguments.device;
    orr_error failure = {0};
    orr_status status =
        orr_gan_device_open(device, options, backend, note_passed_over, cli, &failure);
    if (status == ORR_OK) return status;
    int no_cpu = status == ORR_UNSUPPORTED && strncmp(device, "cuda", 4) != 0;
    return orr_fail(error, status, "--device %s: %s; --device %s", device, failure.text,
                    no_cpu ? "cuda goes without it, on a GPU" : "auto runs on what is there");
}
