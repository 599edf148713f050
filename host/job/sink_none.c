// Nothing is written: verify.
#include "host/job/job_file.h"

const orr_sink_kind orr_sink_none = {0};
