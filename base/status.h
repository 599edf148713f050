// Outcome of every Orrery library call. The values are the program's exit statuses, so a status
// needs no translation table on its way to the shell (docs/CLI.md, "Exit status").
#ifndef ORRERY_BASE_STATUS_H
#define ORRERY_BASE_STATUS_H

#include <signal.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum orr_status {
    ORR_OK = 0,
    ORR_INTERNAL = 1,    // a bug or exhausted memory
    ORR_USAGE = 2,       // wrong arguments
    ORR_SOME_FAILED = 3, // several inputs, some failed
    ORR_AUTH = 4,        // authentication failed: tampered, corrupt, truncated
    ORR_KEY = 5,         // wrong or missing key or passphrase
    ORR_EXISTS = 6,      // the output exists and is something else
    ORR_IO = 7,          // input, output or space
    ORR_UNSUPPORTED = 8, // unsupported or hostile input
    ORR_INCOMPLETE = 9,  // an archive that does not hold all it should
    ORR_NOT_ORRERY = 10, // not an Orrery file
    ORR_SELF_TEST = 13,  // a device failed its known-answer test
    ORR_STOPPED = 75     // stopped by a signal; the same command resumes
} orr_status;

// A status with one sentence for a person: which file, what was expected, what to do next.
typedef struct orr_error {
    orr_status status;
    char text[4608]; // room for the longest path and the reason behind it
    int number;      // of the system call that failed (errno), where that matters; else 0
    int of_source;   // it was reading an input that failed
} orr_error;

// Fills *error (NULL is allowed) and returns `status`, so that a function can end with
// `return orr_fail(error, ORR_IO, "%s: ...", path);`. Text beyond the buffer is cut.
orr_status orr_fail(orr_error *error, orr_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// What asks long work to end: not zero once a signal came, and never zero again. Work that may be
// stopped takes a pointer to one, or NULL, looks at it every few milliseconds, and ends with
// ORR_STOPPED.
typedef const volatile sig_atomic_t orr_stop_flag;

static inline int orr_stopped(orr_stop_flag *stop) {
    return stop != NULL && *stop;
}

// The same for ORR_IO after a failed system call, whose errno `number` goes into *error.
orr_status orr_fail_errno(orr_error *error, int number, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// The same, when it was reading an input.
orr_status orr_fail_source(orr_error *error, int number, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// Makes a library's message one line: each run of white space is a space, none at the end.
void orr_one_line(char *text);

// Stable lower-case name of a status ("ok", "authentication", "io", ...), for JSON output.
const char *orr_status_name(orr_status status);

#ifdef __cplusplus
}
#endif
#endif
