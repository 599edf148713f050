#include "host/job/job_mode.h"

#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fresh.h"

// The permission bits of a source that a file of `group` may have too. Where that is another group,
// or the bits of the source's group stand for an ACL, its members get what others have.
static mode_t no_more_open(const struct stat *source, int has_acl, gid_t group) {
    mode_t mode = source->st_mode & 0777;
    if (has_acl || source->st_gid != group) mode &= ~(mode_t)070 | (mode & 07) << 3;
    return mode;
}

#define ACL "system.posix_acl_access"

mode_t orr_sealed_mode(int source, const struct stat *st, int output) {
    struct stat made;
    gid_t group = fstat(output, &made) == 0 ? made.st_gid : getegid();
    mode_t mode = no_more_open(st, fgetxattr(source, ACL, NULL, 0) > 0, group);
    return (mode | 0600) & orr_default_mode(); // its owner may rewrap it
}

mode_t orr_directory_mode(const char *path, const struct stat *source) {
    return no_more_open(source, getxattr(path, ACL, NULL, 0) > 0, getegid()) | 0700;
}

orr_status orr_job_make_place(const orr_job *job, const char *source, const char *target,
                              orr_error *error) {
    const orr_job_options *o = job->options;
    const char *slash = strrchr(source, '/'), *name;
    struct stat st;
    int directory;
    // encrypt has made those that it walked through; what decrypt restores has no such source.
    int walked =
        o->verb == ORR_VERB_DECRYPT || (o->verb == ORR_VERB_ENCRYPT && !o->inputs.listed_count);
    if (walked || !strchr(target, '/')) return ORR_OK;
    char *above =
        !slash ? strdup(".") : strndup(source, slash == source ? 1 : (size_t)(slash - source));
    if (!above) return orr_fail(error, ORR_INTERNAL, "%s: out of memory", source);
    mode_t mode = stat(above, &st) == 0 ? orr_directory_mode(above, &st) : 0700;
    orr_status status = orr_output_directory(&job->root, target, mode, &directory, &name, error);
    if (status == ORR_OK) close(directory);
    free(above);
    return status;
}
