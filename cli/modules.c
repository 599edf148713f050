#include "cli/modules.h"

#include "bench/bench_cuda.h"
#include "bench/evidence/evidence.h"
#include "gan/gan_device.h"
#include "kernels/cuda_loader.h"

orr_library *const orr_cli_modules[] = {&orr_evidence_module, &orr_gan_onednn_module,
                                        &orr_cuda_module, &orr_gan_cuda_module,
                                        &orr_bench_cuda_module};
const size_t orr_cli_module_count = sizeof orr_cli_modules / sizeof *orr_cli_modules;
