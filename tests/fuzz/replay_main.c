// Replays stored inputs through a fuzz target, without libFuzzer: every file of every directory
// given, in name order. Exits 1 when there is none, so that a lost corpus does not pass unseen.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

static int replay(int directory, const char *name) {
    int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        fprintf(stderr, "%s: %s\n", name, strerror(errno));
        return 0;
    }
    size_t bytes;
    uint8_t *content = fuzz_content(fd, &bytes);
    // Its own allocation, of its own length, so that sanitizers see reads behind the end.
    uint8_t *exact = malloc(bytes ? bytes : 1);
    fuzz_check(exact != NULL, "memory can be had");
    memcpy(exact, content, bytes);
    free(content);
    close(fd);
    fprintf(stderr, "%s: %zu bytes\n", name, bytes);
    LLVMFuzzerTestOneInput(exact, bytes);
    free(exact);
    return 1;
}

int main(int argc, char **argv) {
    int replayed = 0;
    for (int i = 1; i < argc; i++) {
        struct dirent **entries;
        int count = scandir(argv[i], &entries, NULL, alphasort);
        int directory = open(argv[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (count < 0 || directory < 0) {
            fprintf(stderr, "%s: %s\n", argv[i], strerror(errno));
            return 1;
        }
        for (int n = 0; n < count; n++) {
            if (entries[n]->d_name[0] != '.') replayed += replay(directory, entries[n]->d_name);
            free(entries[n]);
        }
        free(entries);
        close(directory);
    }
    printf("%d inputs replayed\n", replayed);
    return replayed == 0;
}
