// Nothing is written: verify.
#include "host/job/job_file.h"

static orr_status none(orr_job_file *file, orr_error *error) {
    (void)file;
    (void)error;
    return ORR_OK;
}

static orr_status none_write(orr_job_file *file, orr_piece *piece, orr_worker *worker,
                             orr_error *error) {
    (void)piece;
    (void)worker;
    return none(file, error);
}

static void none_close(orr_job_file *file) {
    (void)file;
}

const orr_sink_kind orr_sink_none = {.open = none,
                                     .look = none,
                                     .begin = none,
                                     .write = none_write,
                                     .finish = none,
                                     .close = none_close};
