// Where the lanes of the key sequences start, in the order in which vectors hold them.
#include <pthread.h>

#include "kernels/bitslice.h"
#include "kernels/cpu/cpu.h"

static orr_cpu_lane_steps lanes[2];
static pthread_once_t lanes_once = PTHREAD_ONCE_INIT;

static void build_lanes(void) {
    for (unsigned wide = 0; wide < 2; wide++) {
        uint32_t cells = wide ? 16 : 8;
        for (uint32_t row = 0; row < 16; row++) {
            for (uint32_t n = 0; n < 32; n++) {
                uint32_t place = n % cells, half = cells / 2;
                uint32_t cell = n - place + 2 * (place % half) + place / half;
                uint64_t zigzag = orr_zigzag(16, 32, row, cell);
                lanes[wide].zigzag_order[row][n] = (zigzag + 1) * 0x9e3779b97f4a7c15u;
                lanes[wide].row_order[row][n] = (32 * row + cell + 1) * 0x9e3779b97f4a7c15u;
            }
        }
    }
}

const orr_cpu_lane_steps *orr_cpu_lanes(unsigned vector_bytes) {
    pthread_once(&lanes_once, build_lanes);
    return &lanes[vector_bytes == 64];
}
