#include "host/cli/stop.h"

#include <fcntl.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>
#include "kernels/status.h"

volatile sig_atomic_t orr_stop_requested;

static void on_stop(int number) {
    // SIGXCPU comes each second until the hard limit, which ends the process anyway.
    if (orr_stop_requested && number != SIGXCPU) _exit(ORR_STOPPED);
    orr_stop_requested = 1;
}

void orr_stop_install(void) {
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGXCPU};
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
