// SPDX-License-Identifier: MIT
// Unit tests of task/blocking.c and io/blocking.c: who calls the function, how many threads there
// are, when one that waits may go, what becomes of the threads.
#define UNIT_WORKERS "2"
#include "task_tools.h"
#include "threads.h"

#include "task/blocking.h"

#include <stdio.h>

// ---- Functions to be called ----

static WEFT__ATOMIC(int) busy, busiest, calls;

struct gate {
    struct flag begun, open;
};

static int through_gate(void *arg) {
    struct gate *gate = arg;
    flag_raise(&gate->begun);
    await_flag(&gate->open, 1);
    return 7;
}

static int count_busy(void *arg) {
    int now = weft__fetch_add(&busy, 1, relaxed) + 1, seen = weft__load(&busiest, relaxed);
    while (now > seen && !weft__cas(&busiest, &seen, now, acq_rel))
        continue;
    if (arg)
        weft__os_yield();
    weft__fetch_add(&calls, 1, relaxed);
    weft__fetch_sub(&busy, 1, relaxed);
    return 0;
}

static int tell_thread(void *arg) {
    *(pthread_t *)arg = pthread_self();
    return 3;
}

static void reset(void) {
    weft__store(&busy, 0, relaxed);
    weft__store(&busiest, 0, relaxed);
    weft__store(&calls, 0, relaxed);
}

static struct weft__blocking *pool(void) {
    return weft__runtime_now()->blocking;
}

static bool has_no_threads(void) {
    return pool()->count == 0;
}

static bool has_idle_thread(void) {
    return !weft__list_is_empty(&pool()->idle);
}

static bool has_queued_job(void) {
    return !weft__list_is_empty(&pool()->jobs);
}

// Whether something is true of the pool, whose lock guards it.
static bool looks(bool (*claim)(void)) {
    weft__lock(&pool()->lock);
    bool is_true = claim();
    weft__unlock(&pool()->lock);
    return is_true;
}

// ---- Who calls ----

static void a_thread_beside_the_workers_calls_it(void **state) {
    (void)state;
    pthread_t thread = pthread_self();
    expect(weft_blocking(tell_thread, &thread), 3);
    assert_false(pthread_equal(thread, pthread_self()));
    expect(count_threads("weft-blocking", NULL), 1);
    expect(weft_stop(0), 0);
    await_that(count_threads("weft-blocking", NULL) == 0);
    expect(weft_blocking(tell_thread, &thread), 3);
    assert_true(pthread_equal(thread, pthread_self()));
}

static void the_simulator_calls_it_directly(void **state) {
    (void)state;
    pthread_t thread;
    expect(weft_blocking(tell_thread, &thread), 3);
    assert_true(pthread_equal(thread, pthread_self()));
    weft_within(0);
    expect(weft_blocking(tell_thread, &thread), -ETIMEDOUT);
}

static void calls_one_after_the_other_use_one_thread(void **state) {
    (void)state;
    pthread_t first, other;
    pool()->idle_ns = WEFT_HOUR;
    expect(weft_blocking(tell_thread, &first), 3);
    for (int i = 0; i < 100; i++) {
        // Until the thread is idle again, the next call would make another one.
        await_that(looks(has_idle_thread));
        expect(weft_blocking(tell_thread, &other), 3);
        assert_true(pthread_equal(first, other));
    }
    expect(count_threads("weft-blocking", NULL), 1);
}

static int raise_when_run(void *flag) {
    flag_raise(flag);
    return 0;
}

static int open_gate(void *arg) {
    struct gate *gate = arg;
    await_flag(&gate->begun, 1);
    flag_raise(&gate->open);
    return 0;
}

static void others_run_on_the_worker_meanwhile(void **state) {
    (void)state;
    struct gate gate = {.open = {0}};
    weft_scope scope = {0};
    weft_task_options here = {.worker = WEFT_WORKER_HERE};
    expect(weft_go_with(&scope, open_gate, &gate, &here), 0);
    expect(weft_blocking(through_gate, &gate), 7);
    expect(weft_join(&scope), 0);
}

static void nothing_to_call_is_einval(void **state) {
    (void)state;
    expect(weft_blocking(NULL, NULL), -EINVAL);
    expect_explained("blocking: invalid argument");
}

static void a_negative_number_of_threads_is_einval(void **state) {
    (void)state;
    expect(weft_start(&(weft_options){.blocking_threads = -1}), -EINVAL);
    expect_explained("blocking threads");
}

// ---- How many ----

static int call_often(void *arg) {
    for (int i = 0; i < 20; i++)
        expect(weft_blocking(count_busy, arg), 0);
    return 0;
}

static void no_more_threads_than_were_allowed(void **state) {
    (void)state;
    enum { TASKS = 50, LIMIT = 3 };
    weft_scope scope = {0};
    reset();
    expect(weft_start(&(weft_options){.blocking_threads = LIMIT}), 0);
    pool()->idle_ns = WEFT_HOUR;
    for (int i = 0; i < TASKS; i++)
        expect(weft_go(&scope, call_often, &scope), 0);
    expect(weft_join(&scope), 0);
    expect(weft__load(&calls, relaxed), TASKS * 20);
    assert_in_range(weft__load(&busiest, relaxed), 1, LIMIT);
    assert_in_range(count_threads("weft-blocking", NULL), 1, LIMIT);
}

static void threads_without_work_end(void **state) {
    (void)state;
    enum { TASKS = 20 };
    weft_scope scope = {0};
    pool()->idle_ns = 1000000;
    reset();
    for (int round = 0; round < 3; round++) {
        expect(weft_go(&scope, call_often, NULL), 0);
        for (int i = 0; i < TASKS; i++)
            expect(weft_go(&scope, call_often, &scope), 0);
        expect(weft_join(&scope), 0);
        await_that(looks(has_no_threads));
        await_that(count_threads("weft-blocking", NULL) <= 1); // the last one waits to be joined
    }
}

// ---- Interruptions ----

static void interrupted_on_entry_nothing_is_called(void **state) {
    (void)state;
    struct flag ran = {0};
    {
        weft_within(0);
        expect(weft_blocking(raise_when_run, &ran), -ETIMEDOUT);
        expect(weft_timed_out(), 1);
    }
    expect(flag_value(&ran), 0);
}

static int pass_gate(void *arg) {
    expect(weft_blocking(through_gate, arg), 7);
    return 0;
}

struct refusal {
    struct flag ran, refused;
    int result;
};

static int be_refused(void *arg) {
    struct refusal *refusal = arg;
    refusal->result = weft_blocking(raise_when_run, &refusal->ran);
    flag_raise(&refusal->refused);
    return 0;
}

static void one_that_waits_for_a_thread_can_be_cancelled(void **state) {
    (void)state;
    struct gate gate = {.open = {0}};
    struct refusal refusal = {.result = 0};
    weft_scope busy_scope = {0}, scope = {0};
    expect(weft_start(&(weft_options){.blocking_threads = 1}), 0);
    expect(weft_go(&busy_scope, pass_gate, &gate), 0);
    await_flag(&gate.begun, 1);
    {
        weft_within(check_patience_ns());
        expect(weft_blocking(raise_when_run, &refusal.ran), -ETIMEDOUT);
        expect(weft_timed_out(), 1);
    }
    expect(weft_go(&scope, be_refused, &refusal), 0);
    await_that(looks(has_queued_job));
    weft_cancel(&scope);
    expect(weft_join(&scope), 0);
    expect(refusal.result, -ECANCELED);
    flag_raise(&gate.open);
    expect(weft_join(&busy_scope), 0);
    expect(flag_value(&refusal.ran), 0);
}

static int outlive_deadline(void *arg) {
    struct gate *gate = arg;
    weft_within(check_patience_ns());
    expect(weft_blocking(through_gate, gate), 7);
    expect(weft_check(), -ETIMEDOUT);
    return 0;
}

static void once_begun_it_is_waited_for(void **state) {
    (void)state;
    struct gate gates[2] = {{.open = {0}}, {.open = {0}}};
    weft_scope scope = {0}, late = {0};
    expect(weft_go(&scope, pass_gate, &gates[0]), 0);
    expect(weft_go(&late, outlive_deadline, &gates[1]), 0);
    await_flag(&gates[0].begun, 1);
    await_flag(&gates[1].begun, 1);
    weft_cancel(&scope);
    expect(weft_sleep(2 * check_patience_ns()), 0);
    expect(flag_value(&gates[0].open), 0);
    flag_raise(&gates[0].open);
    flag_raise(&gates[1].open);
    expect(weft_join(&scope), 0);
    expect(weft_join(&late), 0);
}

// ---- weft inside ----

static int read_for_ever(void *arg) {
    char byte;
    assert_string_equal(weft_driver_name(), "thread");
    return (int)weft_read(*(int *)arg, &byte, 1);
}

static void the_deadline_and_the_failure_are_shared(void **state) {
    (void)state;
    weft_addr addr;
    int sock = udp_anywhere(&addr);
    {
        weft_within(check_patience_ns());
        expect(weft_blocking(read_for_ever, &sock), -ETIMEDOUT);
        expect(weft_timed_out(), 1);
        expect_explained("read");
    }
    expect(weft_close(sock), 0);
    expect(weft_blocking(read_for_ever, &sock), -EBADF);
    expect_explained("not an open handle");
}

static int start_tasks(void *arg) {
    weft_scope scope = {0};
    for (int i = 0; i < 10; i++)
        expect(weft_go(&scope, raise_when_run, arg), 0);
    return weft_join(&scope);
}

static void tasks_may_be_started_and_joined_inside(void **state) {
    (void)state;
    struct flag ran = {0};
    expect(weft_blocking(start_tasks, &ran), 0);
    expect(flag_value(&ran), 10);
}

// ---- Without threads ----

static void without_any_thread_it_is_eagain(void **state) {
    (void)state;
    pthread_t thread;
    fault_every("thread", 1, -EAGAIN);
    expect(weft_blocking(tell_thread, &thread), -EAGAIN);
    expect_explained("ulimit -u");
    fault_none();
    fault_nth("alloc", 1, -ENOMEM);
    expect(weft_blocking(tell_thread, &thread), -ENOMEM);
    fault_none();
    expect(weft_blocking(tell_thread, &thread), 3);
}

static void without_another_thread_it_waits_for_those_there_are(void **state) {
    (void)state;
    struct gate gate = {.open = {0}};
    struct refusal refusal = {.result = -1};
    weft_scope scope = {0};
    expect(weft_go(&scope, pass_gate, &gate), 0);
    await_flag(&gate.begun, 1);
    fault_every("thread", 1, -EAGAIN);
    expect(weft_go(&scope, be_refused, &refusal), 0);
    await_that(looks(has_queued_job));
    fault_none();
    flag_raise(&gate.open);
    expect(weft_join(&scope), 0);
    expect(refusal.result, 0);
    expect(flag_value(&refusal.ran), 1);
}

// ---- All at once ----

static int call_under_deadlines(void *arg) {
    uint32_t seed = (uint32_t)(uintptr_t)arg;
    for (int i = 0; i < 50; i++) {
        seed = seed * 1664525 + 1013904223;
        weft_within((seed >> 16) % 300 * WEFT_MICROSECOND);
        int result = weft_blocking(count_busy, seed & 64 ? &busy : NULL);
        if (result != 0 && result != -ETIMEDOUT && result != -ECANCELED)
            fail_msg("weft_blocking: %d", result);
    }
    return 0;
}

// Threads end all the time while jobs come, go and are taken back.
static void a_storm_of_calls_leaves_nothing(void **state) {
    (void)state;
    reset();
    for (size_t round = 0; round < times(20); round++) {
        weft_scope scope = {0};
        expect(weft_start(&(weft_options){.blocking_threads = 3}), 0);
        pool()->idle_ns = 50000;
        for (uintptr_t i = 1; i <= 30; i++)
            expect(weft_go(&scope, call_under_deadlines, (void *)(i + 100 * round)), 0);
        if (round % 2)
            weft_cancel(&scope);
        expect(weft_join(&scope), 0);
        expect(weft__load(&busy, relaxed), 0);
        expect(weft_stop(INT64_MAX), 0);
        await_that(count_threads("weft-blocking", NULL) == 0);
    }
}

int main(void) {
    const struct CMUnitTest cases[] = {
        CASE_IN_TASK(a_thread_beside_the_workers_calls_it),
        CASE_ON_SIM(the_simulator_calls_it_directly),
        CASE_IN_TASK(calls_one_after_the_other_use_one_thread),
        CASE_IN_TASK(others_run_on_the_worker_meanwhile),
        CASE(nothing_to_call_is_einval),
        CASE(a_negative_number_of_threads_is_einval),
        CASE(no_more_threads_than_were_allowed),
        CASE_IN_TASK(threads_without_work_end),
        CASE_IN_TASK(interrupted_on_entry_nothing_is_called),
        CASE(one_that_waits_for_a_thread_can_be_cancelled),
        CASE_IN_TASK(once_begun_it_is_waited_for),
        CASE_IN_TASK(the_deadline_and_the_failure_are_shared),
        CASE_IN_TASK(tasks_may_be_started_and_joined_inside),
        CASE_IN_TASK(without_any_thread_it_is_eagain),
        CASE_IN_TASK(without_another_thread_it_waits_for_those_there_are),
        CASE(a_storm_of_calls_leaves_nothing),
    };
    return RUN(cases);
}
