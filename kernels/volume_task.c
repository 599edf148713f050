// Volumes on a backend, with the calling thread for those that the backend does not take.
#include <string.h>

#include "kernels/backend.h"

orr_status orr_volume_task_check(const orr_volume_task *task, size_t *bytes, orr_error *error) {
    size_t plane;
    if (!task->cipher || !task->in || !task->out)
        return orr_fail(error, ORR_INTERNAL, "volume without a cipher or a buffer");
    if (task->op != ORR_VOLUME_ENCRYPT && task->op != ORR_VOLUME_DECRYPT)
        return orr_fail(error, ORR_INTERNAL, "volume with unknown operation %d", (int)task->op);
    if (!task->shape.channels || !task->shape.rows || !task->shape.columns ||
        __builtin_mul_overflow((size_t)task->shape.rows, (size_t)task->shape.columns, &plane) ||
        __builtin_mul_overflow(plane, (size_t)task->shape.channels, bytes))
        return orr_fail(error, ORR_UNSUPPORTED,
                        "a volume of %u x %u x %u bytes cannot be enciphered", task->shape.channels,
                        task->shape.rows, task->shape.columns);
    return ORR_OK;
}

orr_status orr_volume_run(const orr_volume_task *task, orr_error *error) {
    size_t bytes;
    orr_status status = orr_volume_task_check(task, &bytes, error);
    if (status != ORR_OK) return status;
    if (task->out != task->in) memcpy(task->out, task->in, bytes);
    return (task->op == ORR_VOLUME_ENCRYPT ? orr_volume_encrypt_until : orr_volume_decrypt_until)(
        task->cipher, &task->key, task->shape, task->out, task->stop, error);
}

// Passes a failure on, unless it only says that the backend does not take this volume.
static orr_status keep(const orr_error *failure, orr_error *error) {
    if (error && failure->status != ORR_UNSUPPORTED) *error = *failure;
    return failure->status;
}

orr_status orr_volume_submit(orr_backend *backend, orr_volume_task *task, orr_error *error) {
    orr_error failure = {.status = ORR_OK};
    size_t bytes;
    task->ticket = NULL; // stays so when the calling thread is to do it
    orr_status status = orr_volume_task_check(task, &bytes, error);
    if (status != ORR_OK || !backend || !backend->api->volume_submit) return status;
    if (backend->api->volume_submit(backend, task, &failure) == ORR_OK) return ORR_OK;
    return keep(&failure, error) == ORR_UNSUPPORTED ? ORR_OK : failure.status;
}

orr_status orr_volume_wait(orr_backend *backend, orr_volume_task *task, orr_error *error) {
    orr_error failure = {.status = ORR_OK};
    if (!task->ticket) return orr_volume_run(task, error);
    if (backend->api->volume_wait(backend, task, &failure) == ORR_OK) return ORR_OK;
    return keep(&failure, error) == ORR_UNSUPPORTED ? orr_volume_run(task, error) : failure.status;
}
