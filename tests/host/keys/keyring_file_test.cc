// The keyring on disk: modes, exclusive creation, concurrent and interrupted updates.
#include <atomic>
#include <set>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "tests/support/keyring_fixture.h"
#include "tests/support/vectors.h"

namespace {

TEST_F(KeyringTest, RoundTripOnDisk) {
    for (const orr_passphrase *p : {&pass, &none}) {
        Ring ring, back;
        Fill(&ring, "Röntgen 2026");
        ASSERT_EQ(orr_keyring_add(&ring, nullptr, nullptr, &error), ORR_OK);
        ASSERT_EQ(Create(&ring, path, p, &error), ORR_OK) << error.text;
        EXPECT_EQ(Mode(path), 0600u);
        orr_keyring_ways ways{};
        ASSERT_EQ(orr_keyring_ways_of(path.c_str(), 0, &ways, &error), ORR_OK);
        EXPECT_EQ(ways.passphrases, p->present ? 1u : 0u);
        EXPECT_EQ(ways.codes, 0u);
        ASSERT_EQ(orr_keyring_load(&back, path.c_str(), p, &error), ORR_OK) << error.text;
        ExpectSame(ring, back);
        ASSERT_EQ(back.unlock_count, 1u);
        EXPECT_EQ(back.unlocks[0].type, p->present ? ORR_UNLOCK_PASSPHRASE : ORR_UNLOCK_NONE);
        EXPECT_EQ(back.unlocks[0].log2_n, p->present ? 10u : 0u);
        EXPECT_EQ(back.log2_n, 17u);
        // No clear key bytes in the file, with or without a passphrase.
        Bytes bytes = ReadFile(path);
        EXPECT_EQ(memmem(bytes.data(), bytes.size(), ring.keys[0].key, 32), nullptr);
        unlink(path.c_str());
    }
}

TEST_F(KeyringTest, DefaultCostIs128MiB) {
    Ring ring, back;
    ASSERT_EQ(orr_keyring_init(&ring, "x", &error), ORR_OK);
    EXPECT_EQ(128ull * (1ull << ring.log2_n) * ring.r, 128ull << 20);
    EXPECT_EQ(ring.p, 1u);
    ASSERT_EQ(Create(&ring, path, &pass, &error), ORR_OK) << error.text;
    ASSERT_EQ(orr_keyring_load(&back, path.c_str(), &pass, &error), ORR_OK) << error.text;
    ExpectSame(ring, back);
}

TEST_F(KeyringTest, PassphraseWrongOrMissing) {
    Ring ring, back;
    Fill(&ring);
    ASSERT_EQ(Create(&ring, path, &pass, &error), ORR_OK);
    EXPECT_EQ(orr_keyring_load(&back, path.c_str(), &wrong, &error), ORR_KEY);
    EXPECT_NE(strstr(error.text, "wrong passphrase"), nullptr) << error.text;
    EXPECT_EQ(orr_keyring_load(&back, path.c_str(), &none, &error), ORR_KEY);
    EXPECT_EQ(orr_keyring_load(&back, path.c_str(), nullptr, &error), ORR_KEY);
    EXPECT_NE(strstr(error.text, "needs"), nullptr) << error.text;
    EXPECT_EQ(back.keys, nullptr);
}

TEST_F(KeyringTest, CreateIsExclusive) {
    Ring ring;
    Fill(&ring);
    ASSERT_EQ(Create(&ring, path, &none, &error), ORR_OK);
    Bytes before = ReadFile(path);
    EXPECT_EQ(Create(&ring, path, &none, &error), ORR_EXISTS);
    EXPECT_EQ(ReadFile(path), before);
    std::string link = directory + "/dangling";
    ASSERT_EQ(symlink("nowhere", link.c_str()), 0);
    EXPECT_EQ(Create(&ring, link, &none, &error), ORR_EXISTS);
    EXPECT_FALSE(std::filesystem::exists(directory + "/nowhere"));
    EXPECT_EQ(Create(&ring, directory + "/no/keyring", &none, &error), ORR_IO);
}

// scrypt keeps all of them busy after each has found the name free: only the exclusive open
// decides.
TEST_F(KeyringTest, OneOfManyCreatorsWins) {
    std::vector<pid_t> children;
    for (int i = 0; i < 8; i++) {
        pid_t child = fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            Ring ring;
            Fill(&ring);
            ring.log2_n = 14;
            _exit(Create(&ring, path, &pass, nullptr));
        }
        children.push_back(child);
    }
    int won = 0;
    for (pid_t child : children) {
        int status = 0;
        waitpid(child, &status, 0);
        ASSERT_TRUE(WIFEXITED(status));
        won += WEXITSTATUS(status) == ORR_OK;
        EXPECT_TRUE(WEXITSTATUS(status) == ORR_OK || WEXITSTATUS(status) == ORR_EXISTS);
    }
    EXPECT_EQ(won, 1);
    Ring back;
    EXPECT_EQ(orr_keyring_load(&back, path.c_str(), &pass, &error), ORR_OK) << error.text;
}

TEST_F(KeyringTest, CreateIgnoresUmask) {
    Ring ring;
    Fill(&ring);
    mode_t old = umask(0777);
    orr_status status = Create(&ring, path, &none, &error);
    umask(old);
    ASSERT_EQ(status, ORR_OK) << error.text;
    EXPECT_EQ(Mode(path), 0600u);
}

TEST_F(KeyringTest, ModeWarning) {
    Ring ring;
    char text[256];
    Fill(&ring);
    ASSERT_EQ(Create(&ring, path, &none, &error), ORR_OK);
    EXPECT_EQ(orr_file_mode_warning(path.c_str(), text, sizeof text), 0);
    EXPECT_STREQ(text, "");
    for (unsigned mode : {0640u, 0604u, 0620u}) {
        chmod(path.c_str(), mode);
        EXPECT_EQ(orr_file_mode_warning(path.c_str(), text, sizeof text), 1);
        EXPECT_NE(strstr(text, "chmod 600"), nullptr);
    }
    EXPECT_EQ(orr_file_mode_warning((path + "x").c_str(), text, sizeof text), 0);
}

TEST_F(KeyringTest, NotAKeyring) {
    Ring ring;
    WriteFile(path, Bytes(200, 'x'));
    EXPECT_EQ(orr_keyring_load(&ring, path.c_str(), &none, &error), ORR_NOT_ORRERY);
    WriteFile(path, {});
    EXPECT_EQ(orr_keyring_load(&ring, path.c_str(), &none, &error), ORR_NOT_ORRERY);
    EXPECT_EQ(orr_keyring_load(&ring, directory.c_str(), &none, &error), ORR_NOT_ORRERY);
    EXPECT_EQ(orr_keyring_load(&ring, (path + "x").c_str(), &none, &error), ORR_KEY);
    std::string fifo = directory + "/fifo";
    ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
    EXPECT_EQ(orr_keyring_load(&ring, fifo.c_str(), &none, &error), ORR_NOT_ORRERY);
    WriteFile(path, Sealed(&none));
    ASSERT_EQ(truncate(path.c_str(), 1ll << 40), 0); // sparse: must not be read or allocated
    EXPECT_EQ(orr_keyring_load(&ring, path.c_str(), &none, &error), ORR_NOT_ORRERY);
}

orr_status AddOne(orr_keyring *keyring, void *context, orr_error *error) {
    return orr_keyring_add(keyring, static_cast<const char *>(context), nullptr, error);
}

TEST_F(KeyringTest, UpdateReplacesAndRefreshesSaltAndNonce) {
    Ring ring;
    Fill(&ring);
    ASSERT_EQ(Create(&ring, path, &pass, &error), ORR_OK);
    Bytes before = ReadFile(path);
    chmod(path.c_str(), 0644);
    ASSERT_EQ(orr_keyring_update(path.c_str(), &pass, AddOne, (void *)"two", &error), ORR_OK)
        << error.text;
    Bytes after = ReadFile(path);
    EXPECT_EQ(Mode(path), 0600u);
    EXPECT_EQ(Mode(path + ".lock"), 0600u);
    EXPECT_FALSE(std::filesystem::exists(path + ".new"));
    EXPECT_NE(memcmp(&before[16], &after[16], 12), 0);  // the nonce
    EXPECT_NE(memcmp(&before[32], &after[32], 32), 0);  // the salt
    EXPECT_EQ(memcmp(&before[64], &after[64], 128), 0); // the unlock stays as it is
    Ring back;
    ASSERT_EQ(orr_keyring_load(&back, path.c_str(), &pass, &error), ORR_OK);
    EXPECT_EQ(back.key_count, 2u);
    EXPECT_EQ(orr_keyring_update(path.c_str(), &wrong, AddOne, (void *)"no", &error), ORR_KEY);
    auto refuse = [](orr_keyring *, void *, orr_error *e) {
        return orr_fail(e, ORR_USAGE, "refused");
    };
    EXPECT_EQ(orr_keyring_update(path.c_str(), &pass, refuse, nullptr, &error), ORR_USAGE);
    EXPECT_EQ(ReadFile(path), after);
    EXPECT_EQ(orr_keyring_update((path + "x").c_str(), &pass, refuse, nullptr, &error), ORR_KEY);
    EXPECT_FALSE(std::filesystem::exists(path + "x.lock"));
}

orr_status ChangePassphrase(orr_keyring *keyring, void *fresh, orr_error *error) {
    orr_status status = orr_keyring_rekey(keyring, nullptr, 0, error);
    if (status != ORR_OK) return status;
    return orr_keyring_add_unlock(keyring, static_cast<orr_passphrase *>(fresh), "", error);
}

TEST_F(KeyringTest, UpdateChangesThePassphrase) {
    Ring ring, back;
    Fill(&ring);
    ASSERT_EQ(Create(&ring, path, &none, &error), ORR_OK);
    ASSERT_EQ(orr_keyring_update(path.c_str(), &none, ChangePassphrase, &pass, &error), ORR_OK)
        << error.text;
    orr_keyring_ways ways{};
    ASSERT_EQ(orr_keyring_ways_of(path.c_str(), 0, &ways, &error), ORR_OK);
    EXPECT_EQ(ways.passphrases, 1u);
    ASSERT_EQ(orr_keyring_load(&back, path.c_str(), &pass, &error), ORR_OK);
    ExpectSame(ring, back);
    EXPECT_NE(memcmp(ring.key, back.key, 32), 0); // whoever could read the file had the old one
    orr_keyring_free(&back);
    ASSERT_EQ(orr_keyring_update(path.c_str(), &pass, ChangePassphrase, &none, &error), ORR_OK);
    ASSERT_EQ(orr_keyring_ways_of(path.c_str(), 0, &ways, &error), ORR_OK);
    EXPECT_EQ(ways.passphrases, 0u);
    ASSERT_EQ(orr_keyring_load(&back, path.c_str(), nullptr, &error), ORR_OK);
    ExpectSame(ring, back);
}

TEST_F(KeyringTest, UpdateByRootKeepsTheOwner) {
    if (geteuid() != 0) GTEST_SKIP() << "only root can give files away";
    Ring ring;
    Fill(&ring);
    ASSERT_EQ(Create(&ring, path, &none, &error), ORR_OK);
    ASSERT_EQ(chown(path.c_str(), 1234, 2345), 0);
    ASSERT_EQ(chown(directory.c_str(), 1234, 2345), 0);
    ASSERT_EQ(orr_keyring_update(path.c_str(), &none, AddOne, (void *)"two", &error), ORR_OK)
        << error.text;
    for (const std::string &name : {path, path + ".lock"}) {
        struct stat info {};
        ASSERT_EQ(stat(name.c_str(), &info), 0);
        EXPECT_EQ(info.st_uid, 1234u) << name;
        EXPECT_EQ(info.st_gid, 2345u) << name;
        EXPECT_EQ(info.st_mode & 07777, 0600u) << name;
    }
    // The owner can go on; another user cannot, and the keyring stays as it is.
    for (uid_t user : {1234u, 4321u}) {
        pid_t child = fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            if (setgid(2345) || setuid(user)) _exit(99);
            _exit(orr_keyring_update(path.c_str(), &none, AddOne, (void *)"x", nullptr));
        }
        int status = 0;
        waitpid(child, &status, 0);
        EXPECT_EQ(WEXITSTATUS(status), user == 1234 ? ORR_OK : ORR_IO);
    }
    Ring back;
    ASSERT_EQ(orr_keyring_load(&back, path.c_str(), &none, &error), ORR_OK);
    EXPECT_EQ(back.key_count, 3u);
}

TEST_F(KeyringTest, UpdateThroughASymlinkReplacesItsTarget) {
    Ring ring, back;
    Fill(&ring);
    std::filesystem::create_directory(directory + "/safe");
    std::string real = directory + "/safe/real";
    ASSERT_EQ(Create(&ring, real, &none, &error), ORR_OK);
    ASSERT_EQ(symlink("safe/real", path.c_str()), 0);
    ASSERT_EQ(orr_keyring_update(path.c_str(), &none, AddOne, (void *)"two", &error), ORR_OK)
        << error.text;
    EXPECT_TRUE(std::filesystem::is_symlink(path));
    EXPECT_TRUE(std::filesystem::exists(real + ".lock"));
    EXPECT_FALSE(std::filesystem::exists(path + ".lock"));
    ASSERT_EQ(orr_keyring_load(&back, real.c_str(), &none, &error), ORR_OK);
    EXPECT_EQ(back.key_count, 2u);
}

TEST_F(KeyringTest, ALeftoverOrPlantedTemporaryDoesNoHarm) {
    Ring ring;
    Fill(&ring);
    ASSERT_EQ(Create(&ring, path, &none, &error), ORR_OK);
    WriteFile(directory + "/victim", Bytes(3, 'v'));
    ASSERT_EQ(symlink("victim", (path + ".new").c_str()), 0);
    std::string leftover = directory + "/.orrery-0123456789abcdef.partial";
    std::string kept = directory + "/.orrery-0123456789abcde0.partial"; // without the mark: data
    for (const std::string &name : {leftover, kept}) WriteFile(name, Bytes(3, 'l'));
    ASSERT_EQ(chmod(leftover.c_str(), 0600 | S_ISVTX), 0);
    ASSERT_EQ(orr_keyring_update(path.c_str(), &none, AddOne, (void *)"two", &error), ORR_OK)
        << error.text;
    EXPECT_EQ(ReadFile(directory + "/victim"), Bytes(3, 'v'));
    EXPECT_TRUE(std::filesystem::is_symlink(path + ".new"));
    EXPECT_FALSE(std::filesystem::exists(leftover));
    EXPECT_EQ(ReadFile(kept), Bytes(3, 'l'));
    EXPECT_EQ(Mode(path), 0600u);
    unlink((path + ".lock").c_str());
    ASSERT_EQ(symlink("victim", (path + ".lock").c_str()), 0);
    EXPECT_EQ(orr_keyring_update(path.c_str(), &none, AddOne, (void *)"x", &error), ORR_IO);
}

TEST_F(KeyringTest, ConcurrentUpdatesSerialise) {
    const int processes = 6, each = 5;
    Ring ring, back;
    Fill(&ring);
    ASSERT_EQ(Create(&ring, path, &pass, &error), ORR_OK);
    std::vector<pid_t> children;
    for (int i = 0; i < processes; i++) {
        pid_t child = fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            for (int n = 0; n < each; n++)
                if (orr_keyring_update(path.c_str(), &pass, AddOne, (void *)"c", nullptr) != ORR_OK)
                    _exit(1);
            _exit(0);
        }
        children.push_back(child);
    }
    for (pid_t child : children) {
        int status = 0;
        waitpid(child, &status, 0);
        EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    ASSERT_EQ(orr_keyring_load(&back, path.c_str(), &pass, &error), ORR_OK);
    EXPECT_EQ(back.key_count, 1u + processes * each);
    std::set<std::string> ids;
    for (size_t i = 0; i < back.key_count; i++)
        ids.emplace(reinterpret_cast<char *>(back.keys[i].id), 16);
    EXPECT_EQ(ids.size(), back.key_count);
}

orr_status AddAndCount(orr_keyring *keyring, void *count, orr_error *error) {
    orr_status status =
        keyring->key_count < 200 ? orr_keyring_add(keyring, "k", nullptr, error) : ORR_OK;
    static_cast<std::atomic<uint64_t> *>(count)->store(keyring->key_count);
    return status;
}

TEST_F(KeyringTest, KillDuringUpdateLeavesALoadableKeyring) {
    Ring ring;
    Fill(&ring);
    ASSERT_EQ(Create(&ring, path, &none, &error), ORR_OK);
    void *memory = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(memory, MAP_FAILED);
    auto *count = new (memory) std::atomic<uint64_t>(1);
    uint64_t least = 1;
    for (int round = 0; round < 60; round++) {
        pid_t child = fork();
        ASSERT_GE(child, 0);
        if (child == 0)
            for (;;)
                if (orr_keyring_update(path.c_str(), &none, AddAndCount, count, nullptr) != ORR_OK)
                    _exit(1);
        // On a busy machine or a slow disk an update may take longer than any of these rounds, and
        // the test is to see one finished: the second has begun when there are three keys.
        for (int wait = 0; round == 0 && wait < 30000 && count->load() < 3; wait++) usleep(1000);
        usleep(static_cast<useconds_t>(test_random()() % 12000));
        kill(child, SIGKILL);
        int status = 0;
        waitpid(child, &status, 0);
        ASSERT_TRUE(WIFSIGNALED(status)) << "the update itself failed";
        Ring back;
        ASSERT_EQ(orr_keyring_load(&back, path.c_str(), &none, &error), ORR_OK) << error.text;
        // Nothing lost: the last update in flight may or may not be there.
        EXPECT_GE(back.key_count, least);
        EXPECT_LE(back.key_count, count->load() + 1);
        EXPECT_GE(back.key_count + 1, count->load());
        EXPECT_EQ(Mode(path) & 0777, 0600u); // a kill may leave it the mark of a partial file
        least = back.key_count;
    }
    EXPECT_GT(least, 1u) << "no update ever finished: the test shows nothing";
    munmap(memory, 4096);
}

TEST_F(KeyringTest, FullDiskKeepsTheOldKeyring) {
    Ring ring, back;
    Fill(&ring);
    ASSERT_EQ(Create(&ring, path, &none, &error), ORR_OK);
    pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        struct rlimit limit = {500, 500}; // stands for a full disk: write() fails part-way
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &limit);
        orr_status status = orr_keyring_update(path.c_str(), &none, AddOne, (void *)"x", nullptr);
        _exit(status == ORR_IO ? 0 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
    for (auto &entry : std::filesystem::directory_iterator(directory))
        EXPECT_EQ(entry.path().string().find("partial"), std::string::npos) << entry.path();
    ASSERT_EQ(orr_keyring_load(&back, path.c_str(), &none, &error), ORR_OK);
    ExpectSame(ring, back);
}

TEST_F(KeyringTest, ConvertKeepsTheOldFile) {
    for (const auto &c : vectors("secret.txt", "keyring1")) {
        Bytes text = unhex(c[0]), old = unhex(c[1]);
        orr_passphrase given = text.empty() ? none : Pass(std::string(text.begin(), text.end()));
        WriteFile(path, old);
        Ring ring, back;
        EXPECT_EQ(orr_keyring_load(&ring, path.c_str(), &given, &error), ORR_UNSUPPORTED);
        EXPECT_NE(strstr(error.text, "keyring convert"), nullptr);
        EXPECT_EQ(orr_keyring_convert(path.c_str(), &wrong, &error), ORR_KEY);
        EXPECT_FALSE(std::filesystem::exists(path + ".v1"));
        // A kept file of an earlier try is no hindrance, another one is.
        WriteFile(path + ".v1", Bytes(3, 'x'));
        EXPECT_EQ(orr_keyring_convert(path.c_str(), &given, &error), ORR_EXISTS);
        EXPECT_EQ(ReadFile(path), old);
        WriteFile(path + ".v1", old);
        ASSERT_EQ(orr_keyring_convert(path.c_str(), &given, &error), ORR_OK) << error.text;
        EXPECT_EQ(ReadFile(path + ".v1"), old);
        ASSERT_EQ(orr_keyring_load(&back, path.c_str(), &given, &error), ORR_OK) << error.text;
        ASSERT_EQ(back.key_count, 3u);
        EXPECT_STREQ(back.keys[0].label, "Röntgen 2023");
        EXPECT_EQ(back.unlocks[0].type, given.present ? ORR_UNLOCK_PASSPHRASE : ORR_UNLOCK_NONE);
        EXPECT_EQ(orr_keyring_convert(path.c_str(), &given, &error), ORR_USAGE);
        unlink((path + ".v1").c_str());
    }
}

} // namespace
