#include "host/job/job_limits.h"

#include <limits.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cores.h"
#include "host/job/job_ahead.h"

#define DEFAULT_MEMORY (256ull << 20)
#define OTHER_DESCRIPTORS 40 // streams, keyring, journal, devices, a few directories being walked
#define FIXED_MEMORY (48ull << 20) // program, libraries, heads being written, FIXED_WORKERS
#define FIXED_WORKERS 16
#define FINISHERS 16      // of each worker: so many flushes take a disk little longer than one
#define MOST_FINISHERS 64 // more gain nothing
#define LEAST_PARITY (2ull << 20)
#define MOST_PARITY (16ull << 20) // more is not quicker
#define LEAST_MEND (4ull << 20)   // of one worker
#define FIXED_PAPER (16ull << 20) // program, libraries, codecs
// Of each further one: scratch of a CPU thread (kernels/cpu/cpu.h), two stacks, allocator.
#define WORKER_MEMORY (288ull << 10)

static uint64_t chunk_memory(unsigned tiles, int separate_output) {
    return (orr_stream_chunk_bytes(tiles) + (uint64_t)tiles * sizeof(orr_tile_task)) *
           (separate_output ? 2 : 1);
}

static uint64_t descriptors(void) {
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? (uint64_t)limit.rlim_cur : 256;
}

unsigned orr_job_ahead(void) {
    uint64_t files = descriptors() / 16;
    return files < 1 ? 1 : files < ORR_AHEAD ? (unsigned)files : ORR_AHEAD;
}

// A file in flight may hold four descriptors: source, what is at its target, output, the output's
// directory.
static uint64_t files_at_once(void) {
    uint64_t others = OTHER_DESCRIPTORS + orr_job_ahead(), all = descriptors();
    return all > others ? (all - others) / 4 : 0;
}

unsigned orr_job_workers(uint64_t mem, unsigned jobs) {
    uint64_t need = FIXED_MEMORY + 2 * chunk_memory(ORR_SEGMENT_TILES, 0), most = FIXED_WORKERS;
    uint64_t memory = mem ? mem : DEFAULT_MEMORY;
    if (memory > need) most += (memory - need) / WORKER_MEMORY;
    unsigned wanted = jobs ? jobs : orr_cores();
    return wanted < most ? wanted : (unsigned)most;
}

void orr_job_stream_config(const orr_job_options *o, orr_stream_config *config) {
    orr_backend_properties properties;
    o->backend->api->properties(o->backend, &properties);
    config->backend = o->backend;
    config->stages = o->stages;
    config->workers = orr_job_workers(o->mem, o->jobs);
    config->chunk_tiles = o->chunk_tiles >= ORR_SEGMENT_TILES ? o->chunk_tiles : ORR_SEGMENT_TILES;
    uint64_t chunk = chunk_memory(config->chunk_tiles, properties.separate_output);
    uint64_t memory = o->mem ? o->mem : DEFAULT_MEMORY, fixed = FIXED_MEMORY;
    if (config->workers > FIXED_WORKERS) fixed += (config->workers - FIXED_WORKERS) * WORKER_MEMORY;
    if (o->parity) fixed += config->workers * orr_job_parity_memory(o, config->workers);
    uint64_t chunks = memory > fixed ? (memory - fixed) / chunk : 0;
    uint64_t useful =
        2ull * config->workers + 2 * properties.depth + 2; // more would only cost cache
    config->chunks = (unsigned)(chunks < 2 ? 2 : chunks > useful ? useful : chunks);
    unsigned threads, finishing;
    orr_job_finishing(config->workers, &threads, &finishing);
    uint64_t taken = finishing + threads / 2, room = files_at_once(); // two descriptors a thread
    room = room > taken ? room - taken : 0;
    if (config->chunks > room) config->chunks = room < 2 ? 2 : (unsigned)room;
    uint64_t files = room / config->chunks;
    config->pieces = (unsigned)(files < 1 ? 1 : files > UINT_MAX ? UINT_MAX : files);
}

void orr_job_finishing(unsigned workers, unsigned *threads, unsigned *files) {
    uint64_t most = (uint64_t)workers * FINISHERS, room = files_at_once() / 8;
    if (most > MOST_FINISHERS) most = MOST_FINISHERS;
    if (most > room) most = room;
    *threads = most < 1 ? 1 : (unsigned)most;
    *files = 2 * *threads; // so that each has one when it is through with another
}

uint64_t orr_job_paper_memory(const orr_job_options *o, unsigned workers) {
    uint64_t pages = (uint64_t)sysconf(_SC_PHYS_PAGES), page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t memory = o->mem ? o->mem : pages * page / 2;
    if (memory > 2 * FIXED_PAPER) memory -= FIXED_PAPER; // the command line takes no less
    return memory / workers;
}

uint64_t orr_job_parity_memory(const orr_job_options *o, unsigned workers) {
    uint64_t share = (o->mem ? o->mem : DEFAULT_MEMORY) / 4 / workers;
    return share < LEAST_PARITY ? LEAST_PARITY : share < MOST_PARITY ? share : MOST_PARITY;
}

uint64_t orr_job_mend_memory(const orr_job_options *o, unsigned workers) {
    uint64_t share = ((o->mem ? o->mem : DEFAULT_MEMORY) - FIXED_MEMORY) / workers;
    return share < LEAST_MEND ? LEAST_MEND : share;
}

void orr_job_raise_descriptors(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}
