// The tile kernels and their launchers, compiled for the CPU.
#include "tests/shim/shim.h"

// What a test does to a thread's words between the work of a kernel and its check: see fault.h.
#include "tests/shim/fault.h"
#define ORR_FAULT(words) shim::fault(words, 24)

#define ORR_CUDA_MEASURE
#include "kernels/cuda/tile.cu"
