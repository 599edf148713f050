// Flushes that share one another: where many threads flush one directory, each after a name of its
// own, one flush is under way at a time, and those that come meanwhile have the next one together.
#ifndef ORRERY_BASE_GROUP_FLUSH_H
#define ORRERY_BASE_GROUP_FLUSH_H

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_group_flush orr_group_flush;

// NULL when memory ran out. Free it when nobody is in orr_group_fsync.
orr_group_flush *orr_group_flush_new(void);
void orr_group_flush_free(orr_group_flush *group);
// As orr_fsync (base/flush.h): the flush that it returns for began after the call, whoever made it,
// and one that failed has failed for all that waited for it. Any thread.
int orr_group_fsync(orr_group_flush *group, int fd);

#ifdef __cplusplus
}
#endif
#endif
