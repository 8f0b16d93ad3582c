// SPDX-License-Identifier: MIT
// Endings of a process that weft has something to say about: living tasks at exit, a scope that was
// not joined. Each happens in a child process, whose status and stderr are looked at.
#include "case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct ending {
    int status;
    char text[4096];
};

// Runs after weft's own, which was registered later: leak detectors, registered at the very
// beginning, would take what the vanished threads of the parent held for leaks.
static void leave_early(void) {
    _exit(7);
}

// Runs `fn` in a child process. The case is bare, so no runtime is there to be inherited.
static struct ending end_of(void (*fn)(void)) {
    struct ending ending = {.status = 0};
    int out[2];
    expect(pipe(out), 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(out[1], STDERR_FILENO);
        close(out[0]);
        close(out[1]);
        atexit(leave_early);
        fn();
        _exit(99);
    }
    close(out[1]);
    size_t at = 0;
    for (ssize_t n; at < sizeof ending.text - 1 &&
                    (n = read(out[0], ending.text + at, sizeof ending.text - 1 - at)) > 0;)
        at += (size_t)n;
    close(out[0]);
    expect(waitpid(pid, &ending.status, 0), pid);
    print_message("status %x, stderr: %s\n", (unsigned)ending.status, ending.text);
    return ending;
}

static int sleep_long(void *unused) {
    (void)unused;
    return weft_sleep(WEFT_HOUR);
}

static void exit_with_living_tasks(void) {
    static weft_scope scope;
    expect(world_start(), 0);
    for (int i = 0; i < 3; i++)
        expect(weft_go(&scope, sleep_long, NULL), 0);
    for (int i = 0; i < 5; i++)
        expect(weft_yield(), 0);
    exit(7);
}

// "Returning from main with living tasks ends the process without touching their frames, and says
// how many there were."
CASE(leaving_main_with_living_tasks_ends_the_process_and_counts_them, .is_bare = true) {
    struct ending ending = end_of(exit_with_living_tasks);
    expect_that(WIFEXITED(ending.status) && WEXITSTATUS(ending.status) == 7);
    expect_that(strstr(ending.text, "weft: ") != NULL);
    expect_that(strchr(ending.text, '3') != NULL);
}
CASE_NEEDS_RUNTIME(leaving_main_with_living_tasks_ends_the_process_and_counts_them)

static void exit_without_tasks(void) {
    expect(world_start(), 0);
    exit(7);
}

CASE(leaving_main_without_tasks_says_nothing, .is_bare = true) {
    struct ending ending = end_of(exit_without_tasks);
    expect_that(WIFEXITED(ending.status) && WEXITSTATUS(ending.status) == 7);
    assert_string_equal(ending.text, "");
}
CASE_NEEDS_RUNTIME(leaving_main_without_tasks_says_nothing)

static int forget_a_scope(void *unused) {
    (void)unused;
    static weft_scope below;
    return weft_go(&below, sleep_long, NULL);
}

static void leave_a_scope_unjoined(void) {
    weft_scope scope = {0};
    weft_task_options options = {.name = "forgetful"};
    expect(world_start(), 0);
    expect(weft_go_with(&scope, forget_a_scope, NULL, &options), 0);
    weft_join(&scope);
}

// "A task that returns without having joined a scope it used is a bug that ends the process with a
// report": which names the task.
CASE(a_task_that_leaves_a_scope_unjoined_ends_the_process, .is_bare = true) {
    struct ending ending = end_of(leave_a_scope_unjoined);
    expect_that(!WIFEXITED(ending.status) || WEXITSTATUS(ending.status) != 99);
    expect_that(ending.status != 0);
    expect_that(strstr(ending.text, "weft: ") != NULL);
    expect_that(strstr(ending.text, "join") != NULL);
    expect_that(strstr(ending.text, "forgetful") != NULL);
}
CASE_NEEDS_RUNTIME(a_task_that_leaves_a_scope_unjoined_ends_the_process)
