// The bits of a file, a pipe, or memory for the battery: bytes, or the digits 0 and 1 as text.
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "bench/evidence/sp800_22/nist_internal.h"

#define BLOCK 4096 // bytes that tell what a file holds; also what is read at a time

typedef struct file_source {
    int descriptor;
    const char *path;
    orr_nist_format format;
    // What was read and not given on: block[used .. held), which began at `behind` in the file.
    uint8_t block[BLOCK];
    size_t used, held;
    uint64_t behind;
    unsigned padding; // orr_nist_source
} file_source;

// Up to `count` bytes as they are in the file; *got 0 only at its end.
static orr_status read_some(file_source *file, uint8_t *bytes, size_t count, size_t *got,
                            orr_error *error) {
    *got = orr_read_in_full(file->descriptor, bytes, count);
    if (*got < count && errno)
        return orr_fail(error, ORR_IO, "%s: %s", file->path, strerror(errno));
    return ORR_OK;
}

static int is_space(uint8_t byte) {
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

// What may be in a file of digits.
static int is_digit(uint8_t byte) {
    return byte == '0' || byte == '1';
}

static int separates(uint8_t byte) {
    return is_space(byte) || byte == ',';
}

// The digits as text of two bytes each, the zero one first (0) or last (1)?
static int is_utf16(const uint8_t *bytes, size_t count, int last) {
    size_t digits = 0, from = 0;
    if (count >= 2 && bytes[last] == 0xfe && bytes[!last] == 0xff) from = 2;
    for (size_t i = from; i + 1 < count; i += 2) {
        uint8_t byte = bytes[i + !last];
        if (bytes[i + last] || (!is_digit(byte) && !separates(byte))) return 0;
        digits += is_digit(byte);
    }
    return digits > 0;
}

// Fills the first block and sees what it holds.
static orr_status look(file_source *file, orr_error *error) {
    static const uint8_t mark[] = {0xef, 0xbb, 0xbf}; // of UTF-8
    size_t digits = 0, between = 0, space = 0, other = 0, got = 1;
    while (file->held < BLOCK && got) {
        orr_status status =
            read_some(file, file->block + file->held, BLOCK - file->held, &got, error);
        if (status != ORR_OK) return status;
        file->held += got;
    }
    if (is_utf16(file->block, file->held, 0) || is_utf16(file->block, file->held, 1))
        return orr_fail(error, ORR_UNSUPPORTED,
                        "holds digits as text in UTF-16: convert it to ASCII (iconv -f UTF-16 -t "
                        "ASCII), or give the bits as bytes");
    size_t first = file->held > 3 && !memcmp(file->block, mark, 3) ? 3 : 0;
    for (size_t i = 0; i < file->held; i++) {
        uint8_t byte = file->block[i];
        digits += is_digit(byte);
        between += separates(byte);
        space += is_space(byte);
        other += isprint(byte) != 0;
    }
    if (digits && first + digits + between == file->held) {
        file->format = ORR_NIST_DIGITS;
        file->used = first;
    } else if (other && other + space >= file->held)
        file->format = ORR_NIST_TEXT;
    return ORR_OK;
}

static orr_status read_bytes(void *context, uint8_t *bytes, size_t count, size_t *got,
                             orr_error *error) {
    file_source *file = context;
    size_t left = file->held - file->used;
    if (left == 0) return read_some(file, bytes, count, got, error);
    *got = left < count ? left : count;
    memcpy(bytes, file->block + file->used, *got);
    file->used += *got;
    return ORR_OK;
}

// The next digit, or -1 at the end of the file, or -2 with the status of what failed.
static int next_digit(file_source *file, orr_status *status, orr_error *error) {
    for (;;) {
        if (file->used == file->held) {
            file->behind += file->held;
            file->used = file->held = 0;
            *status = read_some(file, file->block, BLOCK, &file->held, error);
            if (*status != ORR_OK) return -2;
            if (file->held == 0) return -1;
        }
        uint8_t byte = file->block[file->used++];
        if (is_digit(byte)) return byte - '0';
        if (separates(byte)) continue;
        *status = orr_fail(
            error, ORR_UNSUPPORTED,
            "begins with the digits 0 and 1 as text, a bit in each, but byte %llu "
            "is neither of them nor white space or a comma (0x%02x): take it out, or give the "
            "bits as bytes",
            (unsigned long long)(file->behind + file->used - 1), byte);
        return -2;
    }
}

// Eight digits to a byte, the first on top; the last byte may have fewer.
static orr_status read_digits(void *context, uint8_t *bytes, size_t count, size_t *got,
                              orr_error *error) {
    file_source *file = context;
    orr_status status = ORR_OK;
    for (*got = 0; *got < count && file->padding == 0; ++*got) {
        unsigned value = 0, digits = 0;
        for (int digit; digits < 8; digits++) {
            digit = next_digit(file, &status, error);
            if (digit == -2) return status;
            if (digit == -1) break;
            value |= (unsigned)digit << (7 - digits);
        }
        if (digits == 0) break;
        bytes[*got] = (uint8_t)value;
        file->padding = 8 - digits;
    }
    return ORR_OK;
}

static orr_status run_file(file_source *file, const orr_nist_options *options,
                           orr_nist_result *result, orr_error *error) {
    struct stat about;
    orr_nist_source source = {read_bytes, file, 0, NULL};
    int regular = 0;
    if (fstat(file->descriptor, &about) == 0) {
        if (S_ISDIR(about.st_mode))
            return orr_fail(error, ORR_UNSUPPORTED, "is a directory; give one file of bits");
        regular = S_ISREG(about.st_mode);
    }
    orr_status status = look(file, error);
    if (status != ORR_OK) return status;
    if (file->format == ORR_NIST_DIGITS) {
        source.read = read_digits;
        source.padding = &file->padding;
    }
    if (regular) source.bytes = (uint64_t)about.st_size / (source.padding ? 8 : 1);
    status = orr_nist_run(&source, options, result, error);
    result->format = file->format;
    return status;
}

orr_status orr_nist_file(const char *path, const orr_nist_options *options, orr_nist_result *result,
                         orr_error *error) {
    memset(result, 0, sizeof *result);
    int standard_input = strcmp(path, "-") == 0;
    file_source file = {.descriptor =
                            standard_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC),
                        .path = standard_input ? "standard input" : path};
    if (file.descriptor < 0) return orr_fail(error, ORR_IO, "%s: %s", path, strerror(errno));
    orr_error inner = {0};
    orr_status status = run_file(&file, options, result, &inner);
    if (!standard_input) close(file.descriptor);
    if (status == ORR_UNSUPPORTED) return orr_fail(error, status, "%s: %s", file.path, inner.text);
    return status == ORR_OK ? ORR_OK : orr_fail(error, status, "%s", inner.text);
}

typedef struct memory_source {
    const uint8_t *bytes;
    size_t left;
} memory_source;

static orr_status read_memory(void *context, uint8_t *bytes, size_t count, size_t *got,
                              orr_error *error) {
    (void)error; // memory cannot fail
    memory_source *memory = context;
    *got = count < memory->left ? count : memory->left;
    memcpy(bytes, memory->bytes, *got);
    memory->bytes += *got;
    memory->left -= *got;
    return ORR_OK;
}

orr_status orr_nist_bytes(const uint8_t *bytes, size_t count, const orr_nist_options *options,
                          orr_nist_result *result, orr_error *error) {
    memory_source memory = {bytes, count};
    orr_nist_source source = {read_memory, &memory, count, NULL};
    return orr_nist_run(&source, options, result, error);
}
