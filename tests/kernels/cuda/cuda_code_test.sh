#!/usr/bin/env bash
# The compiled code of the tile and volume kernels stays within its limits: no floating point,
# instructions a byte, registers, spills, shared memory, occupancy, no bank conflicts. Needs nvcc, no
# GPU.
set -uo pipefail
cd "${SOURCE:-$(dirname "${BASH_SOURCE[0]}")/../../..}" || exit 1
exec scripts/cuda-code --check
