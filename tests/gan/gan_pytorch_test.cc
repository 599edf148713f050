// Twenty training steps against PyTorch (tests/oracles/gan_oracle.py): losses, parameters, running
// statistics and images from the same initial state, batches and latents.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "gan/gan_device.h"
#include "gan/philox.h"
#include "gan/weights.h"

namespace {

constexpr orr_gan_shape kShape = {16, 3, 16, 8};
constexpr uint32_t kBatch = 8, kSteps = 20, kImages = 40;
constexpr uint64_t kSeed = 7;

struct Golden {
    orr_safetensors file{};
    Golden() {
        orr_error error{};
        EXPECT_EQ(orr_safetensors_open(ORRERY_SOURCE_DIR "/tests/vectors/gan_training.safetensors",
                                       &file, &error),
                  ORR_OK)
            << error.text;
    }
    ~Golden() { orr_safetensors_close(&file); }
    std::vector<float> floats(const std::string &name) {
        const orr_tensor_info *tensor = orr_safetensors_find(&file, name.c_str());
        EXPECT_NE(tensor, nullptr) << name;
        if (!tensor) return {};
        std::vector<float> out(tensor->elements);
        EXPECT_EQ(orr_safetensors_floats(&file, tensor, tensor->elements, out.data(), nullptr),
                  ORR_OK);
        return out;
    }
};

// Root mean square of the difference, over that of the way from `start` to `golden`.
double strayed(const float *found, const std::vector<float> &golden, const float *start) {
    double difference = 0, way = 0;
    for (size_t i = 0; i < golden.size(); i++) {
        difference += (double(found[i]) - golden[i]) * (double(found[i]) - golden[i]);
        way += (double(golden[i]) - (start ? start[i] : 0)) *
               (double(golden[i]) - (start ? start[i] : 0));
    }
    return std::sqrt(difference / way);
}

void compare(const orr_gan_backend *backend) {
    Golden golden;
    orr_error error{};
    orr_gan_options options = orr_gan_default_options();
    options.batch = kBatch;
    options.threads = 1;
    orr_gan_state start{}, end{};
    orr_gan_trainer *trainer = nullptr;
    ASSERT_EQ(orr_gan_state_new(&kShape, &start, &error), ORR_OK);
    ASSERT_EQ(orr_gan_state_new(&kShape, &end, &error), ORR_OK);
    orr_gan_state_init(&start, kSeed);
    ASSERT_EQ(backend->trainer_open(backend, &options, &start, &trainer, &error), ORR_OK)
        << error.text;
    std::vector<uint8_t> data(kImages * 16 * 16 * 3);
    for (size_t i = 0; i < data.size(); i++) data[i] = static_cast<uint8_t>(i * 2654435761u >> 24);
    ASSERT_EQ(backend->trainer_data(trainer, data.data(), kImages, &error), ORR_OK);
    std::vector<float> losses = golden.floats("losses");
    double worst_loss = 0;
    for (uint32_t step = 0; step < kSteps; step++) {
        uint32_t index[kBatch];
        orr_gan_statistics s;
        for (uint32_t i = 0; i < kBatch; i++) index[i] = (i * 7 + step) % kImages;
        orr_gan_batch batch{};
        batch.index = index;
        ASSERT_EQ(backend->trainer_step(trainer, &batch, &error), ORR_OK) << error.text;
        ASSERT_EQ(backend->trainer_statistics(trainer, &s, &error), ORR_OK);
        const double found[5] = {s.loss_d, s.loss_g, s.d_real, s.d_fake_before, s.d_fake_after};
        for (size_t i = 0; i < 5; i++) {
            worst_loss = std::max(worst_loss, std::fabs(found[i] - losses[step * 5 + i]));
            EXPECT_NEAR(found[i], losses[step * 5 + i], 2e-6) << "step " << step << " figure " << i;
        }
    }
    ASSERT_EQ(backend->trainer_state(trainer, &end, &error), ORR_OK);
    double worst_parameter = 0, worst_running = 0;
    for (int n = 0; n < 2; n++) {
        char names[ORR_GAN_MAX_TENSORS][ORR_SAFETENSORS_MAX_NAME];
        orr_tensor tensors[ORR_GAN_MAX_TENSORS], before[ORR_GAN_MAX_TENSORS];
        orr_gan_tensors(&start.networks[n], "", ORR_DTYPE_F32, start.state[n].parameters,
                        start.state[n].running, &start.state[n].batches, names, before);
        size_t count = orr_gan_tensors(&end.networks[n], n ? "discriminator." : "generator.",
                                       ORR_DTYPE_F32, end.state[n].parameters, end.state[n].running,
                                       &end.state[n].batches, names, tensors);
        for (size_t i = 0; i < count; i++) {
            if (tensors[i].dtype == ORR_DTYPE_I64) {
                int64_t tracked = 0;
                const orr_tensor_info *info = orr_safetensors_find(&golden.file, tensors[i].name);
                ASSERT_NE(info, nullptr) << tensors[i].name;
                ASSERT_EQ(
                    orr_safetensors_bytes(&golden.file, info, ORR_DTYPE_I64, 1, &tracked, &error),
                    ORR_OK);
                EXPECT_EQ(uint64_t(tracked), end.state[n].batches);
                continue;
            }
            std::vector<float> expected = golden.floats(tensors[i].name);
            bool running = std::string(tensors[i].name).find("running") != std::string::npos;
            double d = strayed(static_cast<const float *>(tensors[i].data), expected,
                               static_cast<const float *>(before[i].data));
            double &worst = running ? worst_running : worst_parameter;
            worst = std::max(worst, d);
            EXPECT_LT(d, running ? 3e-6 : 1e-4) << tensors[i].name;
        }
    }
    std::vector<float> latents(kBatch * kShape.latent), images(kBatch * 16 * 16 * 3);
    orr_gan_deviates(kSeed, ORR_STREAM_SAMPLE, 0, latents.size(), latents.data());
    ASSERT_EQ(backend->trainer_sample(trainer, latents.data(), kBatch, images.data(), &error),
              ORR_OK);
    double apart = strayed(images.data(), golden.floats("images"), nullptr);
    EXPECT_LT(apart, 1e-5);
    std::printf("%s: losses within %.1e, parameters strayed by %.1e of their way, running "
                "statistics %.1e, images %.1e of "
                "their size\n",
                backend->name, worst_loss, worst_parameter, worst_running, apart);
    backend->trainer_close(trainer);
    orr_gan_state_free(&start);
    orr_gan_state_free(&end);
}

} // namespace

TEST(GanPyTorch, TwentyStepsOfTheReference) {
    compare(orr_gan_reference());
}

TEST(GanPyTorch, TwentyStepsOfOneDnn) {
    const orr_gan_backend *onednn;
    orr_gan_options options = orr_gan_default_options();
    orr_error error{};
    if (orr_gan_device_open("cpu", &options, &onednn, nullptr, nullptr, &error) != ORR_OK)
        GTEST_SKIP() << error.text;
    compare(onednn);
}
