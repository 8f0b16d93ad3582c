// SPDX-License-Identifier: MIT
// Unit tests of os/: clock, fail, futex, thread, hooks, env. Memory and log lines have tests of
// their own (test_memory.c, test_log.c), and so have locks, pages and addresses.
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/os.h"
#include "refuse_syscall.h"
#include "setuid_copy.h"

enum { HANG_S = 120 };

// ---- Clocks ----

static void the_monotonic_clock_never_runs_back(void **state) {
    (void)state;
    int64_t last = weft__clock_monotonic_ns();
    assert_true(last > 0);
    for (int i = 0; i < 10000; i++) {
        int64_t now = weft__clock_monotonic_ns();
        assert_true(now >= last);
        last = now;
    }
}

static void the_wall_clock_counts_from_1970(void **state) {
    (void)state;
    const int64_t year_2020_s = 1577836800, year_2200_s = 7258118400;
    int64_t now_s = weft__clock_wall_ns() / 1000000000;
    assert_true(now_s > year_2020_s && now_s < year_2200_s);
}

// ---- Injected failures ----

static void the_nth_call_fails_and_no_other(void **state) {
    (void)state;
    weft__fail_arm(WEFT__FAIL_PAGES, 3, 0, -EAGAIN);
    for (int call = 1; call <= 6; call++) {
        assert_int_equal(weft__fail(WEFT__FAIL_PAGES), call == 3 ? -EAGAIN : 0);
        assert_int_equal(weft__fail(WEFT__FAIL_ALLOC), 0); // kinds are apart
    }
    weft__fail_disarm();
}

static void every_call_from_the_nth_on_fails(void **state) {
    (void)state;
    weft__fail_arm(WEFT__FAIL_THREAD, 2, 1, -ENOMEM);
    for (int call = 1; call <= 5; call++)
        assert_int_equal(weft__fail(WEFT__FAIL_THREAD), call >= 2 ? -ENOMEM : 0);
    weft__fail_disarm();
    assert_int_equal(weft__fail(WEFT__FAIL_THREAD), 0);
}

static void arming_again_counts_from_the_start(void **state) {
    (void)state;
    weft__fail_arm(WEFT__FAIL_PAGES, 1, 0, -EPERM);
    assert_int_equal(weft__fail(WEFT__FAIL_PAGES), -EPERM);
    weft__fail_arm(WEFT__FAIL_PAGES, 2, 0, -EACCES);
    assert_int_equal(weft__fail(WEFT__FAIL_PAGES), 0);
    assert_int_equal(weft__fail(WEFT__FAIL_PAGES), -EACCES);
    weft__fail_disarm();
}

// ---- Futex ----

static void a_wait_for_another_value_returns_at_once(void **state) {
    (void)state;
    WEFT__ATOMIC(uint32_t) word = 7;
    weft__futex_wait(&word, 8, INT64_MAX);
}

static void a_wait_ends_at_its_deadline(void **state) {
    (void)state;
    WEFT__ATOMIC(uint32_t) word = 7;
    weft__futex_wait(&word, 7, 0);
    weft__futex_wait(&word, 7, -1);
    int64_t until = weft__clock_monotonic_ns() + 2000000;
    int waits = 0;
    for (; weft__clock_monotonic_ns() < until; waits++)
        weft__futex_wait(&word, 7, until);
    assert_true(waits >= 1 && waits < 20); // it slept
}

struct wakee {
    WEFT__ATOMIC(uint32_t) word, is_done;
};

static void sleep_on_word(void *arg) {
    struct wakee *wakee = arg;
    while (weft__load(&wakee->word, acquire) == 0)
        weft__futex_wait(&wakee->word, 0, INT64_MAX);
    weft__store(&wakee->is_done, 1, release);
}

static void a_wake_ends_a_wait(void **state) {
    (void)state;
    for (int round = 0; round < 50; round++) {
        struct wakee wakee = {0};
        struct weft__os_thread threads[2];
        for (int i = 0; i < 2; i++)
            assert_int_equal(weft__os_thread_create(&threads[i], "sleeper", sleep_on_word, &wakee),
                             0);
        if (round % 2)
            weft__os_yield();
        weft__store(&wakee.word, 1, release);
        weft__futex_wake(&wakee.word, UINT32_MAX);
        for (int i = 0; i < 2; i++)
            weft__os_thread_join(&threads[i]);
        assert_int_equal(weft__load(&wakee.is_done, acquire), 1);
    }
}

// ---- Threads ----

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

// ---- Hooks ----

static char calls[16]; // what was called, a letter each

static void note_call(char letter) {
    size_t length = strlen(calls);
    if (length < sizeof calls - 1)
        calls[length] = letter;
}

static void note_arg(void *arg) {
    note_call(*(const char *)arg);
}

static void register_twice(void *arg) {
    (void)arg;
    static char first = 'a', last = 'b';
    if (weft__os_at_thread_exit(note_arg, &first) != 0 ||
        weft__os_at_thread_exit(note_arg, &last) != 0)
        note_call('!');
    note_call('r');
}

static void register_nothing(void *arg) {
    (void)arg;
    note_call('n');
}

static void the_last_function_registered_runs_when_the_thread_ends(void **state) {
    (void)state;
    struct weft__os_thread thread;
    memset(calls, 0, sizeof calls);
    assert_int_equal(weft__os_thread_create(&thread, "x", register_twice, NULL), 0);
    weft__os_thread_join(&thread);
    assert_string_equal(calls, "rb");
    assert_int_equal(weft__os_thread_create(&thread, "x", register_nothing, NULL), 0);
    weft__os_thread_join(&thread);
    assert_string_equal(calls, "rbn");
}

static void note_first(void) {
    note_call('1');
}

static void note_second(void) {
    note_call('2');
}

static void fork_hooks_run_in_the_child_once_each_and_in_order(void **state) {
    (void)state;
    assert_int_equal(weft__os_at_fork_child(note_first), 0);
    assert_int_equal(weft__os_at_fork_child(note_second), 0);
    assert_int_equal(weft__os_at_fork_child(note_first), 0);
    memset(calls, 0, sizeof calls);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(strcmp(calls, "12") == 0 ? 0 : 1);
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_string_equal(calls, ""); // not in the parent
}

static void exit_with_3(void) {
    _exit(3);
}

static void exit_hooks_run_at_exit(void **state) {
    (void)state;
    assert_int_equal(exit_status_of_self("exit", 0), 3);
}

// ---- The environment ----

static void the_environment_is_read(void **state) {
    (void)state;
    assert_int_equal(setenv("WEFT_TEST_VARIABLE", "value", 1), 0);
    assert_string_equal(weft__env("WEFT_TEST_VARIABLE"), "value");
    assert_int_equal(setenv("WEFT_TEST_VARIABLE", "", 1), 0);
    assert_null(weft__env("WEFT_TEST_VARIABLE"));
    assert_int_equal(unsetenv("WEFT_TEST_VARIABLE"), 0);
    assert_null(weft__env("WEFT_TEST_VARIABLE"));
    assert_false(weft__os_is_secure());
}

static int look_at_environment(void) {
    const char *plain = getenv("WEFT_TEST_VARIABLE");
    if (plain == NULL || strcmp(plain, "value") != 0)
        return 1; // then the next line would prove nothing
    return weft__os_is_secure() && weft__env("WEFT_TEST_VARIABLE") == NULL ? 0 : 2;
}

static void a_setuid_program_sees_no_environment(void **state) {
    (void)state;
    char path[] = SETUID_COPY_TEMPLATE;
    if (!setuid_copy_make(path))
        skip();
    assert_int_equal(setenv("WEFT_TEST_VARIABLE", "value", 1), 0);
    int status = exit_status_of(path, "secure", 0);
    unsetenv("WEFT_TEST_VARIABLE");
    setuid_copy_remove(path);
    assert_int_equal(status, 0);
}

static void the_descriptor_limit_is_the_soft_one(void **state) {
    (void)state;
    struct rlimit before, now;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    now = before;
    now.rlim_cur = 77;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
    assert_int_equal(weft__os_descriptor_limit(), 77);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(weft__os_descriptor_limit(), before.rlim_cur);
}

int main(int argc, char **argv) {
    alarm(HANG_S);
    if (argc == 3 && strcmp(argv[1], "secure") == 0)
        _exit(look_at_environment()); // LeakSanitizer, at exit, cannot trace a setuid process
    if (argc == 3)
        return weft__os_at_exit(exit_with_3);
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(the_monotonic_clock_never_runs_back),
        cmocka_unit_test(the_wall_clock_counts_from_1970),
        cmocka_unit_test(the_nth_call_fails_and_no_other),
        cmocka_unit_test(every_call_from_the_nth_on_fails),
        cmocka_unit_test(arming_again_counts_from_the_start),
        cmocka_unit_test(a_wait_for_another_value_returns_at_once),
        cmocka_unit_test(a_wait_ends_at_its_deadline),
        cmocka_unit_test(a_wake_ends_a_wait),
        cmocka_unit_test(a_thread_runs_under_its_name_with_its_argument),
        cmocka_unit_test(a_thread_blocks_all_asynchronous_signals),
        cmocka_unit_test(a_thread_that_cannot_be_had_leaves_nothing),
        cmocka_unit_test(the_processors_counted_are_those_that_may_be_used),
        cmocka_unit_test(the_last_function_registered_runs_when_the_thread_ends),
        cmocka_unit_test(fork_hooks_run_in_the_child_once_each_and_in_order),
        cmocka_unit_test(exit_hooks_run_at_exit),
        cmocka_unit_test(the_environment_is_read),
        cmocka_unit_test(a_setuid_program_sees_no_environment),
        cmocka_unit_test(the_descriptor_limit_is_the_soft_one),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
