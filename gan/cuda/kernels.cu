// How many blocks each kernel gets. Compiled by nvcc, and for the CPU after tests/shim/shim.h.
#include "gan/cuda/kernels.cuh"

using namespace orr_gan_cuda;

namespace {

constexpr uint32_t MOST_BLOCKS = 4096; // of elementwise kernels, which loop beyond that
constexpr uint32_t SUM_BLOCKS = 512;   // about, of kernels that sum over rows
// Most, of kernels whose threads keep to their channels: what an H200 holds at once (of 132
// multiprocessors, 5 and 3 blocks each).
constexpr uint32_t APPLY_BLOCKS = 640, BACK_APPLY_BLOCKS = 384;
constexpr size_t PIECE_SHARED = 2 * TILE_ROWS * TILE * sizeof(float);
constexpr size_t TOTAL_SHARED = 2 * THREADS * sizeof(double);

uint32_t blocks_for(uint64_t items) {
    uint64_t blocks = (items + THREADS - 1) / THREADS;
    return blocks < MOST_BLOCKS ? static_cast<uint32_t>(blocks) : MOST_BLOCKS;
}

uint32_t tiles_of(uint32_t padded) {
    return (padded + TILE - 1) / TILE;
}

uint32_t sum_blocks(const orr_cuda_norm &norm) {
    return tiles_of(norm.padded) * norm.chunks * norm.groups;
}

// As strip_of() cuts a tensor.
uint32_t strip_blocks(const orr_cuda_norm &norm, uint32_t blocks) {
    uint32_t row_packs = norm.padded / PACK, width = row_packs < THREADS ? row_packs : THREADS;
    uint32_t across = (row_packs + width - 1) / width * norm.groups, lanes = THREADS / width;
    uint32_t most = (norm.rows + lanes - 1) / lanes, strips = blocks / across;
    if (strips < 1) strips = 1;
    return across * (strips < most ? strips : most);
}

} // namespace

// Starts kernel<T> for the network's type T.
#define LAUNCH(kernel, blocks, shared, argument)                                                 \
    (type == ORR_CUDA_BF16 ? ORR_LAUNCH(kernel<Bf16>, blocks, THREADS, shared, stream, argument) \
                           : ORR_LAUNCH(kernel<float>, blocks, THREADS, shared, stream, argument))

extern "C" {

int orr_cuda_begin_launch(const orr_cuda_begin *begin, void *stream) {
    return ORR_LAUNCH(begin_kernel, 1, 32, 0, stream, *begin);
}

int orr_cuda_real_launch(orr_cuda_type type, const orr_cuda_real *real, void *stream) {
    uint64_t pixels = static_cast<uint64_t>(real->batch) * real->size * real->size;
    return LAUNCH(real_kernel, blocks_for(pixels), 0, *real);
}

int orr_cuda_latents_launch(orr_cuda_type type, const orr_cuda_latents *latents, void *stream) {
    uint64_t packs = static_cast<uint64_t>(latents->batch) * (latents->padded / PACK);
    return LAUNCH(latents_kernel, blocks_for(packs), 0, *latents);
}

uint32_t orr_cuda_chunks(uint32_t groups, uint32_t rows, uint32_t padded) {
    uint32_t most = (rows + TILE_ROWS - 1) / TILE_ROWS;
    uint32_t wanted = SUM_BLOCKS / (tiles_of(padded) * groups);
    if (wanted < 1) wanted = 1;
    return wanted < most ? wanted : most;
}

int orr_cuda_statistics_launch(orr_cuda_type type, const orr_cuda_norm *norm, void *stream) {
    if (norm->train) {
        int code = LAUNCH(sums_kernel, sum_blocks(*norm), PIECE_SHARED, *norm);
        if (code) return code;
    }
    return LAUNCH(statistics_kernel, norm->padded / PACK, TOTAL_SHARED, *norm);
}

int orr_cuda_apply_launch(orr_cuda_type type, const orr_cuda_norm *norm, void *stream) {
    return LAUNCH(apply_kernel, strip_blocks(*norm, APPLY_BLOCKS), 0, *norm);
}

int orr_cuda_back_statistics_launch(orr_cuda_type type, const orr_cuda_norm *norm, void *stream) {
    int code = LAUNCH(back_sums_kernel, sum_blocks(*norm), PIECE_SHARED, *norm);
    if (code) return code;
    return ORR_LAUNCH(back_statistics_kernel, norm->padded / PACK, THREADS, TOTAL_SHARED, stream,
                      *norm);
}

int orr_cuda_back_apply_launch(orr_cuda_type type, const orr_cuda_norm *norm, void *stream) {
    return LAUNCH(back_apply_kernel, strip_blocks(*norm, BACK_APPLY_BLOCKS), 0, *norm);
}

int orr_cuda_dot_forward_launch(orr_cuda_type type, const orr_cuda_dot *dot, void *stream) {
    return LAUNCH(dot_forward_kernel, dot->rows, THREADS * sizeof(float), *dot);
}

int orr_cuda_dot_back_data_launch(orr_cuda_type type, const orr_cuda_dot *dot, void *stream) {
    uint64_t packs = static_cast<uint64_t>(dot->rows) * (dot->length / PACK);
    return LAUNCH(dot_back_data_kernel, blocks_for(packs), 0, *dot);
}

int orr_cuda_dot_back_filter_launch(orr_cuda_type type, const orr_cuda_dot *dot, void *stream) {
    return LAUNCH(dot_back_filter_kernel, tiles_of(dot->length), TILE_ROWS * TILE * sizeof(float),
                  *dot);
}

int orr_cuda_bce_launch(const orr_cuda_bce *bce, void *stream) {
    return ORR_LAUNCH(bce_kernel, bce->halves, THREADS, THREADS * sizeof(double), stream, *bce);
}

int orr_cuda_adam_launch(orr_cuda_type type, const orr_cuda_adam *adam, void *stream) {
    return LAUNCH(adam_kernel, blocks_for(adam->count / PACK), 0, *adam);
}

int orr_cuda_pad_launch(orr_cuda_type type, const orr_cuda_convert *convert, void *stream) {
    uint64_t packs = static_cast<uint64_t>(convert->rows) * (convert->padded / PACK);
    return LAUNCH(pad_kernel, blocks_for(packs), 0, *convert);
}

int orr_cuda_unpad_launch(orr_cuda_type type, const orr_cuda_convert *convert, void *stream) {
    uint64_t packs = static_cast<uint64_t>(convert->rows) * (convert->padded / PACK);
    return LAUNCH(unpad_kernel, blocks_for(packs), 0, *convert);
}

int orr_cuda_bytes_launch(orr_cuda_type type, const orr_cuda_convert *convert, void *stream) {
    uint64_t packs = static_cast<uint64_t>(convert->rows) * (convert->padded / PACK);
    return LAUNCH(bytes_kernel, blocks_for(packs), 0, *convert);
}

} // extern "C"
