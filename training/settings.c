// options.json: what a run was asked for, and what a resumed one goes on with.
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "base/cores.h"
#include "gan/gan_device.h"
#include "training/session.h"

#define FILE_NAME ORR_RUN_OPTIONS
#define MAX_FOLDERS 4096

static const char *const precisions[] = {"float32", "tf32", "bf16"}; // as orr_gan_precision
#define PRECISIONS (sizeof precisions / sizeof *precisions)

static unsigned thread_count(const orr_training_options *o) {
    return o->gan.threads ? o->gan.threads : orr_cores();
}

static void describe_device(const orr_training_options *o, char out[64]) {
    snprintf(out, 64, "%.20s, %.12s, %s, %u threads", o->device, o->backend->name,
             precisions[o->gan.precision], thread_count(o));
}

// The shortest decimal that gives this float again: 0.0002, not 0.000199999994947575.
static void add_float(cJSON *json, const char *name, float value) {
    char text[32];
    for (int digits = 1; digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)value);
        if (strtof(text, NULL) == value) break;
    }
    cJSON_AddRawToObject(json, name, text);
}

orr_status orr_settings_write(const orr_session *s, orr_error *error) {
    const orr_training_options *o = &s->options;
    char device[64], seed[24];
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "program", ORR_RUN_PROGRAM);
    cJSON_AddStringToObject(json, "version", o->version);
    cJSON *folders = cJSON_AddArrayToObject(json, "folders");
    for (size_t i = 0; i < o->folder_count; i++)
        cJSON_AddItemToArray(folders, cJSON_CreateString(o->folders[i]));
    cJSON_AddNumberToObject(json, "images", s->data.count);
    cJSON_AddNumberToObject(json, "skipped", (double)s->data.skipped);
    cJSON_AddStringToObject(json, "data_sha256", s->data.hash);
    cJSON_AddNumberToObject(json, "image", o->shape.image_size);
    cJSON_AddNumberToObject(json, "channels", o->shape.channels);
    cJSON_AddNumberToObject(json, "latent", o->shape.latent);
    cJSON_AddNumberToObject(json, "width", o->shape.width);
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)o->seed);
    cJSON_AddStringToObject(json, "seed", seed); // a JSON number holds 53 bits
    cJSON_AddNumberToObject(json, "batch", o->gan.batch);
    cJSON_AddNumberToObject(json, "epochs", o->epochs);
    cJSON_AddStringToObject(json, "precision", precisions[o->gan.precision]);
    add_float(json, "learning_rate", o->gan.learning_rate);
    add_float(json, "beta1", o->gan.beta1);
    add_float(json, "beta2", o->gan.beta2);
    add_float(json, "epsilon", o->gan.epsilon);
    cJSON_AddBoolToObject(json, "flip", o->flip);
    if (o->has_window)
        cJSON_AddItemToObject(json, "window",
                              cJSON_CreateIntArray((int[2]){o->window.low, o->window.high}, 2));
    else
        cJSON_AddNullToObject(json, "window");
    cJSON_AddNumberToObject(json, "snapshot_every", o->snapshot_every);
    cJSON_AddNumberToObject(json, "keep", o->keep);
    describe_device(o, device);
    cJSON_AddStringToObject(json, "device", device);
    char *text = json ? cJSON_Print(json) : NULL;
    orr_status status =
        text ? orr_run_write(&s->run, FILE_NAME, text, strlen(text), error)
             : orr_fail(error, ORR_INTERNAL, "%s/" FILE_NAME ": out of memory", s->run.path);
    cJSON_free(text);
    cJSON_Delete(json);
    return status;
}

// ---- reading

static int take_number(const cJSON *json, const char *name, double least, double most,
                       double *value) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, name);
    if (!cJSON_IsNumber(item) || !(item->valuedouble >= least && item->valuedouble <= most))
        return 0;
    *value = item->valuedouble;
    return 1;
}

static int take_count(const cJSON *json, const char *name, uint32_t least, uint32_t most,
                      uint32_t *value) {
    double number;
    if (!take_number(json, name, least, most, &number) || number != floor(number)) return 0;
    *value = (uint32_t)number;
    return 1;
}

static int take_text(const cJSON *json, const char *name, char *out, size_t room) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, name);
    if (!cJSON_IsString(item) || strlen(item->valuestring) >= room) return 0;
    strcpy(out, item->valuestring);
    return 1;
}

static int take_window(const cJSON *json, orr_training_options *o) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, "window");
    o->has_window = !cJSON_IsNull(item);
    if (!o->has_window) return 1;
    const cJSON *low = cJSON_GetArrayItem(item, 0), *high = cJSON_GetArrayItem(item, 1);
    if (!cJSON_IsNumber(low) || !cJSON_IsNumber(high)) return 0;
    o->window = (orr_window){low->valueint, high->valueint};
    return o->window.low < o->window.high;
}

static int take_rates(const cJSON *json, orr_gan_options *gan) {
    double rate, beta1, beta2, epsilon;
    if (!take_number(json, "learning_rate", 0, 1, &rate) ||
        !take_number(json, "beta1", 0, 1, &beta1) || !take_number(json, "beta2", 0, 1, &beta2) ||
        !take_number(json, "epsilon", 0, 1, &epsilon))
        return 0;
    gan->learning_rate = (float)rate;
    gan->beta1 = (float)beta1;
    gan->beta2 = (float)beta2;
    gan->epsilon = (float)epsilon;
    return 1;
}

// Files of older versions name it in their "device" alone: "cuda:0, cudnn, bf16, 8 threads".
static int take_precision(const cJSON *json, const char *device, orr_gan_options *gan) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, "precision");
    for (size_t i = 0; i < PRECISIONS; i++) {
        char field[16];
        snprintf(field, sizeof field, ", %s,", precisions[i]);
        if (item ? cJSON_IsString(item) && !strcmp(item->valuestring, precisions[i])
                 : strstr(device, field) != NULL) {
            gan->precision = (orr_gan_precision)i;
            return 1;
        }
    }
    return 0;
}

// Everything of the file into `o`; 0 when something is missing or out of range.
static int take_options(const cJSON *json, orr_session *s, orr_training_options *o) {
    char seed[24], *end;
    const cJSON *flip = cJSON_GetObjectItemCaseSensitive(json, "flip");
    if (!take_count(json, "image", 1, 4096, &o->shape.image_size) ||
        !take_count(json, "channels", 1, 3, &o->shape.channels) ||
        !take_count(json, "latent", 1, ORR_GAN_MAX_LATENT, &o->shape.latent) ||
        !take_count(json, "width", 1, ORR_GAN_MAX_WIDTH, &o->shape.width) ||
        !take_count(json, "batch", 1, ORR_GAN_MAX_BATCH, &o->gan.batch) ||
        !take_count(json, "epochs", 1, ORR_TRAINING_MAX_EPOCHS, &o->epochs) ||
        !take_count(json, "snapshot_every", 1, ORR_TRAINING_MAX_EPOCHS, &o->snapshot_every) ||
        !take_count(json, "keep", 1, ORR_TRAINING_MAX_KEEP, &o->keep) || !cJSON_IsBool(flip) ||
        !take_text(json, "seed", seed, sizeof seed) ||
        !take_text(json, "data_sha256", s->recorded_hash, sizeof s->recorded_hash) ||
        !take_text(json, "device", s->recorded_device, sizeof s->recorded_device) ||
        !take_precision(json, s->recorded_device, &o->gan) || !take_window(json, o) ||
        !take_rates(json, &o->gan))
        return 0;
    o->flip = cJSON_IsTrue(flip);
    o->seed = strtoull(seed, &end, 10);
    return *seed && !*end;
}

static orr_status take_folders(const cJSON *json, orr_session *s, orr_error *error) {
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(json, "folders"), *item;
    int count = cJSON_GetArraySize(list);
    if (s->options.folder_count) return ORR_OK; // given anew: they may have moved
    if (count < 1 || count > MAX_FOLDERS)
        return orr_fail(error, ORR_UNSUPPORTED, "%s/" FILE_NAME ": it names no folders of images",
                        s->run.path);
    s->folders = calloc((size_t)count, sizeof *s->folders);
    cJSON_ArrayForEach(item, list) {
        if (!s->folders || !cJSON_IsString(item)) break;
        s->folders[s->folder_count] = strdup(item->valuestring);
        if (!s->folders[s->folder_count]) break;
        s->folder_count++;
    }
    if (s->folder_count != (size_t)count)
        return orr_fail(error, s->folders ? ORR_UNSUPPORTED : ORR_INTERNAL,
                        "%s/" FILE_NAME ": its folders cannot be read", s->run.path);
    s->options.folders = (const char *const *)s->folders;
    s->options.folder_count = s->folder_count;
    return ORR_OK;
}

// An option that was given must be what the run was begun with.
static orr_status check_given(const orr_training_options *given, const orr_training_options *was,
                              const char *run, orr_error *error) {
    const struct {
        uint32_t bit;
        const char *name;
        int same;
    } checks[] = {
        {ORR_TRAINING_GAVE_SIZE, "--image", given->shape.image_size == was->shape.image_size},
        {ORR_TRAINING_GAVE_CHANNELS, "--channels", given->shape.channels == was->shape.channels},
        {ORR_TRAINING_GAVE_WIDTH, "--width", given->shape.width == was->shape.width},
        {ORR_TRAINING_GAVE_LATENT, "--latent", given->shape.latent == was->shape.latent},
        {ORR_TRAINING_GAVE_SEED, "--seed", given->seed == was->seed},
        {ORR_TRAINING_GAVE_BATCH, "--batch", given->gan.batch == was->gan.batch},
        {ORR_TRAINING_GAVE_PRECISION, "--precision", given->gan.precision == was->gan.precision},
        {ORR_TRAINING_GAVE_RATE, "--learning-rate",
         given->gan.learning_rate == was->gan.learning_rate},
        {ORR_TRAINING_GAVE_FLIP, "--no-flip", given->flip == was->flip},
        {ORR_TRAINING_GAVE_WINDOW, "--window",
         given->has_window == was->has_window &&
             !memcmp(&given->window, &was->window, sizeof was->window)},
    };
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
        if ((given->given & checks[i].bit) && !checks[i].same)
            return orr_fail(error, ORR_USAGE,
                            "%s: the run in it was begun with another %s; leave the option out to "
                            "resume it, or give another directory for a new run",
                            run, checks[i].name);
    return ORR_OK;
}

static orr_status merge(orr_session *s, const cJSON *json, orr_error *error) {
    orr_training_options was = s->options;
    if (!take_options(json, s, &was) || orr_gan_shape_check(&was.shape, NULL) != ORR_OK ||
        orr_gan_options_check(&was.gan, NULL) != ORR_OK)
        return orr_fail(error, ORR_UNSUPPORTED,
                        "%s/" FILE_NAME ": damaged, or of another version of the program",
                        s->run.path);
    orr_status status = check_given(&s->options, &was, s->run.path, error);
    if (status != ORR_OK) return status;
    if (was.gan.precision != ORR_GAN_FLOAT32 && !orr_gan_device_is_gpu(was.backend))
        return orr_fail(error, ORR_UNSUPPORTED,
                        "%s: the run in it was begun with --precision %s, and the CPU computes in "
                        "float32 only: resume it on a GPU, or begin a new run in another directory",
                        s->run.path, precisions[was.gan.precision]);
    if (s->options.given & ORR_TRAINING_GAVE_EPOCHS) was.epochs = s->options.epochs;
    if (s->options.given & ORR_TRAINING_GAVE_EVERY) was.snapshot_every = s->options.snapshot_every;
    if (s->options.given & ORR_TRAINING_GAVE_KEEP) was.keep = s->options.keep;
    s->options = was;
    return take_folders(json, s, error);
}

orr_status orr_settings_read(orr_session *s, orr_error *error) {
    uint8_t *bytes;
    size_t count;
    orr_status status = orr_run_read_at(s->run.fd, s->run.path, FILE_NAME, ORR_RUN_OPTIONS_MAX,
                                        &bytes, &count, error);
    if (status != ORR_OK) return status;
    if (!bytes)
        return orr_fail(error, ORR_EXISTS,
                        "%s: there is something in it, but no " FILE_NAME
                        " of a training run: give another directory",
                        s->run.path);
    cJSON *json = cJSON_Parse((char *)bytes);
    free(bytes);
    status = merge(s, json, error);
    cJSON_Delete(json);
    if (status != ORR_OK) return status;
    char device[64];
    describe_device(&s->options, device);
    if (strcmp(device, s->recorded_device))
        orr_session_warn(s,
                         "the run was on %s and goes on with %s: its images will not be, bit for "
                         "bit, those of a run without a break",
                         s->recorded_device, device);
    return ORR_OK;
}
