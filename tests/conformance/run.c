// SPDX-License-Identifier: MIT
// One run of one case, in its own process: start, the case, stop, nothing left. The case is the
// only test of a cmocka group. Not here: processes and their time limits (runner.c).
#include "run.h"

#include "fault.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct run *current;

void case_skip(const char *reason) {
    snprintf(current->report->skip, sizeof current->report->skip, "%s", reason);
}

// Bare cases, and all on the thread driver, run in a thread of their own: when it has ended, what
// weft keeps for a thread must be gone, too.
static void *body_in_thread(void *unused) {
    current->of->run();
    return unused;
}

static void run_in_thread(void) {
    pthread_t thread;
    expect(-pthread_create(&thread, NULL, body_in_thread, NULL), 0);
    expect(-pthread_join(thread, NULL), 0);
}

static void run_under_runtime(void) {
    expect(world_start(), 0);
    assert_string_equal(weft_driver_name(), current->driver);
    current->of->run();
    current->report->trace_hash = world_trace_hash();
    expect(weft_stop(10 * WEFT_SECOND), 0);
}

static void whole_case(void **state) {
    (void)state;
    struct leftovers before;
    leftovers_count(&before);
    if (current->of->is_bare || !world_has_tasks())
        run_in_thread();
    else
        run_under_runtime();
    leftovers_expect_none(&before);
}

// What a case had caught of stderr, its own failure included, is shown before the process ends.
static void show_what_was_caught(int signal_number) {
    stderr_catch_end();
    signal(signal_number, SIG_DFL);
}

int run_case(const struct run *run) {
    current = run;
    signal(SIGABRT, show_what_was_caught);
    world_set(run->driver, run->seed);
    setenv("CMOCKA_TEST_ABORT", "1", 1);
    if (run->repeat > 0) // moves what comes after it in memory: no outcome may depend on addresses
        setenv("WEFT_TEST_REPEAT", "a variable that is long enough to be felt by the allocator", 1);
    const struct CMUnitTest tests[] = {
        {.name = run->of->name, .test_func = whole_case},
    };
    return cmocka_run_group_tests(tests, NULL, NULL) == 0 ? 0 : 1;
}

int run_probe(const char *driver, struct report *report) {
    world_set(driver, 1);
    int started = world_start();
    if (started < 0) {
        char why[DRIVER_SIZE - 32];
        if (weft_explain(why, sizeof why) == 0)
            snprintf(why, sizeof why, "%s", weft_strerror(started));
        snprintf(report->driver, sizeof report->driver, "%s", why);
        return 1;
    }
    snprintf(report->driver, sizeof report->driver, "%s", weft_driver_name());
    return world_has_tasks() && weft_stop(WEFT_SECOND) < 0;
}
