// The opening of a sealed source (job_file.h), which rewrap shares.
#ifndef ORRERY_HOST_JOB_SOURCE_SEALED_H
#define ORRERY_HOST_JOB_SOURCE_SEALED_H

#include "host/job/job_file.h"

// Opens what is open as from.fd (host/job/sealed.h): from.sealed, profile, bytes and metadata. A
// damaged spare wrap slot is a warning and noted in from.damaged_slot.
orr_status orr_file_open_sealed(orr_job_file *file, orr_error *error);

#endif
