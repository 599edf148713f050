#include "kernels/backend.h"

orr_status orr_batch_check(const orr_batch *batch, orr_error *error) {
    int reencrypt = batch->op == ORR_TILE_REENCRYPT;
    if (!batch->cipher || (reencrypt && !batch->new_cipher))
        return orr_fail(error, ORR_INTERNAL, "batch without a cipher");
    if (batch->op != ORR_TILE_ENCRYPT && batch->op != ORR_TILE_DECRYPT && !reencrypt)
        return orr_fail(error, ORR_INTERNAL, "batch with unknown operation %d", (int)batch->op);
    for (size_t n = 0; n < batch->count; n++) {
        const orr_tile_task *task = &batch->tasks[n];
        size_t bytes = (size_t)ORR_TILE_ROW_BYTES * task->rows;
        if (task->rows < 1 || task->rows > ORR_TILE_ROWS || task->offset % 16 ||
            task->offset > batch->bytes || bytes > batch->bytes - task->offset)
            return orr_fail(error, ORR_INTERNAL,
                            "task %zu (offset %zu, %u rows) does not fit a batch of %zu bytes", n,
                            task->offset, task->rows, batch->bytes);
    }
    return ORR_OK;
}
