// SPDX-License-Identifier: MIT
// Pages of memory over mmap(2), madvise(2) and mprotect(2), and the account of the mappings that
// guards cost. Not here: which pages are guarded and what for (task/stack.c).
#include "os/pages.h"

#include "base/assert.h"
#include "base/atomic.h"
#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

// By value, because the headers of Debian 12 are older than the flag (Linux 6.13).
#define GUARD_INSTALL 102

// vm.max_map_count where it cannot be read: the kernel's default.
#define MAP_LIMIT_DEFAULT  65530
#define MAPPINGS_PER_GUARD 2

// The guards that mprotect made, in the whole process: the limit is the process's, too.
static WEFT__ATOMIC(size_t) protected_count;

size_t weft__pages_size(void) {
    return (size_t)sysconf(_SC_PAGESIZE);
}

int weft__pages_reserve(size_t size, void **ret_base) {
    int error = weft__fail(WEFT__FAIL_PAGES);
    if (error < 0)
        return error;
    void *base = mmap(NULL, size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (base == MAP_FAILED)
        return -errno;
    // One touched page must not become 2 MiB. MAP_STACK says so since Linux 6.7; a kernel without
    // huge pages refuses the advice and does not need it.
    (void)madvise(base, size, MADV_NOHUGEPAGE);
    *ret_base = base;
    return 0;
}

void weft__pages_release(void *base, size_t size) {
    int error = munmap(base, size);
    ASSERT(error == 0);
}

void weft__pages_discard(void *base, size_t size) {
    // A wish: memory that the process has locked (mlockall(2)) stays.
    (void)madvise(base, size, MADV_DONTNEED);
}

static size_t map_limit(void) {
    char text[32] = {0};
    int fd = open("/proc/sys/vm/max_map_count", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return MAP_LIMIT_DEFAULT;
    ssize_t size = read(fd, text, sizeof text - 1);
    (void)close(fd); // Nothing was written: there is no error to hear of.
    unsigned long limit = size > 0 ? strtoul(text, NULL, 10) : 0;
    return limit > 0 ? limit : MAP_LIMIT_DEFAULT;
}

// Half of the mappings are left to everybody else in the process: malloc, threads, libraries. The
// limit is read once; two threads that do so at the same time read the same.
static bool protected_claim(void) {
    static WEFT__ATOMIC(size_t) limit;
    size_t most = weft__load(&limit, relaxed);
    if (most == 0) {
        most = map_limit() / 2 / MAPPINGS_PER_GUARD;
        weft__store(&limit, most, relaxed);
    }
    // A counter that orders nothing else: relaxed.
    if (weft__fetch_add(&protected_count, 1, relaxed) < most)
        return true;
    weft__pages_guards_gone(1, WEFT__GUARD_MPROTECT);
    return false;
}

void weft__pages_guards_gone(size_t count, enum weft__guard method) {
    if (method == WEFT__GUARD_MPROTECT)
        (void)weft__fetch_sub(&protected_count, count, relaxed);
}

static int guard_by_mprotect(void *base, size_t size) {
    if (!protected_claim())
        return -ENOSPC;
    if (mprotect(base, size, PROT_NONE) == 0)
        return 0;
    int error = -errno;
    weft__pages_guards_gone(1, WEFT__GUARD_MPROTECT);
    return error;
}

int weft__pages_guard(void *base, size_t size, enum weft__guard method) {
    int error = weft__fail(WEFT__FAIL_PAGES);
    if (error < 0)
        return error;
    switch (method) {
    case WEFT__GUARD_INSTALL:
        return madvise(base, size, GUARD_INSTALL) == 0 ? 0 : -errno;
    case WEFT__GUARD_MPROTECT:
        return guard_by_mprotect(base, size);
    default:
        return 0;
    }
}

// Whether the kernel, asked to sleep until the moment that the page tells (zero, which is long
// past), finds it unreadable. It needs no descriptor for that, of which there may be none.
static bool is_unreadable(const void *page) {
    return syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, page, NULL) < 0 &&
           errno == EFAULT;
}

static bool guard_works(enum weft__guard method) {
    size_t size = weft__pages_size();
    void *page = NULL;
    if (weft__pages_reserve(size, &page) < 0)
        return false;
    bool is_guarded = weft__pages_guard(page, size, method) == 0;
    bool works = is_guarded && is_unreadable(page);
    weft__pages_release(page, size);
    if (is_guarded)
        weft__pages_guards_gone(1, method);
    return works;
}

enum weft__guard weft__pages_guard_probe(void) {
    enum weft__guard method = WEFT__GUARD_INSTALL;
    while (method != WEFT__GUARD_NONE && !guard_works(method))
        method++;
    return method;
}

const char *weft__pages_guard_name(enum weft__guard method) {
    static const char *const names[WEFT__GUARD_COUNT] = {
        [WEFT__GUARD_INSTALL] = "madvise",
        [WEFT__GUARD_MPROTECT] = "mprotect",
        [WEFT__GUARD_NONE] = "none",
    };
    ASSERT(method < WEFT__GUARD_COUNT);
    return names[method];
}
