// SPDX-License-Identifier: MIT
// Makes the kernel refuse one system call for the rest of this process's life, by a seccomp filter;
// and runs this very program once more, for tests that need a process of their own. Not for other
// architectures than the one we run on: the filter looks at the number alone.
#ifndef TESTS_UNIT_REFUSE_SYSCALL_H
#define TESTS_UNIT_REFUSE_SYSCALL_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

// From now on system call `number` answers `error` (as in errno.h). Returns 0 or -1.
static inline int refuse_syscall(long number, int error) {
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ((uint32_t)error & SECCOMP_RET_DATA)),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof filter / sizeof *filter, .filter = filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -1;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

// Starts `path` with one argument and a number, waits, and returns its exit status; -1 when it was
// killed or could not be started.
static inline int exit_status_of(const char *path, const char *argument, int number) {
    char text[16];
    snprintf(text, sizeof text, "%d", number);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        execl(path, path, argument, text, (char *)NULL);
        _exit(127);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child)
        return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// By its path: Valgrind runs a program under its path alone.
static inline int exit_status_of_self(const char *argument, int number) {
    char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length <= 0)
        return -1;
    path[length] = '\0';
    return exit_status_of(path, argument, number);
}

#endif
