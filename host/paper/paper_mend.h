// Mending the body of a paper-profile file (host/container/mend.h).
#ifndef ORRERY_HOST_PAPER_PAPER_MEND_H
#define ORRERY_HOST_PAPER_PAPER_MEND_H

#include "host/container/mend.h"
#include "host/paper/paper.h"

#ifdef __cplusplus
extern "C" {
#endif

// Metadata, directories and zero bytes; and pixels, of which nothing is known but the digest of
// all: pages are corrected, or taken from the copy, in memory, and none is written before all of
// them together have it. ORR_OK whatever is lost; ORR_UNSUPPORTED when the corrected pages need
// more memory than the mend's; ORR_IO, ORR_STOPPED, ORR_INTERNAL.
orr_status orr_paper_mend(orr_mend *mend, const orr_paper_means *means, orr_error *error);

#ifdef __cplusplus
}
#endif
#endif
