// The make-believe CUDA device behind tests/shim/runtime/cuda_runtime_api.h, and what tests may do
// to it. Work queued in a stream happens when somebody synchronizes with the stream, not before, so
// that a missing wait shows.
#ifndef ORRERY_TESTS_SHIM_RUNTIME_H
#define ORRERY_TESTS_SHIM_RUNTIME_H

#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace shim {

struct Runtime {
    int devices = 1, driver = 13000, major = 8, minor = 6;
    int old_devices = 0;             // so many first ones have compute capability 7.5 instead
    size_t memory = size_t{1} << 30; // of the device, bytes
    // Calls that can fail are numbered from 1. Call number fail_call ends with fail_code, and when
    // fail_sticky is set so does every call after it, as after a fault on a device.
    unsigned long calls = 0, fail_call = 0;
    int fail_code = 0;
    unsigned long kill_call = 0; // the process dies in this call, as by kill -9
    bool fail_sticky = false;
    std::string failed; // name of the call that was made to fail
    // Work of a second stream is done as late as the rules allow, or with `early` as soon as they
    // do: what is queued happens in the order of the calls.
    bool early = false;
    // What the program has: bytes of each kind by address.
    std::map<void *, size_t> device_memory, pinned_memory;
    size_t device_bytes = 0, device_peak = 0, streams = 0, events = 0, graphs = 0;
    unsigned long graph_launches = 0;
    // Bytes to be copied in from or out to memory that is not page-locked: a real driver copies
    // them through memory of its own, which nobody wipes.
    size_t pageable_bytes = 0;
    unsigned long pageable_under_way = 0; // of those copies: their memory must not be freed yet
    std::vector<std::string> complaints;  // frees of what was not allocated or not wiped, ...
};
extern Runtime runtime;

} // namespace shim

#endif
