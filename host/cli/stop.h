// Stopping on a signal, and keeping a process with keys in it out of core dumps.
#ifndef ORRERY_HOST_CLI_STOP_H
#define ORRERY_HOST_CLI_STOP_H

#include <signal.h>

// Set by the first SIGINT, SIGTERM or SIGHUP.
extern volatile sig_atomic_t orr_stop_requested;
// Installs the handlers and ignores SIGPIPE. The first signal asks for an orderly stop, a second
// one leaves at once with status 75. A signal that was ignored at the start (nohup) stays ignored.
void orr_stop_install(void);
// No core file, no ptrace by the same user, no /proc/PID/mem: called before any key is read.
void orr_harden_process(void);

#endif
