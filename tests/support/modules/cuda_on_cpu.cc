// liborrery_cuda.so of a make-believe device (tests/shim), for a copy of the program beside it: the
// CUDA backend's host code and kernels, executed on the CPU. ORRERY_CUDA_SHIM says how many devices
// there are, how many of them, from the first, are too old, which CUDA call fails (0: none), and
// whether the first tile gets a flipped bit, as in "2 1 0 0". ORRERY_CUDA_PEAK names a file that
// gets the most bytes of device memory that were in use at a time.
#include "tests/shim/shim.h"

#include <cstdio>
#include <cstdlib>

#include "tests/shim/fault.h"
#include "tests/shim/runtime.h"

namespace {

const struct Setting {
    Setting() {
        const char *text = std::getenv("ORRERY_CUDA_SHIM");
        int flip = 0;
        shim::runtime.devices = 1;
        shim::settings = {shim::Schedule::forward, 1, 0xa5};
        if (text && std::sscanf(text, "%d %d %lu %d", &shim::runtime.devices,
                                &shim::runtime.old_devices, &shim::runtime.fail_call, &flip) != 4)
            std::abort();
        shim::runtime.fail_code = 700; // an illegal memory access
        if (flip) shim::next_fault = {true, 0, 3, 5, 1u << 9, 0};
    }
    ~Setting() {
        const char *path = std::getenv("ORRERY_CUDA_PEAK");
        FILE *out = path ? std::fopen(path, "w") : nullptr;
        if (!out) return;
        std::fprintf(out, "%zu\n", shim::runtime.device_peak);
        std::fclose(out);
    }
} setting;

} // namespace
