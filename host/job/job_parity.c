#include "host/job/job_parity.h"

#include "host/container/parity.h"
#include "host/job/job_limits.h"

orr_status orr_job_write_repair(const orr_job *job, const orr_header *header, uint64_t data_end,
                                int fd, const char *shown, orr_error *error) {
    orr_parity_layout layout;
    if (!header->groups) return ORR_OK;
    // Of many files each worker has one; of a single one all that is left to do is this.
    unsigned workers = orr_job_workers(job->options->mem, job->options->jobs);
    orr_parity_work work = {.stop = job->stop, .threads = job->single ? workers : 1};
    work.memory = (size_t)(work.threads * orr_job_parity_memory(job->options, workers));
    orr_status status = orr_repair_layout(header, data_end, &layout, error);
    return status == ORR_OK ? orr_parity_write(fd, &layout, header->file_id, &work, shown, error)
                            : status;
}
