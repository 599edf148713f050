// What --mem, -j and the system's limits leave a job.
#ifndef ORRERY_HOST_JOB_JOB_LIMITS_H
#define ORRERY_HOST_JOB_JOB_LIMITS_H

#include "host/job/job.h"
#include "host/job/stream.h"

void orr_job_stream_config(const orr_job_options *options, orr_stream_config *config);
// How many files may be open ahead of the planner (job_ahead.h).
unsigned orr_job_ahead(void);
// How many threads finish files (finishers.h), and how many files may be with them before the next
// one is planned, of `workers` workers.
void orr_job_finishing(unsigned workers, unsigned *threads, unsigned *files);
// Bytes for the images of one of `workers` workers.
uint64_t orr_job_paper_memory(const orr_job_options *options, unsigned workers);
// Bytes for the repair data that one of `workers` workers writes.
uint64_t orr_job_parity_memory(const orr_job_options *options, unsigned workers);
// Bytes for mending a file, of one of `workers` workers.
uint64_t orr_job_mend_memory(const orr_job_options *options, unsigned workers);
// As many descriptors as the system gives: deep trees keep one open for each level.
void orr_job_raise_descriptors(void);

#endif
