#include "bench/bench_machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/vfs.h>

void orr_machine_processor(char name[96]) {
    FILE *file = fopen("/proc/cpuinfo", "re");
    char line[256];
    snprintf(name, 96, "unknown");
    while (file && fgets(line, sizeof line, file)) {
        char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || !colon) continue;
        snprintf(name, 96, "%.95s", colon + 2);
        name[strcspn(name, "\"\\\n")] = 0;
        break;
    }
    if (file) fclose(file);
}

void orr_machine_load(char text[32]) {
    double load[1];
    if (getloadavg(load, 1) == 1)
        snprintf(text, 32, "%.1f", load[0]);
    else
        snprintf(text, 32, "unknown");
}

void orr_machine_memory(char text[24]) {
    struct sysinfo info;
    snprintf(text, 24, "unknown");
    if (sysinfo(&info) == 0)
        snprintf(text, 24, "%.1f GiB", (double)info.totalram * info.mem_unit / (1 << 30));
}

void orr_machine_kernel(char text[72]) {
    struct utsname name;
    snprintf(text, 72, "unknown");
    if (uname(&name) == 0)
        snprintf(text, 72, "%.20s %.30s %.18s", name.sysname, name.release, name.machine);
}

void orr_machine_filesystem(const char *path, char text[24]) {
    static const struct {
        long type;
        const char *name;
    } known[] = {{0x01021994, "tmpfs"}, {0xEF53, "ext4"},     {0x58465342, "xfs"},
                 {0x9123683E, "btrfs"}, {0x6969, "nfs"},      {0x794c7630, "overlay"},
                 {0x2FC12FC1, "zfs"},   {0x858458f6, "ramfs"}};
    struct statfs st;
    snprintf(text, 24, "unknown");
    if (statfs(path, &st) != 0) return;
    snprintf(text, 24, "type 0x%lx", (unsigned long)st.f_type);
    for (size_t n = 0; n < sizeof known / sizeof known[0]; n++)
        if ((long)st.f_type == known[n].type) snprintf(text, 24, "%s", known[n].name);
}
