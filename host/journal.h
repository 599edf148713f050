// The journal of a job, OUT/.orrery-journal: one JSON object per line, for people and scripts that
// want to know what a stopped job had finished. Only a hint: resuming looks at the outputs
// themselves. It holds names of outputs, never of sources, and no secret. It is removed when a job
// ends with everything finished, so that its presence means unfinished work. A shard has a journal
// of its own, OUT/.orrery-journal-I-of-N.
#ifndef ORRERY_HOST_JOURNAL_H
#define ORRERY_HOST_JOURNAL_H

#include <stdint.h>
#include "kernels/status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ORR_JOURNAL_NAME ".orrery-journal"

typedef struct orr_journal orr_journal;

// Opens or creates the journal in a directory and writes a start line; `shards` 0: of the whole
// job. NULL when it cannot be had: a job runs without it.
orr_journal *orr_journal_open(int directory, const char *verb, unsigned shard, unsigned shards);
// Is this the name of a journal?
int orr_journal_is_name(const char *name);
// One line for an output (`target` is raw bytes) that is finished (ORR_OK) or failed. Not
// thread-safe.
void orr_journal_file(orr_journal *journal, const char *target, uint64_t bytes, orr_status status);
// Writes an end line, or removes the journal when `status` is ORR_OK; one of a whole job takes
// those of shards with it. NULL is fine.
void orr_journal_close(orr_journal *journal, orr_status status);

#ifdef __cplusplus
}
#endif

#endif
