// The volume kernels and their launchers, compiled for the CPU.
#include "tests/shim/shim.h"

// What a test does to a thread's words in the midst of the work or of its check: see fault.h.
#include "tests/shim/fault.h"
#define ORR_FAULT(words) shim::fault(words, sizeof(words) / sizeof((words)[0]))

#include "kernels/cuda/volume.cu"
