// What the process does about its surroundings: signals, core dumps, closed standard streams.
#ifndef ORRERY_CLI_STOP_H
#define ORRERY_CLI_STOP_H

#include <signal.h>

// Set by the first SIGINT, SIGTERM, SIGHUP, SIGXCPU (`ulimit -S -t`), SIGUSR1 or SIGUSR2 (batch
// systems, before a job's time is up).
extern volatile sig_atomic_t orr_stop_requested;
// Installs the handlers and ignores SIGPIPE and SIGXFSZ. The first signal asks for an orderly stop;
// one that comes a second later, or after that, leaves at once with status 75. A signal that was
// ignored at the start (nohup) stays ignored.
void orr_stop_install(void);
// Opens /dev/null in the place of closed standard streams: the next file to be opened would get the
// number 1 or 2, and messages would be written into somebody's scan.
void orr_fill_standard_streams(void);
// No core file, no ptrace by the same user, no /proc/PID/mem: called before any key is read.
void orr_harden_process(void);

#endif
