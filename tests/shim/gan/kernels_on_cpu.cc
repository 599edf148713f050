// The DCGAN's kernels and their launchers, compiled for the CPU.
#include "tests/shim/shim.h"

#include "gan/cuda/kernels.cu"
