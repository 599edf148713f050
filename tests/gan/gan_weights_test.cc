// Weights files: round trips, the names of the PyTorch example, and files of strangers; latent
// vectors of NumPy.
#include <gtest/gtest.h>

#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <limits>
#include <string>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <vector>

#include "gan/npy.h"
#include "gan/weights.h"
#include "tests/support/scratch.h"

static int failing_flush; // the how-many-th fsync from now on fails; 0: none

extern "C" int fsync(int fd) { // takes the place of the C library's
    if (failing_flush > 0 && --failing_flush == 0) {
        errno = ENOSPC;
        return -1;
    }
    return static_cast<int>(syscall(SYS_fsync, fd));
}

namespace {

class GanWeights : public ::testing::Test {
  protected:
    std::string path(const std::string &name) { return scratch.path(name); }
    std::string write(const std::string &content) {
        std::string name = path("file");
        std::ofstream(name, std::ios::binary | std::ios::trunc) << content;
        return name;
    }
    Scratch scratch;
};

std::string safetensors(const std::string &header, const std::string &data) {
    std::string out;
    for (int i = 0; i < 8; i++) out += static_cast<char>(header.size() >> (8 * i));
    return out + header + data;
}

std::string slurp(const std::string &name) {
    std::ifstream in(name, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

struct State {
    orr_gan_state s{};
    explicit State(orr_gan_shape shape, uint64_t seed = 3) {
        EXPECT_EQ(orr_gan_state_new(&shape, &s, nullptr), ORR_OK);
        orr_gan_state_init(&s, seed);
        s.state[0].batches = 12;
        s.state[1].batches = 36;
    }
    ~State() { orr_gan_state_free(&s); }
};

} // namespace

TEST_F(GanWeights, RoundTripOfEveryShape) {
    for (orr_gan_shape shape : {orr_gan_shape{16, 1, 1, 1}, orr_gan_shape{32, 3, 100, 4},
                                orr_gan_shape{64, 3, 7, 5}, orr_gan_shape{128, 1, 33, 2}}) {
        State state(shape);
        for (int which : {ORR_GAN_GENERATOR, ORR_GAN_DISCRIMINATOR}) {
            for (orr_dtype dtype : {ORR_DTYPE_F32, ORR_DTYPE_F16}) {
                orr_error error{};
                orr_gan_weights read{};
                std::string name = path("w");
                orr_safetensors_entry more = {"note", "a \"quoted\" note"};
                ASSERT_EQ(orr_gan_weights_write(name.c_str(), &state.s, which, dtype, &more, 1, 1,
                                                &error),
                          ORR_OK)
                    << error.text;
                ASSERT_EQ(orr_gan_weights_read(name.c_str(), which, &read, &error), ORR_OK)
                    << error.text;
                EXPECT_EQ(read.shape.image_size, shape.image_size);
                EXPECT_EQ(read.shape.channels, shape.channels);
                EXPECT_EQ(read.shape.width, shape.width);
                if (which == ORR_GAN_GENERATOR) {
                    EXPECT_EQ(read.shape.latent, shape.latent);
                }
                EXPECT_EQ(read.batches, which == ORR_GAN_GENERATOR ? 12u : 36u);
                ASSERT_EQ(read.network.parameter_count, state.s.networks[which].parameter_count);
                for (size_t i = 0; i < read.network.parameter_count; i++) {
                    float wrote = state.s.state[which].parameters[i];
                    ASSERT_EQ(read.parameters[i],
                              dtype == ORR_DTYPE_F16 ? orr_half_to_float(orr_half_from_float(wrote))
                                                     : wrote);
                }
                orr_safetensors file;
                ASSERT_EQ(orr_safetensors_open(name.c_str(), &file, &error), ORR_OK);
                EXPECT_STREQ(orr_safetensors_metadata(&file, "note"), "a \"quoted\" note");
                EXPECT_STREQ(orr_safetensors_metadata(&file, "format"), "pt");
                EXPECT_EQ(orr_safetensors_metadata(&file, "absent"), nullptr);
                for (size_t i = 0; i < file.count; i++)
                    EXPECT_EQ(file.tensors[i].offset % orr_dtype_bytes(file.tensors[i].dtype), 0u);
                orr_safetensors_close(&file);
                orr_gan_weights_free(&read);
                // the other network's reader says what it is
                ASSERT_EQ(orr_gan_weights_read(name.c_str(), !which, &read, &error),
                          ORR_UNSUPPORTED);
                EXPECT_NE(strstr(error.text, which == ORR_GAN_GENERATOR
                                                 ? "weights of a generator"
                                                 : "weights of a discriminator"),
                          nullptr)
                    << error.text;
            }
        }
    }
}

TEST_F(GanWeights, NamesOfThePyTorchExample) {
    State state(orr_gan_default_shape());
    orr_safetensors file;
    std::string name = path("w");
    ASSERT_EQ(orr_gan_weights_write(name.c_str(), &state.s, ORR_GAN_GENERATOR, ORR_DTYPE_F32,
                                    nullptr, 0, 0, nullptr),
              ORR_OK);
    ASSERT_EQ(orr_safetensors_open(name.c_str(), &file, nullptr), ORR_OK);
    EXPECT_EQ(file.count, 5u + 4 * 5);
    struct {
        const char *name;
        std::vector<uint64_t> shape;
    } expected[] = {{"main.0.weight", {100, 512, 4, 4}},
                    {"main.1.weight", {512}},
                    {"main.1.bias", {512}},
                    {"main.1.running_mean", {512}},
                    {"main.1.running_var", {512}},
                    {"main.1.num_batches_tracked", {}},
                    {"main.3.weight", {512, 256, 4, 4}},
                    {"main.12.weight", {64, 3, 4, 4}}};
    for (auto &one : expected) {
        const orr_tensor_info *tensor = orr_safetensors_find(&file, one.name);
        ASSERT_NE(tensor, nullptr) << one.name;
        EXPECT_EQ(std::vector<uint64_t>(tensor->shape, tensor->shape + tensor->rank), one.shape);
    }
    orr_safetensors_close(&file);
    name = path("d");
    ASSERT_EQ(orr_gan_weights_write(name.c_str(), &state.s, ORR_GAN_DISCRIMINATOR, ORR_DTYPE_F32,
                                    nullptr, 0, 0, nullptr),
              ORR_OK);
    ASSERT_EQ(orr_safetensors_open(name.c_str(), &file, nullptr), ORR_OK);
    for (const char *one :
         {"main.0.weight", "main.2.weight", "main.3.running_mean", "main.11.weight"})
        EXPECT_NE(orr_safetensors_find(&file, one), nullptr) << one;
    orr_safetensors_close(&file);
}

TEST_F(GanWeights, NeverOverwritesUnasked) {
    State state({16, 1, 1, 1});
    orr_error error{};
    struct stat info;
    std::string name = path("w");
    ASSERT_EQ(
        orr_gan_weights_write(name.c_str(), &state.s, 0, ORR_DTYPE_F32, nullptr, 0, 0, &error),
        ORR_OK);
    std::string before = slurp(name);
    EXPECT_EQ(
        orr_gan_weights_write(name.c_str(), &state.s, 0, ORR_DTYPE_F16, nullptr, 0, 0, &error),
        ORR_EXISTS);
    EXPECT_EQ(slurp(name), before);
    ASSERT_EQ(stat(name.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600u);
    EXPECT_EQ(
        orr_gan_weights_write(name.c_str(), &state.s, 0, ORR_DTYPE_F16, nullptr, 0, 1, &error),
        ORR_OK);
    EXPECT_NE(slurp(name), before);
    EXPECT_NE(access((name + ".partial").c_str(), F_OK), 0);
    EXPECT_EQ(orr_gan_weights_write(path("no/such/folder").c_str(), &state.s, 0, ORR_DTYPE_F16,
                                    nullptr, 0, 1, &error),
              ORR_IO);
}

TEST_F(GanWeights, FailedFlushesLeaveWhatWasThere) {
    State state({16, 3, 5, 2}, 1), other({16, 3, 5, 2}, 2);
    orr_error error{};
    std::string name = path("weights"), folder_name = path("folder");
    auto content = [&] {
        std::ifstream in(name, std::ios::binary);
        return std::string(std::istreambuf_iterator<char>(in), {});
    };
    auto save = [&](const State &which, int replace) {
        return orr_gan_weights_write(name.c_str(), &which.s, 0, ORR_DTYPE_F32, nullptr, 0, replace,
                                     &error);
    };
    for (int call : {1, 2}) // the file's, then the folder's
        for (int replace : {0, 1}) {
            failing_flush = call;
            EXPECT_EQ(save(state, replace), ORR_IO);
            EXPECT_EQ(std::string(error.text), name + ": cannot write: No space left on device");
            EXPECT_EQ(failing_flush, 0) << "not reached";
            EXPECT_NE(access(name.c_str(), F_OK), 0);
            EXPECT_NE(access((name + ".partial").c_str(), F_OK), 0);
        }
    ASSERT_EQ(save(state, 0), ORR_OK) << error.text;
    std::string before = content();
    for (int call : {1, 2}) {
        failing_flush = call;
        EXPECT_EQ(save(other, 1), ORR_IO);
        EXPECT_TRUE(content() == before) << "flush " << call;
        EXPECT_NE(access((name + ".partial").c_str(), F_OK), 0);
    }
    ASSERT_EQ(save(other, 1), ORR_OK) << error.text;
    EXPECT_FALSE(content() == before);
    EXPECT_NE(access((name + ".partial").c_str(), F_OK), 0);
    ASSERT_EQ(mkdir(folder_name.c_str(), 0700), 0);
    name = folder_name; // is not moved out of the way
    EXPECT_EQ(save(state, 1), ORR_IO);
    struct stat info;
    EXPECT_TRUE(stat(folder_name.c_str(), &info) == 0 && S_ISDIR(info.st_mode));
}

TEST_F(GanWeights, EveryTruncationIsRefused) {
    State state({16, 1, 2, 1});
    std::string name = path("w");
    ASSERT_EQ(
        orr_gan_weights_write(name.c_str(), &state.s, 0, ORR_DTYPE_F32, nullptr, 0, 0, nullptr),
        ORR_OK);
    std::string whole = slurp(name);
    orr_gan_weights read{};
    for (size_t length = 0; length < whole.size(); length += length < 3000 ? 7 : 97) {
        std::string cut = write(whole.substr(0, length));
        orr_error error{};
        ASSERT_EQ(orr_gan_weights_read(cut.c_str(), 0, &read, &error), ORR_UNSUPPORTED) << length;
        ASSERT_NE(strstr(error.text, cut.c_str()), nullptr);
    }
    EXPECT_EQ(orr_gan_weights_read(write(whole + "x").c_str(), 0, &read, nullptr), ORR_UNSUPPORTED);
    EXPECT_EQ(orr_gan_weights_read(path("absent").c_str(), 0, &read, nullptr), ORR_IO);
    EXPECT_EQ(orr_gan_weights_read(scratch.path().c_str(), 0, &read, nullptr), ORR_UNSUPPORTED);
}

TEST_F(GanWeights, HostileHeadersAreRefused) {
    std::string four(4, '\0'), eight(8, '\0');
    std::string one = R"("a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]})";
    struct {
        const char *what;
        std::string content;
    } bad[] = {
        {"empty", ""},
        {"length beyond the file", std::string("\xff\0\0\0\0\0\0\0", 8) + "{}"},
        {"length beyond all", std::string(8, '\xff') + "{}"},
        {"no object", safetensors("[]", "")},
        {"text behind", safetensors("{}x", "")},
        {"cut JSON", safetensors("{\"a\":", "")},
        {"spaces before", safetensors(" {" + one + "}", four)},
        {"hole at the start",
         safetensors(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", eight)},
        {"rest", safetensors("{" + one + "}", eight)},
        {"overlap",
         safetensors("{" + one + R"(,"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}})",
                     four + "xx")},
        {"same bytes",
         safetensors("{" + one + R"(,"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
                     four)},
        {"twice",
         safetensors("{" + one + R"(,"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
                     eight)},
        {"unknown type",
         safetensors(R"({"a":{"dtype":"F8","shape":[4],"data_offsets":[0,4]}})", four)},
        {"shape and bytes",
         safetensors(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", four)},
        {"overflow",
         safetensors(
             R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", "")},
        {"overflow of bytes",
         safetensors(
             R"({"a":{"dtype":"F32","shape":[4294967296,1073741824],"data_offsets":[0,0]}})", "")},
        {"negative",
         safetensors(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", four)},
        {"fraction",
         safetensors(R"({"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,6]}})", eight)},
        {"backwards",
         safetensors(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", four)},
        {"rank",
         safetensors(R"({"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}})",
                     four)},
        {"no shape", safetensors(R"({"a":{"dtype":"F32","data_offsets":[0,4]}})", four)},
        {"more",
         safetensors(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}})", four)},
        {"key twice",
         safetensors(R"({"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
                     four)},
        {"no name", safetensors(R"({"":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", four)},
        {"long name", safetensors("{\"" + std::string(300, 'a') +
                                      R"(":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
                                  four)},
        {"metadata", safetensors(R"({"__metadata__":{"a":1}})", "")},
        {"metadata twice", safetensors(R"({"__metadata__":{},"__metadata__":{}})", "")},
        {"deep", safetensors("{\"a\":" + std::string(100000, '['), "")},
    };
    for (auto &b : bad) {
        orr_safetensors file;
        orr_error error{};
        EXPECT_EQ(orr_safetensors_open(write(b.content).c_str(), &file, &error), ORR_UNSUPPORTED)
            << b.what;
        EXPECT_EQ(file.tensors, nullptr);
    }
    orr_safetensors file;
    ASSERT_EQ(
        orr_safetensors_open(write(safetensors("{" + one + "}  ", four)).c_str(), &file, nullptr),
        ORR_OK);
    EXPECT_EQ(file.count, 1u);
    orr_safetensors_close(&file);
    ASSERT_EQ(orr_safetensors_open(write(safetensors("{}", "")).c_str(), &file, nullptr), ORR_OK);
    orr_safetensors_close(&file);
}

// A generator's tensors under other names.
struct Renamed {
    State state{{16, 1, 2, 1}};
    char names[ORR_GAN_MAX_TENSORS][ORR_SAFETENSORS_MAX_NAME];
    orr_tensor tensors[ORR_GAN_MAX_TENSORS];
    uint64_t batches = 3;
    size_t count;
    std::vector<std::string> kept; // the names, while they are changed
    Renamed() {
        state.s.state[0].parameters[7] = 0.75f;
        count =
            orr_gan_tensors(&state.s.networks[0], "", ORR_DTYPE_F32, state.s.state[0].parameters,
                            state.s.state[0].running, &batches, names, tensors);
        for (size_t i = 0; i < count; i++) kept.push_back(tensors[i].name);
    }
    orr_status read(const std::string &file, orr_gan_weights *weights, orr_error *error) {
        for (size_t i = 0; i < kept.size(); i++) tensors[i].name = kept[i].c_str();
        EXPECT_EQ(orr_safetensors_write(file.c_str(), tensors, kept.size(), nullptr, 0, 1, nullptr),
                  ORR_OK);
        return orr_gan_weights_read(file.c_str(), 0, weights, error);
    }
};

TEST_F(GanWeights, NamesOfWrappedModulesLoad) {
    for (const char *form : {"module.%", "_orig_mod.%", "module._orig_mod.%", "_orig_mod.module.%",
                             "module.module.%", "main._orig_mod.", "_orig_mod.main.module."}) {
        SCOPED_TRACE(form);
        Renamed r;
        for (std::string &name : r.kept) {
            std::string to = form;
            size_t place = to.find('%');
            // behind the prefix, or with the wrapper inside the name: main.W.0.weight
            name = place == std::string::npos ? to + name.substr(5) : to.replace(place, 1, name);
        }
        orr_gan_weights read{};
        orr_error error{};
        ASSERT_EQ(r.read(path("w"), &read, &error), ORR_OK) << error.text;
        EXPECT_EQ(read.parameters[7], 0.75f);
        EXPECT_EQ(read.batches, 3u);
        orr_gan_weights_free(&read);
    }
    Renamed some; // only some layers wrapped, as with a DataParallel of a part
    some.kept[0] = "main.module.0.weight";
    orr_gan_weights read{};
    orr_error error{};
    EXPECT_EQ(some.read(path("w"), &read, &error), ORR_OK) << error.text;
    orr_gan_weights_free(&read);
    for (const char *name :
         {"modules.main.0.weight", "main.0.weight.module", "main.orig_mod.0.weight"}) {
        Renamed other;
        other.kept[0] = name;
        EXPECT_EQ(other.read(path("w"), &read, &error), ORR_UNSUPPORTED) << name;
    }
}

TEST_F(GanWeights, TensorsThatAreTooManyAreNamed) {
    Renamed r;
    orr_gan_weights read{};
    orr_error error{};
    auto more = [&](const char *name) {
        r.tensors[r.kept.size()] = r.tensors[1]; // of one dimension
        r.kept.push_back(name);
    };
    more("main.0.bias");
    EXPECT_EQ(r.read(path("w"), &read, &error), ORR_UNSUPPORTED);
    EXPECT_NE(strstr(error.text, "a generator of this shape has not: main.0.bias"), nullptr)
        << error.text;
    for (const char *name : {"main.3.bias", "main.6.bias", "ema.decay", "step"}) more(name);
    EXPECT_EQ(r.read(path("w"), &read, &error), ORR_UNSUPPORTED);
    EXPECT_NE(strstr(error.text, "has not: main.0.bias, main.3.bias, main.6.bias and 2 more"),
              nullptr)
        << error.text;
    // Both the plain and the wrapped one: which is meant?
    Renamed twice;
    twice.tensors[twice.kept.size()] = twice.tensors[1];
    twice.kept.push_back("module." + twice.kept[1]);
    EXPECT_EQ(twice.read(path("w"), &read, &error), ORR_UNSUPPORTED);
    EXPECT_NE(strstr(error.text, "two tensors are named main.1.weight, apart from"), nullptr)
        << error.text;
}

TEST_F(GanWeights, WrongNumbersAndTensorsAreRefused) {
    State state({16, 1, 2, 1});
    orr_gan_weights read{};
    orr_error error{};
    std::string name = path("w");
    auto attempt = [&](const char *text) {
        EXPECT_EQ(
            orr_gan_weights_write(name.c_str(), &state.s, 0, ORR_DTYPE_F32, nullptr, 0, 1, nullptr),
            ORR_OK);
        EXPECT_EQ(orr_gan_weights_read(name.c_str(), 0, &read, &error), ORR_UNSUPPORTED);
        EXPECT_NE(strstr(error.text, text), nullptr) << error.text;
    };
    state.s.state[0].parameters[5] = std::numeric_limits<float>::quiet_NaN();
    attempt("not finite");
    state.s.state[0].parameters[5] = 1;
    state.s.state[0].running[state.s.networks[0].layers[0].variance] = -1;
    attempt("negative variance");
    state.s.state[0].running[state.s.networks[0].layers[0].variance] = 1;
    // num_batches_tracked, which older and other frameworks do not write, may be missing, and no
    // other tensor may be there in its place
    char names[ORR_GAN_MAX_TENSORS][ORR_SAFETENSORS_MAX_NAME];
    orr_tensor tensors[ORR_GAN_MAX_TENSORS];
    uint64_t batches = 3;
    size_t all =
               orr_gan_tensors(&state.s.networks[0], "", ORR_DTYPE_F32, state.s.state[0].parameters,
                               state.s.state[0].running, &batches, names, tensors),
           kept = 0;
    for (size_t i = 0; i < all; i++)
        if (tensors[i].dtype != ORR_DTYPE_I64) tensors[kept++] = tensors[i];
    ASSERT_EQ(all - kept, 2u);
    ASSERT_EQ(orr_safetensors_write(name.c_str(), tensors, kept, nullptr, 0, 1, nullptr), ORR_OK);
    EXPECT_EQ(orr_gan_weights_read(name.c_str(), 0, &read, &error), ORR_OK) << error.text;
    EXPECT_EQ(read.batches, 0u);
    EXPECT_EQ(memcmp(read.parameters, state.s.state[0].parameters,
                     read.network.parameter_count * sizeof(float)),
              0);
    orr_gan_weights_free(&read);
    tensors[kept] = tensors[0];
    tensors[kept].name = "main.1.num_batches";
    ASSERT_EQ(orr_safetensors_write(name.c_str(), tensors, kept + 1, nullptr, 0, 1, nullptr),
              ORR_OK);
    EXPECT_EQ(orr_gan_weights_read(name.c_str(), 0, &read, &error), ORR_UNSUPPORTED);
    EXPECT_NE(strstr(error.text, "that a generator of this shape has not: main.1.num_batches"),
              nullptr)
        << error.text;
    // a convolution with a bias is another network
    float value[4] = {0};
    orr_tensor bias[2] = {{"main.0.weight", ORR_DTYPE_F32, 1, {4}, value},
                          {"main.0.bias", ORR_DTYPE_F32, 1, {4}, value}};
    ASSERT_EQ(orr_safetensors_write(name.c_str(), bias, 2, nullptr, 0, 1, nullptr), ORR_OK);
    EXPECT_EQ(orr_gan_weights_read(name.c_str(), 0, &read, &error), ORR_UNSUPPORTED);
    EXPECT_NE(strstr(error.text, "not the weights of a DCGAN's generator"), nullptr) << error.text;
    EXPECT_NE(strstr(error.text, "; there is main.0."), nullptr) << error.text;
    for (const char *saved : {"PK\3\4 of torch.save()", "\x80\2 of an older one"}) {
        EXPECT_EQ(orr_gan_weights_read(write(saved).c_str(), 0, &read, &error), ORR_UNSUPPORTED);
        EXPECT_NE(strstr(error.text, "safetensors.torch.save_file()"), nullptr) << error.text;
    }
}

TEST(GanHalf, EveryHalfRoundTripsAndTiesGoToEven) {
    for (uint32_t h = 0; h < 65536; h++) {
        float value = orr_half_to_float(static_cast<uint16_t>(h));
        if (std::isnan(value)) continue;
        ASSERT_EQ(orr_half_from_float(value), h);
        if ((h & 0x7fff) >= 0x7bff) continue; // between this and the next, in the same direction
        float next = orr_half_to_float(static_cast<uint16_t>(h + 1)), middle = (value + next) / 2;
        ASSERT_EQ(orr_half_from_float(middle), h & 1 ? h + 1 : h);
        ASSERT_EQ(orr_half_from_float(std::nextafter(middle, value)), h);
        ASSERT_EQ(orr_half_from_float(std::nextafter(middle, next)), h + 1);
    }
    EXPECT_EQ(orr_half_from_float(65519.996f), 0x7bff);
    EXPECT_EQ(orr_half_from_float(65520.0f), 0x7c00);
    EXPECT_EQ(orr_half_to_float(0x3c00), 1.0f);
}

namespace {

std::string npy(const std::string &dictionary, const std::string &data, int version = 1) {
    std::string header = dictionary + "\n",
                out = std::string("\x93NUMPY") + static_cast<char>(version) + '\0';
    for (int i = 0; i < (version == 1 ? 2 : 4); i++)
        out += static_cast<char>(header.size() >> (8 * i));
    return out + header + data;
}

} // namespace

TEST_F(GanWeights, NumPyLatents) {
    float f[6] = {1, -2, 0.5f, 4, 5, -6};
    double d[6] = {1, -2, 0.5, 4, 5, -6};
    std::string floats(reinterpret_cast<char *>(f), sizeof f),
        doubles(reinterpret_cast<char *>(d), sizeof d);
    struct {
        std::string content;
    } good[] = {
        {npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }   ", floats)},
        {npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }", doubles, 2)},
        {npy("{'shape': (2, 3, 1, 1), 'fortran_order': False, 'descr': '<f4'}", floats, 3)}};
    for (auto &g : good) {
        uint32_t count = 0;
        float *latents = nullptr;
        orr_error error{};
        ASSERT_EQ(orr_npy_latents(write(g.content).c_str(), 3, &count, &latents, &error), ORR_OK)
            << error.text;
        ASSERT_EQ(count, 2u);
        for (int i = 0; i < 6; i++) EXPECT_EQ(latents[i], f[i]);
        free(latents);
    }
    float nan[6] = {1, 2, 3, 4, 5, std::numeric_limits<float>::infinity()};
    std::string shape = "{'descr': '<f4', 'fortran_order': False, 'shape': ";
    std::string bad[] = {
        "",
        "x",
        std::string("\x93NUMPY\x01\0\xff\xff", 10),
        npy(shape + "(2, 3), }", floats + "x"),
        npy(shape + "(2, 3), }", floats.substr(1)),
        npy(shape + "(2, 4), }", floats + "12345678"),
        npy(shape + "(6,), }", floats),
        npy(shape + "(0, 3), }", ""),
        npy(shape + "(2, 3, 1, 1, 1), }", floats),
        npy(shape + "(2, 99999999999999999999), }", floats),
        npy(shape + "(4294967295, 4294967295, 4294967295, 4294967295), }", floats),
        npy("{'descr': '>f4', 'fortran_order': False, 'shape': (2, 3), }", floats),
        npy("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }", floats),
        npy("{'descr': '|O', 'fortran_order': False, 'shape': (2, 3), }", floats),
        npy("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", floats),
        npy("{'fortran_order': False, 'shape': (2, 3), }", floats),
        npy(shape + "(2, 3), } x", floats),
        npy(shape + "(2, 3), }", std::string(reinterpret_cast<char *>(nan), sizeof nan)),
        npy(shape + "(2, 3), }", floats, 4),
        npy(shape + "(70000, 3), }", std::string(840000, '\0'))};
    for (const std::string &b : bad) {
        uint32_t count;
        float *latents = nullptr;
        EXPECT_EQ(orr_npy_latents(write(b).c_str(), 3, &count, &latents, nullptr), ORR_UNSUPPORTED)
            << b;
        EXPECT_EQ(latents, nullptr);
    }
    uint32_t count;
    float *latents;
    const char *said[][2] = {{"'>f4', 'fortran_order': False", "another type"},
                             {"'<f2', 'fortran_order': False", "astype('<f4')"},
                             {"'<f4', 'fortran_order': True", "ascontiguousarray()"}};
    for (auto &[what, text] : said) {
        orr_error error{};
        std::string file = npy(std::string("{'descr': ") + what + ", 'shape': (2, 3), }", floats);
        EXPECT_EQ(orr_npy_latents(write(file).c_str(), 3, &count, &latents, &error),
                  ORR_UNSUPPORTED);
        EXPECT_NE(strstr(error.text, text), nullptr) << error.text;
    }
    EXPECT_EQ(orr_npy_latents(path("absent").c_str(), 3, &count, &latents, nullptr), ORR_IO);
}
