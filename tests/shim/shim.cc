#include "tests/shim/shim.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <random>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

#include "tests/shim/fault.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace shim {

Settings settings;
Statistics statistics;
Position position;
std::string last_error;
Fault next_fault;

namespace {

constexpr size_t stack_bytes = 256 << 10;
constexpr uint8_t canary = 0xc7;

// ---- switching between stacks -------------------------------------------------------------------

#if defined(__x86_64__)
// Saves the callee-saved registers and the stack pointer, and takes up those of another stack.
extern "C" void orr_shim_switch(void **from, void *to);
asm(".text\n"
    ".globl orr_shim_switch\n"
    ".type orr_shim_switch, @function\n"
    "orr_shim_switch:\n"
    "  pushq %rbp\n  pushq %rbx\n  pushq %r12\n  pushq %r13\n  pushq %r14\n  pushq %r15\n"
    "  movq %rsp, (%rdi)\n"
    "  movq %rsi, %rsp\n"
    "  popq %r15\n  popq %r14\n  popq %r13\n  popq %r12\n  popq %rbx\n  popq %rbp\n"
    "  ret\n"
    ".size orr_shim_switch, . - orr_shim_switch\n");

struct Context {
    void *pointer;
    void prepare(uint8_t *stack, void (*entry)()) {
        void **top = reinterpret_cast<void **>(stack + stack_bytes);
        *--top = nullptr; // where a call would have left its return address: keeps the alignment
        *--top = reinterpret_cast<void *>(entry);
        for (int n = 0; n < 6; n++) *--top = nullptr;
        pointer = top;
    }
};
void switch_context(Context &from, Context &to) {
    orr_shim_switch(&from.pointer, to.pointer);
}
#else
struct Context {
    ucontext_t context;
    void prepare(uint8_t *stack, void (*entry)()) {
        getcontext(&context);
        context.uc_stack.ss_sp = stack;
        context.uc_stack.ss_size = stack_bytes;
        context.uc_link = nullptr;
        makecontext(&context, entry, 0);
    }
};
void switch_context(Context &from, Context &to) {
    swapcontext(&from.context, &to.context);
}
#endif

// Tells AddressSanitizer which stack is in use; nothing without it.
void before_switch(void **save, const void *stack, size_t bytes) {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(save, stack, bytes);
#else
    (void)save, (void)stack, (void)bytes;
#endif
}

void after_switch(void *save, const void **stack, size_t *bytes) {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(save, stack, bytes);
#else
    (void)save, (void)stack, (void)bytes;
#endif
}

// ---- a block ------------------------------------------------------------------------------------

enum class State { runnable, at_barrier, in_exchange, done };

struct Fiber {
    Context context;
    void *sanitizer = nullptr;
    State state = State::runnable;
    Exchange kind = Exchange::ballot;
};

struct Warp {
    unsigned live, arrived;
    unsigned turn; // buffers alternate: a lane may be in the next exchange while others read this
    uint32_t values[2][32];
};

struct Block {
    unsigned threads, running; // the fiber that runs
    unsigned live, arrived, turn;
    bool any[2];   // of the predicates of a barrier
    bool released; // some fiber that waited may run again
    std::vector<Fiber> fibers;
    std::vector<Warp> warps;
    Context main;
    void *main_sanitizer = nullptr;
    const void *main_stack = nullptr;
    size_t main_stack_bytes = 0;
    const std::function<void()> *kernel;
    std::string error;
};
Block *block;

struct Memory {
    uint8_t *map = nullptr, *start = nullptr;
    size_t bytes = 0, mapped = 0;
};
Memory shared;
uint8_t *stacks;
unsigned stack_count;

uint8_t *map_pages(size_t bytes) {
    void *memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) std::abort();
    return static_cast<uint8_t *>(memory);
}

// `bytes` that end where an inaccessible page starts; one more such page in front.
Memory map_guarded(size_t bytes) {
    size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    size_t inner = (bytes + page - 1) / page * page;
    Memory memory;
    memory.mapped = inner + 2 * page;
    memory.map = map_pages(memory.mapped);
    memory.bytes = bytes;
    memory.start = memory.map + page + inner - bytes;
    if (mprotect(memory.map, page, PROT_NONE) ||
        mprotect(memory.map + page + inner, page, PROT_NONE))
        std::abort();
    return memory;
}

void fail(const std::string &what) {
    if (block->error.empty())
        block->error = "block " + std::to_string(position.block) + ", thread " +
                       std::to_string(block->running) + ": " + what;
}

// Gives the processor back to run_block until the scheduler comes round again.
void leave(bool for_ever) {
    Fiber &self = block->fibers[block->running];
    before_switch(for_ever ? nullptr : &self.sanitizer, block->main_stack, block->main_stack_bytes);
    switch_context(self.context, block->main);
    after_switch(self.sanitizer, nullptr, nullptr);
}

void release_barrier() {
    block->arrived = 0;
    block->turn ^= 1;
    block->any[block->turn] = false;
    block->released = true;
    for (Fiber &fiber : block->fibers)
        if (fiber.state == State::at_barrier) fiber.state = State::runnable;
}

void release_warp(unsigned number) {
    Warp &warp = block->warps[number];
    warp.arrived = 0;
    warp.turn ^= 1;
    block->released = true;
    for (unsigned n = 32 * number; n < 32 * number + 32; n++)
        if (block->fibers[n].state == State::in_exchange) block->fibers[n].state = State::runnable;
}

void enter() {
    after_switch(nullptr, &block->main_stack, &block->main_stack_bytes);
    (*block->kernel)();
    unsigned number = block->running / 32;
    block->fibers[block->running].state = State::done;
    // Threads that have ended are not waited for at a barrier, as on a GPU.
    if (--block->live == block->arrived && block->arrived) release_barrier();
    block->warps[number].live--;
    leave(true);
}

void prepare_memory(unsigned threads, size_t shared_bytes) {
    if (threads > stack_count) {
        if (stacks) munmap(stacks, stack_bytes * stack_count);
        stacks = map_pages(stack_bytes * threads);
        stack_count = threads;
    }
    if (shared_bytes != shared.bytes || !shared.map) {
        if (shared.map) munmap(shared.map, shared.mapped);
        shared = map_guarded(shared_bytes);
    }
}

size_t canary_bytes() {
    return static_cast<size_t>(shared.start - shared.map) -
           static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

// Runs every fiber that can run, in the order of the schedule, until all are done or none can. In
// forward and reverse order the first in the order has priority: a warp runs as far ahead of the
// others as it can.
void run_block(std::mt19937_64 &random) {
    std::vector<unsigned> order(block->threads);
    std::iota(order.begin(), order.end(), 0u);
    if (settings.schedule == Schedule::reverse) std::reverse(order.begin(), order.end());
    for (bool progress = true; block->live && block->error.empty();) {
        if (settings.schedule == Schedule::random) std::shuffle(order.begin(), order.end(), random);
        progress = false;
        for (unsigned n : order) {
            if (block->fibers[n].state != State::runnable || !block->error.empty()) continue;
            progress = true;
            position.thread = block->running = n;
            statistics.switches++;
            before_switch(&block->main_sanitizer, stacks + stack_bytes * n, stack_bytes);
            switch_context(block->main, block->fibers[n].context);
            after_switch(block->main_sanitizer, nullptr, nullptr);
            if (block->released && settings.schedule != Schedule::random) break;
        }
        block->released = false;
        if (!progress)
            fail("deadlock: " + std::to_string(block->arrived) + " of " +
                 std::to_string(block->live) + " threads wait at a barrier, others elsewhere");
    }
}

} // namespace

void *shared_memory() {
    return shared.start;
}

bool barrier(bool predicate) {
    unsigned turn = block->turn;
    block->any[turn] |= predicate;
    if (++block->arrived == block->live) {
        block->fibers[block->running].state = State::runnable;
        release_barrier();
    } else {
        block->fibers[block->running].state = State::at_barrier;
        leave(false);
    }
    return block->any[turn];
}

const uint32_t *exchange(Exchange kind, uint32_t value) {
    unsigned number = block->running / 32, lane = block->running % 32;
    Warp &warp = block->warps[number];
    unsigned turn = warp.turn;
    Fiber &self = block->fibers[block->running];
    self.kind = kind;
    for (unsigned n = 32 * number; n < 32 * number + 32; n++)
        if (block->fibers[n].state == State::in_exchange && block->fibers[n].kind != kind)
            fail("lanes of one warp meet in different exchanges");
    if (warp.live < 32) fail("an exchange with a lane that has ended");
    warp.values[turn][lane] = value;
    if (++warp.arrived == 32) {
        release_warp(number);
    } else {
        self.state = State::in_exchange;
        leave(false);
    }
    return warp.values[turn];
}

std::string launch(unsigned blocks, unsigned threads, size_t shared_bytes,
                   const std::function<void()> &kernel) {
    std::mt19937_64 random(settings.seed);
    prepare_memory(threads, shared_bytes);
    statistics.launches++;
    std::vector<unsigned> order(blocks);
    std::iota(order.begin(), order.end(), 0u);
    if (settings.schedule == Schedule::reverse) std::reverse(order.begin(), order.end());
    if (settings.schedule == Schedule::random) std::shuffle(order.begin(), order.end(), random);
    for (unsigned number : order) {
        Block now = {};
        now.threads = now.live = threads;
        now.fibers.resize(threads);
        now.warps.resize(threads / 32);
        now.kernel = &kernel;
        block = &now;
        position = {0, number, blocks};
        std::memset(shared.start, settings.poison, shared.bytes);
        std::memset(shared.start - canary_bytes(), canary, canary_bytes());
#if defined(__SANITIZE_ADDRESS__)
        __asan_unpoison_memory_region(stacks, stack_bytes * threads);
#endif
        for (unsigned n = 0; n < threads; n++)
            now.fibers[n].context.prepare(stacks + stack_bytes * n, enter);
        for (Warp &warp : now.warps) warp.live = 32;
        run_block(random);
        for (size_t n = 1; n <= canary_bytes() && now.error.empty(); n++)
            if (shared.start[-static_cast<ptrdiff_t>(n)] != canary)
                fail("a write " + std::to_string(n) + " bytes before shared memory");
        block = nullptr;
        statistics.blocks++;
        if (!now.error.empty()) return now.error;
    }
    return "";
}

void fault(uint32_t *words, unsigned count) {
    if (!next_fault.armed || next_fault.block != position.block ||
        next_fault.thread != position.thread)
        return;
    if (next_fault.after) {
        next_fault.after--;
        return;
    }
    words[next_fault.word % count] ^= next_fault.flip;
    next_fault.armed = false;
}

int launch_now(unsigned blocks, unsigned threads, size_t shared_bytes,
               const std::function<void()> &kernel) {
    last_error = launch(blocks, threads, shared_bytes, kernel);
    return last_error.empty() ? 0 : 719; // cudaErrorLaunchFailure
}

GuardedBuffer::GuardedBuffer(size_t bytes) {
    Memory memory = map_guarded(bytes);
    map_ = memory.map;
    start_ = memory.start;
    bytes_ = bytes;
    mapped_ = memory.mapped;
}

GuardedBuffer::~GuardedBuffer() {
    munmap(map_, mapped_);
}

} // namespace shim
