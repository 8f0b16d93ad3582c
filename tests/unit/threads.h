// SPDX-License-Identifier: MIT
// The threads of the process, as the kernel lists them. One that was joined may still be there for
// a moment.
#ifndef TESTS_UNIT_THREADS_H
#define TESTS_UNIT_THREADS_H

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline bool thread_is_named(const char *id, const char *name) {
    char path[300], found[32] = "";
    snprintf(path, sizeof path, "/proc/self/task/%s/comm", id);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return false; // it has ended
    bool has_name = fgets(found, sizeof found, file) != NULL;
    fclose(file);
    found[strcspn(found, "\n")] = '\0';
    return has_name && strcmp(found, name) == 0;
}

// How many there are, with `name` only those that are called so; `ret_id`, if not NULL, is the last
// one's.
static inline size_t count_threads(const char *name, uint64_t *ret_id) {
    size_t count = 0;
    DIR *dir = opendir("/proc/self/task");
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] == '.' || (name && !thread_is_named(entry->d_name, name)))
            continue;
        count++;
        if (ret_id)
            *ret_id = strtoull(entry->d_name, NULL, 10);
    }
    closedir(dir);
    return count;
}

#endif
