// Discovery and outputs on a scratch tree.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <map>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

#include "base/partial.h"
#include "base/text.h"
#include "base/walk.h"
#include "host/job/output.h"
#include "host/job/resume.h"
#include "tests/support/scratch.h"

namespace {

class Tree : public ::testing::Test {
  protected:
    void TearDown() override { ASSERT_EQ(0, chdir("/")); }
    void put(const std::string &name, const std::string &text = "x") {
        std::ofstream(root + "/" + name, std::ios::binary) << text;
    }
    void dir(const std::string &name) { ASSERT_EQ(0, mkdir((root + "/" + name).c_str(), 0755)); }
    std::vector<std::pair<std::string, orr_walk_kind>>
    walk(std::vector<std::string> paths, std::vector<std::string> listed = {}, ino_t output = 0) {
        std::vector<char *> in, list;
        for (auto &p : paths) in.push_back(&p[0]);
        for (auto &p : listed) list.push_back(&p[0]);
        orr_inputs inputs = {in.data(), in.size(), list.data(), list.size()};
        struct stat st;
        stat(root.c_str(), &st);
        orr_walk *w = orr_walk_open(&inputs, st.st_dev, output, 1);
        std::vector<std::pair<std::string, orr_walk_kind>> found;
        orr_walk_item item;
        while (orr_walk_next(w, &item)) {
            found.push_back({item.relative ? item.relative : "(null)", item.kind});
            if (item.kind == ORR_WALK_FILE) {
                EXPECT_GE(item.fd, 0);
            }
            orr_walk_item_free(&item);
        }
        orr_walk_close(w);
        return found;
    }
    Scratch scratch;
    std::string root = scratch.path();
};

typedef std::vector<std::pair<std::string, orr_walk_kind>> Items;

TEST_F(Tree, OrderKindsAndKeptNames) {
    dir("a");
    dir("a/sub");
    put("a/z");
    put("a/b");
    put("a/sub/c");
    ASSERT_EQ(0, symlink("b", (root + "/a/link").c_str()));
    ASSERT_EQ(0, mkfifo((root + "/a/fifo").c_str(), 0600));
    Items expected = {{"a", ORR_WALK_DIRECTORY},     {"a/b", ORR_WALK_FILE},
                      {"a/fifo", ORR_WALK_SPECIAL},  {"a/link", ORR_WALK_SYMLINK},
                      {"a/sub", ORR_WALK_DIRECTORY}, {"a/sub/c", ORR_WALK_FILE},
                      {"a/z", ORR_WALK_FILE}};
    EXPECT_EQ(expected, walk({root + "/a"}));
    EXPECT_EQ(expected, walk({root + "/a//"})) << "trailing slashes change nothing";
    Items contents = walk({root + "/a/."});
    ASSERT_EQ(7u, contents.size());
    EXPECT_EQ("", contents[0].first);
    EXPECT_EQ("b", contents[1].first) << "DIR/. gives its contents";
}

TEST_F(Tree, NamedSymlinksAreFollowedOthersNot) {
    dir("real");
    put("real/f");
    ASSERT_EQ(0, symlink("real", (root + "/alias").c_str()));
    ASSERT_EQ(0, symlink("/etc/passwd", (root + "/real/out").c_str()));
    Items expected = {
        {"alias", ORR_WALK_DIRECTORY}, {"alias/f", ORR_WALK_FILE}, {"alias/out", ORR_WALK_SYMLINK}};
    EXPECT_EQ(expected, walk({root + "/alias"}));
}

TEST_F(Tree, ListedPathsKeepTheirPath) {
    dir("d");
    put("d/f");
    ASSERT_EQ(0, chdir(root.c_str())); // TearDown leaves it again
    Items kept = {{"d/f", ORR_WALK_FILE}};
    EXPECT_EQ(kept, walk({}, {"./d//f"}));
    Items absolute = walk({}, {root + "/d/f"});
    ASSERT_EQ(1u, absolute.size());
    EXPECT_EQ(root.substr(1) + "/d/f", absolute[0].first);
    EXPECT_EQ(ORR_WALK_ERROR, walk({}, {"d/../d/f"})[0].second);
    EXPECT_EQ(ORR_WALK_ERROR, walk({"missing"})[0].second);
}

TEST_F(Tree, TheOutputIsNotDescended) {
    dir("in");
    dir("in/out");
    put("in/out/f");
    struct stat st;
    ASSERT_EQ(0, stat((root + "/in/out").c_str(), &st));
    Items found = walk({root + "/in"}, {}, st.st_ino);
    ASSERT_EQ(2u, found.size());
    EXPECT_EQ(ORR_WALK_OUTPUT, found[1].second);
}

TEST_F(Tree, OutputAppearsWholeAndReplacesNothing) {
    orr_output_root out;
    orr_output file;
    orr_error error;
    struct stat st;
    ASSERT_EQ(ORR_OK, orr_output_root_open(&out, (root + "/x/y").c_str(), 0, 0, &error))
        << error.text;
    ASSERT_EQ(ORR_OK, orr_output_begin(&file, &out, "p/q/name", &error)) << error.text;
    ASSERT_EQ(2, write(file.fd, "hi", 2));
    EXPECT_NE(0, access((root + "/x/y/p/q/name").c_str(), F_OK)) << "not before commit";
    std::string partial = root + "/x/y/p/q/" + file.partial;
    EXPECT_TRUE(orr_partial_is_name(file.partial)) << partial;
    ASSERT_EQ(0, stat(partial.c_str(), &st));
    EXPECT_EQ(0600u | ORR_PARTIAL_MARK, st.st_mode & 07777u);
    ASSERT_EQ(ORR_OK, orr_output_commit(&file, 0640, &error)) << error.text;
    ASSERT_EQ(0, stat((root + "/x/y/p/q/name").c_str(), &st));
    EXPECT_EQ(0640u, st.st_mode & 07777u);
    EXPECT_NE(0, access(partial.c_str(), F_OK));
    ASSERT_EQ(ORR_OK, orr_output_begin(&file, &out, "p/q/name", &error));
    partial = root + "/x/y/p/q/" + file.partial;
    EXPECT_EQ(ORR_EXISTS, orr_output_commit(&file, 0600, &error));
    EXPECT_NE(0, access(partial.c_str(), F_OK)) << "aborted";
    orr_output_root_close(&out);
}

TEST_F(Tree, OneJobOrTheShardsOfOne) {
    orr_output_root out[3];
    orr_error error;
    std::string path = root + "/out";
    for (auto &o : out)
        ASSERT_EQ(ORR_OK, orr_output_root_open(&o, path.c_str(), 0, 0, &error)) << error.text;
    ASSERT_EQ(ORR_OK, orr_output_root_lock(&out[0], 0, 0, &error)) << error.text;
    EXPECT_EQ(ORR_IO, orr_output_root_lock(&out[1], 0, 0, &error)) << "one job at a time";
    EXPECT_EQ(ORR_IO, orr_output_root_lock(&out[1], 1, 2, &error));
    orr_output_root_close(&out[0]);
    ASSERT_EQ(ORR_OK, orr_output_root_open(&out[0], path.c_str(), 0, 0, &error));
    ASSERT_EQ(ORR_OK, orr_output_root_lock(&out[0], 1, 3, &error)) << error.text;
    ASSERT_EQ(ORR_OK, orr_output_root_lock(&out[1], 2, 3, &error)) << error.text;
    EXPECT_EQ(ORR_IO, orr_output_root_lock(&out[2], 0, 0, &error));
    EXPECT_EQ(ORR_IO, orr_output_root_lock(&out[2], 2, 3, &error));
    EXPECT_NE(nullptr, strstr(error.text, "shard 2/3 here: wait")) << error.text;
    EXPECT_EQ(ORR_IO, orr_output_root_lock(&out[2], 3, 4, &error));
    EXPECT_NE(nullptr, strstr(error.text, "divide the files alike")) << error.text;
    orr_output_root_close(&out[1]);
    EXPECT_EQ(ORR_OK, orr_output_root_lock(&out[2], 2, 3, &error)) << error.text;
    orr_output_root_close(&out[2]);
    orr_output_root_close(&out[0]);
    EXPECT_EQ(0, rmdir(path.c_str())) << "nothing is left";
}

// A partial file belongs to one writer: else the first to finish would give the final name to what
// the other is still writing.
TEST_F(Tree, APartialFileHasOneWriter) {
    orr_output_root out;
    orr_output first, second;
    orr_error error;
    struct stat st;
    ASSERT_EQ(ORR_OK, orr_output_root_open(&out, (root + "/out").c_str(), 0, 0, &error));
    ASSERT_EQ(ORR_OK, orr_output_begin(&first, &out, "name", &error)) << error.text;
    ASSERT_EQ(ORR_OK, orr_output_begin(&second, &out, "name", &error)) << error.text;
    ASSERT_EQ(5, write(first.fd, "first", 5));
    orr_partial_sweep(out.fd, nullptr);
    ASSERT_EQ(ORR_OK, orr_output_commit(&first, 0600, &error)) << error.text;
    EXPECT_EQ(ORR_EXISTS, orr_output_commit(&second, 0600, &error));
    ASSERT_EQ(0, stat((root + "/out/name").c_str(), &st));
    EXPECT_EQ(5, st.st_size);

    ASSERT_EQ(0, unlink((root + "/out/name").c_str()));
    ASSERT_EQ(ORR_OK, orr_output_begin(&first, &out, "name", &error));
    std::string partial = first.partial;
    ASSERT_EQ(0, unlink((root + "/out/" + partial).c_str()));
    put("out/" + partial); // somebody else's
    EXPECT_EQ(ORR_IO, orr_output_commit(&first, 0600, &error));
    EXPECT_NE(0, access((root + "/out/name").c_str(), F_OK)) << "not another file's bytes";
    orr_partial_sweep(out.fd, nullptr);
    EXPECT_EQ(0, access((root + "/out/" + partial).c_str(), F_OK)) << "it has no mark";
    orr_output_root_close(&out);
}

// A run that was killed between giving the name and taking the mark away, on a file system where
// the name was given by a link.
TEST_F(Tree, TheLastStepOfACommitIsCompleted) {
    orr_output_root out;
    orr_error error;
    struct stat st;
    ASSERT_EQ(ORR_OK, orr_output_root_open(&out, (root + "/out").c_str(), 0, 0, &error));
    for (const char *name : {"name", ".orrery-0123456789abcdef.partial"}) {
        std::string path = root + "/out/" + name,
                    linked = root + "/out/.orrery-00ff00ff00ff00ff.partial";
        put(std::string("out/") + name);
        ASSERT_EQ(0, chmod(path.c_str(), 0440 | ORR_PARTIAL_MARK));
        ASSERT_EQ(0, link(path.c_str(), linked.c_str()));
        orr_output_settle(&out, name);
        EXPECT_NE(0, access(linked.c_str(), F_OK)) << name;
        ASSERT_EQ(0, stat(path.c_str(), &st)) << name;
        EXPECT_EQ(0440u, st.st_mode & 07777u);
    }
    orr_output_settle(&out, "absent/name");
    orr_output_root_close(&out);
}

TEST_F(Tree, OutputGoesThroughNoSymlink) {
    orr_output_root out;
    orr_output file;
    orr_error error;
    dir("out");
    dir("elsewhere");
    ASSERT_EQ(0, symlink("../elsewhere", (root + "/out/p").c_str()));
    ASSERT_EQ(ORR_OK, orr_output_root_open(&out, (root + "/out").c_str(), 0, 0, &error));
    EXPECT_EQ(ORR_IO, orr_output_begin(&file, &out, "p/name", &error));
    EXPECT_NE(nullptr, strstr(error.text, "symlink")) << error.text;
    orr_output_root_close(&out);
}

TEST_F(Tree, OutMayNameOneFile) {
    struct {
        const char *path;
        int single;
        const char *only;
    } cases[] = {
        {"new.orr.tif", 1, "new.orr.tif"}, {"newdir", 1, nullptr},  {"new.d/", 1, nullptr},
        {"new2.tif", 0, nullptr},          {".hidden", 1, nullptr}, {"d1/d2/f.tif", 1, "f.tif"}};
    for (auto &c : cases) {
        orr_output_root out;
        orr_error error;
        ASSERT_EQ(ORR_OK,
                  orr_output_root_open(&out, (root + "/" + c.path).c_str(), c.single, 0, &error))
            << c.path << error.text;
        EXPECT_STREQ(c.only, out.only) << c.path;
        orr_output_root_close(&out);
    }
}

TEST(Text, Utf8) {
    EXPECT_TRUE(orr_utf8_valid("plain \xc3\xa9 \xe2\x82\xac \xf0\x9f\xaa\x90"));
    for (const char *bad :
         {"\xff", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "a\x80"}) {
        EXPECT_FALSE(orr_utf8_valid(bad));
        char *repaired = orr_utf8_repair(bad);
        EXPECT_TRUE(orr_utf8_valid(repaired)) << repaired;
        free(repaired);
    }
}

} // namespace
