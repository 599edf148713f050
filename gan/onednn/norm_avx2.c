#include "gan/onednn/norm.h"

#ifdef __AVX2__ // set for this file where the processor family has it
#include "gan/onednn/norm_kernels.inc"

const orr_norm_kernels orr_norm_avx2 = {sums, forward, backward_sums, backward, hyperbolic_tangent};
#endif
