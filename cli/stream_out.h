// `decrypt -o -`: the original goes to a pipe or device, in order.
#ifndef ORRERY_CLI_STREAM_OUT_H
#define ORRERY_CLI_STREAM_OUT_H

#include "cli/cli.h"
#include "host/job/job.h"

#ifdef __cplusplus
extern "C" {
#endif

// Where the output goes when OUT is no place for files.
typedef struct orr_stream_out {
    int fd;            // -1: OUT is a place for files
    int own;           // to be closed
    const char *shown; // in messages
} orr_stream_out;

// Looks at OUT: "-", /dev/stdout, /dev/fd/N, a FIFO or a device. For decrypt it is opened (a FIFO
// waits for its reader); ORR_USAGE with a sentence for what cannot be done there: another command,
// several inputs, a terminal, --json, --salvage, --shard. `list`: of --files-from.
orr_status orr_stream_out_open(orr_cli *cli, const orr_name_list *list, orr_stream_out *stream,
                               orr_error *error);
void orr_stream_out_close(orr_stream_out *stream);

// Verifies the one input, all of it, with every worker and the device; when it is whole, writes its
// original. options: of the decrypting job.
orr_status orr_stream_out_run(orr_cli *cli, orr_job_options *options, const orr_stream_out *stream,
                              orr_error *error);

#ifdef __cplusplus
}
#endif
#endif
