// SPDX-License-Identifier: MIT
//
// What the process finds around itself: environment variables and limits. Under AT_SECURE (a setuid
// or setgid program, or one with file capabilities) the environment is the caller's, not the
// program's friend, and is taken as empty (getauxval(3), secure_getenv(3)).
#include "os/os.h"

#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/resource.h>

int weft__os_is_secure(void) {
    return getauxval(AT_SECURE) != 0;
}

const char *weft__env(const char *name) {
    if (weft__os_is_secure())
        return NULL;
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

uint64_t weft__os_descriptor_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return UINT64_MAX;
    return limit.rlim_cur;
}
