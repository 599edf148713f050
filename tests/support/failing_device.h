// A device made of the CPU backend, which fails as told, and the CPU that stands in for it.
#ifndef ORRERY_TESTS_SUPPORT_FAILING_DEVICE_H
#define ORRERY_TESTS_SUPPORT_FAILING_DEVICE_H

#include <cstring>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/compound.h"

inline orr_backend *open_cpu(unsigned threads = 1) {
    orr_backend *backend = nullptr;
    orr_error error;
    EXPECT_EQ(orr_cpu_backend_open(threads, ORR_SIMD_BEST, &backend, &error), ORR_OK);
    return backend;
}

// What fails leaves rubbish behind. Batches and volumes are counted together.
struct Device {
    orr_backend base;
    orr_backend_api api;
    orr_backend *real;
    int submits = 0, refuse_from = 1 << 30;                   // from that submit on it is gone
    int waits = 0, fail_from = 1 << 30, fail_until = 1 << 30; // these waits fail, counted from 0
    size_t largest = SIZE_MAX;                                // larger volumes it does not take
    bool flip = false;                                        // one wrong bit in every volume
    orr_status status = ORR_INTERNAL;
    bool closed = false, no_memory = false;

    static Device *of(const orr_backend *backend) {
        return reinterpret_cast<Device *>(const_cast<orr_backend *>(backend));
    }
    static size_t bytes_of(const orr_volume_task *task) {
        return size_t{task->shape.channels} * task->shape.rows * task->shape.columns;
    }
    bool is_gone() { return submits++ >= refuse_from; }
    bool fails(int number) const { return number >= fail_from && number < fail_until; }
    Device() : base{&api}, api(), real(open_cpu()) {
        api.abi = ORR_BACKEND_ABI;
        api.name = "device";
        api.properties = [](const orr_backend *b, orr_backend_properties *p) {
            of(b)->real->api->properties(of(b)->real, p);
            std::strcpy(p->name, "device");
            p->separate_output = 1;
        };
        api.alloc = [](orr_backend *b, size_t bytes) {
            return of(b)->no_memory ? nullptr : of(b)->real->api->alloc(of(b)->real, bytes);
        };
        api.free = [](orr_backend *b, void *memory, size_t bytes) {
            of(b)->real->api->free(of(b)->real, memory, bytes);
        };
        api.submit = [](orr_backend *b, orr_batch *batch, orr_error *error) {
            if (of(b)->is_gone()) return orr_fail(error, ORR_INTERNAL, "the device is gone");
            return of(b)->real->api->submit(of(b)->real, batch, error);
        };
        api.wait = [](orr_backend *b, orr_batch *batch, orr_error *error) {
            Device *self = of(b);
            int number = self->waits++;
            orr_status ended = self->real->api->wait(self->real, batch, error);
            if (!self->fails(number)) return ended;
            for (size_t n = 0; n < batch->count; n++)
                std::memset(batch->out + batch->tasks[n].offset, 0x5a, 384 * batch->tasks[n].rows);
            return orr_fail(error, self->status, "batch %d failed on the device", number);
        };
        api.volume_submit = [](orr_backend *b, orr_volume_task *task, orr_error *error) {
            if (of(b)->is_gone()) return orr_fail(error, ORR_INTERNAL, "the device is gone");
            if (bytes_of(task) > of(b)->largest)
                return orr_fail(error, ORR_UNSUPPORTED, "too large for the device");
            return of(b)->real->api->volume_submit(of(b)->real, task, error);
        };
        api.volume_wait = [](orr_backend *b, orr_volume_task *task, orr_error *error) {
            Device *self = of(b);
            int number = self->waits++;
            orr_status ended = self->real->api->volume_wait(self->real, task, error);
            if (self->flip) task->out[0] ^= 4;
            if (!self->fails(number)) return ended;
            std::memset(task->out, 0x5a, bytes_of(task));
            return orr_fail(error, self->status, "volume %d failed on the device", number);
        };
        api.close = [](orr_backend *b) {
            of(b)->closed = true;
            of(b)->real->api->close(of(b)->real);
        };
    }
};

// What the user is told of failures.
struct Reports {
    std::vector<std::string> texts;
    std::vector<int> stopped;
    static void take(void *context, const orr_error *error, int stopped) {
        auto *self = static_cast<Reports *>(context);
        self->texts.push_back(error->text);
        self->stopped.push_back(stopped);
    }
};

// The device with the CPU behind it.
struct DeviceWithFallback {
    Device device;
    Reports reports;
    orr_backend *backend = nullptr;
    DeviceWithFallback() {
        orr_error error;
        EXPECT_EQ(orr_fallback_backend_open(&device.base, open_cpu(), Reports::take, &reports,
                                            &backend, &error),
                  ORR_OK);
    }
    ~DeviceWithFallback() {
        backend->api->close(backend);
        EXPECT_TRUE(device.closed);
    }
};

#endif
