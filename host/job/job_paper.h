// Files of the paper profile: a whole image at a time, on one worker (host/paper/paper.h does the
// work). The worker reads and writes; the job's backend enciphers the pages, several at once.
#ifndef ORRERY_HOST_JOB_JOB_PAPER_H
#define ORRERY_HOST_JOB_JOB_PAPER_H

#include "host/job/job_file.h"

// Both are orr_job_file.at_once, and end with the file failed or as segments do that are through.
// Takes the image from one end to the other.
void orr_paper_transfer(orr_job_file *file);
// decrypt --unauthenticated: the pixels decide which name is to be written. They are deciphered
// first; what is at that name is looked at then.
void orr_paper_release(orr_job_file *file);

#endif
