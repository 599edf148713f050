// Runs CUDA kernel sources on a CPU: one fiber for each thread of a block, blocks one after
// another. Include it before kernels/cuda/*.cuh. It gives the names that kernels/cuda/device.cuh
// gives nvcc.
//
// What it checks: a block that can make no progress (deadlock), lanes of a warp that meet in
// different exchanges, reads of shared memory before a write (it starts as a pattern), accesses
// beyond shared memory (guard page at its end, canary at its start), a missing barrier (the first
// or the last threads run as far ahead as they can, or all take turns in random order, so the bytes
// differ).
#ifndef ORRERY_TESTS_SHIM_SHIM_H
#define ORRERY_TESTS_SHIM_SHIM_H

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

namespace shim {

enum class Schedule { forward, reverse, random };

// How the next launches run. `poison` fills shared memory before each block.
struct Settings {
    Schedule schedule = Schedule::forward;
    uint64_t seed = 1;
    uint8_t poison = 0xa5;
};
extern Settings settings;

// Threads of the running block that have finished launching, for reports.
struct Statistics {
    uint64_t launches, blocks, switches;
};
extern Statistics statistics;

// Runs `kernel` in blocks x threads; threads is a multiple of 32. Returns an empty string, or what
// went wrong in which block and thread.
std::string launch(unsigned blocks, unsigned threads, size_t shared_bytes,
                   const std::function<void()> &kernel);

// Launches as CUDA does: at once without a stream, else queued in it (tests/shim/runtime.h). The
// result is a CUDA error number; last_error says why a kernel failed.
extern std::string last_error;
int launch_now(unsigned blocks, unsigned threads, size_t shared_bytes,
               const std::function<void()> &kernel);
int enqueue_launch(void *stream, std::function<int()> run);

template <typename KERNEL, typename ARGUMENT>
int launch_kernel(KERNEL kernel, unsigned blocks, unsigned threads, size_t shared_bytes,
                  void *stream, ARGUMENT argument) {
    return enqueue_launch(stream, [=] {
        return launch_now(blocks, threads, shared_bytes, [&] { kernel(argument); });
    });
}

// ---- for kernels --------------------------------------------------------------------------------

struct Position {
    unsigned thread, block, blocks;
};
extern Position position; // of the running fiber

void *shared_memory();
bool barrier(bool predicate);
enum class Exchange { shuffle_xor, shuffle_up, ballot };
// Gives `value` to the warp and waits for all its lanes; the values of the lanes come back.
const uint32_t *exchange(Exchange kind, uint32_t value);

inline uint32_t shuffle_xor(uint32_t value, unsigned mask) {
    return exchange(Exchange::shuffle_xor, value)[(position.thread & 31) ^ mask];
}

inline uint32_t shuffle_up(uint32_t value, unsigned distance) {
    unsigned lane = position.thread & 31;
    const uint32_t *values = exchange(Exchange::shuffle_up, value);
    return values[lane >= distance ? lane - distance : lane];
}

inline uint32_t ballot(bool predicate) {
    const uint32_t *values = exchange(Exchange::ballot, predicate);
    uint32_t bits = 0;
    for (int lane = 0; lane < 32; lane++) bits |= values[lane] << lane;
    return bits;
}

inline uint32_t byte_permute(uint32_t x, uint32_t y, uint32_t selector) {
    uint64_t both = static_cast<uint64_t>(y) << 32 | x;
    uint32_t result = 0;
    for (int n = 0; n < 4; n++)
        result |= static_cast<uint32_t>(both >> (8 * (selector >> 4 * n & 7)) & 255) << 8 * n;
    return result;
}

inline uint32_t funnel_right(uint32_t low, uint32_t high, uint32_t n) {
    return static_cast<uint32_t>((static_cast<uint64_t>(high) << 32 | low) >> (n & 31));
}

template <int TABLE> uint32_t logic(uint32_t x, uint32_t y, uint32_t z) {
    uint32_t result = 0;
    for (int v = 0; v < 8; v++)
        if (TABLE >> v & 1) result |= (v & 4 ? x : ~x) & (v & 2 ? y : ~y) & (v & 1 ? z : ~z);
    return result;
}

// Host memory that ends at a guard page, so that a read or write past its end stops the program.
class GuardedBuffer {
  public:
    explicit GuardedBuffer(size_t bytes); // 16-byte aligned when bytes is a multiple of 16
    ~GuardedBuffer();
    GuardedBuffer(const GuardedBuffer &) = delete;
    GuardedBuffer &operator=(const GuardedBuffer &) = delete;
    uint8_t *data() const { return start_; }
    size_t size() const { return bytes_; }

  private:
    uint8_t *map_, *start_;
    size_t bytes_, mapped_;
};

} // namespace shim

#define ORR_DEVICE static inline
#define ORR_KERNEL(threads, blocks) static void
#define ORR_PARAMETER const
#define ORR_SHARED_WORDS(name) uint32_t *name = static_cast<uint32_t *>(shim::shared_memory())

#define ORR_LAUNCH(kernel, blocks, threads, shared, stream, argument) \
    shim::launch_kernel(kernel, blocks, threads, shared, stream, argument)
#define ORR_ALLOW_SHARED(kernel, bytes) ((void)(kernel), (void)(bytes), 0)

#define orr_thread_id() shim::position.thread
#define orr_uniform(value) (value)
#define orr_warp_id() (shim::position.thread >> 5)
#define orr_lane_id() (shim::position.thread & 31)
#define orr_block_id() shim::position.block
#define orr_block_count() shim::position.blocks
#ifndef ORR_SHIM_DROP_BARRIER // mutation: the kernels' plain barriers do nothing
#define orr_barrier() shim::barrier(false)
#else
#define orr_barrier() (void)0
#endif
#define orr_barrier_or(predicate) shim::barrier(predicate)
#define orr_shuffle_xor(value, mask) shim::shuffle_xor(value, mask)
#define orr_shuffle_up(value, distance) shim::shuffle_up(value, distance)
#define orr_ballot(predicate) shim::ballot(predicate)
#define orr_population(word) static_cast<uint32_t>(__builtin_popcount(word))
#define orr_byte_permute(x, y, selector) shim::byte_permute(x, y, selector)
#define orr_funnel_right(low, high, n) shim::funnel_right(low, high, n)
#define orr_multiply_high(x, y) static_cast<uint32_t>(static_cast<uint64_t>(x) * (y) >> 32)
#define orr_logic shim::logic

#endif
