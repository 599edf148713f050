#include "kernels/cuda/cuda_health.h"

#include <cuda_runtime_api.h>

orr_status orr_cuda_check(const orr_cuda_health *health, int code, const char *call,
                          orr_error *error) {
    if (code == 0) return ORR_OK;
    return orr_fail(error, ORR_INTERNAL, "%s: %s failed: %s (%s)", health->name, call,
                    cudaGetErrorString((cudaError_t)code), cudaGetErrorName((cudaError_t)code));
}

orr_status orr_cuda_alive(orr_cuda_health *health, orr_error *error) {
    pthread_mutex_lock(&health->mutex);
    orr_status status = health->dead.status;
    if (status != ORR_OK && error) *error = health->dead;
    pthread_mutex_unlock(&health->mutex);
    return status;
}

void orr_cuda_bury(orr_cuda_health *health, const orr_error *error) {
    pthread_mutex_lock(&health->mutex);
    if (health->dead.status == ORR_OK) health->dead = *error;
    pthread_mutex_unlock(&health->mutex);
}
