// How many CUDA devices there are, for every shared object that uses them.
#ifndef ORRERY_BASE_CUDA_COUNT_H
#define ORRERY_BASE_CUDA_COUNT_H

#include "base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

// When it is 0, *reason (NULL allowed) says why in one sentence: no driver, driver too old, no
// device.
unsigned orr_cuda_count(orr_error *reason);

#ifdef __cplusplus
}
#endif
#endif
