// A bit flip in the registers of one thread, after a kernel has done its work and before it stores
// and checks it. Volume kernels have such a place in every pass: `after` of them are let go by.
#ifndef ORRERY_TESTS_SHIM_FAULT_H
#define ORRERY_TESTS_SHIM_FAULT_H

#include <cstdint>

namespace shim {

struct Fault {
    bool armed = false;
    unsigned block = 0, thread = 0, word = 0;
    uint32_t flip = 0;
    unsigned long after = 0; // visits of the place by that thread that come before
};
extern Fault next_fault; // disarmed when it has happened

void fault(uint32_t *words, unsigned count);

} // namespace shim

#endif
