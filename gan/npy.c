#include "gan/npy.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_HEADER = 4096, MAX_RANK = 4 };

// What the header says.
typedef struct array {
    size_t element; // 4 or 8 bytes
    uint32_t rank;
    uint64_t shape[MAX_RANK];
} array;

static orr_status refuse(const char *path, const char *what, orr_error *error) {
    return orr_fail(
        error, ORR_UNSUPPORTED,
        "%s: %s; expected a .npy file of latent vectors in little-endian float32 or float64", path,
        what);
}

// ---- the header: a Python dictionary of three keys, as NumPy writes it

static void skip_spaces(const char **at) {
    while (**at == ' ') (*at)++;
}

static int take(const char **at, const char *text) {
    size_t length = strlen(text);
    skip_spaces(at);
    if (strncmp(*at, text, length) != 0) return 0;
    *at += length;
    return 1;
}

static int take_shape(const char **at, array *a) {
    if (!take(at, "(")) return 0;
    while (!take(at, ")")) {
        uint64_t length = 0;
        skip_spaces(at);
        if (a->rank == MAX_RANK || **at < '0' || **at > '9') return 0;
        for (; **at >= '0' && **at <= '9'; (*at)++) {
            length = length * 10 + (uint64_t)(**at - '0');
            if (length > UINT32_MAX) return 0;
        }
        a->shape[a->rank++] = length;
        if (!take(at, ",")) return take(at, ")") && a->rank > 1; // (5) is no tuple
    }
    return 1;
}

// NULL, or what is wrong.
static const char *parse_header(const char *text, array *a) {
    static const char broken[] = "its header is damaged";
    int seen[3] = {0};
    if (!take(&text, "{")) return broken;
    while (!take(&text, "}")) {
        if (take(&text, "'descr'") && take(&text, ":")) {
            if (seen[0]++) return broken;
            if (take(&text, "'<f4'")) {
                a->element = 4;
            } else if (take(&text, "'<f8'")) {
                a->element = 8;
            } else {
                return "its numbers are of another type (in NumPy: astype('<f4'))";
            }
        } else if (take(&text, "'fortran_order'") && take(&text, ":")) {
            if (!seen[1]++ && take(&text, "True"))
                return "it is in Fortran's order (in NumPy: ascontiguousarray())";
            if (seen[1] > 1 || !take(&text, "False")) return broken;
        } else if (take(&text, "'shape'") && take(&text, ":")) {
            if (seen[2]++ || !take_shape(&text, a)) return "its shape cannot be used";
        } else {
            return broken;
        }
        if (!take(&text, ",")) {
            if (!take(&text, "}")) return broken;
            break;
        }
    }
    skip_spaces(&text);
    return seen[0] && seen[1] && seen[2] && (strcmp(text, "\n") == 0 || *text == 0) ? NULL : broken;
}

// Opens the file behind its header.
static orr_status open_array(const char *path, FILE **in, array *a, orr_error *error) {
    uint8_t prefix[12] = {0};
    char header[MAX_HEADER + 1];
    size_t length, first;
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    *in = fd >= 0 ? fdopen(fd, "rb") : NULL;
    if (!*in || fstat(fd, &info) != 0) {
        if (fd >= 0 && !*in) close(fd);
        return orr_fail(error, ORR_IO, "%s: %s", path, strerror(errno));
    }
    if (!S_ISREG(info.st_mode)) return refuse(path, "not a regular file", error);
    if (fread(prefix, 1, 10, *in) != 10 || memcmp(prefix, "\x93NUMPY", 6) != 0 || prefix[6] < 1 ||
        prefix[6] > 3) {
        return refuse(path, "not a NumPy file", error);
    }
    length = prefix[8] | (size_t)prefix[9] << 8;
    first = 10;
    if (prefix[6] > 1) { // a length of four bytes
        if (fread(prefix + 10, 1, 2, *in) != 2) return refuse(path, "truncated", error);
        length |= (size_t)prefix[10] << 16 | (size_t)prefix[11] << 24;
        first = 12;
    }
    if (length > MAX_HEADER) return refuse(path, "its header is too long", error);
    if (fread(header, 1, length, *in) != length) return refuse(path, "truncated", error);
    header[length] = 0;
    const char *wrong =
        strlen(header) != length ? "its header is damaged" : parse_header(header, a);
    if (wrong) return refuse(path, wrong, error);
    uint64_t bytes = a->element; // no overflow: checked below before it counts
    for (uint32_t i = 0; i < a->rank; i++) {
        if (__builtin_mul_overflow(bytes, a->shape[i], &bytes))
            return refuse(path, "its shape is too large", error);
    }
    if (bytes != (uint64_t)info.st_size - first - length)
        return refuse(path, "its length does not match its shape", error);
    return ORR_OK;
}

static orr_status read_values(const char *path, FILE *in, const array *a, size_t values, float *out,
                              orr_error *error) {
    for (size_t i = 0; i < values; i++) {
        double wide;
        if (fread(a->element == 4 ? (void *)&out[i] : (void *)&wide, a->element, 1, in) != 1) {
            return orr_fail(error, ORR_IO, "%s: became shorter while it was read", path);
        }
        if (a->element == 8) out[i] = (float)wide;
        if (!isfinite(out[i])) return refuse(path, "it holds numbers that are not finite", error);
    }
    return ORR_OK;
}

orr_status orr_npy_latents(const char *path, uint32_t latent, uint32_t *count, float **latents,
                           orr_error *error) {
    array a = {0};
    FILE *in = NULL;
    float *values = NULL;
    orr_status status = open_array(path, &in, &a, error);
    if (status != ORR_OK) goto end;
    if (!(a.rank == 2 || (a.rank == 4 && a.shape[2] == 1 && a.shape[3] == 1)) ||
        a.shape[1] != latent) {
        status =
            orr_fail(error, ORR_UNSUPPORTED,
                     "%s: the generator takes vectors of %u numbers: the array's shape must be "
                     "(count, %u)",
                     path, latent, latent);
        goto end;
    }
    if (a.shape[0] < 1 || a.shape[0] > ORR_NPY_MAX_LATENTS) {
        status = orr_fail(error, ORR_UNSUPPORTED, "%s: %llu latent vectors; 1 to %d can be used",
                          path, (unsigned long long)a.shape[0], ORR_NPY_MAX_LATENTS);
        goto end;
    }
    values = malloc(a.shape[0] * latent * sizeof *values);
    if (!values) {
        status = orr_fail(error, ORR_INTERNAL, "out of memory for %s", path);
        goto end;
    }
    status = read_values(path, in, &a, a.shape[0] * latent, values, error);
    if (status != ORR_OK) goto end;
    *count = (uint32_t)a.shape[0];
    *latents = values;
    values = NULL;
end:
    free(values);
    if (in) fclose(in);
    return status;
}
