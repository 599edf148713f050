// The CUDA primitives that the cipher kernels use, by names that a shim can give too: the kernel
// sources then compile unchanged for a CPU, one fiber for each CUDA thread (tests/shim/shim.h must
// be included first there). Warps have 32 lanes and every lane takes part in every exchange.
#ifndef ORRERY_KERNELS_CUDA_DEVICE_CUH
#define ORRERY_KERNELS_CUDA_DEVICE_CUH

#include <stdint.h>

#if defined(__CUDACC__)

#define ORR_DEVICE __device__ __forceinline__
#define ORR_KERNEL(threads, blocks) __global__ void __launch_bounds__(threads, blocks)
#define ORR_PARAMETER const __grid_constant__
#define ORR_SHARED_WORDS(name) extern __shared__ uint32_t name[]

// Host side: starts a kernel of one argument; allows it more shared memory than the usual 48 KiB.
// Both give a CUDA error number.
#define ORR_LAUNCH(kernel, blocks, threads, shared, stream, argument) \
    (kernel<<<blocks, threads, shared, (cudaStream_t)(stream)>>>(argument), cudaGetLastError())
#define ORR_ALLOW_SHARED(kernel, bytes) \
    cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes)

#define orr_thread_id() threadIdx.x
// A value that is the same in all lanes, in a form that the compiler knows to be so. It is made
// where it stands: the compiler moves neither it nor what depends on it out of a loop.
#define orr_uniform(value) __shfl_sync(0xffffffffu, value, 0)
#define orr_warp_id() orr_uniform(threadIdx.x >> 5) // the thread's warp in its block
#define orr_lane_id() (threadIdx.x & 31)
#define orr_block_id() blockIdx.x
#define orr_block_count() gridDim.x
#define orr_barrier() __syncthreads()
#define orr_barrier_or(predicate) __syncthreads_or(predicate)
#define orr_shuffle_xor(value, mask) __shfl_xor_sync(0xffffffffu, value, mask)
#define orr_shuffle_up(value, distance) __shfl_up_sync(0xffffffffu, value, distance)
#define orr_ballot(predicate) __ballot_sync(0xffffffffu, predicate)

#define orr_population(word) __popc(word)
#define orr_byte_permute(x, y, selector) __byte_perm(x, y, selector)
// Bits n..n+31 of high * 2^32 + low, 0 <= n < 32.
#define orr_funnel_right(low, high, n) __funnelshift_r(low, high, n)
#define orr_multiply_high(x, y) __umulhi(x, y)

// Any Boolean function of three words as one instruction: bit 4 x + 2 y + z of TABLE is its value.
template <int TABLE> ORR_DEVICE uint32_t orr_logic(uint32_t x, uint32_t y, uint32_t z) {
    uint32_t value;
    asm("lop3.b32 %0, %1, %2, %3, %4;" : "=r"(value) : "r"(x), "r"(y), "r"(z), "n"(TABLE));
    return value;
}

#elif !defined(ORR_DEVICE)
#error "kernels/cuda needs nvcc, or tests/shim/shim.h included first"
#endif

// A place where a test may flip bits: between the work of a kernel and its check of that work.
#ifndef ORR_FAULT
#define ORR_FAULT(words)
#endif

#endif
