// What a record says of the machine it was made on.
#ifndef ORRERY_BENCH_MACHINE_H
#define ORRERY_BENCH_MACHINE_H

#ifdef __cplusplus
extern "C" {
#endif

// The processor's name, without characters that would need escapes in JSON.
void orr_machine_processor(char name[96]);
// One-minute load average, memory ("15.6 GiB"), kernel ("Linux 6.1.0 x86_64").
void orr_machine_load(char text[32]);
void orr_machine_memory(char text[24]);
void orr_machine_kernel(char text[72]);
// Type of the file system that holds a path ("tmpfs", "ext4", a number for others).
void orr_machine_filesystem(const char *path, char text[24]);

#ifdef __cplusplus
}
#endif

#endif
