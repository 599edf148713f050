// What gan/cuda/plan.c says to cuDNN, word by word, when there is a device: on machines without one
// the library itself answers only for described devices (gan_plan_test.cc). A make-believe cuDNN
// holds the calls to the rules of its manual: what each descriptor needs and in which type, that
// nothing is changed after it is finished, that what a plan rests on is still there when it runs.
#include <gtest/gtest.h>

#ifdef ORRERY_HAVE_CUDNN

#include <cstring>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <cudnn.h>

#include "gan/cuda/plan.h"

namespace {

using Notes = std::vector<cudnnBackendNumericalNote_t>;

struct Engine {
    int64_t number, workspace;
    Notes notes;
    bool refuses; // to be compiled
};

struct Value {
    cudnnBackendAttributeType_t type;
    std::vector<uint8_t> bytes;
    template <typename T> T at(size_t n) const {
        T value;
        std::memcpy(&value, bytes.data() + n * sizeof(T), sizeof(T));
        return value;
    }
};

struct Descriptor {
    cudnnBackendDescriptorType_t type;
    bool finished;
    std::map<int, Value> values;
    Engine engine; // of a configuration, of an engine
    bool has(int name) const { return values.count(name) > 0; }
    Descriptor *link(int name, size_t n = 0) const {
        return has(name) ? static_cast<Descriptor *>(values.at(name).at<void *>(n)) : nullptr;
    }
};

struct World {
    size_t version = 91900;
    std::vector<Engine> ranking, fallback;
    std::set<Descriptor *> living;
    std::vector<std::string> complaints;
    std::vector<int64_t> ran; // numbers of engines
    void *stream = nullptr;
    int handles = 0, calls = 0, fail_call = 0;
};
World world;

cudnnHandle_t the_handle() {
    static int something;
    return reinterpret_cast<cudnnHandle_t>(&something);
}

cudnnStatus_t complain(const std::string &what) {
    world.complaints.push_back(what);
    return CUDNN_STATUS_BAD_PARAM;
}

// How many bytes a value has; 0 for a type that plan.c has no business with.
size_t size_of(cudnnBackendAttributeType_t type) {
    switch (type) {
    case CUDNN_TYPE_HANDLE:
    case CUDNN_TYPE_VOID_PTR:
    case CUDNN_TYPE_BACKEND_DESCRIPTOR:
        return sizeof(void *);
    case CUDNN_TYPE_INT64:
        return sizeof(int64_t);
    case CUDNN_TYPE_DATA_TYPE:
    case CUDNN_TYPE_CONVOLUTION_MODE:
    case CUDNN_TYPE_HEUR_MODE:
    case CUDNN_TYPE_FLOAT:
        return 4;
    case CUDNN_TYPE_CHAR:
        return 1;
    default:
        return 0;
    }
}

// Attributes of a descriptor as the manual lists them: type, how many, and whether it cannot do
// without.
struct Rule {
    int name;
    cudnnBackendAttributeType_t type;
    int64_t count; // 0: any
    bool required;
};

std::vector<Rule> convolution(int x, int w, int y, int descriptor, int alpha, int beta) {
    return {{x, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, true},
            {w, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, true},
            {y, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, true},
            {descriptor, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, true},
            {alpha, CUDNN_TYPE_FLOAT, 1, true},
            {beta, CUDNN_TYPE_FLOAT, 1, true}};
}

std::vector<Rule> rules(cudnnBackendDescriptorType_t type) {
    switch (type) {
    case CUDNN_BACKEND_TENSOR_DESCRIPTOR:
        return {{CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, true},
                {CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, true},
                {CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1, true},
                {CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, true},
                {CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, true}};
    case CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR:
        return {{CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, 1, true},
                {CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, true},
                {CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, true},
                {CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, 2, true},
                {CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, 2, true},
                {CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, 2, true},
                {CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, 2, true}};
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR:
        return convolution(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
                           CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
                           CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
                           CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
                           CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
                           CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA);
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR:
        return convolution(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
                           CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
                           CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
                           CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
                           CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
                           CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA);
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR:
        return convolution(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
                           CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
                           CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
                           CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
                           CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
                           CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA);
    case CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR: // the handle: of a device of this machine
        return {{CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, true},
                {CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1, world.handles > 0}};
    case CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR:
        return {{CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, true},
                {CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, true},
                {CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1,
                 world.handles == 0}};
    case CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR:
        return {{CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, true},
                {CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, 1, world.handles > 0},
                {CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1,
                 world.handles == 0}};
    case CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR:
        return {{CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, 3, true},
                {CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, 3, true},
                {CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, true}};
    case CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR:
        return {{CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, 0, true}};
    default:
        return {};
    }
}

bool fails() {
    return ++world.calls == world.fail_call;
}

// Everything that a descriptor rests on, and itself, exists and is finished.
void check_living(Descriptor *from) {
    if (!world.living.count(from)) {
        complain("what a plan rests on is gone");
        return;
    }
    if (!from->finished && from->type != CUDNN_BACKEND_ENGINECFG_DESCRIPTOR)
        complain("a descriptor is used before it is finished");
    for (const auto &[name, value] : from->values)
        if (value.type == CUDNN_TYPE_BACKEND_DESCRIPTOR) check_living(from->link(name));
}

// Of the operation in a graph, in the order of their unique numbers: x, w, y.
std::map<int64_t, Descriptor *> tensors_of(const Descriptor *graph) {
    std::map<int64_t, Descriptor *> tensors;
    Descriptor *operation = graph->link(CUDNN_ATTR_OPERATIONGRAPH_OPS);
    for (const auto &[name, value] : operation->values) {
        Descriptor *tensor =
            value.type == CUDNN_TYPE_BACKEND_DESCRIPTOR ? operation->link(name) : nullptr;
        if (tensor && tensor->type == CUDNN_BACKEND_TENSOR_DESCRIPTOR)
            tensors[tensor->values[CUDNN_ATTR_TENSOR_UNIQUE_ID].at<int64_t>(0)] = tensor;
    }
    return tensors;
}

} // namespace

extern "C" {

size_t cudnnGetVersion(void) {
    return world.version;
}

const char *cudnnGetErrorString(cudnnStatus_t) {
    return "make-believe error";
}

void cudnnGetLastErrorString(char *message, size_t size) {
    if (size) message[0] = 0;
}

cudnnStatus_t cudnnCreate(cudnnHandle_t *handle) {
    if (fails()) return CUDNN_STATUS_NOT_INITIALIZED;
    world.handles++;
    *handle = the_handle();
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnDestroy(cudnnHandle_t handle) {
    if (handle != the_handle()) return complain("cudnnDestroy: no handle");
    if (!world.living.empty()) complain("the handle goes before what was built with it");
    world.handles--;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetStream(cudnnHandle_t, cudaStream_t stream) {
    if (fails()) return CUDNN_STATUS_INTERNAL_ERROR;
    world.stream = stream;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendCreateDescriptor(cudnnBackendDescriptorType_t type,
                                           cudnnBackendDescriptor_t *made) {
    if (fails()) return CUDNN_STATUS_ALLOC_FAILED;
    Descriptor *descriptor = new Descriptor{type, false, {}, {}};
    world.living.insert(descriptor);
    *made = descriptor;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t which) {
    Descriptor *descriptor = static_cast<Descriptor *>(which);
    if (!world.living.erase(descriptor)) return complain("destroyed twice");
    delete descriptor;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t which,
                                       cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, int64_t count,
                                       const void *values) {
    Descriptor *to = static_cast<Descriptor *>(which);
    if (fails()) return CUDNN_STATUS_NOT_SUPPORTED;
    if (!world.living.count(to) || to->finished) return complain("set when it was finished");
    for (const Rule &rule : rules(to->type)) {
        if (rule.name != name) continue;
        if (rule.type != type || count < 1 || (rule.count && rule.count != count))
            return complain("attribute " + std::to_string(name) + ": type or count");
        size_t bytes = static_cast<size_t>(count) * size_of(type);
        const uint8_t *from = static_cast<const uint8_t *>(values);
        to->values[name] = {type, std::vector<uint8_t>(from, from + bytes)};
        if (type == CUDNN_TYPE_BACKEND_DESCRIPTOR) check_living(to->link(name));
        if (type == CUDNN_TYPE_HANDLE && to->values[name].at<void *>(0) != the_handle())
            return complain("another handle");
        return CUDNN_STATUS_SUCCESS;
    }
    return complain("no attribute " + std::to_string(name) + " in " + std::to_string(to->type));
}

cudnnStatus_t cudnnBackendFinalize(cudnnBackendDescriptor_t which) {
    Descriptor *descriptor = static_cast<Descriptor *>(which);
    if (fails()) return CUDNN_STATUS_INTERNAL_ERROR;
    for (const Rule &rule : rules(descriptor->type))
        if (rule.required && !descriptor->has(rule.name))
            return complain("attribute " + std::to_string(rule.name) + " is missing");
    if (descriptor->type == CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR &&
        descriptor->link(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG)->engine.refuses)
        return CUDNN_STATUS_NOT_SUPPORTED;
    descriptor->finished = true;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendGetAttribute(cudnnBackendDescriptor_t which,
                                       cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, int64_t count,
                                       int64_t *given, void *values) {
    Descriptor *from = static_cast<Descriptor *>(which);
    void **links = static_cast<void **>(values);
    if (fails()) return CUDNN_STATUS_INTERNAL_ERROR;
    switch (name) {
    case CUDNN_ATTR_ENGINEHEUR_RESULTS: {
        cudnnBackendHeurMode_t mode =
            from->values[CUDNN_ATTR_ENGINEHEUR_MODE].at<cudnnBackendHeurMode_t>(0);
        const auto &list = mode == CUDNN_HEUR_MODE_A ? world.ranking : world.fallback;
        *given = 0;
        for (; *given < count && *given < static_cast<int64_t>(list.size()); ++*given) {
            Descriptor *config = static_cast<Descriptor *>(links[*given]);
            config->engine = list[static_cast<size_t>(*given)];
            config->values[CUDNN_ATTR_ENGINE_OPERATION_GRAPH] =
                from->values[CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH];
        }
        return CUDNN_STATUS_SUCCESS;
    }
    case CUDNN_ATTR_ENGINECFG_ENGINE:
        static_cast<Descriptor *>(links[0])->engine = from->engine;
        return CUDNN_STATUS_SUCCESS;
    case CUDNN_ATTR_ENGINE_GLOBAL_INDEX:
        std::memcpy(values, &from->engine.number, sizeof(int64_t));
        return CUDNN_STATUS_SUCCESS;
    case CUDNN_ATTR_ENGINE_NUMERICAL_NOTE:
        *given = static_cast<int64_t>(from->engine.notes.size());
        if (type != CUDNN_TYPE_NUMERICAL_NOTE || *given > count) return complain("notes");
        if (*given)
            std::memcpy(values, from->engine.notes.data(),
                        from->engine.notes.size() * sizeof from->engine.notes[0]);
        return CUDNN_STATUS_SUCCESS;
    case CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE:
        std::memcpy(values, &from->link(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG)->engine.workspace,
                    sizeof(int64_t));
        return CUDNN_STATUS_SUCCESS;
    default:
        return complain("asked for attribute " + std::to_string(name));
    }
}

cudnnStatus_t cudnnBackendExecute(cudnnHandle_t handle, cudnnBackendDescriptor_t what,
                                  cudnnBackendDescriptor_t with) {
    Descriptor *plan = static_cast<Descriptor *>(what), *pack = static_cast<Descriptor *>(with);
    if (fails()) return CUDNN_STATUS_EXECUTION_FAILED;
    check_living(plan);
    check_living(pack);
    if (handle != the_handle() || !plan->has(CUDNN_ATTR_EXECUTION_PLAN_HANDLE))
        return complain("a plan runs that was built without the handle");
    Descriptor *config = plan->link(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG);
    auto tensors = tensors_of(config->link(CUDNN_ATTR_ENGINE_OPERATION_GRAPH));
    if (tensors.size() != 3) complain("not three tensors");
    for (size_t n = 0; n < 3; n++) {
        int64_t id = pack->values[CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS].at<int64_t>(n);
        uintptr_t at = pack->values[CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS].at<uintptr_t>(n);
        if (!tensors.count(id)) return complain("a pointer for no tensor");
        int64_t alignment = tensors[id]->values[CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT].at<int64_t>(0);
        if (at % static_cast<uintptr_t>(alignment)) complain("a pointer is not aligned");
        tensors.erase(id);
    }
    if (config->engine.workspace && !pack->values[CUDNN_ATTR_VARIANT_PACK_WORKSPACE].at<void *>(0))
        complain("no workspace");
    world.ran.push_back(config->engine.number);
    return CUDNN_STATUS_SUCCESS;
}

} // extern "C"

namespace {

orr_error error;

const orr_plan_shape shape = {4, 8, 8, 8, 16, 4, 2, 1};

class GanCudnnCalls : public testing::Test {
  protected:
    orr_plan_engine *engine = nullptr;
    orr_plan_device *device = nullptr;

    void SetUp() override {
        world = World();
        world.ranking = {{7, 100, {CUDNN_NUMERICAL_NOTE_TENSOR_CORE}, false}, {8, 0, {}, false}};
    }
    orr_status open() {
        orr_status status = orr_plan_engine_open(&world, &engine, &error);
        return status == ORR_OK ? orr_plan_device_of(engine, &device, &error) : status;
    }
    void close() {
        orr_plan_device_free(device);
        orr_plan_engine_close(engine);
        device = nullptr;
        engine = nullptr;
        EXPECT_EQ(world.handles, 0);
        EXPECT_TRUE(world.living.empty());
    }
    void TearDown() override {
        close();
        for (const std::string &complaint : world.complaints) ADD_FAILURE() << complaint;
    }
    // Builds and runs: the engine's number, -1 without one.
    int64_t run(orr_plan_op op, orr_plan_math math) {
        alignas(16) char memory[4][16];
        orr_plan *plan = nullptr;
        int64_t number = -1;
        if (orr_plan_build(device, op, &shape, math, 1000, &plan, &error) == ORR_OK &&
            orr_plan_run(engine, plan, memory[0], memory[1], memory[2], memory[3], &error) ==
                ORR_OK)
            number = world.ran.back();
        orr_plan_free(plan);
        return number;
    }
};

TEST_F(GanCudnnCalls, PlansOfADeviceAreBuiltAndRunByItsHandle) {
    ASSERT_EQ(open(), ORR_OK) << error.text;
    EXPECT_EQ(world.stream, &world);
    for (orr_plan_op op : {ORR_PLAN_FORWARD, ORR_PLAN_BACKWARD_DATA, ORR_PLAN_BACKWARD_FILTER}) {
        EXPECT_EQ(run(op, ORR_PLAN_FLOAT32), 8) << error.text; // tensor cores round
        EXPECT_EQ(run(op, ORR_PLAN_TF32), 7) << error.text;
        EXPECT_EQ(run(op, ORR_PLAN_BF16), 7) << error.text;
    }
}

TEST_F(GanCudnnCalls, PlansOfADescriptionAreBuiltWithoutAHandle) {
    orr_plan *plan = nullptr;
    ASSERT_EQ(orr_plan_device_describe("{}", &device, &error), ORR_OK) << error.text;
    ASSERT_EQ(orr_plan_build(device, ORR_PLAN_FORWARD, &shape, ORR_PLAN_TF32, 1000, &plan, &error),
              ORR_OK)
        << error.text;
    EXPECT_EQ(orr_plan_workspace(plan), 100u);
    EXPECT_NE(std::string(orr_plan_text(plan)).find(": engine 7"), std::string::npos);
    orr_plan_free(plan);
}

// Engines that are not deterministic, round to half precision, transform, do not compile or want
// too much scratch are no good, however high they rank.
TEST_F(GanCudnnCalls, EnginesOfOtherArithmeticArePassedOver) {
    world.ranking.clear();
    int64_t number = 20;
    for (cudnnBackendNumericalNote_t note :
         {CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC, CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS,
          CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION, CUDNN_NUMERICAL_NOTE_FFT,
          CUDNN_NUMERICAL_NOTE_WINOGRAD, CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_4x4,
          CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_6x6, CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_13x13})
        world.ranking.push_back({number++, 0, {CUDNN_NUMERICAL_NOTE_TENSOR_CORE, note}, false});
    world.ranking.push_back({40, 1001, {}, false});
    world.ranking.push_back({41, 0, {}, true});
    ASSERT_EQ(open(), ORR_OK) << error.text;
    for (orr_plan_math math : {ORR_PLAN_FLOAT32, ORR_PLAN_TF32, ORR_PLAN_BF16}) {
        world.fallback.clear();
        EXPECT_EQ(run(ORR_PLAN_FORWARD, math), -1);
        EXPECT_NE(std::string(error.text).find("no deterministic engine within 1000 bytes"),
                  std::string::npos)
            << error.text;
        world.fallback = {{50, 1000, {CUDNN_NUMERICAL_NOTE_STRICT_NAN_PROP}, false}};
        EXPECT_EQ(run(ORR_PLAN_FORWARD, math), 50) << error.text;
    }
}

TEST_F(GanCudnnCalls, AnOldLibraryIsRefused) {
    world.version = 90701;
    EXPECT_EQ(open(), ORR_UNSUPPORTED);
    EXPECT_STREQ(error.text, "cuDNN 90701 is too old: 9.8 or later is needed");
    EXPECT_EQ(orr_plan_device_describe("{}", &device, &error), ORR_UNSUPPORTED);
}

TEST_F(GanCudnnCalls, FailuresLeaveNothingBehind) {
    auto all = [&] {
        int64_t number = open() == ORR_OK ? run(ORR_PLAN_BACKWARD_FILTER, ORR_PLAN_TF32) : -1;
        close();
        return number;
    };
    ASSERT_EQ(all(), 7) << error.text;
    int calls = world.calls, refused = 0;
    ASSERT_GT(calls, 80);
    for (int n = 1; n <= calls; n++) {
        world.calls = 0;
        world.fail_call = n;
        int64_t number = all(); // another engine may do when one does not compile
        refused += number < 0;
        EXPECT_TRUE(number == -1 || number == 7 || number == 8) << "call " << n;
    }
    EXPECT_GT(refused, 50);
}

} // namespace

#else

TEST(GanCudnnCalls, NeedsCudnn) {
    GTEST_SKIP() << "cuDNN 9 was not found when this was built";
}

#endif
