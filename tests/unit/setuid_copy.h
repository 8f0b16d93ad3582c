// SPDX-License-Identifier: MIT
// A setuid copy of this very program, so that the kernel runs it under AT_SECURE (getauxval(3)).
// Only root can make one that belongs to somebody else; where that is not possible, the case is
// skipped.
#ifndef TESTS_UNIT_SETUID_COPY_H
#define TESTS_UNIT_SETUID_COPY_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

// A directory of our own; the copy in it is "copy".
#define SETUID_COPY_TEMPLATE "/tmp/weft-setuid-XXXXXX\0copy"

static inline void setuid_copy_remove(char *path) {
    (void)unlink(path);
    *strrchr(path, '/') = '\0';
    (void)rmdir(path);
}

static inline bool setuid_copy_fill(const char *path) {
    int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    int to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
    struct stat stat = {0};
    bool is_right = from >= 0 && to >= 0 && fstat(from, &stat) == 0;
    for (off_t left = stat.st_size; is_right && left > 0;) {
        ssize_t n = sendfile(to, from, NULL, (size_t)left);
        is_right = n > 0;
        left -= n;
    }
    // nobody (65534) owns it, so whoever runs it has another real than effective user.
    is_right = is_right && fchown(to, 65534, 65534) == 0 && fchmod(to, 04755) == 0;
    if (from >= 0)
        close(from);
    if (to >= 0)
        close(to);
    return is_right;
}

// `path` is a char[] that holds SETUID_COPY_TEMPLATE. False, with the reason printed, when it
// cannot be done here.
static inline bool setuid_copy_make(char *path) {
    if (geteuid() != 0) {
        printf("skipped: only root can make a setuid program of another user\n");
        return false;
    }
    if (mkdtemp(path) == NULL)
        return false;
    struct statvfs vfs;
    bool is_possible = statvfs(path, &vfs) == 0 && !(vfs.f_flag & (ST_NOSUID | ST_NOEXEC));
    is_possible = chmod(path, 0755) == 0 && is_possible;
    path[strlen(path)] = '/'; // joins the two parts of the template
    if (is_possible && setuid_copy_fill(path))
        return true;
    printf("skipped: no setuid program can be made in /tmp\n");
    setuid_copy_remove(path);
    return false;
}

#endif
