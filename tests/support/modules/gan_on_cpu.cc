// liborrery_gan_cuda.so of a make-believe device (tests/shim), for a copy of the program beside it:
// the CUDA implementation's host code and kernels, executed on the CPU. ORRERY_SHIM says how many
// devices there are, how many of them, from the first, are too old, and which call on a device
// fails for good (0: none), as in "2 1 0".
#include "tests/shim/shim.h"

#include <cstdio>
#include <cstdlib>

#include "tests/shim/runtime.h"

namespace {

const struct Setting {
    Setting() {
        const char *text = std::getenv("ORRERY_SHIM");
        shim::runtime.devices = 1;
        shim::settings = {shim::Schedule::forward, 1, 0xa5};
        if (text && std::sscanf(text, "%d %d %lu", &shim::runtime.devices,
                                &shim::runtime.old_devices, &shim::runtime.fail_call) != 3)
            std::abort();
        shim::runtime.fail_code = 700; // an illegal memory access
        shim::runtime.fail_sticky = true;
    }
} setting;

} // namespace
