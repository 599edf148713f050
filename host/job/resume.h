// With opaque names a source cannot tell its output's name. This map, read from the outputs
// themselves at the start of a job, says where a source's output is: sealed path -> file ID.
#ifndef ORRERY_HOST_JOB_RESUME_H
#define ORRERY_HOST_JOB_RESUME_H

#include "host/container/format.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_resume_map orr_resume_map;

// Scans a directory (not below it; `shown` in messages) for *.orr.tif whose metadata open with the
// lookup's keys. What is no encrypted file, is damaged or has another key is left alone and
// ignored; one that cannot be read might be any source's: ORR_IO, for passing over it would make a
// second output of that source. ORR_INTERNAL when memory runs out. The caller frees *map.
orr_status orr_resume_scan(orr_resume_map **map, int directory, const char *shown,
                           orr_master_lookup lookup, void *context, orr_error *error);
// 1 when an output for the path of `expected` exists; then *name (malloc'ed; NULL when memory ran
// out) is its file name. Of several the one sealed last.
int orr_resume_find(const orr_resume_map *map, const orr_metadata *expected, char **name);
void orr_resume_free(orr_resume_map *map);

#ifdef __cplusplus
}
#endif

#endif
