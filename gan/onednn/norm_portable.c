#include "gan/onednn/norm.h"

#include "gan/onednn/norm_kernels.inc"

const orr_norm_kernels orr_norm_portable = {sums, forward, backward_sums, backward,
                                            hyperbolic_tangent};
