// Passphrases from a file, a descriptor or the terminal.
#include "host/keys/passphrase.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <termios.h>
#include <unistd.h>

#include "base/io.h"
#include "host/container/crypto.h"

#define MAX_BYTES 1023

static const char PASSPHRASE[] = "passphrase"; // what is read, as messages call it

// Signals that would end or stop the program with the terminal's echo off. Not SIGTTIN and SIGTTOU:
// they stop a background process before it touches the terminal.
static const int caught[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR1, SIGUSR2};
#define CAUGHT (sizeof caught / sizeof caught[0])

static volatile sig_atomic_t pending_signal;

static void remember_signal(int number) {
    pending_signal = number;
}

// mlock is a courtesy: without it (RLIMIT_MEMLOCK) the passphrase may reach the swap device.
static void start(orr_passphrase *passphrase) {
    memset(passphrase, 0, sizeof *passphrase);
    (void)mlock(passphrase, sizeof *passphrase);
}

void orr_passphrase_wipe(orr_passphrase *passphrase) {
    orr_wipe(passphrase, sizeof *passphrase);
    (void)munlock(passphrase, sizeof *passphrase);
}

// Adds one byte of the line. Returns 1 at its end, 0 to go on, -1 when it is too long. The one byte
// of room above MAX_BYTES is for a carriage return.
static int take_byte(orr_passphrase *passphrase, uint8_t byte) {
    if (byte == '\n') {
        if (passphrase->length && passphrase->bytes[passphrase->length - 1] == '\r')
            passphrase->bytes[--passphrase->length] = 0;
        return 1;
    }
    if (passphrase->length >= sizeof passphrase->bytes) return -1;
    passphrase->bytes[passphrase->length++] = byte;
    return 0;
}

// Has an editor put a byte order mark in front, or saved it as UTF-16? On a keyboard, or in another
// editor, the same passphrase is other bytes, and the keyring would not open. Of UTF-16 each other
// byte of plain letters is zero; of its line's last character half is behind the newline.
static int is_recoded(const orr_passphrase *passphrase) {
    const uint8_t *b = passphrase->bytes;
    size_t n = passphrase->length, zeros[2] = {0, 0};
    if (n >= 3 && b[0] == 0xef && b[1] == 0xbb && b[2] == 0xbf) return 1;
    if (n >= 2 && ((b[0] == 0xff && b[1] == 0xfe) || (b[0] == 0xfe && b[1] == 0xff))) return 1;
    for (size_t i = 0; i < n; i++) zeros[i % 2] += b[i] == 0;
    return n >= 2 && (zeros[0] == (n + 1) / 2 || zeros[1] == n / 2);
}

static orr_status finish(orr_passphrase *passphrase, const char *what, const char *source,
                         orr_error *error) {
    orr_status status = ORR_OK;
    if (is_recoded(passphrase))
        status = orr_fail(error, ORR_KEY,
                          "%s: the %s begins with a byte order mark or is UTF-16: save it as plain "
                          "text, UTF-8 without a mark",
                          source, what);
    else if (passphrase->length == 0)
        status = orr_fail(error, ORR_KEY, "%s: the %s is empty", source, what);
    else if (passphrase->length > MAX_BYTES)
        status = orr_fail(error, ORR_KEY, "%s: the %s is over %d bytes", source, what, MAX_BYTES);
    passphrase->present = status == ORR_OK;
    if (status != ORR_OK) orr_passphrase_wipe(passphrase);
    return status;
}

// One byte at a time: what follows the line stays in a pipe for whoever reads it next.
static orr_status read_line(int fd, const char *what, const char *source,
                            orr_passphrase *passphrase, orr_error *error) {
    start(passphrase);
    for (;;) {
        uint8_t byte = 0;
        size_t got = orr_read_in_full(fd, &byte, 1);
        int saved = errno;
        if (!got && saved) {
            orr_passphrase_wipe(passphrase);
            return orr_fail(error, ORR_IO, "%s: cannot read the %s: %s", source, what,
                            strerror(saved));
        }
        if (!got) break;
        int end = take_byte(passphrase, byte);
        orr_wipe(&byte, 1);
        if (end < 0) {
            passphrase->length = sizeof passphrase->bytes; // over the limit: finish() says so
            break;
        }
        if (end) break;
    }
    return finish(passphrase, what, source, error);
}

int orr_passphrase_is_weak(const orr_passphrase *passphrase) {
    size_t characters = 0; // of UTF-8: bytes that do not continue one
    for (size_t i = 0; i < passphrase->length; i++)
        characters += (passphrase->bytes[i] & 0xc0) != 0x80;
    return characters < ORR_PASSPHRASE_LEAST;
}

orr_status orr_line_from_file(const char *path, const char *what, orr_passphrase *passphrase,
                              orr_error *error) {
    memset(passphrase, 0, sizeof *passphrase);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return orr_fail(error, ORR_IO, "%s: cannot open the %s file: %s", path, what,
                        strerror(errno));
    orr_status status = read_line(fd, what, path, passphrase, error);
    close(fd);
    return status;
}

orr_status orr_passphrase_from_file(const char *path, orr_passphrase *passphrase,
                                    orr_error *error) {
    return orr_line_from_file(path, PASSPHRASE, passphrase, error);
}

orr_status orr_line_from_fd(int fd, const char *what, orr_passphrase *passphrase,
                            orr_error *error) {
    char source[32];
    snprintf(source, sizeof source, "descriptor %d", fd);
    return read_line(fd, what, source, passphrase, error);
}

orr_status orr_passphrase_from_fd(int fd, orr_passphrase *passphrase, orr_error *error) {
    return orr_line_from_fd(fd, PASSPHRASE, passphrase, error);
}

// The terminal with its echo off and the signals above held back.
typedef struct prompt_state {
    int tty;
    struct termios before;
    struct sigaction actions[CAUGHT];
    sigset_t mask; // as it was, to wait with
} prompt_state;

static int begin_prompt(prompt_state *state) {
    if (tcgetattr(state->tty, &state->before)) return -1;
    struct sigaction action = {.sa_handler = remember_signal};
    sigset_t block;
    sigemptyset(&action.sa_mask);
    sigemptyset(&block);
    for (size_t i = 0; i < CAUGHT; i++) sigaddset(&block, caught[i]);
    pthread_sigmask(SIG_BLOCK, &block, &state->mask);
    pending_signal = 0;
    for (size_t i = 0; i < CAUGHT; i++) {
        sigaction(caught[i], NULL, &state->actions[i]);
        if (state->actions[i].sa_handler != SIG_IGN) sigaction(caught[i], &action, NULL);
    }
    struct termios quiet = state->before;
    quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
    while (tcsetattr(state->tty, TCSAFLUSH, &quiet))
        if (errno != EINTR) return 0; // still a terminal: ask, with echo, rather than not at all
    return 0;
}

static void end_prompt(prompt_state *state) {
    while (tcsetattr(state->tty, TCSAFLUSH, &state->before) && errno == EINTR) {
    }
    for (size_t i = 0; i < CAUGHT; i++) sigaction(caught[i], &state->actions[i], NULL);
    pthread_sigmask(SIG_SETMASK, &state->mask, NULL);
}

// Reads a line. Signals get through only inside ppoll, so none can slip in before a blocking read.
// Returns 1 for a line, 0 for the end of input, -1 for an error or a signal.
static int read_answer(const prompt_state *state, orr_passphrase *passphrase) {
    int too_long = 0;
    for (;;) {
        struct pollfd poll_tty = {.fd = state->tty, .events = POLLIN};
        if (ppoll(&poll_tty, 1, NULL, &state->mask) < 0) {
            if (errno == EINTR && !pending_signal) continue;
            return -1;
        }
        uint8_t byte = 0;
        ssize_t n = read(state->tty, &byte, 1);
        if (n < 0) return -1;
        if (n == 0) return 0;
        int end = take_byte(passphrase, byte);
        orr_wipe(&byte, 1);
        too_long = too_long || end < 0;
        if (end <= 0) continue;
        if (too_long) passphrase->length = sizeof passphrase->bytes;
        return 1;
    }
}

static orr_status no_terminal(const char *what, orr_error *error) {
    char option[32]; // is called as what it gives
    snprintf(option, sizeof option, "%s", what);
    for (char *at = option; (at = strchr(at, ' ')) != NULL;) *at = '-';
    return orr_fail(error, ORR_KEY, "no terminal to ask for the %s on; use --%s-file or --%s-fd",
                    what, option, option);
}

// Asks once; *empty: nothing was typed. A signal is passed on after the terminal is itself again;
// after a stop and continue the question comes again.
static orr_status ask_once(int tty, const char *what, const char *prompt,
                           orr_passphrase *passphrase, int *empty, orr_error *error) {
    for (;;) {
        prompt_state state = {.tty = tty};
        start(passphrase);
        if (begin_prompt(&state)) {
            orr_passphrase_wipe(passphrase);
            return no_terminal(what, error);
        }
        dprintf(tty, "%s", prompt);
        int got = read_answer(&state, passphrase), signal_number = pending_signal;
        dprintf(tty, "\n");
        end_prompt(&state);
        *empty = got > 0 && !passphrase->length;
        if (got >= 0) return finish(passphrase, what, "terminal", error);
        orr_passphrase_wipe(passphrase);
        if (!signal_number)
            return orr_fail(error, ORR_IO, "cannot read the %s from the terminal", what);
        kill(getpid(), signal_number);
        if (signal_number != SIGTSTP)
            return orr_fail(error, ORR_STOPPED, "stopped by signal %d", signal_number);
    }
}

static orr_status open_terminal(int *tty, const char *what, orr_error *error) {
    *tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    return *tty >= 0 ? ORR_OK : no_terminal(what, error);
}

orr_status orr_line_ask(const char *prompt, const char *what, orr_passphrase *passphrase,
                        int *empty, orr_error *error) {
    int tty;
    *empty = 0;
    memset(passphrase, 0, sizeof *passphrase);
    orr_status status = open_terminal(&tty, what, error);
    if (status != ORR_OK) return status;
    status = ask_once(tty, what, prompt, passphrase, empty, error);
    close(tty);
    return status;
}

orr_status orr_passphrase_ask_if_any(const char *prompt, orr_passphrase *passphrase,
                                     orr_error *error) {
    int empty = 0;
    orr_status status = orr_line_ask(prompt, PASSPHRASE, passphrase, &empty, error);
    return empty ? ORR_OK : status;
}

orr_status orr_passphrase_ask(const char *prompt, int confirm, orr_passphrase *passphrase,
                              orr_error *error) {
    orr_passphrase again;
    int tty, empty = 0;
    memset(passphrase, 0, sizeof *passphrase);
    orr_status status = open_terminal(&tty, PASSPHRASE, error);
    if (status != ORR_OK) return status;
    status = ask_once(tty, PASSPHRASE, prompt, passphrase, &empty, error);
    if (status == ORR_OK && confirm) {
        status = ask_once(tty, PASSPHRASE, "Again: ", &again, &empty, error);
        if (status == ORR_OK && (again.length != passphrase->length ||
                                 !orr_equal_secret(again.bytes, passphrase->bytes, again.length)))
            status = orr_fail(error, ORR_KEY, "the two passphrases differ; nothing was changed");
        orr_passphrase_wipe(&again);
        if (status != ORR_OK) orr_passphrase_wipe(passphrase);
    }
    close(tty);
    return status;
}
