// What is at the target of a file that is to be made: the finished result of its source, told by
// its seal from a file that holds something else.
#ifndef ORRERY_HOST_JOB_EXISTING_H
#define ORRERY_HOST_JOB_EXISTING_H

#include "host/job/job_file.h"

typedef struct orr_existing {
    int fd;
    char *target; // its path below the output
    orr_profile profile;
    int damaged;         // its head
    int unopened;        // no key here opens it
    int unknown_origin;  // a recipient's wrap alone opened it
    int lacks_repair;    // the job makes repair data, and it has none
    int lacks_recipient; // somebody who is to open what this job writes has no wrap in it
    uint8_t file_id[32];
    orr_file_secret secret;
    orr_metadata sealed;
    int same_time; // the sealed time is the source's
} orr_existing;

// Looks at file->target and sets to.sealed->existing; it stays NULL when nothing is there. With
// --redo-damaged a file that does not verify sets to.sealed->replaces. One with the path, size and
// profile of this source is from.kind->compare's to tell. ORR_EXISTS says what else the file is,
// and what to do.
orr_status orr_existing_look(orr_job_file *file, orr_error *error);
// The same for an opaque name, which only the job's resume map, or the machine's records, can
// answer: sets file->target, too.
orr_status orr_existing_resume(orr_job_file *file, orr_error *error);
// ORR_EXISTS, "SOURCE: OUT/name is ...": why the file at the target is not the result of this
// source, and what to do.
orr_status orr_existing_refuse(const orr_job_file *file, orr_error *error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
// Gives the damaged file whose place this one takes a name that is free: NAME.damaged, or with a
// number.
orr_status orr_existing_put_aside(const orr_job_file *file, orr_error *error);
void orr_existing_free(orr_existing *existing); // closes and wipes; NULL is fine

#endif
