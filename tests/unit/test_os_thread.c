// SPDX-License-Identifier: MIT
// Unit tests of os/thread.c: names, arguments, signals, and the number of processors. The drivers'
// and the tasks' thread.c have tests of their own (test_thread.c, test_thread_record.c).
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>

#include <cmocka.h>

#include "os/os.h"

struct seen { // what a thread saw of itself
    char name[16];
    sigset_t blocked;
    void *arg;
};

static void look_at_self(void *arg) {
    struct seen *seen = arg;
    prctl(PR_GET_NAME, seen->name);
    pthread_sigmask(SIG_SETMASK, NULL, &seen->blocked);
    seen->arg = arg;
}

static void a_thread_runs_under_its_name_with_its_argument(void **state) {
    (void)state;
    struct seen seen = {0};
    struct weft__os_thread thread;
    size_t blocks = weft__alloc_living();
    assert_int_equal(weft__os_thread_create(&thread, "weft-test", look_at_self, &seen), 0);
    weft__os_thread_join(&thread);
    assert_string_equal(seen.name, "weft-test");
    assert_ptr_equal(seen.arg, &seen);
    assert_int_equal(weft__os_thread_create(&thread, "a-name-much-too-long", look_at_self, &seen),
                     0);
    weft__os_thread_join(&thread);
    assert_string_equal(seen.name, "a-name-much-too");
    assert_int_equal(weft__alloc_living(), blocks);
}

static void a_thread_blocks_all_asynchronous_signals(void **state) {
    (void)state;
    sigset_t before, after;
    struct seen seen = {0};
    struct weft__os_thread thread;
    sigemptyset(&before);
    sigaddset(&before, SIGUSR2);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    assert_int_equal(weft__os_thread_create(&thread, "weft-test", look_at_self, &seen), 0);
    weft__os_thread_join(&thread);
    static const int asynchronous[] = {SIGINT, SIGTERM, SIGHUP, SIGALRM, SIGCHLD, SIGUSR1, SIGPIPE};
    for (size_t i = 0; i < sizeof asynchronous / sizeof *asynchronous; i++)
        assert_int_equal(sigismember(&seen.blocked, asynchronous[i]), 1);
    static const int synchronous[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    for (size_t i = 0; i < sizeof synchronous / sizeof *synchronous; i++)
        assert_int_equal(sigismember(&seen.blocked, synchronous[i]), 0);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    for (int number = 1; number < 32; number++) // the caller's own mask is as it was
        assert_int_equal(sigismember(&after, number), number == SIGUSR2);
    sigemptyset(&before);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void a_thread_that_cannot_be_had_leaves_nothing(void **state) {
    (void)state;
    struct weft__os_thread thread = {.words = {1, 2}};
    size_t blocks = weft__alloc_living();
    weft__fail_arm(WEFT__FAIL_THREAD, 1, 0, -EAGAIN);
    assert_int_equal(weft__os_thread_create(&thread, "x", look_at_self, NULL), -EAGAIN);
    weft__fail_disarm();
    weft__fail_arm(WEFT__FAIL_ALLOC, 1, 0, -ENOMEM);
    assert_int_equal(weft__os_thread_create(&thread, "x", look_at_self, NULL), -ENOMEM);
    weft__fail_disarm();
    assert_int_equal(thread.words[0], 1); // untouched
    assert_int_equal(weft__alloc_living(), blocks);
}

static void the_processors_counted_are_those_that_may_be_used(void **state) {
    (void)state;
    cpu_set_t before, one;
    uint32_t count = weft__os_cpu_count();
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    assert_int_equal(count, CPU_COUNT(&before));
    CPU_ZERO(&one);
    for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; cpu++)
        if (CPU_ISSET(cpu, &before))
            CPU_SET(cpu, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(weft__os_cpu_count(), 1);
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
}

int main(void) {
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(a_thread_runs_under_its_name_with_its_argument),
        cmocka_unit_test(a_thread_blocks_all_asynchronous_signals),
        cmocka_unit_test(a_thread_that_cannot_be_had_leaves_nothing),
        cmocka_unit_test(the_processors_counted_are_those_that_may_be_used),
    };
    return cmocka_run_group_tests_name("threads of the system", cases, NULL, NULL);
}
