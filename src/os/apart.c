// SPDX-License-Identifier: MIT
//
// A thread without a share in the process's table of descriptors. As long as that belongs to one
// thread alone, the kernel need not count its uses of files: with a second thread, even one that
// does nothing, an echo in one thread costs 3 % more (docs/decisions/014-monitor-and-watchdog.md).
//
// close_range(2) makes the table; pidfd_getfd(2) fetches one descriptor from the process's. Where a
// seccomp filter refuses that, the file behind it is opened once more, by its name in
// /proc/self/fd, which are the descriptors of the main thread.
#include "os/os.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

static _Thread_local bool is_apart;

void weft__os_apart_begin(void) {
#ifdef SYS_close_range // not in libraries before 2021
    is_apart = syscall(SYS_close_range, 0, UINT32_MAX, CLOSE_RANGE_UNSHARE) == 0;
#endif
}

static int fetch(void) {
    int fd = -1, process = (int)syscall(SYS_pidfd_open, getpid(), 0);
    if (process >= 0) {
        fd = (int)syscall(SYS_pidfd_getfd, process, STDERR_FILENO, 0);
        close(process);
    }
    return fd >= 0 ? fd : open("/proc/self/fd/2", O_WRONLY | O_APPEND | O_CLOEXEC);
}

void weft__os_apart_open_stderr(void) {
    int fd = is_apart ? fetch() : -1;
    if (fd < 0 || fd == STDERR_FILENO)
        return;
    (void)dup2(fd, STDERR_FILENO); // of an empty table: it cannot fail
    close(fd);
}

void weft__os_apart_close_stderr(void) {
    if (is_apart)
        close(STDERR_FILENO);
}
