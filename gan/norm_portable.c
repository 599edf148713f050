#include "gan/norm.h"

#include "gan/norm_kernels.inc"

const orr_norm_kernels orr_norm_portable = {sums, forward, backward_sums, backward,
                                            hyperbolic_tangent};
