// SPDX-License-Identifier: MIT
// Any thread may call everything: plain threads beside a runtime start tasks, join scopes of their
// own, read, write, close and cancel. "All further threads stay plain threads and may call
// everything."
#include "case.h"

#include <pthread.h>

static pthread_t thread_start(void *(*fn)(void *), void *context) {
    pthread_t thread;
    expect(-pthread_create(&thread, NULL, fn, context), 0);
    return thread;
}

static void thread_join(pthread_t thread) {
    expect(-pthread_join(thread, NULL), 0);
}

struct shared {
    struct tcp_pair pair;
    int handle;
    ssize_t result;
    struct flag sum;
    struct flag done, begun;
};

static void *echo_in_thread(void *context) {
    struct shared *shared = context;
    char buf[64];
    assert_string_equal(weft_driver_name(), "thread");
    for (ssize_t n; (n = weft_read(shared->pair.server, buf, sizeof buf)) > 0;)
        expect(weft_write_all(shared->pair.server, buf, (size_t)n), n);
    return NULL;
}

CASE(a_plain_thread_and_a_task_talk_to_each_other) {
    struct shared shared = {.pair = tcp_pair_open()};
    pthread_t thread = thread_start(echo_in_thread, &shared);
    char buf[8];
    for (int i = 0; i < 200; i++) {
        expect(weft_write(shared.pair.client, "thread?", 7), 7);
        expect(weft_read_exact(shared.pair.client, buf, 7), 7);
    }
    expect(weft_shutdown(shared.pair.client, WEFT_WRITE), 0);
    thread_join(thread);
    tcp_pair_close(&shared.pair);
}

static int add_one(void *context) {
    struct shared *shared = context;
    expect(weft_yield(), 0);
    flag_raise(&shared->sum); // the tasks are on several workers
    return 0;
}

static void *start_and_join(void *context) {
    struct shared *shared = context;
    for (int round = 0; round < 20; round++) {
        weft_scope scope = {0};
        for (int i = 0; i < 10; i++)
            expect(weft_go(&scope, add_one, (void *)shared), 0);
        expect(weft_join(&scope), 0);
    }
    flag_raise(&shared->done);
    return NULL;
}

// Task zero waits meanwhile, so that worker 1 runs tasks, too.
CASE(plain_threads_start_tasks_and_join_their_scopes) {
    enum { THREADS = 3 };
    struct shared shared = {.sum = {0}};
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        threads[i] = thread_start(start_and_join, &shared);
    await_flag(&shared.done, THREADS);
    for (int i = 0; i < THREADS; i++)
        thread_join(threads[i]);
    expect(flag_value(&shared.sum), THREADS * 200);
}

static int read_once(void *context) {
    struct shared *shared = context;
    char byte;
    flag_raise(&shared->begun);
    shared->result = weft_read(shared->handle, &byte, 1);
    return 0;
}

static void *close_handle(void *context) {
    struct shared *shared = context;
    await_waiting(shared->handle, WEFT_READ, 1);
    expect(weft_close(shared->handle), 0);
    return NULL;
}

CASE(a_plain_thread_closes_what_a_task_waits_for) {
    struct shared shared = {.pair = tcp_pair_open()};
    weft_scope scope = {0};
    shared.handle = shared.pair.server;
    expect(weft_go(&scope, read_once, (void *)&shared), 0);
    pthread_t thread = thread_start(close_handle, &shared);
    expect(weft_join(&scope), 0);
    thread_join(thread);
    expect(shared.result, -EBADF);
    expect(weft_close(shared.pair.client), 0);
}

static void *read_in_thread(void *context) {
    read_once(context);
    return NULL;
}

CASE(a_task_closes_what_a_plain_thread_waits_for) {
    struct shared shared = {.pair = tcp_pair_open()};
    shared.handle = shared.pair.server;
    pthread_t thread = thread_start(read_in_thread, &shared);
    await_waiting(shared.handle, WEFT_READ, 1);
    expect(weft_close(shared.handle), 0);
    thread_join(thread);
    expect(shared.result, -EBADF);
    expect(weft_close(shared.pair.client), 0);
}

// Waiters of one handle are served in order, whether they are tasks or threads.
CASE(tasks_and_plain_threads_wait_in_one_queue) {
    struct tcp_pair pair = tcp_pair_open();
    struct shared users[4];
    pthread_t threads[4];
    weft_scope scope = {0};
    for (int i = 0; i < 4; i++) {
        users[i] = (struct shared){.handle = pair.server};
        if (i % 2 == 0)
            threads[i] = thread_start(read_in_thread, &users[i]);
        else
            expect(weft_go(&scope, read_once, (void *)&users[i]), 0);
        await_waiting(pair.server, WEFT_READ, i + 1);
    }
    for (int i = 0; i < 4; i++) {
        expect(weft_write(pair.client, "x", 1), 1);
        if (i % 2 == 0)
            thread_join(threads[i]);
        else
            for (struct await await = {0}; users[i].result != 1;)
                await_pause(&await, "the task's turn");
        for (int later = i + 1; later < 4; later++)
            expect(users[later].result, 0);
    }
    expect(weft_join(&scope), 0);
    tcp_pair_close(&pair);
}

static void *wait_with_deadline(void *context) {
    struct shared *shared = context;
    char byte;
    weft_within(20 * WEFT_MILLISECOND);
    shared->result = weft_read(shared->handle, &byte, 1);
    expect(weft_timed_out(), 1);
    return NULL;
}

// "It belongs to no scope, so only deadlines and weft_close end its waits."
CASE(a_plain_thread_beside_a_runtime_has_deadlines_of_its_own) {
    struct shared shared = {.pair = tcp_pair_open()};
    shared.handle = shared.pair.server;
    pthread_t thread = thread_start(wait_with_deadline, &shared);
    thread_join(thread);
    expect(shared.result, -ETIMEDOUT);
    expect(weft_check(), 0);
    tcp_pair_close(&shared.pair);
}

static void *join_with_deadline(void *context) {
    struct shared *shared = context;
    weft_scope scope = {0};
    expect(weft_go(&scope, read_once, (void *)shared), 0);
    {
        weft_within(20 * WEFT_MILLISECOND);
        expect(weft_join(&scope), -ETIMEDOUT);
    }
    flag_raise(&shared->done);
    return NULL;
}

CASE(a_plain_threads_join_under_a_deadline_cancels_its_tasks) {
    struct shared shared = {.pair = tcp_pair_open()};
    shared.handle = shared.pair.server;
    pthread_t thread = thread_start(join_with_deadline, &shared);
    await_flag(&shared.done, 1);
    thread_join(thread);
    expect(shared.result, -ECANCELED);
    tcp_pair_close(&shared.pair);
}

#define NEEDS_BOTH(name_)                                                                          \
    CASE_NOT_ON(name_, "thread", NO_TASKS)                                                         \
    CASE_NOT_ON(name_, "sim", NO_THREADS)
NEEDS_BOTH(a_plain_thread_and_a_task_talk_to_each_other)
NEEDS_BOTH(plain_threads_start_tasks_and_join_their_scopes)
NEEDS_BOTH(a_plain_thread_closes_what_a_task_waits_for)
NEEDS_BOTH(a_task_closes_what_a_plain_thread_waits_for)
NEEDS_BOTH(tasks_and_plain_threads_wait_in_one_queue)
NEEDS_BOTH(a_plain_thread_beside_a_runtime_has_deadlines_of_its_own)
NEEDS_BOTH(a_plain_threads_join_under_a_deadline_cancels_its_tasks)
