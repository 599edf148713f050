// Passphrases from files, descriptors and terminals.
#include <fcntl.h>
#include <functional>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <termios.h>

#include "tests/support/keyring_fixture.h"

namespace {

// ---- passphrases

class PassphraseTest : public KeyringTest {
  protected:
    orr_status From(const std::string &content, std::string *text) {
        WriteFile(path, Bytes(content.begin(), content.end()));
        orr_passphrase p;
        orr_status status = orr_passphrase_from_file(path.c_str(), &p, &error);
        EXPECT_EQ(p.present, status == ORR_OK);
        text->assign(reinterpret_cast<char *>(p.bytes), p.length);
        orr_passphrase_wipe(&p);
        EXPECT_EQ(p.length, 0u);
        return status;
    }
};

TEST_F(PassphraseTest, FirstLineOfAFile) {
    std::string text;
    for (const char *content : {"secret", "secret\n", "secret\r\n", "secret\nmore\n"}) {
        EXPECT_EQ(From(content, &text), ORR_OK);
        EXPECT_EQ(text, "secret");
    }
    EXPECT_EQ(From(" a b \r\r\n", &text), ORR_OK);
    EXPECT_EQ(text, " a b \r");
    EXPECT_EQ(From("a\r", &text), ORR_OK);
    EXPECT_EQ(text, "a\r");
    // Marks of Unicode, and UTF-16 without one; other bytes are taken as they are.
    for (const std::string &recoded :
         {std::string("\xef\xbb\xbf"
                      "secret\n"),
          std::string("\xff\xfes\0e\0\n\0", 8), std::string("\xfe\xff\0s\0e\0\n", 8),
          std::string("s\0e\0\r\0\n\0", 8), std::string("\0s\0e\0\n", 6)})
        EXPECT_EQ(From(recoded, &text), ORR_KEY) << recoded;
    EXPECT_EQ(From(std::string("\x01\0\x02\x03", 4), &text), ORR_OK);
    EXPECT_EQ(From("\xff\xff", &text), ORR_OK);
    for (const char *content : {"", "\n", "\r\n", "\nsecret"})
        EXPECT_EQ(From(content, &text), ORR_KEY);
    EXPECT_EQ(From(std::string(1023, 'x') + "\r\n", &text), ORR_OK);
    EXPECT_EQ(text.size(), 1023u);
    EXPECT_EQ(From(std::string(1024, 'x'), &text), ORR_KEY);
    EXPECT_EQ(From(std::string(1024, 'x') + "\n", &text), ORR_KEY);
    EXPECT_EQ(From(std::string(1 << 20, 'x'), &text), ORR_KEY);
    orr_passphrase p;
    EXPECT_EQ(orr_passphrase_from_file((path + "x").c_str(), &p, &error), ORR_IO);
    EXPECT_EQ(orr_passphrase_from_file(directory.c_str(), &p, &error), ORR_IO);
}

TEST_F(PassphraseTest, DescriptorLeavesTheRest) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    ASSERT_EQ(write(ends[1], "one\ntwo\n", 8), 8);
    close(ends[1]);
    orr_passphrase p;
    for (const char *expected : {"one", "two"}) {
        ASSERT_EQ(orr_passphrase_from_fd(ends[0], &p, &error), ORR_OK);
        EXPECT_EQ(std::string(reinterpret_cast<char *>(p.bytes), p.length), expected);
    }
    EXPECT_EQ(orr_passphrase_from_fd(ends[0], &p, &error), ORR_KEY);
    close(ends[0]);
    EXPECT_EQ(orr_passphrase_from_fd(ends[0], &p, &error), ORR_IO);
}

// Runs `body` with a terminal of its own; its return value is the child's exit status.
struct Terminal {
    explicit Terminal(const std::function<int()> &body) {
        child = forkpty(&master, nullptr, nullptr, nullptr);
        if (child == 0) _exit(body());
    }
    ~Terminal() { close(master); }
    bool Echo() const {
        struct termios modes {};
        tcgetattr(master, &modes);
        return modes.c_lflag & ECHO;
    }
    void WaitFor(const std::string &text) {
        char buffer[256];
        while (seen.find(text, from) == std::string::npos) {
            ssize_t n = read(master, buffer, sizeof buffer);
            if (n <= 0) break; // EIO: the child has gone
            seen.append(buffer, static_cast<size_t>(n));
        }
        from = seen.size();
    }
    void Type(const std::string &text) {
        ASSERT_EQ(write(master, text.data(), text.size()), (ssize_t)text.size());
    }
    int End() {
        int status = 0;
        WaitFor("\x01never");
        waitpid(child, &status, 0);
        return status;
    }
    pid_t child = -1;
    int master = -1;
    std::string seen;
    size_t from = 0;
};

int Ask(int confirm) {
    orr_passphrase p;
    orr_error error{};
    orr_status status = orr_passphrase_ask("Passphrase: ", confirm, &p, &error);
    if (status != ORR_OK) return status;
    return p.length == 6 && !memcmp(p.bytes, "secret", 6) ? 0 : 99;
}

// Bare containers have no pseudo-terminals.
class TerminalTest : public testing::Test {
  protected:
    void SetUp() override {
        int master = posix_openpt(O_RDWR | O_NOCTTY);
        if (master < 0) GTEST_SKIP() << "no pseudo-terminals here: " << strerror(errno);
        close(master);
    }
};

TEST_F(TerminalTest, AsksWithoutEcho) {
    Terminal t([] { return Ask(0); });
    t.WaitFor("Passphrase: ");
    EXPECT_FALSE(t.Echo());
    t.Type("secret\n");
    EXPECT_EQ(t.End(), 0);
    EXPECT_EQ(t.seen.find("secret"), std::string::npos);
}

TEST_F(TerminalTest, AsksTwice) {
    Terminal good([] { return Ask(1); });
    good.WaitFor("Passphrase: ");
    good.Type("secret\n");
    good.WaitFor("Again: ");
    good.Type("secret\n");
    EXPECT_EQ(good.End(), 0);
    Terminal bad([] { return Ask(1); });
    bad.WaitFor("Passphrase: ");
    bad.Type("secret\n");
    bad.WaitFor("Again: ");
    bad.Type("secreT\n");
    EXPECT_EQ(WEXITSTATUS(bad.End()), ORR_KEY);
}

TEST_F(TerminalTest, EndOfInput) {
    Terminal t([] { return Ask(0); });
    t.WaitFor("Passphrase: ");
    t.Type("\x04");
    EXPECT_EQ(WEXITSTATUS(t.End()), ORR_KEY);
}

TEST_F(TerminalTest, InterruptRestoresEchoAndKills) {
    // The child of the child asks; the child keeps the terminal open and looks at its modes.
    Terminal t([] {
        signal(SIGINT, SIG_IGN); // before the asker can have asked: Ctrl-C reaches both
        pid_t asker = fork();
        if (asker == 0) {
            signal(SIGINT, SIG_DFL);
            _exit(Ask(0));
        }
        int status = 0;
        waitpid(asker, &status, 0);
        struct termios modes {};
        tcgetattr(0, &modes);
        return WIFSIGNALED(status) && WTERMSIG(status) == SIGINT && (modes.c_lflag & ECHO) ? 0 : 1;
    });
    t.WaitFor("Passphrase: ");
    t.Type("sec\x03"); // Ctrl-C
    EXPECT_EQ(t.End(), 0);
}

TEST_F(TerminalTest, HandledInterruptIsReported) {
    Terminal t([] {
        signal(SIGINT, [](int) {});
        return Ask(0);
    });
    t.WaitFor("Passphrase: ");
    t.Type("\x03");
    EXPECT_EQ(WEXITSTATUS(t.End()), ORR_STOPPED);
}

// Batch systems send it: a handler of the program's must not let the question stand.
TEST_F(TerminalTest, HandledUserSignalIsReported) {
    Terminal t([] {
        pid_t asker = getpid();
        signal(SIGUSR1, [](int) {});
        if (fork() == 0) {
            struct termios modes {};
            do usleep(1000);
            while (tcgetattr(0, &modes) == 0 && (modes.c_lflag & ECHO));
            kill(asker, SIGUSR1);
            _exit(0);
        }
        return Ask(0);
    });
    EXPECT_EQ(WEXITSTATUS(t.End()), ORR_STOPPED);
}

TEST(NoTerminalTest, IsReported) {
    pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        setsid(); // loses the controlling terminal
        _exit(Ask(0));
    }
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_EQ(WEXITSTATUS(status), ORR_KEY);
}

} // namespace
