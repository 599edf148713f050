// Plans through cuDNN's backend interface. Descriptors that a plan rests on live as long as it
// does.
#include "gan/cuda/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cudnn.h>

#define LEAST_VERSION 90800 // device descriptions
#define CANDIDATES 32       // of each ranking
#define PARTS 8             // descriptors a plan rests on

typedef cudnnBackendDescriptor_t descriptor;

// Where plans are built for: a device of this machine by its handle, the way that cuDNN's callers
// have always gone, or a description, for which cuDNN has a descriptor since 9.8. Header and manual
// leave open whether a plan of a description can be run as it is, so none is.
struct orr_plan_device {
    cudnnHandle_t handle; // of the engine, or NULL
    descriptor properties;
};

struct orr_plan_engine {
    cudnnHandle_t handle;
};

struct orr_plan {
    descriptor parts[PARTS];
    size_t count;
    descriptor plan;
    size_t workspace;
    char text[160];
};

enum { ID_X = 1, ID_W, ID_Y };

// ---- errors -------------------------------------------------------------------------------------

static orr_status refuse(cudnnStatus_t code, const char *what, orr_error *error) {
    char reason[512] = "";
    cudnnGetLastErrorString(reason, sizeof reason);
    orr_status status = code == CUDNN_STATUS_INTERNAL_ERROR || code == CUDNN_STATUS_ALLOC_FAILED ||
                                code == CUDNN_STATUS_EXECUTION_FAILED
                            ? ORR_INTERNAL
                            : ORR_UNSUPPORTED;
    return orr_fail(error, status, "cuDNN %zu: %s failed: %s%s%s", cudnnGetVersion(), what,
                    cudnnGetErrorString(code), reason[0] ? ": " : "", reason);
}

#define TRY(call)                                                                    \
    do {                                                                             \
        cudnnStatus_t try_code = (call);                                             \
        if (try_code != CUDNN_STATUS_SUCCESS) return refuse(try_code, #call, error); \
    } while (0)

// Several attributes of one descriptor; the first failure counts.
typedef struct filler {
    descriptor target;
    cudnnStatus_t code;
} filler;

static void put(filler *fill, cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                int64_t count, const void *values) {
    if (fill->code == CUDNN_STATUS_SUCCESS)
        fill->code = cudnnBackendSetAttribute(fill->target, name, type, count, values);
}

static cudnnStatus_t finish(filler *fill) {
    if (fill->code == CUDNN_STATUS_SUCCESS) fill->code = cudnnBackendFinalize(fill->target);
    return fill->code;
}

// Creates a descriptor that `plan` owns.
static cudnnStatus_t part(orr_plan *plan, cudnnBackendDescriptorType_t type, descriptor *made) {
    cudnnStatus_t code = plan->count < PARTS ? cudnnBackendCreateDescriptor(type, made)
                                             : CUDNN_STATUS_INTERNAL_ERROR;
    if (code == CUDNN_STATUS_SUCCESS) plan->parts[plan->count++] = *made;
    return code;
}

// ---- devices ------------------------------------------------------------------------------------

static orr_status check_version(orr_error *error) {
    if (cudnnGetVersion() >= LEAST_VERSION) return ORR_OK;
    return orr_fail(error, ORR_UNSUPPORTED, "cuDNN %zu is too old: 9.8 or later is needed",
                    cudnnGetVersion());
}

orr_status orr_plan_device_of(const orr_plan_engine *engine, orr_plan_device **device,
                              orr_error *error) {
    *device = calloc(1, sizeof **device);
    if (!*device) return orr_fail(error, ORR_INTERNAL, "out of memory for a device description");
    (*device)->handle = engine->handle;
    return ORR_OK;
}

orr_status orr_plan_device_describe(const char *json, orr_plan_device **device, orr_error *error) {
    *device = NULL;
    orr_status status = check_version(error);
    if (status != ORR_OK) return status;
    orr_plan_device *made = calloc(1, sizeof *made);
    if (!made) return orr_fail(error, ORR_INTERNAL, "out of memory for a device description");
    cudnnStatus_t code =
        cudnnBackendCreateDescriptor(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, &made->properties);
    if (code == CUDNN_STATUS_SUCCESS) {
        filler fill = {made->properties, CUDNN_STATUS_SUCCESS};
        put(&fill, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
            (int64_t)strlen(json) + 1, json);
        code = finish(&fill);
    }
    if (code != CUDNN_STATUS_SUCCESS) {
        status = refuse(code, "describing the device", error);
        orr_plan_device_free(made);
        return status;
    }
    *device = made;
    return ORR_OK;
}

// Tells a descriptor the device, by one or the other of its attributes.
static void put_device(filler *fill, const orr_plan_device *device,
                       cudnnBackendAttributeName_t by_handle,
                       cudnnBackendAttributeName_t by_description) {
    if (device->handle)
        put(fill, by_handle, CUDNN_TYPE_HANDLE, 1, &device->handle);
    else
        put(fill, by_description, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &device->properties);
}

void orr_plan_device_free(orr_plan_device *device) {
    if (!device) return;
    if (device->properties) cudnnBackendDestroyDescriptor(device->properties);
    free(device);
}

// ---- the operation ------------------------------------------------------------------------------

// A channels-last tensor; dimensions in cuDNN's order: batch, channels, height, width.
static cudnnStatus_t make_tensor(orr_plan *plan, int64_t id, cudnnDataType_t type, int64_t batch,
                                 int64_t channels, int64_t height, int64_t width,
                                 descriptor *made) {
    int64_t size[4] = {batch, channels, height, width}, alignment = 16;
    int64_t stride[4] = {channels * height * width, 1, width * channels, channels};
    cudnnStatus_t code = part(plan, CUDNN_BACKEND_TENSOR_DESCRIPTOR, made);
    if (code != CUDNN_STATUS_SUCCESS) return code;
    filler fill = {*made, CUDNN_STATUS_SUCCESS};
    put(&fill, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type);
    put(&fill, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, size);
    put(&fill, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, stride);
    put(&fill, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &id);
    put(&fill, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1, &alignment);
    return finish(&fill);
}

static cudnnStatus_t make_convolution(orr_plan *plan, const orr_plan_shape *shape,
                                      descriptor *made) {
    int64_t dimensions = 2, one[2] = {1, 1};
    int64_t padding[2] = {shape->padding, shape->padding},
            stride[2] = {shape->stride, shape->stride};
    cudnnDataType_t sums = CUDNN_DATA_FLOAT;
    cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
    cudnnStatus_t code = part(plan, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR, made);
    if (code != CUDNN_STATUS_SUCCESS) return code;
    filler fill = {*made, CUDNN_STATUS_SUCCESS};
    put(&fill, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, 1, &dimensions);
    put(&fill, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &sums);
    put(&fill, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, &mode);
    put(&fill, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, 2, padding);
    put(&fill, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, 2, padding);
    put(&fill, CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, 2, one);
    put(&fill, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, 2, stride);
    return finish(&fill);
}

// What cuDNN calls the parts of the three operations, in the order of orr_plan_op.
static const struct operation {
    const char *name;
    cudnnBackendDescriptorType_t type;
    cudnnBackendAttributeName_t x, w, y, convolution, alpha, beta;
} operations[] = {
    {"forward", CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA},
    {"backward data", CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA},
    {"backward filter", CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA},
};

// The graph of one operation.
static cudnnStatus_t make_graph(orr_plan *plan, const orr_plan_device *device, orr_plan_op op,
                                const orr_plan_shape *shape, orr_plan_math math,
                                descriptor *graph) {
    const struct operation *names = &operations[op];
    cudnnDataType_t type = math == ORR_PLAN_BF16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT;
    int64_t rows = (shape->height + 2 * shape->padding - shape->kernel) / shape->stride + 1;
    int64_t columns = (shape->width + 2 * shape->padding - shape->kernel) / shape->stride + 1;
    float one = 1, zero = 0;
    descriptor x, w, y, convolution, operation;
    cudnnStatus_t code = make_tensor(plan, ID_X, type, shape->batch, shape->channels, shape->height,
                                     shape->width, &x);
    if (code == CUDNN_STATUS_SUCCESS)
        code = make_tensor(plan, ID_W, type, shape->filters, shape->channels, shape->kernel,
                           shape->kernel, &w);
    if (code == CUDNN_STATUS_SUCCESS)
        code = make_tensor(plan, ID_Y, type, shape->batch, shape->filters, rows, columns, &y);
    if (code == CUDNN_STATUS_SUCCESS) code = make_convolution(plan, shape, &convolution);
    if (code == CUDNN_STATUS_SUCCESS) code = part(plan, names->type, &operation);
    if (code != CUDNN_STATUS_SUCCESS) return code;
    filler fill = {operation, CUDNN_STATUS_SUCCESS};
    put(&fill, names->x, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &x);
    put(&fill, names->w, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &w);
    put(&fill, names->y, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &y);
    put(&fill, names->convolution, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &convolution);
    put(&fill, names->alpha, CUDNN_TYPE_FLOAT, 1, &one);
    put(&fill, names->beta, CUDNN_TYPE_FLOAT, 1, &zero);
    code = finish(&fill);
    if (code == CUDNN_STATUS_SUCCESS)
        code = part(plan, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR, graph);
    if (code != CUDNN_STATUS_SUCCESS) return code;
    filler whole = {*graph, CUDNN_STATUS_SUCCESS};
    put(&whole, CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &operation);
    if (device->handle)
        put(&whole, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1, &device->handle);
    return finish(&whole);
}

// ---- choosing an engine -------------------------------------------------------------------------

// Whether an engine's arithmetic is what plan.h promises. *number: which engine it is.
static int acceptable(descriptor config, orr_plan_math math, int64_t *number) {
    cudnnBackendNumericalNote_t notes[CUDNN_NUMERICAL_NOTE_TYPE_COUNT];
    descriptor engine = NULL;
    int64_t got = 0, count = 0;
    int fine = 0;
    if (cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINE_DESCRIPTOR, &engine) !=
        CUDNN_STATUS_SUCCESS)
        return 0;
    if (cudnnBackendGetAttribute(config, CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                                 1, &got, &engine) == CUDNN_STATUS_SUCCESS &&
        cudnnBackendGetAttribute(engine, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64, 1, &got,
                                 number) == CUDNN_STATUS_SUCCESS &&
        cudnnBackendGetAttribute(engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE,
                                 CUDNN_TYPE_NUMERICAL_NOTE, CUDNN_NUMERICAL_NOTE_TYPE_COUNT, &count,
                                 notes) == CUDNN_STATUS_SUCCESS) {
        fine = 1;
        for (int64_t n = 0; n < count && n < CUDNN_NUMERICAL_NOTE_TYPE_COUNT; n++)
            switch (notes[n]) {
            case CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC:
            case CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS: // to half precision
            case CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION:
            case CUDNN_NUMERICAL_NOTE_FFT:
            case CUDNN_NUMERICAL_NOTE_WINOGRAD:
            case CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_4x4:
            case CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_6x6:
            case CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_13x13:
                fine = 0;
                break;
            case CUDNN_NUMERICAL_NOTE_TENSOR_CORE:
                if (math == ORR_PLAN_FLOAT32) fine = 0;
                break;
            default:
                break;
            }
    }
    cudnnBackendDestroyDescriptor(engine);
    return fine;
}

// Compiles a candidate. Leaves plan->plan NULL when the engine refuses or wants too much scratch.
static void compile(orr_plan *plan, const orr_plan_device *device, descriptor config,
                    size_t workspace) {
    descriptor made = NULL;
    int64_t got = 0, bytes = 0;
    if (cudnnBackendCreateDescriptor(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, &made) !=
        CUDNN_STATUS_SUCCESS)
        return;
    filler fill = {made, CUDNN_STATUS_SUCCESS};
    put(&fill, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &config);
    put_device(&fill, device, CUDNN_ATTR_EXECUTION_PLAN_HANDLE,
               CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP);
    if (finish(&fill) == CUDNN_STATUS_SUCCESS &&
        cudnnBackendGetAttribute(made, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64,
                                 1, &got, &bytes) == CUDNN_STATUS_SUCCESS &&
        bytes >= 0 && (uint64_t)bytes <= workspace) {
        plan->plan = made;
        plan->workspace = (size_t)bytes;
    } else {
        cudnnBackendDestroyDescriptor(made);
    }
}

// Tries the engines of one of cuDNN's rankings; *number: the chosen engine.
static cudnnStatus_t choose(orr_plan *plan, const orr_plan_device *device, descriptor graph,
                            cudnnBackendHeurMode_t mode, orr_plan_math math, size_t workspace,
                            int64_t *number) {
    descriptor ranking = NULL, configs[CANDIDATES] = {NULL};
    int64_t got = 0;
    cudnnStatus_t code =
        cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR, &ranking);
    if (code != CUDNN_STATUS_SUCCESS) return code;
    filler fill = {ranking, CUDNN_STATUS_SUCCESS};
    put(&fill, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &graph);
    put(&fill, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode);
    if (device->properties) // else the graph has the handle
        put(&fill, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1,
            &device->properties);
    code = finish(&fill);
    for (int n = 0; n < CANDIDATES && code == CUDNN_STATUS_SUCCESS; n++)
        code = cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, &configs[n]);
    if (code == CUDNN_STATUS_SUCCESS)
        code = cudnnBackendGetAttribute(ranking, CUDNN_ATTR_ENGINEHEUR_RESULTS,
                                        CUDNN_TYPE_BACKEND_DESCRIPTOR, CANDIDATES, &got, configs);
    for (int n = 0; n < CANDIDATES && configs[n]; n++) {
        if (code == CUDNN_STATUS_SUCCESS && n < got && !plan->plan &&
            acceptable(configs[n], math, number)) {
            compile(plan, device, configs[n], workspace);
            if (plan->plan && plan->count < PARTS) {
                plan->parts[plan->count++] = configs[n]; // the plan rests on it
                continue;
            }
        }
        cudnnBackendDestroyDescriptor(configs[n]);
    }
    cudnnBackendDestroyDescriptor(ranking);
    return code;
}

// ---- plans --------------------------------------------------------------------------------------

static void name_plan(orr_plan *plan, orr_plan_op op, const orr_plan_shape *shape,
                      orr_plan_math math) {
    static const char *const maths[] = {"float32", "tf32", "bf16"};
    snprintf(plan->text, sizeof plan->text,
             "convolution %s, batch %lld, %lld x %lld x %lld -> %lld channels, kernel %lld, stride "
             "%lld, %s",
             operations[op].name, (long long)shape->batch, (long long)shape->height,
             (long long)shape->width, (long long)shape->channels, (long long)shape->filters,
             (long long)shape->kernel, (long long)shape->stride, maths[math]);
}

orr_status orr_plan_build(const orr_plan_device *device, orr_plan_op op,
                          const orr_plan_shape *shape, orr_plan_math math, size_t workspace,
                          orr_plan **plan, orr_error *error) {
    static const cudnnBackendHeurMode_t rankings[] = {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK};
    descriptor graph;
    int64_t number = -1;
    *plan = NULL;
    orr_plan *made = calloc(1, sizeof *made);
    if (!made) return orr_fail(error, ORR_INTERNAL, "out of memory for a convolution plan");
    name_plan(made, op, shape, math);
    cudnnStatus_t code = make_graph(made, device, op, shape, math, &graph);
    if (code != CUDNN_STATUS_SUCCESS) {
        orr_status status = refuse(code, made->text, error);
        orr_plan_free(made);
        return status;
    }
    // A ranking that fails is like one without an engine: the next may have one.
    for (int n = 0; n < 2 && !made->plan; n++)
        code = choose(made, device, graph, rankings[n], math, workspace, &number);
    if (!made->plan) {
        char reason[512] = "";
        if (code != CUDNN_STATUS_SUCCESS) cudnnGetLastErrorString(reason, sizeof reason);
        orr_status status = orr_fail(
            error, ORR_UNSUPPORTED,
            "cuDNN %zu has no deterministic engine within %zu bytes of scratch for: %s%s%s",
            cudnnGetVersion(), workspace, made->text, reason[0] ? ": " : "", reason);
        orr_plan_free(made);
        return status;
    }
    size_t length = strlen(made->text);
    snprintf(made->text + length, sizeof made->text - length, ": engine %lld", (long long)number);
    *plan = made;
    return ORR_OK;
}

void orr_plan_free(orr_plan *plan) {
    if (!plan) return;
    if (plan->plan) cudnnBackendDestroyDescriptor(plan->plan);
    while (plan->count) cudnnBackendDestroyDescriptor(plan->parts[--plan->count]);
    free(plan);
}

size_t orr_plan_workspace(const orr_plan *plan) {
    return plan->workspace;
}

const char *orr_plan_text(const orr_plan *plan) {
    return plan->text;
}

// ---- running ------------------------------------------------------------------------------------

orr_status orr_plan_engine_open(void *stream, orr_plan_engine **engine, orr_error *error) {
    *engine = NULL;
    orr_status status = check_version(error);
    if (status != ORR_OK) return status;
    orr_plan_engine *made = calloc(1, sizeof *made);
    if (!made) return orr_fail(error, ORR_INTERNAL, "out of memory for cuDNN");
    cudnnStatus_t code = cudnnCreate(&made->handle);
    if (code == CUDNN_STATUS_SUCCESS) code = cudnnSetStream(made->handle, (cudaStream_t)stream);
    if (code != CUDNN_STATUS_SUCCESS) {
        status = refuse(code, "opening the device", error);
        orr_plan_engine_close(made);
        return status;
    }
    *engine = made;
    return ORR_OK;
}

void orr_plan_engine_close(orr_plan_engine *engine) {
    if (!engine) return;
    if (engine->handle) (void)cudnnDestroy(engine->handle);
    free(engine);
}

orr_status orr_plan_run(const orr_plan_engine *engine, const orr_plan *plan, void *x, void *w,
                        void *y, void *workspace, orr_error *error) {
    int64_t ids[3] = {ID_X, ID_W, ID_Y};
    void *tensors[3] = {x, w, y};
    descriptor pack = NULL;
    TRY(cudnnBackendCreateDescriptor(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, &pack));
    filler fill = {pack, CUDNN_STATUS_SUCCESS};
    put(&fill, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, 3, ids);
    put(&fill, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, 3, tensors);
    put(&fill, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &workspace);
    cudnnStatus_t code = finish(&fill);
    if (code == CUDNN_STATUS_SUCCESS) code = cudnnBackendExecute(engine->handle, plan->plan, pack);
    orr_status status = code == CUDNN_STATUS_SUCCESS ? ORR_OK : refuse(code, plan->text, error);
    cudnnBackendDestroyDescriptor(pack);
    return status;
}
