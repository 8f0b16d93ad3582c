// SPDX-License-Identifier: MIT
// Runs a function in a child process that is expected to die, and says how it died. For tests of
// faults and aborts; not for tests of fork itself.
#ifndef TESTS_UNIT_IN_CHILD_H
#define TESTS_UNIT_IN_CHILD_H

#include <signal.h>
#include <stdbool.h>
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

#endif
