// gan/cuda/plan.h without cuDNN: the same convolutions in plain loops over host memory, each sum in
// double and rounded once, so that the host's side of training can be tested without a GPU. TF32
// cuts factors to 10 bits of fraction: no tensor core is less exact, so that what tests allow it
// is tried here.
#include "tests/shim/shim.h"

#include <cstring>
#include <string>
#include <vector>

#include "gan/cuda/plan.h"
#include "tests/shim/runtime/cuda_runtime_api.h"

struct orr_plan_device {};
struct orr_plan_engine {
    void *stream;
};
struct orr_plan {
    orr_plan_op op;
    orr_plan_shape shape;
    bool bf16, tf32;
    std::string text;
};

namespace {

struct Tensor {
    void *memory;
    bool bf16, tf32;
    float get(size_t n) const {
        uint32_t bits;
        float value;
        if (bf16)
            bits = static_cast<uint32_t>(static_cast<uint16_t *>(memory)[n]) << 16;
        else
            std::memcpy(&bits, static_cast<float *>(memory) + n, sizeof bits);
        if (tf32) bits &= ~0x1fffu;
        std::memcpy(&value, &bits, sizeof value);
        return value;
    }
    void set(size_t n, double sum) const {
        float value = static_cast<float>(sum);
        if (!bf16) {
            static_cast<float *>(memory)[n] = value;
            return;
        }
        uint32_t bits;
        std::memcpy(&bits, &value, sizeof bits);
        static_cast<uint16_t *>(memory)[n] =
            static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
    }
};

// Calls each(x, w, y) with the places of every product x * w that belongs to y.
template <typename EACH> void products(const orr_plan_shape &s, const EACH &each) {
    int64_t rows = (s.height + 2 * s.padding - s.kernel) / s.stride + 1;
    int64_t columns = (s.width + 2 * s.padding - s.kernel) / s.stride + 1;
    for (int64_t n = 0; n < s.batch; n++)
        for (int64_t p = 0; p < rows * columns; p++)
            for (int64_t t = 0; t < s.kernel * s.kernel; t++) {
                int64_t row = p / columns * s.stride - s.padding + t / s.kernel;
                int64_t column = p % columns * s.stride - s.padding + t % s.kernel;
                if (row < 0 || row >= s.height || column < 0 || column >= s.width) continue;
                int64_t pixel = (n * s.height + row) * s.width + column;
                for (int64_t k = 0; k < s.filters; k++)
                    for (int64_t c = 0; c < s.channels; c++)
                        each(static_cast<size_t>(pixel * s.channels + c),
                             static_cast<size_t>((k * s.kernel * s.kernel + t) * s.channels + c),
                             static_cast<size_t>((n * rows * columns + p) * s.filters + k));
            }
}

void run(const orr_plan &plan, void *x_memory, void *w_memory, void *y_memory) {
    const orr_plan_shape &s = plan.shape;
    int64_t rows = (s.height + 2 * s.padding - s.kernel) / s.stride + 1;
    int64_t columns = (s.width + 2 * s.padding - s.kernel) / s.stride + 1;
    Tensor x{x_memory, plan.bf16, plan.tf32}, w{w_memory, plan.bf16, plan.tf32};
    Tensor y{y_memory, plan.bf16, plan.tf32};
    Tensor target = plan.op == ORR_PLAN_FORWARD ? y : plan.op == ORR_PLAN_BACKWARD_DATA ? x : w;
    int64_t count = plan.op == ORR_PLAN_FORWARD ? s.batch * rows * columns * s.filters
                    : plan.op == ORR_PLAN_BACKWARD_DATA
                        ? s.batch * s.height * s.width * s.channels
                        : s.filters * s.kernel * s.kernel * s.channels;
    std::vector<double> sums(static_cast<size_t>(count));
    products(s, [&](size_t at_x, size_t at_w, size_t at_y) {
        if (plan.op == ORR_PLAN_FORWARD)
            sums[at_y] += static_cast<double>(x.get(at_x)) * w.get(at_w);
        else if (plan.op == ORR_PLAN_BACKWARD_DATA)
            sums[at_x] += static_cast<double>(w.get(at_w)) * y.get(at_y);
        else
            sums[at_w] += static_cast<double>(x.get(at_x)) * y.get(at_y);
    });
    for (size_t n = 0; n < sums.size(); n++) target.set(n, sums[n]);
}

} // namespace

extern "C" {

orr_status orr_plan_device_describe(const char *, orr_plan_device **device, orr_error *) {
    *device = new orr_plan_device;
    return ORR_OK;
}

orr_status orr_plan_device_of(const orr_plan_engine *, orr_plan_device **device, orr_error *) {
    *device = new orr_plan_device;
    return ORR_OK;
}

void orr_plan_device_free(orr_plan_device *device) {
    delete device;
}

orr_status orr_plan_build(const orr_plan_device *, orr_plan_op op, const orr_plan_shape *shape,
                          orr_plan_math math, size_t, orr_plan **plan, orr_error *) {
    *plan = new orr_plan{op, *shape, math == ORR_PLAN_BF16, math == ORR_PLAN_TF32,
                         "convolution on the CPU"};
    return ORR_OK;
}

void orr_plan_free(orr_plan *plan) {
    delete plan;
}

size_t orr_plan_workspace(const orr_plan *) {
    return 64;
}

const char *orr_plan_text(const orr_plan *plan) {
    return plan->text.c_str();
}

orr_status orr_plan_engine_open(void *stream, orr_plan_engine **engine, orr_error *) {
    *engine = new orr_plan_engine{stream};
    return ORR_OK;
}

void orr_plan_engine_close(orr_plan_engine *engine) {
    delete engine;
}

orr_status orr_plan_run(const orr_plan_engine *engine, const orr_plan *plan, void *x, void *w,
                        void *y, void *, orr_error *error) {
    orr_plan copy = *plan;
    int code = shim::enqueue_launch(engine->stream, [=] {
        run(copy, x, w, y);
        return 0;
    });
    return code ? orr_fail(error, ORR_INTERNAL, "make-believe cuDNN failed (%d)", code) : ORR_OK;
}

} // extern "C"
