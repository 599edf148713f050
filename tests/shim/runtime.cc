#include "tests/shim/shim.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>

#include "tests/shim/runtime.h"
#include "tests/shim/runtime/cuda_runtime_api.h"

using Work = std::deque<std::function<cudaError_t()>>;

struct CUstream_st;
struct CUgraph_st {
    Work work;
    // Other streams that have been drawn into the capture: must one still be joined?
    std::map<CUstream_st *, bool> branches;
};
struct CUgraphExec_st {
    Work work;
};
struct CUstream_st {
    Work work;
    cudaError_t error = cudaSuccess;
    CUgraph_st *captured = nullptr; // takes the work instead
    Work branch;                    // of a stream that another's capture has drawn in
    void push(std::function<cudaError_t()> item);
};
struct Moment {
    std::chrono::steady_clock::time_point when;
    bool come = false;
};

struct CUevent_st {
    CUstream_st *stream = nullptr;  // that it was recorded in
    CUgraph_st *captured = nullptr; // while that one was being captured into a graph
    // When the stream came to it; the stream may outlive the event.
    std::shared_ptr<Moment> moment = std::make_shared<Moment>();
};

namespace shim {

Runtime runtime;

namespace {

std::recursive_mutex mutex; // alloc and free come from other threads than the rest

cudaError_t drain(CUstream_st *stream) {
    if (stream->captured) return cudaErrorStreamCaptureUnsupported;
    while (!stream->work.empty()) {
        std::function<cudaError_t()> next = std::move(stream->work.front());
        stream->work.pop_front();
        cudaError_t code = next();
        if (stream->error == cudaSuccess) stream->error = code;
    }
    return stream->error;
}

// Every call comes through here: counts it and fails it when a test asked for that.
cudaError_t call(const char *name) {
    if (++runtime.calls == runtime.kill_call) raise(SIGKILL);
    bool hit = runtime.calls == runtime.fail_call;
    bool after = runtime.fail_sticky && runtime.fail_call && runtime.calls > runtime.fail_call;
    if (hit) runtime.failed = name;
    return hit || after ? static_cast<cudaError_t>(runtime.fail_code) : cudaSuccess;
}

#define ENTER(name)                                          \
    std::lock_guard<std::recursive_mutex> lock(shim::mutex); \
    do {                                                     \
        cudaError_t enter_code = shim::call(name);           \
        if (enter_code != cudaSuccess) return enter_code;    \
    } while (0)

void complain(const std::string &what) {
    runtime.complaints.push_back(what);
}

bool all_zero(const void *memory, size_t bytes) {
    const unsigned char *byte = static_cast<const unsigned char *>(memory);
    return std::all_of(byte, byte + bytes, [](unsigned char b) { return b == 0; });
}

// Does [memory, memory + bytes) lie in one allocation of the map?
bool owns(const std::map<void *, size_t> &owner, const void *memory, size_t bytes) {
    auto after = owner.upper_bound(const_cast<void *>(memory));
    const char *at = static_cast<const char *>(memory);
    if (after != owner.begin()) {
        auto range = std::prev(after);
        const char *start = static_cast<const char *>(range->first);
        return at >= start && at + bytes <= start + range->second;
    }
    return false;
}

void check_range(const std::map<void *, size_t> &owner, const void *memory, size_t bytes,
                 const char *call_name) {
    if (!owns(owner, memory, bytes))
        complain(std::string(call_name) + ": outside of device memory");
}

cudaError_t release(std::map<void *, size_t> &owner, void *memory, const char *name, bool wiped) {
    if (!memory) return cudaSuccess;
    auto found = owner.find(memory);
    if (found == owner.end()) {
        complain(std::string(name) + ": not allocated");
        return cudaErrorInvalidValue;
    }
    // Flags are no secret; they are the only small buffers.
    if (wiped && !all_zero(memory, found->second)) complain(std::string(name) + ": not wiped");
    std::free(memory);
    owner.erase(found);
    return cudaSuccess;
}

} // namespace

// A stream that waits for another that is being captured is drawn into that capture. The work of a
// stream so drawn in is done when it is joined, not before: as late as a device might.
cudaError_t wait_in_capture(CUstream_st *stream, const CUevent_st *event) {
    CUstream_st *from = event->stream;
    if (stream->captured && stream->captured != event->captured)
        return cudaErrorStreamCaptureUnsupported;
    stream->captured = event->captured;
    std::map<CUstream_st *, bool> &branches = event->captured->branches;
    if (!branches.count(from)) {
        branches[stream] = true;
        return cudaSuccess;
    }
    branches[from] = false;
    for (auto &item : from->branch) stream->push(std::move(item));
    from->branch.clear();
    return cudaSuccess;
}

int enqueue_launch(void *stream, std::function<int()> run) {
    std::lock_guard<std::recursive_mutex> lock(mutex);
    cudaError_t code = call("launch");
    if (code != cudaSuccess) return code;
    if (!stream) return run();
    static_cast<CUstream_st *>(stream)->push([run] { return static_cast<cudaError_t>(run()); });
    return 0;
}

} // namespace shim

void CUstream_st::push(std::function<cudaError_t()> item) {
    bool late = captured && captured->branches.count(this) && !shim::runtime.early;
    Work &to = !captured ? work : late ? branch : captured->work;
    to.push_back(std::move(item));
    if (shim::runtime.early && !captured) (void)shim::drain(this);
}

using shim::runtime;

extern "C" {

cudaError_t cudaGetDeviceCount(int *count) {
    ENTER("cudaGetDeviceCount");
    *count = 0;
    if (runtime.driver == 0) return cudaErrorInsufficientDriver; // as the real one without a driver
    if (runtime.driver < 13000) return cudaErrorInsufficientDriver;
    if (runtime.devices == 0) return cudaErrorNoDevice;
    *count = runtime.devices;
    return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *properties, int device) {
    ENTER("cudaGetDeviceProperties");
    *properties = {};
    std::snprintf(properties->name, sizeof properties->name, "Make-believe GPU %d", device);
    properties->major = device < runtime.old_devices ? 7 : runtime.major;
    properties->minor = device < runtime.old_devices ? 5 : runtime.minor;
    properties->multiProcessorCount = 1;
    properties->totalGlobalMem = runtime.memory;
    return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int *version) {
    *version = runtime.driver;
    return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int *version) {
    *version = 13000;
    return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) {
    ENTER("cudaSetDevice");
    return device < runtime.devices ? cudaSuccess : cudaErrorInvalidDevice;
}

cudaError_t cudaSetDeviceFlags(unsigned) {
    ENTER("cudaSetDeviceFlags");
    return cudaSuccess;
}

cudaError_t cudaDeviceSynchronize(void) {
    ENTER("cudaDeviceSynchronize");
    return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t *available, size_t *total) {
    ENTER("cudaMemGetInfo");
    *available = runtime.memory - runtime.device_bytes;
    *total = runtime.memory;
    return cudaSuccess;
}

cudaError_t cudaMalloc(void **memory, size_t bytes) {
    ENTER("cudaMalloc");
    if (bytes > runtime.memory - runtime.device_bytes) return cudaErrorMemoryAllocation;
    *memory = std::malloc(bytes);
    std::memset(*memory, 0xd1, bytes);
    runtime.device_memory[*memory] = bytes;
    runtime.device_bytes += bytes;
    runtime.device_peak = std::max(runtime.device_peak, runtime.device_bytes);
    return cudaSuccess;
}

cudaError_t cudaFree(void *memory) {
    std::lock_guard<std::recursive_mutex> lock(shim::mutex);
    auto found = runtime.device_memory.find(memory);
    size_t bytes = found == runtime.device_memory.end() ? 0 : found->second;
    runtime.device_bytes -= bytes;
    bool secret = bytes > (64 << 10) && !runtime.fail_call; // the flags are smaller
    return shim::release(runtime.device_memory, memory, "cudaFree", secret);
}

cudaError_t cudaHostAlloc(void **memory, size_t bytes, unsigned) {
    ENTER("cudaHostAlloc");
    *memory = std::aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
    std::memset(*memory, 0xd2, bytes);
    runtime.pinned_memory[*memory] = bytes;
    return cudaSuccess;
}

cudaError_t cudaFreeHost(void *memory) {
    std::lock_guard<std::recursive_mutex> lock(shim::mutex);
    return shim::release(runtime.pinned_memory, memory, "cudaFreeHost", !runtime.fail_call);
}

cudaError_t cudaMemset(void *memory, int value, size_t bytes) {
    ENTER("cudaMemset");
    shim::check_range(runtime.device_memory, memory, bytes, "cudaMemset");
    std::memset(memory, value, bytes);
    return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void *memory, int value, size_t bytes, cudaStream_t stream) {
    ENTER("cudaMemsetAsync");
    shim::check_range(runtime.device_memory, memory, bytes, "cudaMemsetAsync");
    stream->push([=] {
        std::memset(memory, value, bytes);
        return cudaSuccess;
    });
    return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind,
                            cudaStream_t stream) {
    ENTER("cudaMemcpyAsync");
    shim::check_range(runtime.device_memory, kind == cudaMemcpyHostToDevice ? to : from, bytes,
                      "cudaMemcpyAsync");
    bool pageable =
        kind != cudaMemcpyDeviceToDevice &&
        !shim::owns(runtime.pinned_memory, kind == cudaMemcpyHostToDevice ? from : to, bytes);
    if (pageable) {
        runtime.pageable_bytes += bytes;
        runtime.pageable_under_way++;
    }
    if (kind == cudaMemcpyDeviceToDevice)
        shim::check_range(runtime.device_memory, to, bytes, "cudaMemcpyAsync");
    stream->push([=] {
        std::memcpy(to, from, bytes);
        if (pageable) runtime.pageable_under_way--;
        return cudaSuccess;
    });
    return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned) {
    ENTER("cudaStreamCreateWithFlags");
    *stream = new CUstream_st;
    runtime.streams++;
    return cudaSuccess;
}

cudaError_t cudaStreamCreateWithPriority(cudaStream_t *stream, unsigned flags, int) {
    return cudaStreamCreateWithFlags(stream, flags);
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
    ENTER("cudaStreamSynchronize");
    return shim::drain(stream);
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
    std::lock_guard<std::recursive_mutex> lock(shim::mutex);
    delete stream;
    runtime.streams--;
    return cudaSuccess;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
    ENTER("cudaStreamWaitEvent");
    if (event->captured) return shim::wait_in_capture(stream, event);
    std::shared_ptr<Moment> moment = event->moment;
    CUstream_st *recorded = event->stream;
    if (recorded) // else it has happened, as on a device
        stream->push([=] { return moment->come ? cudaSuccess : shim::drain(recorded); });
    return cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t *event) {
    return cudaEventCreateWithFlags(event, 0);
}

// An event has happened when its stream has done everything, which is later than it might.
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned) {
    ENTER("cudaEventCreateWithFlags");
    *event = new CUevent_st;
    runtime.events++;
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
    ENTER("cudaEventRecord");
    std::shared_ptr<Moment> moment = event->moment = std::make_shared<Moment>();
    event->stream = stream;
    event->captured = stream->captured;
    stream->push([moment] {
        moment->when = std::chrono::steady_clock::now();
        moment->come = true;
        return cudaSuccess;
    });
    return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
    ENTER("cudaEventSynchronize");
    return event->stream ? shim::drain(event->stream) : cudaSuccess;
}

cudaError_t cudaEventElapsedTime(float *milliseconds, cudaEvent_t start, cudaEvent_t end) {
    ENTER("cudaEventElapsedTime");
    const Moment &first = *start->moment, &last = *end->moment;
    if (!first.come || !last.come) return cudaErrorInvalidValue;
    *milliseconds = std::chrono::duration<float, std::milli>(last.when - first.when).count();
    return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
    std::lock_guard<std::recursive_mutex> lock(shim::mutex);
    delete event;
    runtime.events--;
    return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, enum cudaStreamCaptureMode) {
    ENTER("cudaStreamBeginCapture");
    stream->captured = new CUgraph_st;
    runtime.graphs++;
    return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph) {
    std::lock_guard<std::recursive_mutex> lock(shim::mutex);
    cudaError_t code = shim::call("cudaStreamEndCapture");
    CUgraph_st *made = stream->captured;
    for (auto [branch, loose] : made->branches) {
        if (loose && code == cudaSuccess) code = cudaErrorStreamCaptureUnjoined;
        branch->branch.clear();
        branch->captured = nullptr;
    }
    stream->captured = nullptr;
    *graph = made; // capture ends even when it failed
    return code;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long) {
    ENTER("cudaGraphInstantiate");
    *exec = new CUgraphExec_st{graph->work};
    runtime.graphs++;
    return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream) {
    ENTER("cudaGraphLaunch");
    runtime.graph_launches++;
    for (const auto &item : exec->work) stream->push(item);
    return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
    std::lock_guard<std::recursive_mutex> lock(shim::mutex);
    delete exec;
    runtime.graphs--;
    return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
    std::lock_guard<std::recursive_mutex> lock(shim::mutex);
    delete graph;
    runtime.graphs--;
    return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int *value, enum cudaDeviceAttr attribute, int) {
    ENTER("cudaDeviceGetAttribute");
    *value = attribute == cudaDevAttrMultiProcessorCount ? 1 : 1000000; // kHz
    return cudaSuccess;
}

cudaError_t cudaGetLastError(void) {
    return cudaSuccess;
}

const char *cudaGetErrorString(cudaError_t code) {
    switch (code) {
    case cudaErrorMemoryAllocation:
        return "out of memory";
    case cudaErrorIllegalAddress:
        return "an illegal memory access was encountered";
    case cudaErrorLaunchFailure:
        return "unspecified launch failure";
    default:
        return "some error";
    }
}

const char *cudaGetErrorName(cudaError_t code) {
    switch (code) {
    case cudaErrorMemoryAllocation:
        return "cudaErrorMemoryAllocation";
    case cudaErrorIllegalAddress:
        return "cudaErrorIllegalAddress";
    case cudaErrorLaunchFailure:
        return "cudaErrorLaunchFailure";
    default:
        return "cudaErrorUnknown";
    }
}

} // extern "C"
