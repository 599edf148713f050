// FGSM and DeepFool against the plain reference discriminator.
#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "bench/evidence/attack_adversarial.h"
#include "tests/support/random.h"

namespace {

struct Target : orr_target {
    orr_error error{};
    Target() { EXPECT_EQ(orr_target_open(this, nullptr, 5, &error), ORR_OK) << error.text; }
    ~Target() { orr_target_close(this); }
    float ask(const std::vector<float> &image, float *gradient = nullptr) {
        float logit = NAN;
        EXPECT_EQ(orr_target_ask(this, image.data(), &logit, gradient, &error), ORR_OK)
            << error.text;
        return logit;
    }
    std::vector<float> image() {
        std::vector<float> out(floats);
        for (float &v : out)
            v = static_cast<float>(test_random()() >> 40) / static_cast<float>(1 << 23) * 0.9f -
                0.9f;
        return out;
    }
};

TEST(EvidenceAdversarial, GradientAgreesWithDifferences) {
    Target t;
    auto x = t.image();
    std::vector<float> gradient(t.floats);
    t.ask(x, gradient.data());
    // Along the gradient itself the difference quotient is its squared length over its length.
    double norm = 0;
    for (float g : gradient) norm += static_cast<double>(g) * g;
    norm = std::sqrt(norm);
    ASSERT_GT(norm, 0);
    auto up = x, down = x;
    const double h = 1e-2;
    for (size_t n = 0; n < x.size(); n++) {
        up[n] += static_cast<float>(h * gradient[n] / norm);
        down[n] -= static_cast<float>(h * gradient[n] / norm);
    }
    EXPECT_NEAR((t.ask(up) - t.ask(down)) / (2 * h), norm, 0.02 * norm);
}

TEST(EvidenceAdversarial, FgsmMovesTheLogitAgainstItsClass) {
    Target t;
    auto x = t.image();
    std::vector<float> y(t.floats);
    float before = t.ask(x);
    ASSERT_EQ(orr_fgsm(&t, x.data(), 4 / 127.5f, y.data(), &t.error), ORR_OK);
    float after = t.ask(y);
    EXPECT_LT((before >= 0 ? 1 : -1) * after, (before >= 0 ? 1 : -1) * before);
    for (size_t n = 0; n < x.size(); n++) EXPECT_LE(std::fabs(y[n] - x[n]), 4.001f / 127.5f);
}

TEST(EvidenceAdversarial, DeepFoolCrossesTheBorderWithLess) {
    Target t;
    auto x = t.image();
    std::vector<float> y(t.floats);
    unsigned steps = 0;
    // Not on the border already, where the steps that are left are smaller than a float's last bit.
    while (std::fabs(t.ask(x)) < 1e-3f) x = t.image();
    float before = t.ask(x);
    ASSERT_EQ(orr_deepfool(&t, x.data(), 50, y.data(), &steps, &t.error), ORR_OK);
    EXPECT_NE(t.ask(y) >= 0, before >= 0);
    EXPECT_LT(steps, 20u);
    double moved = 0;
    for (size_t n = 0; n < x.size(); n++) moved += std::pow(y[n] - x[n], 2.0);
    EXPECT_LT(std::sqrt(moved), 5) << "a small change is enough";
}

} // namespace
