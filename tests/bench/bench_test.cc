// The benchmarks: the measuring loop, the suites on small sizes, and the three forms of the report.
// Nothing here asserts a time.
#include <cmath>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <cjson/cJSON.h>
#include <gtest/gtest.h>

#include "bench/bench.h"
#include "bench/bench_copy.h"
#include "bench/bench_files.h"
#include "bench/bench_levels.h"
#include "bench/bench_machine.h"
#include "gan/gan_device.h"
#include "tests/support/markup.h"

namespace {

std::string text_of(orr_sink *sink) {
    std::string text(sink->text ? sink->text : "", sink->length);
    orr_sink_free(sink);
    return text;
}

// ---- measuring

struct Ticket {
    std::vector<int> *order;
    int number;
    orr_status status = ORR_OK;
};

orr_status take(void *context, double *seconds, orr_error *error) {
    Ticket *ticket = static_cast<Ticket *>(context);
    ticket->order->push_back(ticket->number);
    *seconds = ticket->number + 1;
    return ticket->status == ORR_OK ? ORR_OK : orr_fail(error, ticket->status, "as told");
}

TEST(Measure, RoundsTurnAndTheFirstDoesNotCount) {
    std::vector<int> order;
    Ticket tickets[3] = {{&order, 0}, {&order, 1}, {&order, 2}};
    orr_measure_item items[3] = {};
    for (int n = 0; n < 3; n++) {
        items[n].run = take;
        items[n].context = &tickets[n];
    }
    orr_error error = {};
    ASSERT_EQ(ORR_OK, orr_measure_rounds(items, 3, 2, nullptr, &error));
    EXPECT_EQ((std::vector<int>{2, 1, 0, 0, 1, 2, 2, 1, 0}), order);
    for (int n = 0; n < 3; n++) EXPECT_EQ(n + 1, items[n].seconds[1]);
    orr_measure_free(items, 3);
    tickets[1].status = ORR_IO;
    EXPECT_EQ(ORR_IO, orr_measure_rounds(items, 3, 2, nullptr, &error));
    orr_measure_free(items, 3);
    volatile sig_atomic_t stop = 1;
    EXPECT_EQ(ORR_STOPPED, orr_measure_rounds(items, 3, 2, &stop, &error));
    orr_measure_free(items, 3);
}

TEST(Measure, Percentiles) {
    std::vector<double> values;
    for (int n = 100; n >= 0; n--) values.push_back(n);
    orr_spread spread = orr_spread_of(values.data(), 101);
    EXPECT_EQ(0, spread.least);
    EXPECT_EQ(10, spread.p10);
    EXPECT_EQ(50, spread.median);
    EXPECT_EQ(90, spread.p90);
    EXPECT_EQ(100, spread.most);
    EXPECT_EQ(101, spread.runs);
    EXPECT_EQ(0, orr_spread_of(nullptr, 0).runs);
}

TEST(Measure, FitOfAPowerLaw) {
    auto bench = std::make_unique<orr_bench>();
    bench->suite = "cipher";
    const double bytes[] = {1, 10, 100, 1000};
    double seconds[4];
    for (int n = 0; n < 4; n++) seconds[n] = 3 * std::pow(bytes[n], 1.25);
    orr_bench_fit_points(bench.get(), "power", bytes, seconds, 4);
    ASSERT_EQ(1u, bench->fit_count);
    EXPECT_NEAR(1.25, bench->fits[0].exponent, 1e-9);
    orr_bench_fit_points(bench.get(), "one point says nothing", bytes, seconds, 1);
    EXPECT_EQ(1u, bench->fit_count);
}

// ---- files

TEST(Files, WrittenComparedAndRemoved) {
    orr_bench_files files;
    orr_error error = {};
    ASSERT_EQ(ORR_OK, orr_bench_files_open(&files, ORR_BENCH_IN_MEMORY, nullptr, &error))
        << error.text;
    EXPECT_GT(orr_bench_files_room(&files), 0u);
    ASSERT_EQ(ORR_OK, orr_bench_files_write(&files, "a", 3000001, &error)) << error.text;
    ASSERT_EQ(ORR_OK, orr_bench_files_write(&files, "b", 3000001, &error));
    ASSERT_EQ(ORR_OK, orr_bench_files_write(&files, "c", 3000000, &error));
    EXPECT_EQ(ORR_OK, orr_bench_files_compare(&files, "a", "b", &error)) << error.text;
    EXPECT_EQ(ORR_SELF_TEST, orr_bench_files_compare(&files, "a", "c", &error));
    EXPECT_EQ(ORR_SELF_TEST, orr_bench_files_compare(&files, "a", "missing", &error));
    orr_bench_files_remove(&files, "");
    EXPECT_FALSE(std::filesystem::exists(files.path));
    EXPECT_EQ(ORR_IO, orr_bench_files_open(&files, ORR_BENCH_IN_MEMORY, "/nowhere/at/all", &error));
}

std::string file_system(const char *path) {
    char type[24];
    orr_machine_filesystem(path, type);
    return type;
}

TEST(Files, ADiskIsNoMemory) {
    if (file_system("/dev/shm") != "tmpfs") GTEST_SKIP() << "no /dev/shm in memory";
    orr_bench_files files;
    orr_error error = {};
    EXPECT_EQ(ORR_UNSUPPORTED,
              orr_bench_files_open(&files, ORR_BENCH_ON_A_DISK, "/dev/shm", &error));
    EXPECT_NE(nullptr, std::strstr(error.text, "/dev/shm: lies in memory")) << error.text;
    EXPECT_EQ(ORR_IO, orr_bench_files_open(&files, ORR_BENCH_ON_A_DISK, "/nowhere/at/all", &error));
    EXPECT_EQ(ORR_OK, orr_bench_files_open(&files, ORR_BENCH_IN_MEMORY, "/dev/shm", &error));
    orr_bench_files_remove(&files, "");
}

TEST(Files, ACopyPastThePageCacheSaysWhatItCannot) {
    orr_error error = {};
    EXPECT_EQ(ORR_UNSUPPORTED, orr_bench_copy("/proc/version", nullptr, 1, &error)) << error.text;
    EXPECT_EQ(ORR_IO, orr_bench_copy("/nowhere/at/all", nullptr, 1, &error));
    if (file_system(ORRERY_MODULES) == "tmpfs") GTEST_SKIP() << "the build directory is no disk";
    orr_bench_files files;
    ASSERT_EQ(ORR_OK, orr_bench_files_open(&files, ORR_BENCH_ON_A_DISK, ORRERY_MODULES, &error));
    char from[PATH_MAX], to[PATH_MAX];
    for (uint64_t bytes : {0u, 1u, 4096u, (1u << 20) + 1, (5u << 20) - 4095}) {
        std::string name = "from-" + std::to_string(bytes), copy = "to-" + std::to_string(bytes);
        orr_bench_files_path(&files, name.c_str(), from);
        orr_bench_files_path(&files, copy.c_str(), to);
        ASSERT_EQ(ORR_OK, orr_bench_files_write(&files, name.c_str(), bytes, &error));
        EXPECT_EQ(ORR_OK, orr_bench_copy(from, to, 3, &error)) << error.text;
        EXPECT_EQ(ORR_OK, orr_bench_files_compare(&files, name.c_str(), copy.c_str(), &error));
        EXPECT_EQ(ORR_IO, orr_bench_copy(from, to, 1, &error)) << "nothing is replaced";
    }
    orr_bench_files_remove(&files, "");
}

// ---- suites

class Suites : public testing::Test {
  protected:
    std::unique_ptr<orr_bench> bench = std::make_unique<orr_bench>();
    orr_bench_options options = {};
    orr_error error = {};

    void SetUp() override {
        options.device = "cpu";
        options.quick = 1;
        options.threads = 2;
        options.most_bytes = 4 << 20;
    }
    void TearDown() override { orr_bench_free(bench.get()); }

    std::set<std::string> rows(const std::string &group) const {
        std::set<std::string> names;
        for (size_t n = 0; n < bench->count; n++)
            if (bench->results[n].group == group) names.insert(bench->results[n].name);
        return names;
    }
    std::set<std::string> groups() const {
        std::set<std::string> names;
        for (size_t n = 0; n < bench->count; n++) names.insert(bench->results[n].group);
        return names;
    }
    void expect_sound_results() const {
        for (size_t n = 0; n < bench->count; n++) {
            const orr_bench_result &r = bench->results[n];
            EXPECT_GT(r.seconds.median, 0) << r.group << ": " << r.name;
            EXPECT_LE(r.seconds.p10, r.seconds.median);
            EXPECT_LE(r.seconds.median, r.seconds.p90);
            EXPECT_TRUE(r.like || r.note[0]) << r.name << ": compared with what?";
        }
    }
};

TEST_F(Suites, Pipeline) {
    ASSERT_EQ(ORR_OK, orr_bench_run(bench.get(), "pipeline", &options, &error)) << error.text;
    std::set<std::string> found = groups();
    for (const char *group : {"file to file", "stages of encrypt", "stages of verify",
                              "stages of decrypt", "stages of reencrypt", "encrypt, by size"})
        EXPECT_TRUE(found.count(group)) << group;
    expect_sound_results();
    EXPECT_EQ(4u, bench->finding_count); // what binds, for each verb
    double share = 0;
    for (size_t n = 0; n < bench->count; n++)
        if (std::string(bench->results[n].group) == "stages of encrypt")
            share += bench->results[n].share;
    for (const char *stage : {"read", "digest", "seal", "write"})
        EXPECT_TRUE(rows("stages of encrypt").count(stage)) << stage;
    EXPECT_NEAR(1, share, 1e-9);
}

TEST_F(Suites, Disk) {
    if (file_system(ORRERY_MODULES) == "tmpfs") GTEST_SKIP() << "the build directory is no disk";
    options.disk = ORRERY_MODULES;
    ASSERT_EQ(ORR_OK, orr_bench_run(bench.get(), "disk", &options, &error)) << error.text;
    std::set<std::string> found = groups();
    for (const char *verb : {"encrypt", "verify", "decrypt", "reencrypt"}) {
        EXPECT_TRUE(found.count(verb)) << verb;
        for (const char *path : {", direct", ", page cache"})
            EXPECT_TRUE(found.count("stages of " + std::string(verb) + path)) << verb << path;
    }
    for (const char *group : {"stages of encrypt, direct", "stages of decrypt, page cache"})
        for (const char *stage : {"read", "digest", "write", "commit", "rest of the host"})
            EXPECT_TRUE(rows(group).count(stage)) << group << ": " << stage;
    expect_sound_results();
    EXPECT_LE(8u, bench->finding_count); // what binds, for each verb and path
    EXPECT_NE(nullptr, std::strstr(bench->conditions.disk, ", 4 MiB")) << bench->conditions.disk;
}

TEST_F(Suites, NoDisk) {
    if (file_system("/dev/shm") != "tmpfs") GTEST_SKIP() << "no /dev/shm in memory";
    options.disk = "/dev/shm";
    EXPECT_EQ(ORR_UNSUPPORTED, orr_bench_run(bench.get(), "disk", &options, &error));
    EXPECT_NE(nullptr, std::strstr(error.text, "--disk names")) << error.text;
}

TEST_F(Suites, Cipher) {
    ASSERT_EQ(ORR_OK, orr_bench_run(bench.get(), "cipher", &options, &error)) << error.text;
    std::set<std::string> found = groups();
    for (const char *group : {"one core", "CPU backend", "paper profile, whole images"})
        EXPECT_TRUE(found.count(group)) << group;
    expect_sound_results();
    EXPECT_EQ(1u, bench->fit_count);
    EXPECT_EQ(1.0, bench->results[0].ratio); // AES-256-GCM is the measure of its group
}

TEST_F(Suites, Gan) {
    orr_status status = orr_bench_run(bench.get(), "gan", &options, &error);
    if (orr_gan_onednn_module.state != ORR_LIBRARY_LOADED) {
        EXPECT_EQ(ORR_UNSUPPORTED, status); // "cpu" was asked for
        GTEST_SKIP() << error.text;
    }
    ASSERT_EQ(ORR_OK, status) << error.text;
    EXPECT_TRUE(groups().count("DCGAN 64 x 64, CPU"));
    expect_sound_results();
    ASSERT_EQ(2u, bench->count);
    for (size_t n = 0; n < bench->count; n++) EXPECT_EQ(32u, bench->results[n].images);
}

TEST_F(Suites, UnknownNameAndMissingDevice) {
    EXPECT_EQ(ORR_USAGE, orr_bench_run(bench.get(), "cypher", &options, &error));
    EXPECT_NE(nullptr, std::strstr(error.text, "cipher, pipeline, disk, gan")) << error.text;
    options.device = "cuda:77";
    EXPECT_EQ(ORR_UNSUPPORTED, orr_bench_run(bench.get(), "pipeline", &options, &error));
    EXPECT_EQ(ORR_UNSUPPORTED, orr_bench_run(bench.get(), "gan", &options, &error));
}

TEST_F(Suites, AStopEndsTheRun) {
    volatile sig_atomic_t stop = 1;
    options.stop = &stop;
    EXPECT_EQ(ORR_STOPPED, orr_bench_run(bench.get(), "all", &options, &error));
    EXPECT_EQ(ORR_STOPPED, orr_bench_run(bench.get(), "pipeline", &options, &error));
}

// ---- report

// A record with hostile names in it.
std::unique_ptr<orr_bench> sample() {
    auto bench = std::make_unique<orr_bench>();
    orr_error error = {};
    bench->suite = "cipher";
    orr_bench_look(bench.get());
    std::snprintf(bench->conditions.device, sizeof bench->conditions.device, "<GPU> & \"more\"");
    for (int n = 0; n < 3; n++) {
        orr_bench_result result = {};
        std::snprintf(result.group, sizeof result.group, "%s", n < 2 ? "one core" : "stages of x");
        std::snprintf(result.name, sizeof result.name, "<b>%d</b>", n);
        std::snprintf(result.device, sizeof result.device, "cpu");
        result.threads = 1;
        result.bytes = 1000000000;
        double seconds[] = {0.5, 0.25, 1};
        result.seconds = orr_spread_of(seconds, 3);
        result.like = n == 0 ? "portable path" : nullptr;
        result.share = n == 2 ? 0.25 : 0;
        result.ratio = n < 2 ? 1 : 0;
        if (n != 1) std::snprintf(result.note, sizeof result.note, "note %d", n);
        EXPECT_EQ(ORR_OK, orr_bench_add_result(bench.get(), &result, &error));
    }
    orr_bench_find(bench.get(), "found: %s", "<i>");
    return bench;
}

TEST(Run, ADeviceThatIsNotThereEndsTheRunBeforeItBegins) {
    auto bench = std::make_unique<orr_bench>();
    orr_bench_options options = {};
    orr_error error = {};
    options.device = "cuda:9999";
    options.quick = 1;
    EXPECT_EQ(ORR_UNSUPPORTED, orr_bench_run(bench.get(), "all", &options, &error));
    EXPECT_NE(nullptr, std::strstr(error.text, "--device cuda:9999: ")) << error.text;
    EXPECT_EQ(0u, bench->count) << "nothing was measured first";
    orr_bench_free(bench.get());
}

TEST(Report, JsonHoldsConditionsAndResults) {
    auto bench = sample();
    orr_sink sink;
    orr_error error = {};
    orr_sink_memory(&sink);
    ASSERT_EQ(ORR_OK, orr_bench_json(bench.get(), &sink, &error));
    std::string text = text_of(&sink);
    cJSON *record = cJSON_Parse(text.c_str());
    ASSERT_NE(nullptr, record) << text;
    EXPECT_STREQ("orrery-bench", cJSON_GetObjectItem(record, "format")->valuestring);
    EXPECT_EQ(1, cJSON_GetObjectItem(record, "version")->valueint);
    cJSON *conditions = cJSON_GetObjectItem(record, "conditions");
    for (const char *key : {"date", "commit", "cpu", "cores", "kernel", "openssl", "compiler",
                            "device", "load_average", "quick"})
        EXPECT_NE(nullptr, cJSON_GetObjectItem(conditions, key)) << key;
    cJSON *first = cJSON_GetArrayItem(cJSON_GetObjectItem(record, "results"), 0);
    EXPECT_STREQ("<b>0</b>", cJSON_GetObjectItem(first, "name")->valuestring);
    EXPECT_EQ(2, cJSON_GetObjectItem(first, "gb_per_s")->valuedouble);
    EXPECT_STREQ("portable path", cJSON_GetObjectItem(first, "bytes_equal")->valuestring);
    cJSON *seconds = cJSON_GetObjectItem(first, "seconds");
    EXPECT_EQ(0.5, cJSON_GetObjectItem(seconds, "median")->valuedouble);
    EXPECT_EQ(3, cJSON_GetObjectItem(seconds, "runs")->valueint);
    cJSON_Delete(record);
    orr_bench_free(bench.get());
}

TEST(Report, PageIsWellFormedAndEscaped) {
    auto bench = sample();
    orr_sink sink;
    orr_error error = {};
    orr_sink_memory(&sink);
    ASSERT_EQ(ORR_OK, orr_bench_html(bench.get(), &sink, &error));
    std::string text = text_of(&sink);
    EXPECT_EQ("", markup_error(text, {"meta", "img"}));
    EXPECT_EQ(std::string::npos, text.find("<b>"));
    EXPECT_NE(std::string::npos, text.find("&lt;GPU&gt; &amp; &quot;more&quot;"));
    EXPECT_NE(std::string::npos, text.find("<svg"));
    // Stages have a share and no rate; what is not there has no column.
    std::string stages = text.substr(text.find("stages of x</h3>"));
    EXPECT_NE(std::string::npos, stages.find(">share</th>")) << stages;
    EXPECT_EQ(std::string::npos, stages.find("GB/s</th>")) << stages;
    EXPECT_NE(std::string::npos, stages.find(">25.0 %</td>")) << stages;
    orr_bench_free(bench.get());
}

TEST(Report, TextFitsATerminal) {
    auto bench = sample();
    // Names as long as they come, whatever machine this is.
    orr_bench_conditions *c = &bench->conditions;
    std::snprintf(c->processor, sizeof c->processor, "%048d", 0); // of CPUID, at most
    std::snprintf(c->kernel, sizeof c->kernel, "%070d", 0);
    std::snprintf(c->memory, sizeof c->memory, "12345.6 GiB");
    c->cores = 1024;
    std::snprintf(c->load, sizeof c->load, "300.5"); // of 1,024 cores more than a quarter
    orr_sink sink;
    orr_sink_memory(&sink);
    std::string words;
    for (int n = 0; n < 30; n++) words += " word" + std::to_string(n);
    orr_bench_find(bench.get(), "sentence:%s", words.c_str());
    orr_bench_text(bench.get(), &sink);
    std::string text = text_of(&sink);
    for (size_t at = 0, end; (end = text.find('\n', at)) != std::string::npos; at = end + 1)
        EXPECT_LE(end - at, 80u) << text.substr(at, end - at);
    EXPECT_NE(std::string::npos, text.find("2.000")) << text;
    EXPECT_NE(std::string::npos, text.find("  a: note 0\n")) << text;
    EXPECT_NE(std::string::npos, text.find("\n  note 2\n")) << "one note for all rows";
    EXPECT_NE(std::string::npos, text.find("\n- sentence: word0 word1 ")) << text;
    EXPECT_NE(std::string::npos, text.find("\n  word")) << text;
    EXPECT_NE(std::string::npos, text.find(" word29\n")) << text;
    EXPECT_NE(std::string::npos, text.find("300.5; other programs ran")) << text;
    orr_bench_free(bench.get());
}

} // namespace
