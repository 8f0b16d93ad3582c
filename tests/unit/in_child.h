// SPDX-License-Identifier: MIT
// Runs a function in a child process that is expected to die, and says how it died. For tests of
// faults and aborts; not for tests of fork itself.
#ifndef TESTS_UNIT_IN_CHILD_H
#define TESTS_UNIT_IN_CHILD_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

// The signal that ended a child running `fn(arg)`, 0 if it ended by itself, -1 if none was made.
// The child says nothing on stderr, leaves no core, and keeps no handler of a checker.
static inline int signal_that_ends_child(void (*fn)(void *), void *arg) {
    pid_t child = fork();
    if (child < 0)
        return -1;
    if (child == 0) {
        (void)close(STDERR_FILENO);
        (void)setrlimit(RLIMIT_CORE, &(struct rlimit){.rlim_cur = 0, .rlim_max = 0});
        (void)signal(SIGSEGV, SIG_DFL);
        (void)signal(SIGABRT, SIG_DFL);
        (void)alarm(30);
        fn(arg);
        _exit(0);
    }
    int status = 0;
    if (waitpid(child, &status, 0) != child)
        return -1;
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

// The wait status of a child running `fn()`, -1 if none was made, and what it wrote to stderr. It
// leaves no core, and cmocka's handlers of faults are not in its way.
static inline int status_of_child(void (*fn)(void), char *ret_text, size_t size) {
    int ends[2], status = -1;
    if (pipe(ends) < 0)
        return -1;
    (void)fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        (void)signal(SIGSEGV, SIG_DFL);
        (void)signal(SIGBUS, SIG_DFL);
        (void)setrlimit(RLIMIT_CORE, &(struct rlimit){.rlim_cur = 0, .rlim_max = 0});
        (void)alarm(20);
        (void)dup2(ends[1], STDERR_FILENO);
        fn();
        _exit(0);
    }
    (void)close(ends[1]);
    size_t length = 0;
    ssize_t n;
    while ((n = read(ends[0], ret_text + length, size - 1 - length)) > 0)
        length += (size_t)n;
    ret_text[length] = '\0';
    (void)close(ends[0]);
    return waitpid(child, &status, 0) == child ? status : -1;
}

#endif
