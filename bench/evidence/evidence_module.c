// What liborrery_evidence.so shows: one function. All else in it, copies of the program's own code
// included, is hidden.
#include "bench/evidence/evidence.h"

__attribute__((visibility("default"))) const orr_evidence_library *orr_evidence_library_get(void) {
    static const orr_evidence_library library = {.abi = ORR_EVIDENCE_ABI, .run = orr_evidence_run};
    return &library;
}
