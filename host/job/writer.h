// A job without a keyring, which encrypts for recipients: it cannot read what earlier runs sealed,
// and knows them by records of its own in the output's state (host/job/state.h), under the key of
// its machine (host/keys/writer_key.h). A file that has no record is refused, never replaced; so a
// file gets its name only when the storage has its record.
#ifndef ORRERY_HOST_JOB_WRITER_H
#define ORRERY_HOST_JOB_WRITER_H

#include "host/job/job_file.h"

// Did this machine make the file of this ID of file->from, by its inode and times? No: its contents
// can tell.
int orr_writer_knows(const orr_job_file *file, const uint8_t file_id[32]);
// Reads file->from, unless it has no such record: is the file of this ID made of those contents?
// ORR_STOPPED, ORR_IO, ORR_INTERNAL.
orr_status orr_writer_compare(const orr_job_file *file, const uint8_t file_id[32], int *same,
                              orr_error *error);
// Records that the file of this ID is made of file->from, by its inode and times.
void orr_writer_record_identity(const orr_job_file *file, const uint8_t file_id[32]);
// Records that the output is made of file->from, whose contents file->metadata tells. ORR_IO,
// ORR_INTERNAL.
orr_status orr_writer_record(const orr_job_file *file, orr_error *error);
// The opaque name of the file that it made last of this path. 0: it has made none; 1: *name, owned
// by the caller, is NULL when memory ran out.
int orr_writer_find(const orr_job_file *file, char **name);

#endif
