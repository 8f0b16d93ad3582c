// SPDX-License-Identifier: MIT
// What the tests of the layers task, io and net share: a watchdog, threads, a runtime around each
// case, and the look at what is left after it. Failed assertions abort the program, because they
// may happen in any task and any thread.
#ifndef TESTS_UNIT_TASK_TOOLS_H
#define TESTS_UNIT_TASK_TOOLS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "await.h"
#include "check.h"
#include "fault.h"
#include "peers.h"
#include "world.h"

#include "driver/driver.h"
#include "os/os.h"
#include "task/handle.h"
#include "task/park.h"
#include "task/runtime.h"

// A hang ends after so many seconds, by alarm(2).
enum { HANG_S = 60 };

// Most unit tests are about the order of things on one worker; those about races say how many.
#ifndef UNIT_WORKERS
#define UNIT_WORKERS "1"
#endif
__attribute__((constructor)) static void set_workers(void) {
    (void)setenv("WEFT_WORKERS", UNIT_WORKERS, 0);
}

// `count` repetitions, scaled by WEFT_TEST_SCALE, and fewer where tools make them slow.
static inline size_t times(size_t count) {
    count = count * test_scale() / test_slowness();
    return count > 0 ? count : 1;
}

// The claim becomes true sooner or later.
#define await_that(claim)                                                                          \
    for (struct await await_ = {0}; !(claim);)                                                     \
    await_pause(&await_, #claim)

// ---- Threads ----

static inline pthread_t thread_start(void *(*fn)(void *), void *arg) {
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, fn, arg), 0);
    return thread;
}

static inline void thread_join(pthread_t thread) {
    assert_int_equal(pthread_join(thread, NULL), 0);
}

// Lets `count` threads go at the same moment.
struct barrier {
    atomic_int here;
};

static inline void barrier_meet(struct barrier *barrier, int count) {
    atomic_fetch_add(&barrier->here, 1);
    while (atomic_load(&barrier->here) < count)
        weft__os_yield();
}

// ---- Around each case ----

static struct leftovers before;

// What a thread makes at its first wait and keeps: its record, and an eventfd. The deadline must
// not pass before the wait begins, however slow the machine is.
static inline void warm_up(void) {
    static bool is_warm;
    if (is_warm)
        return;
    is_warm = true;
    char byte;
    int sock = opened(weft_udp_bind("127.0.0.1:0"));
    weft_within((test_slowness() > 1 ? 1000 : 100) * WEFT_MILLISECOND);
    expect(weft_read(sock, &byte, 1), -ETIMEDOUT);
    expect(weft_close(sock), 0);
}

static inline int case_begin(void **state) {
    (void)state;
    alarm(HANG_S * (unsigned)(test_slowness() * test_scale()));
    warm_up();
    leftovers_count(&before);
    return 0;
}

static inline int case_end(void **state) {
    (void)state;
    fault_none();
    int error = weft_stop(INT64_MAX);
    assert_true(error == 0 || error == -ENOENT);
    leftovers_expect_none(&before);
    return 0;
}

// The case begins with a runtime on epoll, whose task zero is the test.
static inline int case_begin_with_runtime(void **state) {
    case_begin(state);
    expect(weft_start(&(weft_options){.driver = "epoll"}), 0);
    return 0;
}

// The same on io_uring, where it can be had; else the case is skipped.
static inline int case_begin_on_uring(void **state) {
    case_begin(state);
    if (test_under_valgrind() || weft_start(&(weft_options){.driver = "uring"}) < 0)
        print_message("no io_uring here\n");
    return 0;
}

static inline int case_begin_on_sim(void **state) {
    case_begin(state);
    struct weft__driver *sim;
    expect(weft__sim_start(1, &sim, NULL), 0);
    expect(weft__runtime_start_on(weft__self(), sim, 1), 0);
    return 0;
}

#define needs_runtime()                                                                            \
    do {                                                                                           \
        if (!weft__runtime_now())                                                                  \
            skip();                                                                                \
    } while (0)

#define CASE(fn)          cmocka_unit_test_setup_teardown(fn, case_begin, case_end)
#define CASE_IN_TASK(fn)  cmocka_unit_test_setup_teardown(fn, case_begin_with_runtime, case_end)
#define CASE_ON_URING(fn) cmocka_unit_test_setup_teardown(fn, case_begin_on_uring, case_end)
#define CASE_ON_SIM(fn)   cmocka_unit_test_setup_teardown(fn, case_begin_on_sim, case_end)

#define RUN(cases) (setenv("CMOCKA_TEST_ABORT", "1", 1), cmocka_run_group_tests(cases, NULL, NULL))

#endif
