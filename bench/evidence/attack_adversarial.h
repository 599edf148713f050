// Adversarial images against a discriminator: FGSM (Goodfellow, Shlens, Szegedy 2015) and DeepFool
// for two classes (Moosavi-Dezfooli, Fawzi, Frossard 2016, algorithm 1). They measure a classifier.
// No cipher takes part.
#ifndef ORRERY_BENCH_EVIDENCE_ATTACK_ADVERSARIAL_H
#define ORRERY_BENCH_EVIDENCE_ATTACK_ADVERSARIAL_H

#include "gan/weights.h"

#ifdef __cplusplus
extern "C" {
#endif

// A discriminator ready to be asked, in evaluation mode (batch norm by its running statistics).
typedef struct orr_target {
    orr_gan_weights weights;
    orr_gan_net *net;
    size_t floats; // of one image
    int trained;   // weights came from a file
} orr_target;

// Loads `path`, or without one makes a discriminator of the published shape with initial weights
// drawn from `seed`. ORR_IO, ORR_UNSUPPORTED, ORR_INTERNAL. Close it in every case.
orr_status orr_target_open(orr_target *target, const char *path, uint64_t seed, orr_error *error);
void orr_target_close(orr_target *target);

// Logit of one image (values in [-1, 1], NHWC), and its gradient by every value (NULL: not
// wanted).
orr_status orr_target_ask(orr_target *target, const float *image, float *logit, float *gradient,
                          orr_error *error);

// adversarial = clip(image + epsilon sign(d BCE / d image)), the label being the class that the
// target gives the image.
orr_status orr_fgsm(orr_target *target, const float *image, float epsilon, float *adversarial,
                    orr_error *error);
// Steps to the linearised border, 2 % beyond it, until the class changes or `most` steps are done;
// *steps tells how many. Clipped to [-1, 1].
orr_status orr_deepfool(orr_target *target, const float *image, unsigned most, float *adversarial,
                        unsigned *steps, orr_error *error);

#ifdef __cplusplus
}
#endif
#endif
