#include "cli/stop.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/status.h"

#define MOMENT 1000 // ms

volatile sig_atomic_t orr_stop_requested;

static _Atomic int64_t first_signal; // when the first one came, ms of CLOCK_MONOTONIC; 0: none yet
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "a signal handler may touch it");

// One wish to stop may come as several signals at once: `timeout` signals the program and then its
// process group, a closing terminal and a service manager send SIGTERM and SIGHUP. Only who asks
// again after a moment has become impatient.
static void on_stop(int number) {
    struct timespec now = {0};
    int64_t before = 0;
    clock_gettime(CLOCK_MONOTONIC, &now); // safe in a handler, and leaves errno alone
    int64_t time = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 + 1; // never 0
    int is_first = atomic_compare_exchange_strong(&first_signal, &before, time);
    // SIGXCPU comes each second until the hard limit, which ends the process anyway.
    if (!is_first && time - before >= MOMENT && number != SIGXCPU) _exit(ORR_STOPPED);
    orr_stop_requested = 1;
}

void orr_stop_install(void) {
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGXCPU, SIGUSR1, SIGUSR2};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct sigaction before, action = {.sa_handler = on_stop}; // no SA_RESTART: waits end
        if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler == SIG_IGN) continue;
        sigemptyset(&action.sa_mask);
        sigaction(numbers[i], &action, NULL);
    }
    signal(SIGPIPE,
           SIG_IGN); // a closed pipe is an error of one write, not the end of a night's run
    signal(SIGXFSZ, SIG_IGN); // nor is one file above `ulimit -f`: its write fails with EFBIG
}

void orr_fill_standard_streams(void) {
    for (int fd = 0; fd <= STDERR_FILENO; fd++) {
        // open() takes the lowest free number, which is fd: those below it are in use by now
        if (fcntl(fd, F_GETFD) < 0 &&
            open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0)
            _exit(ORR_IO);
    }
}

void orr_harden_process(void) {
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
#ifndef __SANITIZE_ADDRESS__ // its leak checker must be able to trace the process
    prctl(PR_SET_DUMPABLE, 0);
#endif
}
