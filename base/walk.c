#include "base/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/directory.h"
#include "base/text.h"

// One directory being read: its names are held sorted so that runs are repeatable.
typedef struct frame {
    int fd;
    orr_listing listing;
    size_t next;
    char *source, *relative; // relative is "" at a contents-only root
    struct frame *parent;
} frame;

struct orr_walk {
    const orr_inputs *inputs;
    size_t next_input;
    frame *top;
    dev_t output_dev;
    ino_t output_ino;
    int open_files;
};

static char *join(const char *directory, const char *name) {
    size_t a = strlen(directory), b = strlen(name);
    char *path = malloc(a + b + 2);
    if (!path) return NULL;
    memcpy(path, directory, a);
    if (a && directory[a - 1] != '/') path[a++] = '/';
    memcpy(path + a, name, b + 1);
    return path;
}

static void frame_free(frame *f) {
    if (!f) return;
    orr_listing_free(&f->listing);
    free(f->source);
    free(f->relative);
    if (f->fd >= 0) close(f->fd);
    free(f);
}

orr_walk *orr_walk_open(const orr_inputs *inputs, dev_t output_dev, ino_t output_ino,
                        int open_files) {
    orr_walk *walk = calloc(1, sizeof *walk);
    if (!walk) return NULL;
    walk->inputs = inputs;
    walk->output_dev = output_dev;
    walk->output_ino = output_ino;
    walk->open_files = open_files;
    return walk;
}

void orr_walk_close(orr_walk *walk) {
    if (!walk) return;
    while (walk->top) {
        frame *parent = walk->top->parent;
        frame_free(walk->top);
        walk->top = parent;
    }
    free(walk);
}

void orr_walk_item_free(orr_walk_item *item) {
    if (item->fd >= 0) close(item->fd);
    item->fd = -1;
    free(item->source);
    free(item->relative);
    item->source = item->relative = NULL;
}

static void fail_item(orr_walk_item *item, int error_number, const char *doing) {
    item->kind = ORR_WALK_ERROR;
    orr_fail_source(&item->error, error_number, "%s: cannot %s: %s%s",
                    item->source ? item->source : "input", doing, strerror(error_number),
                    orr_errno_hint(error_number));
}

// Makes item->fd the top frame. On failure the item becomes an error item.
static void descend(orr_walk *walk, orr_walk_item *item) {
    frame *f = calloc(1, sizeof *f);
    int failure = ENOMEM;
    if (f) {
        f->fd = item->fd;
        item->fd = -1;
        f->source = strdup(item->source);
        f->relative = strdup(item->relative);
        if (f->source && f->relative) failure = orr_listing_read(f->fd, &f->listing) ? errno : 0;
    }
    if (failure) {
        frame_free(f);
        fail_item(item, failure, "read this directory");
        return;
    }
    f->parent = walk->top;
    walk->top = f;
}

// Opens `name` below `directory` and classifies it. Symlinks are followed only for inputs the user
// named. What is not a regular file or directory is never opened: opening a device or a FIFO can
// have effects.
static void classify(orr_walk *walk, int directory, const char *name, int follow,
                     orr_walk_item *item) {
    int flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | (follow ? 0 : O_NOFOLLOW);
    if (fstatat(directory, name, &item->st, follow ? 0 : AT_SYMLINK_NOFOLLOW) != 0) {
        fail_item(item, errno, "look at this");
        return;
    }
    if (S_ISLNK(item->st.st_mode)) {
        item->kind = ORR_WALK_SYMLINK;
        return;
    }
    if (!S_ISREG(item->st.st_mode) && !S_ISDIR(item->st.st_mode)) {
        item->kind = ORR_WALK_SPECIAL;
        return;
    }
    item->kind = S_ISDIR(item->st.st_mode) ? ORR_WALK_DIRECTORY : ORR_WALK_FILE;
    if (item->kind == ORR_WALK_FILE && !walk->open_files) return;
    item->fd = openat(directory, name, flags);
    if (item->fd < 0 || fstat(item->fd, &item->st) != 0) {
        fail_item(item, errno, "open this");
        return;
    }
    // The name may have changed hands between the two calls: what was opened decides.
    if (S_ISREG(item->st.st_mode)) {
        item->kind = ORR_WALK_FILE;
    } else if (!S_ISDIR(item->st.st_mode)) {
        item->kind = ORR_WALK_SPECIAL;
    } else if (item->st.st_dev == walk->output_dev && item->st.st_ino == walk->output_ino) {
        item->kind = ORR_WALK_OUTPUT;
    } else {
        descend(walk, item);
    }
}

// The part of an input's path that is kept below the output: its last component, or "" for ".",
// ".." and "/".
static char *kept_name(const char *path) {
    size_t end = strlen(path);
    while (end && path[end - 1] == '/') end--;
    size_t start = end;
    while (start && path[start - 1] != '/') start--;
    if (end == start || (end - start == 1 && path[start] == '.') ||
        (end - start == 2 && path[start] == '.' && path[start + 1] == '.'))
        return strdup("");
    return strndup(path + start, end - start);
}

// A listed path with "." components, doubled and leading slashes removed; NULL with errno EINVAL
// for "..".
static char *kept_path(const char *path) {
    char *kept = malloc(strlen(path) + 1);
    size_t used = 0;
    if (!kept) return NULL;
    while (*path) {
        size_t n = strcspn(path, "/");
        if (n == 2 && path[0] == '.' && path[1] == '.') {
            free(kept);
            errno = EINVAL;
            return NULL;
        }
        if (n && !(n == 1 && path[0] == '.')) {
            if (used) kept[used++] = '/';
            memcpy(kept + used, path, n);
            used += n;
        }
        path += n + (path[n] == '/');
    }
    kept[used] = 0;
    return kept;
}

static int next_input(orr_walk *walk, orr_walk_item *item) {
    const orr_inputs *in = walk->inputs;
    size_t i = walk->next_input++;
    if (i >= in->count + in->listed_count) return 0;
    int listed = i >= in->count;
    const char *path = listed ? in->listed[i - in->count] : in->paths[i];
    item->named = 1;
    item->source = strdup(path);
    item->relative = listed ? kept_path(path) : kept_name(path);
    if (!item->source || !item->relative) {
        fail_item(item, errno ? errno : ENOMEM,
                  listed ? "use a listed path with \"..\" in it" : "use this input");
        return 1;
    }
    classify(walk, AT_FDCWD, path, 1, item);
    return 1;
}

int orr_walk_next(orr_walk *walk, orr_walk_item *item) {
    memset(item, 0, sizeof *item);
    item->fd = -1;
    while (walk->top && walk->top->next == walk->top->listing.count) {
        frame *done = walk->top;
        walk->top = done->parent;
        frame_free(done);
    }
    if (!walk->top) return next_input(walk, item);
    frame *f = walk->top;
    const char *name = f->listing.names[f->next++];
    item->source = join(f->source, name);
    item->relative = join(f->relative, name);
    if (!item->source || !item->relative) {
        fail_item(item, ENOMEM, "hold this name");
    } else if (strlen(item->relative) > ORR_MAX_PATH) {
        item->kind = ORR_WALK_ERROR;
        orr_fail(&item->error, ORR_UNSUPPORTED, "%.200s...: the path is longer than %d bytes",
                 item->source, ORR_MAX_PATH);
    } else {
        classify(walk, f->fd, name, 0, item);
    }
    return 1;
}
