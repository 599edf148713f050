// How the threads of the DCGAN wait for each other. Without a word about it in the environment
// libgomp lets them spin, which on a machine with other work takes the processor from the very
// thread that they wait for: the same training steps took 4 times as long with two threads as with
// one. It reads its variables when it is loaded, which is before main(), so that the program has to
// begin anew with one of them set.
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>
#include "cli/cli.h"

#define VARIABLE "OMP_WAIT_POLICY"

static unsigned cores(void) {
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) ? 1 : (unsigned)CPU_COUNT(&set);
}

// Will this command line use oneDNN with several threads? One that is wrong will not.
static int has_threads_that_wait(int argc, char **argv) {
    orr_arguments a = {0};
    orr_error error = {0};
    int has = 0;
    char **copy = malloc(((size_t)argc + 1) * sizeof *copy); // parsing may reorder it
    if (!copy) return 0;
    memcpy(copy, argv, ((size_t)argc + 1) * sizeof *copy);
    if (orr_arguments_parse(&a, argc, copy, &error) == ORR_OK && a.command && !a.help) {
        const orr_command *train = orr_command_find("train");
        unsigned asked = a.command == train ? a.training.gan.threads : a.jobs; // 0: not
        unsigned threads = asked ? asked : cores();
        has = threads > 1 && (a.command == train || a.command == orr_command_find("generate") ||
                              a.command == orr_command_find("bench") || // it measures what they do
                              (a.command == orr_command_find("keyring new") && a.weights));
    }
    orr_arguments_free(&a);
    free(copy);
    return has;
}

void orr_cli_let_threads_sleep(int argc, char **argv) {
    char path[4096];
    if (getenv(VARIABLE) || getenv("GOMP_SPINCOUNT") || !has_threads_that_wait(argc, argv)) return;
    // Begun by the dynamic loader as a command, as in `ld.so orrery train`, the executable is it.
    if (!getauxval(AT_BASE)) return;
    // Its path, not /proc/self/exe, which would be the name of the process in lists.
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length <= 0 || length >= (ssize_t)sizeof path - 1) return;
    path[length] = 0;
    size_t count = 0;
    while (environ[count]) count++;
    char **with = malloc((count + 2) * sizeof *with);
    if (!with) return;
    memcpy(with, environ, count * sizeof *with);
    with[count] = VARIABLE "=PASSIVE"; // which also keeps it from doing so twice
    with[count + 1] = NULL;
    execve(path, argv, with);
    free(with); // it failed: they spin
}
