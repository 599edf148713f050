// How many threads can run at a time.
#ifndef ORRERY_BASE_CORES_H
#define ORRERY_BASE_CORES_H

#ifdef __cplusplus
extern "C" {
#endif

// Cores that this process may use (sched_setaffinity, taskset, cpusets), at least one.
unsigned orr_cores(void);

#ifdef __cplusplus
}
#endif
#endif
