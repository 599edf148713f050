// What a person opens a keyring with: a passphrase, or the recovery code that was printed when it
// was made.
#ifndef ORRERY_HOST_KEYS_PASSPHRASE_H
#define ORRERY_HOST_KEYS_PASSPHRASE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

// Read from a file, descriptor or terminal. Wiped by orr_passphrase_wipe.
typedef struct orr_passphrase {
    uint8_t bytes[1024];
    size_t length;
    int present;
    int is_code; // a recovery code: its 32 bytes, no text
} orr_passphrase;
// First line without its newline (one \n or \r\n), raw bytes. ORR_IO, or ORR_KEY when empty, over
// 1,023 bytes, with a byte order mark or in UTF-16. Reads nothing after the line.
orr_status orr_passphrase_from_file(const char *path, orr_passphrase *passphrase, orr_error *error);
orr_status orr_passphrase_from_fd(int fd, orr_passphrase *passphrase, orr_error *error);
// Asks on /dev/tty with echo off (restored on signals), twice when `confirm`. ORR_KEY when there is
// no terminal or the two answers differ; ORR_STOPPED when a signal came (it is raised again once
// the terminal is restored). Call before starting threads.
orr_status orr_passphrase_ask(const char *prompt, int confirm, orr_passphrase *passphrase,
                              orr_error *error);
// Asks once; a line without anything on it is none (present == 0).
orr_status orr_passphrase_ask_if_any(const char *prompt, orr_passphrase *passphrase,
                                     orr_error *error);
// The same for a line that messages call `what`; *empty: nothing was typed (ORR_KEY).
orr_status orr_line_from_file(const char *path, const char *what, orr_passphrase *passphrase,
                              orr_error *error);
orr_status orr_line_from_fd(int fd, const char *what, orr_passphrase *passphrase, orr_error *error);
orr_status orr_line_ask(const char *prompt, const char *what, orr_passphrase *passphrase,
                        int *empty, orr_error *error);
void orr_passphrase_wipe(orr_passphrase *passphrase);
// Has it too few characters to be worth much, even if they were drawn at random? 14 of base64 have
// 84 bits.
#define ORR_PASSPHRASE_LEAST 14
int orr_passphrase_is_weak(const orr_passphrase *passphrase);

// ---- recovery codes (docs/FORMAT.md, "Recovery code")
#define ORR_CODE_BYTES 32
#define ORR_CODE_TEXT 64 // 8 groups of 7 characters, hyphens between them, NUL
// A new one. ORR_INTERNAL.
orr_status orr_code_draw(orr_passphrase *code, orr_error *error);
orr_status orr_code_text(const orr_passphrase *code, char text[ORR_CODE_TEXT], orr_error *error);
// Takes what was read as a line for a recovery code; in place. ORR_KEY: it is none, or mistyped
// (its check characters tell), and is wiped. `source` is for the message.
orr_status orr_code_take(orr_passphrase *line, const char *source, orr_error *error);
// As orr_passphrase_from_file and so on, and then taken for a code. A person is asked again, up to
// three times in all, when it is mistyped; with `may_be_none` an empty line is none (present == 0).
orr_status orr_code_from_file(const char *path, orr_passphrase *code, orr_error *error);
orr_status orr_code_from_fd(int fd, orr_passphrase *code, orr_error *error);
orr_status orr_code_ask(const char *prompt, int may_be_none, orr_passphrase *code,
                        orr_error *error);

#ifdef __cplusplus
}
#endif
#endif
