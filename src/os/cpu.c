// SPDX-License-Identifier: MIT
//
// How many processors this process may keep busy: those of its affinity mask, and no more than the
// quota of its control groups, on every level of the tree, allows (cgroups(7); v2: cpu.max, v1:
// cpu.cfs_quota_us). A worker beyond that would only be throttled.
#include "os/os.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

// A line that is too long names a group that is not there: those above it still count.
enum { LINE_SIZE = 1024, PATH_SIZE = LINE_SIZE + 256, QUOTA_SIZE = 64 };

// The processors that this thread may run on, which is what a container or taskset(1) leaves.
static uint32_t affinity(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return (uint32_t)CPU_COUNT(&set);
    long online = sysconf(_SC_NPROCESSORS_ONLN); // more processors than a cpu_set_t has bits
    return online > 0 ? (uint32_t)online : 1;
}

// Reads the first line of a file of a group. False: there is none.
static bool read_line(const char *folder, const char *name, char *line, size_t size) {
    char path[PATH_SIZE + QUOTA_SIZE];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    bool is_read = fgets(line, (int)size, file) != NULL;
    fclose(file);
    return is_read;
}

// Of one group: its quota in processors, rounded up; 0: none.
static uint32_t quota_of(const char *folder, bool is_v2) {
    char line[QUOTA_SIZE];
    long long quota = -1, period = 0;
    if (is_v2) {
        if (!read_line(folder, "cpu.max", line, sizeof line) ||
            sscanf(line, "%lld %lld", &quota, &period) != 2) // "max 100000" has no number
            return 0;
    } else if (!read_line(folder, "cpu.cfs_quota_us", line, sizeof line) ||
               sscanf(line, "%lld", &quota) != 1 ||
               !read_line(folder, "cpu.cfs_period_us", line, sizeof line) ||
               sscanf(line, "%lld", &period) != 1) {
        return 0;
    }
    if (quota <= 0 || period <= 0)
        return 0;
    long long count = (quota - 1) / period + 1;
    return count < INT32_MAX ? (uint32_t)count : 0;
}

// The least of a group and all above it. A container sees its own group as the root, so a path that
// is not there is looked for nearer to the root.
static uint32_t least_quota(const char *root, const char *group, bool is_v2) {
    char folder[PATH_SIZE];
    uint32_t least = 0;
    int length = snprintf(folder, sizeof folder, "%s%s", root, group);
    if (length < 0 || (size_t)length >= sizeof folder)
        return 0;
    for (;;) {
        uint32_t quota = quota_of(folder, is_v2);
        if (quota > 0 && (least == 0 || quota < least))
            least = quota;
        char *end = strrchr(folder, '/');
        if (strlen(folder) <= strlen(root) || !end)
            return least;
        *end = '\0';
    }
}

// A line of /proc/self/cgroup is ID:CONTROLLERS:GROUP; v2 has "0::GROUP".
static uint32_t quota_of_line(char *line, const char *fs) {
    char root[PATH_SIZE];
    char *controllers = strchr(line, ':');
    char *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group)
        return 0;
    *group++ = '\0';
    controllers++;
    group[strcspn(group, "\n")] = '\0';
    if (*controllers == '\0')
        return least_quota(fs, group, true);
    for (char *rest = controllers, *name; (name = strtok_r(rest, ",", &rest));) {
        if (strcmp(name, "cpu") == 0) {
            (void)snprintf(root, sizeof root, "%s/cpu", fs);
            return least_quota(root, group, false);
        }
    }
    return 0;
}

uint32_t weft__os_cpu_quota(const char *groups, const char *fs) {
    char line[LINE_SIZE];
    uint32_t least = 0;
    FILE *file = fopen(groups, "re");
    if (!file)
        return 0;
    while (fgets(line, sizeof line, file)) {
        uint32_t quota = quota_of_line(line, fs);
        if (quota > 0 && (least == 0 || quota < least))
            least = quota;
    }
    fclose(file);
    return least;
}

uint32_t weft__os_cpu_count(void) {
    uint32_t count = affinity();
    uint32_t quota = weft__os_cpu_quota("/proc/self/cgroup", "/sys/fs/cgroup");
    return quota > 0 && quota < count ? quota : count;
}
