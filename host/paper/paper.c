// The paper profile on files: decoded pages are enciphered, tags and digest are sealed, pixels are
// not.

#include "host/paper/paper.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "host/container/content_digest.h"
#include "host/container/heal.h"
#include "host/container/parity.h"
#include "host/keys/secret.h"
#include "host/paper/image.h"
#include "host/paper/paper_layout.h"
#include "host/paper/paper_pages.h"

// Page 0 takes the file's planet secret itself as the published SHA-512 value; page p >= 1 takes
// SHA-512(planet_secret || be64(p)).
static orr_status page_key(const orr_file_secret *secret, uint32_t page, orr_volume_key *key,
                           const char *name, orr_error *error) {
    uint8_t hash[64], number[8];
    memcpy(hash, secret->planet_secret, sizeof hash);
    orr_status status = ORR_OK;
    if (page > 0) {
        orr_store_be64(number, page);
        status = orr_sha512(secret->planet_secret, 64, number, sizeof number, hash);
    }
    if (status == ORR_OK) orr_volume_key_from_hash(key, hash);
    orr_wipe(hash, sizeof hash);
    return status != ORR_OK ? orr_fail(error, ORR_INTERNAL, "%s: SHA-512 failed", name) : ORR_OK;
}

// ---- pixels of the cipher image, strip by strip

typedef struct strip_io {
    int fd;
    const char *name;
    orr_error *error;
    orr_stop_flag *stop;
    const orr_paper_means *means; // reading
} strip_io;

static orr_status read_cipher(const strip_io *io, void *out, size_t bytes, uint64_t offset) {
    const orr_paper_means *means = io->means;
    if (means->read) return means->read(means->context, out, bytes, offset, io->error);
    return means->healer ? orr_healer_read_bytes(means->healer, offset, bytes, out, io->error)
                         : orr_pread_all(io->fd, out, bytes, offset, io->name, io->error);
}

static orr_status move_page(const strip_io *io, const orr_image_page *page, uint64_t offset,
                            uint8_t *volume, int write) {
    size_t stride = (size_t)page->width * page->samples * (page->bits / 8u);
    uint32_t high = orr_paper_strip_rows(page);
    uint8_t *pixels = malloc(stride * high);
    if (!pixels) return orr_fail(io->error, ORR_INTERNAL, "%s: out of memory", io->name);
    orr_status status = ORR_OK;
    for (uint64_t row = 0; status == ORR_OK && row < page->height && !orr_stopped(io->stop);
         row += high) {
        uint32_t rows = page->height - row < high ? (uint32_t)(page->height - row) : high;
        orr_rectangle part = {(uint32_t)row, rows, 0, page->width, 0, page->samples, stride};
        if (write) {
            orr_pixels_from_volume(page, part, volume, pixels);
            status = orr_pwrite_all(io->fd, pixels, stride * rows, offset, io->name, io->error);
        } else {
            status = read_cipher(io, pixels, stride * rows, offset);
            if (status == ORR_OK) orr_pixels_to_volume(page, part, pixels, volume);
        }
        offset += stride * rows;
    }
    orr_wipe(pixels, stride * high);
    free(pixels);
    if (status == ORR_OK && orr_stopped(io->stop))
        return orr_fail(io->error, ORR_STOPPED, "%s: stopped inside a page", io->name);
    return status;
}

// libtiff holds the tags of one page, and the one that it reads twice.
static uint64_t tags_in_libtiff(const orr_image *image) {
    uint64_t most = 0;
    for (uint32_t n = 0; n < image->page_count; n++)
        if (image->pages[n].tag_bytes > most) most = image->pages[n].tag_bytes;
    return 2 * most;
}

// `held`: what the file needs beside its pages in work. `most`: what it needs beside that when they
// are through. *means: what is left for pages. NULL means and 0 bytes are no limit.
static orr_status divide_memory(const orr_image *image, uint64_t held, uint64_t most,
                                orr_paper_means *means, const char *name, orr_error *error) {
    uint64_t memory = means->memory;
    for (uint32_t n = 0; n < image->page_count; n++) {
        uint64_t need = orr_page_memory(&image->pages[n]);
        if (need > most) most = need;
    }
    if (memory == 0) return ORR_OK;
    if (held > memory || most > memory - held)
        return orr_fail(
            error, ORR_UNSUPPORTED,
            "%s: its tags and tables need %llu MiB of memory and its largest page %llu "
            "MiB beside them; --mem divided by -j gives %llu MiB: raise --mem, or lower "
            "-j",
            name, (unsigned long long)((held >> 20) + 1), (unsigned long long)((most >> 20) + 1),
            (unsigned long long)(memory >> 20));
    means->memory = memory - held;
    return ORR_OK;
}

// ---- encrypt

typedef struct encrypt_job {
    const orr_paper_request *request;
    orr_paper_means means;
    orr_image_source *source;
    const orr_paper_layout *layout;
    int fd;
    orr_content_digest digest; // of all volumes
} encrypt_job;

static orr_status encrypt_key(void *context, uint32_t page, orr_volume_key *key, orr_error *error) {
    const encrypt_job *job = context;
    return page_key(job->request->secret, page, key, job->request->name, error);
}

static orr_status encrypt_load(void *context, uint32_t page, uint8_t *volume, orr_error *error) {
    encrypt_job *job = context;
    orr_status status = orr_image_read_page(job->source, page, volume, error);
    if (status == ORR_OK)
        orr_content_digest_add(&job->digest, volume,
                               orr_page_bytes(&orr_image_of(job->source)->pages[page]));
    return status;
}

static orr_status encrypt_store(void *context, uint32_t page, uint8_t *volume, orr_error *error) {
    const encrypt_job *job = context;
    const strip_io io = {job->fd, job->request->name, error, job->request->means.stop, NULL};
    return move_page(&io, &orr_image_of(job->source)->pages[page], job->layout->page_offset[page],
                     volume, 1);
}

static orr_status encrypt_pages(const orr_paper_request *request, const orr_paper_means *means,
                                orr_image_source *source, const orr_paper_layout *layout,
                                int target_fd, orr_error *error) {
    encrypt_job job = {request, *means, source, layout, target_fd, {0}};
    orr_cipher cipher;
    const orr_paper_pages pages = {.op = ORR_VOLUME_ENCRYPT,
                                   .image = orr_image_of(source),
                                   .cipher = &cipher,
                                   .means = &job.means,
                                   .name = request->name,
                                   .context = &job,
                                   .key = encrypt_key,
                                   .load = encrypt_load,
                                   .store = encrypt_store};
    orr_status status = orr_cipher_init(&cipher, request->rule, request->k2, error);
    if (!orr_content_digest_begin(&job.digest))
        status = orr_fail(error, ORR_INTERNAL, "%s: out of memory", request->name);
    if (status == ORR_OK) status = orr_paper_pages_run(&pages, error);
    if (status == ORR_OK) orr_content_digest_segment(&job.digest, request->metadata->digest);
    orr_content_digest_free(&job.digest);
    return status;
}

// Everything around the pixels.
static orr_status write_head(const orr_paper_request *request, const orr_header *header,
                             const orr_paper_layout *layout, int fd, orr_error *error) {
    static const uint8_t zero[ORR_PAGE];
    uint8_t encoded[ORR_HEADER_BYTES];
    const char *name = request->name;
    orr_file_keys keys;
    orr_wraps wraps = {0};
    orr_header_encode(header, encoded);
    orr_status status = orr_file_keys_derive(&keys, request->secret, encoded, error);
    if (status == ORR_OK)
        status = orr_wraps_draw(&wraps, request->readers, request->reader_count, request->secret,
                                encoded, error);
    if (status == ORR_OK)
        status = orr_pwrite_all(fd, zero, (size_t)(layout->data_end - layout->pixels_end),
                                layout->pixels_end, name, error);
    if (status == ORR_OK)
        status = orr_pwrite_all(fd, layout->directories,
                                (size_t)(layout->data_offset - layout->ifd_offset),
                                layout->ifd_offset, name, error);
    if (status == ORR_OK)
        status = orr_metadata_write(header, &keys, request->metadata, request->metadata_salt, fd,
                                    name, error);
    if (status == ORR_OK && header->groups)
        status = request->write_repair(request->context, header, layout->data_end, fd, error);
    if (status == ORR_OK)
        status = orr_head_write(header, &keys, &wraps, layout->big, fd, name, error);
    orr_wraps_free(&wraps);
    orr_wipe(&keys, sizeof keys);
    return status;
}

orr_status orr_paper_encrypt(const orr_paper_request *request, int source_fd, int target_fd,
                             orr_error *error) {
    orr_metadata *metadata = request->metadata;
    orr_image_source *source = NULL;
    orr_paper_layout layout = {0};
    orr_paper_means means = request->means;
    orr_status status =
        orr_image_open(&source, source_fd, request->name, request->means.memory, error);
    if (status != ORR_OK) return status;
    const orr_image *image = orr_image_of(source);
    orr_image_source_stop(source, request->means.stop);
    status = orr_image_record_encode(image, request->name, &metadata->paper,
                                     &metadata->paper_length, error);
    orr_header header = {.version = ORR_FORMAT_VERSION,
                         .suite = ORR_FORMAT_SUITE,
                         .profile = ORR_PROFILE_PAPER,
                         .rule = request->rule,
                         .k2 = request->k2,
                         .slot_pages = request->slot_pages,
                         .pages = image->page_count};
    memcpy(header.file_id, request->file_id, sizeof header.file_id);
    if (status == ORR_OK)
        header.metadata_length = orr_metadata_sealed_length(metadata, header.profile);
    if (status ==
        ORR_OK) // first the tags are there beside the record, at last it is once more, sealed
        status = divide_memory(image,
                               orr_image_memory(image) + 2 * metadata->paper_length +
                                   tags_in_libtiff(image) + orr_paper_layout_memory(image),
                               0, &means, request->name, error);
    if (status == ORR_OK)
        status = orr_paper_layout_init(&layout, image, &header, request->name, error);
    orr_image_source_forget_tags(source);
    if (status == ORR_OK)
        status = encrypt_pages(request, &means, source, &layout, target_fd, error);
    if (status == ORR_OK) {
        header.length = layout.length;
        status = orr_repair_plan(&header, layout.data_end, request->parity, error);
    }
    if (status == ORR_OK) {
        status = write_head(request, &header, &layout, target_fd, error);
    }
    orr_paper_layout_free(&layout);
    orr_image_close(source);
    return status;
}

// ---- decrypt

static orr_status altered(const char *name, orr_error *error, const char *what) {
    return orr_fail(error, ORR_AUTH, "%s: %s was altered or damaged", name, what);
}

// The page table must give the header's pages and length. Asked before anything of its size is
// allocated: the header's length was compared with the file's, the page table's not.
static orr_status check_sizes(const orr_header *header, const orr_image *image, const char *name,
                              orr_error *error) {
    uint64_t left = header->length;
    int fits = header->pages == image->page_count;
    for (uint32_t n = 0; fits && n < image->page_count; n++) {
        uint64_t bytes = orr_page_bytes(&image->pages[n]);
        fits = bytes <= left;
        left -= fits ? bytes : 0;
    }
    if (fits && left == 0) return ORR_OK;
    return altered(name, error, "the page table does not fit the header: the file");
}

// Directories and the gaps between pages must be, byte for byte, what the page table gives.
static orr_status check_layout(const orr_paper_layout *layout, const orr_image *image,
                               const strip_io *io) {
    const char *name = io->name;
    orr_error *error = io->error;
    size_t bytes = (size_t)(layout->data_offset - layout->ifd_offset);
    uint8_t there[ORR_PAGE];
    orr_status status = ORR_OK;
    for (size_t at = 0; status == ORR_OK && at < bytes; at += sizeof there) {
        size_t part = bytes - at < sizeof there ? bytes - at : sizeof there;
        status = read_cipher(io, there, part, layout->ifd_offset + at);
        if (status == ORR_OK && memcmp(there, layout->directories + at, part) != 0)
            status = altered(name, error, "the TIFF directory");
    }
    for (uint32_t n = 0; status == ORR_OK && n < image->page_count; n++) {
        uint64_t end = layout->page_offset[n] + orr_page_bytes(&image->pages[n]);
        size_t gap = (size_t)(-end % ORR_PAGE);
        status = read_cipher(io, there, gap, end);
        if (status == ORR_OK && !orr_all_zero(there, gap))
            status = altered(name, error, "a gap between pages");
    }
    return status;
}

typedef struct decrypt_job {
    const orr_container *container;
    const orr_file_secret *secret;
    const orr_image *image;
    const orr_paper_layout *layout;
    orr_paper_means means;
    orr_image_writer *writer;  // NULL: verify only
    orr_content_digest digest; // of all volumes
    int fd;
    const char *name;
} decrypt_job;

static orr_status decrypt_key(void *context, uint32_t page, orr_volume_key *key, orr_error *error) {
    const decrypt_job *job = context;
    return page_key(job->secret, page, key, job->name, error);
}

static orr_status decrypt_load(void *context, uint32_t page, uint8_t *volume, orr_error *error) {
    const decrypt_job *job = context;
    const strip_io io = {job->fd, job->name, error, job->means.stop, &job->means};
    return move_page(&io, &job->image->pages[page], job->layout->page_offset[page], volume, 0);
}

static orr_status decrypt_store(void *context, uint32_t page, uint8_t *volume, orr_error *error) {
    decrypt_job *job = context;
    orr_content_digest_add(&job->digest, volume, orr_page_bytes(&job->image->pages[page]));
    return job->writer ? orr_image_write_page(job->writer, page, volume, error) : ORR_OK;
}

static orr_status decrypt_pages(decrypt_job *job, const uint8_t expected[ORR_DIGEST_BYTES],
                                orr_error *error) {
    uint8_t digest[ORR_DIGEST_BYTES];
    const orr_header *header = &job->container->header;
    orr_cipher cipher;
    const orr_paper_pages pages = {.op = ORR_VOLUME_DECRYPT,
                                   .image = job->image,
                                   .cipher = &cipher,
                                   .means = &job->means,
                                   .name = job->name,
                                   .context = job,
                                   .key = decrypt_key,
                                   .load = decrypt_load,
                                   .store = decrypt_store};
    orr_status status = orr_cipher_init(&cipher, header->rule, header->k2, error);
    if (status != ORR_OK) return status;
    status = orr_content_digest_begin(&job->digest)
                 ? orr_paper_pages_run(&pages, error)
                 : orr_fail(error, ORR_INTERNAL, "%s: out of memory", job->name);
    if (status == ORR_OK) orr_content_digest_segment(&job->digest, digest);
    orr_content_digest_free(&job->digest);
    if (status != ORR_OK) return status;
    int same = memcmp(digest, expected, sizeof digest) == 0;
    if (job->writer && (same || job->means.altered))
        status = orr_image_writer_finish(job->writer, error);
    if (status != ORR_OK || same) return status;
    if (job->means.altered) *job->means.altered = 1;
    return altered(job->name, error, "the pixels do not have the sealed digest: the image");
}

orr_status orr_paper_decrypt(const orr_container *container, const orr_file_secret *secret,
                             const orr_metadata *metadata, const orr_paper_means *means,
                             int source_fd, int target_fd, const char *name, orr_error *error) {
    orr_image image = {0};
    orr_paper_layout layout = {0};
    orr_error around = {.status = ORR_OK}; // what is wrong around the pixels
    decrypt_job job = {.container = container,
                       .secret = secret,
                       .image = &image,
                       .layout = &layout,
                       .means = means ? *means : (orr_paper_means){.memory = 0},
                       .fd = source_fd,
                       .name = name};
    orr_status status =
        orr_image_record_decode(&image, metadata->paper, metadata->paper_length, name, error);
    if (status == ORR_OK) status = check_sizes(&container->header, &image, name, error);
    if (status == ORR_OK)
        status = divide_memory(
            &image,
            metadata->paper_length + orr_image_memory(&image) + orr_paper_layout_memory(&image),
            // what was written is read again: its directories
            target_fd >= 0 ? tags_in_libtiff(&image) : 0, &job.means, name, error);
    if (status == ORR_OK)
        status = orr_paper_layout_init(&layout, &image, &container->header, name, error);
    int big = orr_load_le16(container->page0 + 2) == 43;
    if (status == ORR_OK && (container->header.file_length != layout.file_length ||
                             (big != layout.big && !job.means.healer)))
        status = altered(name, error, "the page table does not fit the header: the file");
    const strip_io io = {source_fd, name, &around, job.means.stop, &job.means};
    if (status == ORR_OK) status = check_layout(&layout, &image, &io);
    if (status == ORR_AUTH && around.status == ORR_AUTH && job.means.altered) status = ORR_OK;
    if (status != ORR_OK && around.status != ORR_OK && error) *error = around;
    if (status == ORR_OK && target_fd >= 0)
        status = orr_image_writer_open(&job.writer, target_fd, &image, name, error);
    if (status == ORR_OK && job.writer) orr_image_writer_stop(job.writer, job.means.stop);
    if (status == ORR_OK) status = decrypt_pages(&job, metadata->digest, error);
    if (status == ORR_OK && around.status != ORR_OK) {
        *job.means.altered = 1;
        status = around.status;
        if (error) *error = around;
    }
    orr_image_writer_free(job.writer);
    orr_paper_layout_free(&layout);
    orr_image_free(&image);
    return status;
}
