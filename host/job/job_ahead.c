#include "host/job/job_ahead.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "host/job/job_file.h"
#include "host/job/job_inputs.h"

#define HEAD_BYTES (4 * ORR_PAGE) // page 0, two slots, metadata, as most files have them

struct orr_ahead {
    const orr_job_options *options;
    orr_walk *walk;
    unsigned most, first, count;
    int ended;
    orr_walk_item items[ORR_AHEAD];
};

orr_ahead *orr_ahead_open(const orr_job_options *options, unsigned files, orr_walk *walk) {
    orr_ahead *ahead = walk ? calloc(1, sizeof *ahead) : NULL;
    if (!ahead) {
        orr_walk_close(walk);
        return NULL;
    }
    ahead->options = options;
    ahead->walk = walk;
    ahead->most = options->verb == ORR_VERB_ENCRYPT ? 1 : files; // its sources have no head
    return ahead;
}

// Has the head read.
static void look_ahead(const orr_ahead *ahead, orr_walk_item *item) {
    const orr_job_options *o = ahead->options;
    if (item->kind != ORR_WALK_FILE || !orr_job_is_named_input(o, item) ||
        !orr_job_selected(o, item->relative))
        return;
    item->seen = 1;
    if (o->verb == ORR_VERB_VERIFY &&
        orr_source_forget(item->fd, item->source, &item->error) != ORR_OK)
        return;
    (void)posix_fadvise(item->fd, 0, HEAD_BYTES, POSIX_FADV_WILLNEED);
}

// What is no input may be another job's own, and that may have finished since.
static void look_again(orr_walk_item *item) {
    struct stat st;
    if (item->kind != ORR_WALK_FILE || item->seen || lstat(item->source, &st) == 0) return;
    item->kind = ORR_WALK_ERROR;
    orr_fail_source(&item->error, errno, "%s: was there a moment ago: %s", item->source,
                    strerror(errno));
}

int orr_ahead_next(orr_ahead *ahead, orr_walk_item *item) {
    while (ahead->count < ahead->most && !ahead->ended) {
        orr_walk_item *next = &ahead->items[(ahead->first + ahead->count) % ORR_AHEAD];
        ahead->ended = !orr_walk_next(ahead->walk, next);
        if (ahead->ended) break;
        ahead->count++;
        if (ahead->most > 1) look_ahead(ahead, next);
    }
    if (!ahead->count) return 0;
    *item = ahead->items[ahead->first];
    ahead->first = (ahead->first + 1) % ORR_AHEAD;
    ahead->count--;
    if (ahead->most > 1) look_again(item);
    return 1;
}

void orr_ahead_close(orr_ahead *ahead) {
    if (!ahead) return;
    while (ahead->count--) orr_walk_item_free(&ahead->items[ahead->first++ % ORR_AHEAD]);
    orr_walk_close(ahead->walk);
    free(ahead);
}
