// The kernels of bench/cuda and their launchers, compiled for the CPU.
#include "tests/shim/shim.h"

#include "tests/shim/fault.h"
#define ORR_FAULT(words) shim::fault(words, 24)

#include "bench/cuda/measure.cu"
