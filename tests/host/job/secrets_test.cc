// No key, passphrase, file secret, piece of a scan or of a decoy is left in the memory of a run
// that ended, in what it printed or in its journal. The program itself is run under ptrace and its
// memory searched at the moment it exits; a search in the middle of the run must find the master
// key, so that the search is known to work.
#include <gtest/gtest.h>

#include <cerrno>
#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <png.h>
#include <tiff.h>

#include "host/container/crypto.h"
#include "host/keys/unlock.h"
#include "tests/support/images.h"
#include "tests/support/job_fixture.h"
#include "tests/support/small_tiffs.h"

namespace {

struct Needle {
    std::string name;
    Bytes bytes;
};

Needle needle(const std::string &name, const void *bytes, size_t count) {
    const uint8_t *p = static_cast<const uint8_t *>(bytes);
    return {name, Bytes(p, p + count)};
}

// Names of the needles in a stretch of bytes, in one pass whatever their number.
void search(const Bytes &hay, const std::vector<Needle> &needles, std::vector<std::string> *found) {
    std::vector<uint8_t> begins(65536);
    for (auto &n : needles) begins[n.bytes[0] | n.bytes[1] << 8] = 1;
    for (size_t i = 0; i + 1 < hay.size(); i++) {
        if (!begins[hay[i] | hay[i + 1] << 8]) continue;
        for (auto &n : needles)
            if (hay.size() - i >= n.bytes.size() &&
                !memcmp(&hay[i], n.bytes.data(), n.bytes.size()))
                found->push_back(n.name);
    }
}

// Searches all readable memory of a stopped process. False when it may not be read.
bool search_process(pid_t pid, const std::vector<Needle> &needles,
                    std::vector<std::string> *found) {
    std::string proc = "/proc/" + std::to_string(pid);
    std::ifstream maps(proc + "/maps");
    int fd = open((proc + "/mem").c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    std::string line;
    while (std::getline(maps, line)) {
        unsigned long start = 0, end = 0;
        char mode[8] = "";
        if (sscanf(line.c_str(), "%lx-%lx %7s", &start, &end, mode) != 3 || mode[0] != 'r')
            continue;
        if (line.find("[vvar") != std::string::npos || line.find("[vsyscall") != std::string::npos)
            continue;
        Bytes memory(end - start);
        ssize_t n = pread(fd, memory.data(), memory.size(), long(start));
        if (n <= 0) continue;
        memory.resize(size_t(n));
        std::vector<std::string> here;
        search(memory, needles, &here);
        for (auto &name : here) found->push_back(name + " in " + line);
    }
    close(fd);
    return true;
}

struct Traced {
    int status = -1; // exit status
    bool readable = true;
    std::vector<std::string> during, after; // needles found
    std::string limits;                     // /proc/PID/limits at the end
};

class Secrets : public JobTest {
  protected:
    void SetUp() override {
        JobTest::SetUp();
        test_seed();
#ifdef __SANITIZE_ADDRESS__
        GTEST_SKIP() << "the sanitizer's own allocator keeps freed memory";
#endif
        orr_error error{};
        ring.log2_n = 10; // a quick scrypt
        passphrase = "TEST passphrase, 4712 planets";
        orr_passphrase p{};
        memcpy(p.bytes, passphrase.data(), passphrase.size());
        p.length = passphrase.size();
        p.present = 1;
        uint8_t id[ORR_KEY_ID_BYTES];
        ASSERT_EQ(orr_keyring_add(&ring, "next", id, &error), ORR_OK);
        second_id = hex_of(Bytes(id, id + sizeof id));
        ASSERT_EQ(orr_keyring_add_unlock(&ring, &p, "", &error), ORR_OK) << error.text;
        ASSERT_EQ(orr_keyring_create(&ring, (directory / "keys").c_str(), &error), ORR_OK)
            << error.text;
        write_file(directory / "pass", passphrase.data(), passphrase.size());
        for (size_t i = 0; i < ring.key_count; i++) {
            needles.push_back(needle("master key " + std::to_string(i), ring.keys[i].key, 32));
            needles.push_back(needle("X25519 key", ring.keys[i].x25519_private, 32));
        }
        needles.push_back(needle("keyring key", ring.key, 32));
        needles.push_back(needle("passphrase", passphrase.data(), passphrase.size()));
        fs::create_directory(directory / "in");
        for (size_t bytes : {700u, 200000u, 7000000u}) {
            Bytes scan = random_bytes(bytes);
            write_file(directory / "in" / std::to_string(bytes), scan);
            for (int i = 0; i < 8; i++)
                needles.push_back(
                    needle("piece of a scan", &scan[test_random()() % (bytes - 32)], 24));
        }
    }

    static std::string hex_of(const Bytes &bytes, const char *digits = "0123456789abcdef") {
        std::string text;
        for (uint8_t b : bytes) (text += digits[b >> 4]) += digits[b & 15];
        return text;
    }

    // What the files of a vault are sealed with.
    void add_file_secrets(const fs::path &vault) {
        for (auto &name : files_below(vault)) {
            if (name.find(".orr.tif") == std::string::npos) continue;
            Bytes bytes = read_file(vault / name);
            if (bytes.size() < 12288) continue;
            int fd = open((vault / name).c_str(), O_RDONLY | O_CLOEXEC);
            orr_container c{};
            orr_file_secret secret;
            orr_file_keys keys;
            orr_error error{};
            ASSERT_EQ(orr_container_read(&c, fd, bytes.size(), "c", &error), ORR_OK) << error.text;
            ASSERT_EQ(
                orr_container_unlock(&c, orr_keyring_lookup, &ring, "c", &secret, &keys, &error),
                ORR_OK)
                << error.text;
            close(fd);
            needles.push_back(needle("seal root", secret.seal_root, 32));
            needles.push_back(needle("planet secret", secret.planet_secret, 32));
            needles.push_back(needle("end of the planet secret", secret.planet_secret + 32, 32));
            needles.push_back(needle("tile key", keys.tile_key, 32));
            needles.push_back(needle("digest key", keys.digest_key, 32));
            needles.push_back(needle("metadata key", keys.metadata_key, 32));
            needles.push_back(needle("nonce key", keys.nonce_key, 64));
            needles.push_back(needle("header MAC key", keys.header_mac, 32));
            uint8_t prk[64];
            ASSERT_EQ(orr_hkdf_extract(c.header.file_id, 32, &secret, sizeof secret, prk), ORR_OK);
            needles.push_back(needle("PRK", prk, 64));
            orr_profile profile = c.header.profile;
            uint64_t tiles = c.geometry.tiles;
            orr_container_free(&c);
            if (profile != ORR_PROFILE_ARCHIVE) continue;
            orr_tile_key tile;
            for (uint64_t n : {UINT64_C(0), tiles - 1}) {
                ASSERT_EQ(orr_tile_key_derive(&secret, n, &tile), ORR_OK);
                needles.push_back(needle("initial states", tile.state, 32));
            }
        }
    }

    // Runs orrery with these arguments, searching it at each new thread and at its end.
    Traced traced(std::vector<std::string> arguments) {
        Traced result;
        std::string log = (directory / "log").string();
        arguments.insert(arguments.begin(), ORRERY_PROGRAM);
        std::vector<char *> argv;
        for (auto &a : arguments) argv.push_back(a.data());
        argv.push_back(nullptr);
        pid_t pid = fork();
        if (pid == 0) {
            int out = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
            dup2(out, 1);
            dup2(out, 2);
            if (ptrace(PTRACE_TRACEME, 0, 0, 0) == 0) execv(argv[0], argv.data());
            _exit(126);
        }
        int state;
        bool begun = false;
        for (;;) {
            pid_t who = waitpid(-1, &state, __WALL);
            if (who < 0 && errno == EINTR) continue;
            if (who < 0) break;
            if (who != pid) {
                if (WIFSTOPPED(state)) ptrace(PTRACE_DETACH, who, 0, 0);
                continue;
            }
            if (!WIFSTOPPED(state)) {
                result.status = WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state);
                break;
            }
            long signal = WSTOPSIG(state) == SIGTRAP ? 0 : WSTOPSIG(state);
            if (!begun) {
                begun = true;
                ptrace(PTRACE_SETOPTIONS, pid, 0,
                       PTRACE_O_TRACEEXIT | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL);
            } else if (state >> 8 == (SIGTRAP | PTRACE_EVENT_CLONE << 8)) {
                search_process(pid, {needles[0], needles[1]}, &result.during);
            } else if (state >> 8 == (SIGTRAP | PTRACE_EVENT_EXIT << 8)) {
                result.readable = search_process(pid, needles, &result.after);
                Bytes limits = read_file("/proc/" + std::to_string(pid) + "/limits");
                result.limits.assign(limits.begin(), limits.end());
            }
            ptrace(PTRACE_CONT, pid, 0, signal);
        }
        return result;
    }

    std::vector<std::string> command(const std::string &verb, std::vector<std::string> more) {
        std::vector<std::string> all = {verb,
                                        "-k",
                                        (directory / "keys").string(),
                                        "--passphrase-file",
                                        (directory / "pass").string(),
                                        "-v",
                                        "-j",
                                        "2"};
        all.insert(all.end(), more.begin(), more.end());
        return all;
    }

    void expect_clean(const Traced &t, int status, const std::string &what) {
        EXPECT_EQ(t.status, status) << what << said();
        for (auto &f : t.after) ADD_FAILURE() << what << " leaves behind: " << f;
        bool master = false;
        for (auto &f : t.during) master |= f.compare(0, 10, "master key") == 0;
        EXPECT_TRUE(master) << what << ": the search finds no master key even in the middle";
        EXPECT_NE(t.limits.find("Max core file size        0 "), std::string::npos) << t.limits;
    }

    std::string said() {
        Bytes log = read_file(directory / "log");
        return "\n" + std::string(log.begin(), log.end());
    }

    std::string passphrase, second_id;
    std::vector<Needle> needles;
};

// Images of the paper profile: decoded, enciphered and restored whole, through libtiff.
TEST_F(Secrets, NorByThePaperProfile) {
    const std::string in = directory / "images", vault = directory / "vault",
                      again = directory / "again", back = directory / "back";
    fs::create_directory(in);
    write_small_tiff(in + "/a.tif", {{300, 200, 3, 8}, {200, 100, 1, 16}});
    Bytes scan = read_file(in + "/a.tif"); // nearly all of it is pixels, as random as can be
    needles.erase(std::remove_if(needles.begin(), needles.end(),
                                 [](const Needle &n) { return n.name == "piece of a scan"; }),
                  needles.end()); // those of files that are not read here
    for (int i = 0; i < 6; i++)
        needles.push_back(
            needle("pixels", &scan[1000 + test_random()() % (scan.size() - 4000)], 24));
    Traced t = traced(command("encrypt", {in, "-o", vault, "--profile", "paper", "--sha256"}));
    if (!t.readable) GTEST_SKIP() << "this user may not read the memory of a hardened process";
    expect_clean(t, ORR_OK, "encrypt");
    add_file_secrets(vault);
    expect_clean(traced(command("verify", {vault})), ORR_OK, "verify");
    expect_clean(traced(command("decrypt", {vault, "-o", back})), ORR_OK, "decrypt");
    expect_clean(traced(command("reencrypt", {vault, "-o", again, "--check", "cpu"})), ORR_OK,
                 "reencrypt");
    add_file_secrets(again);
    expect_clean(traced(command("verify", {again})), ORR_OK, "verify of the second");
}

TEST_F(Secrets, NoneIsLeftBehind) {
    const std::string in = directory / "in", vault = directory / "vault",
                      again = directory / "again", back = directory / "back";
    // Foreign file in the way of one output: its journal stays.
    fs::create_directories(directory / "vault/in");
    write_file(directory / "vault/in/700.orr.tif", Bytes(100));
    Traced t = traced(command("encrypt", {in, "-o", vault, "--sha256", "--check", "cpu"}));
    if (!t.readable) GTEST_SKIP() << "this user may not read the memory of a hardened process";
    expect_clean(t, ORR_SOME_FAILED, "encrypt");
    add_file_secrets(vault);
    ASSERT_GT(needles.size(), 40u);
    // The same again is searched for the file secrets too: it opens what is finished.
    fs::remove(directory / "vault/in/700.orr.tif");
    expect_clean(traced(command("encrypt", {in, "-o", vault})), ORR_OK, "encrypt, resumed");
    add_file_secrets(vault);
    expect_clean(traced(command("verify", {vault})), ORR_OK, "verify");
    expect_clean(traced(command("decrypt", {vault, "-o", back})), ORR_OK, "decrypt");
    expect_clean(traced(command("rewrap", {vault, "--to", second_id})), ORR_OK, "rewrap");
    expect_clean(traced(command("reencrypt", {vault, "-o", again, "--json"})), ORR_OK, "reencrypt");
    add_file_secrets(again);
    expect_clean(traced(command("verify", {again})), ORR_OK, "verify of the second");
    // A damaged file takes other paths.
    fs::path victim = again + "/in/7000000.orr.tif";
    Bytes bytes = read_file(victim);
    bytes[100000] ^= 1;
    write_file(victim, bytes);
    fs::remove_all(back);
    t = traced(command("decrypt", {again, "-o", back, "--salvage"}));
    expect_clean(t, ORR_AUTH, "salvage");

    Bytes texts = read_file(directory / "log");
    for (const char *top : {"vault", "again", "back"}) {
        fs::path journal = directory / top / ".orrery-journal";
        if (!fs::exists(journal)) continue;
        Bytes more = read_file(journal);
        texts.insert(texts.end(), more.begin(), more.end());
    }
    EXPECT_GT(texts.size(), 500u);
    for (auto &n : needles) {
        for (auto &text : {std::string(n.bytes.begin(), n.bytes.end()), hex_of(n.bytes),
                           hex_of(n.bytes, "0123456789ABCDEF")})
            EXPECT_FALSE(memmem(texts.data(), texts.size(), text.data(), text.size())) << n.name;
    }
}

// Recovery codes, as bytes and as text, the keys that they give, and the new ones that are drawn.
TEST_F(Secrets, NorByKeyringCommands) {
    orr_error error{};
    orr_passphrase code{};
    char text[ORR_CODE_TEXT];
    const std::string keys = directory / "keys", coded = directory / "code";
    ASSERT_EQ(orr_code_draw(&code, &error), ORR_OK);
    ASSERT_EQ(orr_keyring_add_unlock(&ring, &code, "code", &error), ORR_OK);
    fs::remove(keys);
    ASSERT_EQ(orr_keyring_create(&ring, keys.c_str(), &error), ORR_OK) << error.text;
    ASSERT_EQ(orr_code_text(&code, text, &error), ORR_OK);
    write_file(coded, text, strlen(text));
    needles.push_back(needle("recovery code", code.bytes, ORR_CODE_BYTES));
    needles.push_back(needle("its text", text, strlen(text)));
    uint8_t key[32];
    ASSERT_EQ(orr_unlock_derive(&ring.unlocks[1], &code, key, "k", &error), ORR_OK);
    needles.push_back(needle("unlock key", key, sizeof key));
    const std::vector<std::string> by_code = {"-k", keys, "--recovery-code-file", coded},
                                   by_words = {"-k", keys, "--passphrase-file", directory / "pass"};
    auto go = [&](std::vector<std::string> words, const std::vector<std::string> &opened) {
        words.insert(words.begin(), "keyring");
        words.insert(words.end(), opened.begin(), opened.end());
        Traced t = traced(words);
        if (!t.readable) return false;
        EXPECT_EQ(t.status, ORR_OK) << words[1] << said();
        for (auto &f : t.after) ADD_FAILURE() << words[1] << " leaves behind: " << f;
        return true;
    };
    if (!go({"list"}, by_code)) GTEST_SKIP() << "this user may not read another's memory";
    go({"list"}, by_words);
    go({"unlock", "list"}, by_code);
    fs::copy_file(keys, directory / "copy");
    go({"merge", directory / "copy"}, by_code);
    go({"add"}, by_code);
    go({"passwd", "--new-passphrase-file", directory / "pass"}, by_code);
    orr_keyring now{};
    ASSERT_EQ(orr_keyring_load(&now, keys.c_str(), &code, &error), ORR_OK) << error.text;
    needles.push_back(needle("new keyring key", now.key, 32));
    orr_keyring_free(&now);
    go({"unlock", "add", "--new-recovery-code", "--save-recovery-code", directory / "code2"},
       by_code);
    go({"unlock", "remove", "code", "--other-recovery-code-file", directory / "code2"}, by_words);
    // What was read of the log is all that the program said.
    Bytes log = read_file(directory / "log");
    for (auto &n : needles)
        EXPECT_FALSE(memmem(log.data(), log.size(), n.bytes.data(), n.bytes.size())) << n.name;
}

// Decoys are read with libraries; PNG's memory is ours to wipe, and plain TIFFs go past libtiff's
// own.
TEST_F(Secrets, NoPixelOfADecoyIsLeftBehind) {
    const uint32_t side = 300;
    const struct {
        const char *name;
        uint32_t sample_bytes;
        bool interlaced;
    } decoys[] = {{"rgb.png", 1, false},
                  {"interlaced.png", 1, true},
                  {"deep.png", 2, false},
                  {"rgb.tif", 1, false},
                  {"deep.tif", 2, false}};
    std::vector<std::string> made = {"keyring",         "new",    "-o", directory / "new",
                                     "--no-passphrase", "--decoy"};
    needles.clear();
    for (auto &d : decoys) {
        std::string path = directory / d.name;
        Bytes rows = random_bytes(size_t(side) * side * 3 * d.sample_bytes);
        int bits = int(8 * d.sample_bytes);
        if (path.back() == 'g')
            ASSERT_TRUE(
                WritePng(path, {side, side, bits, PNG_COLOR_TYPE_RGB, d.interlaced, {}}, rows));
        else
            ASSERT_TRUE(WriteTiff(path, {side, side, uint16_t(bits), 3, PHOTOMETRIC_RGB}, rows));
        for (int i = 0; i < 64; i++) {
            const uint8_t *piece = &rows[test_random()() % (rows.size() - 64)];
            needles.push_back(needle(d.name + std::string(" as in the file"), piece, 16));
            Bytes high; // of 16 bits
            for (size_t k = 1; d.sample_bytes == 2 && k < 32; k += 2) high.push_back(piece[k]);
            if (!high.empty()) needles.push_back({d.name + std::string(" as read"), high});
        }
        made.push_back(path);
    }
    needles.push_back(needle("a name", decoys[0].name, strlen(decoys[0].name)));
    Traced t = traced(made);
    if (!t.readable) GTEST_SKIP() << "this user may not read the memory of a hardened process";
    EXPECT_EQ(t.status, ORR_OK) << said();
    bool works = false;
    for (auto &f : t.after) {
        bool name = f.compare(0, 7, "a name ") == 0;
        works |= name;
        if (!name) ADD_FAILURE() << "left behind: " << f;
    }
    EXPECT_TRUE(works) << "the search does not even find what is in argv";
}

} // namespace
