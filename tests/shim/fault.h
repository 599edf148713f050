// A bit flip in the registers of one thread, after a kernel has done its work and before it stores
// and checks it.
#ifndef ORRERY_TESTS_SHIM_FAULT_H
#define ORRERY_TESTS_SHIM_FAULT_H

#include <cstdint>

namespace shim {

struct Fault {
    bool armed = false;
    unsigned block = 0, thread = 0, word = 0;
    uint32_t flip = 0;
};
extern Fault next_fault; // disarmed when it has happened

void fault(uint32_t *words, unsigned count);

} // namespace shim

#endif
