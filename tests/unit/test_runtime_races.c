// SPDX-License-Identifier: MIT
// Races of task/runtime.c: threads that start it at the same time, and threads that use it while
// task zero stops it. Whoever starts it becomes task zero and has to stop it.
#define UNIT_WORKERS "2"
#include "task_tools.h"

enum { THREADS = 4 };

static struct barrier barrier;
static atomic_size_t ended, begun;
static atomic_int zeros;

static int end_at_once(void *arg) {
    (void)arg;
    atomic_fetch_add(&ended, 1);
    return 0;
}

static void run_threads(void *(*fn)(void *), int count, void *arg) {
    pthread_t threads[THREADS];
    barrier = (struct barrier){0};
    for (int i = 0; i < count; i++)
        threads[i] = thread_start(fn, arg);
    for (int i = 0; i < count; i++)
        thread_join(threads[i]);
}

// ---- Starting -------------------------------------------------------------------------------

// Returns whether we were task zero.
static bool stop_if_zero(void) {
    int error = weft_stop(INT64_MAX);
    assert_true(error == 0 || error == -EPERM || error == -ENOENT);
    return error == 0;
}

static void *go_first(void *arg) {
    weft_scope scope = {0};
    (void)arg;
    (void)weft_now();
    barrier_meet(&barrier, THREADS);
    expect(weft_go(&scope, end_at_once, NULL), 0);
    expect(weft_explain(NULL, 0), 0); // whoever was first: nothing has failed
    atomic_fetch_add(&begun, 1);
    expect_either(weft_join(&scope), 0, -ECANCELED);
    atomic_fetch_add(&zeros, stop_if_zero());
    return NULL;
}

static void threads_that_go_first_at_the_same_time_share_one_runtime(void **state) {
    (void)state;
    setenv("WEFT_DRIVER", "epoll", 1);
    atomic_store(&begun, 0);
    atomic_store(&ended, 0);
    atomic_store(&zeros, 0);
    size_t rounds = times(300);
    for (size_t i = 0; i < rounds; i++) {
        run_threads(go_first, THREADS, NULL);
        expect(weft_stop(0), -ENOENT);
    }
    assert_int_equal(atomic_load(&ended), atomic_load(&begun));
    assert_true((size_t)atomic_load(&zeros) >= rounds);
}

static void *start_by_hand(void *arg) {
    (void)arg;
    barrier_meet(&barrier, THREADS);
    int error = weft_start(&(weft_options){.driver = "epoll"});
    assert_true(error == 0 || error == -EALREADY);
    if (error == 0) {
        barrier_meet(&barrier, 2 * THREADS);
        assert_true(stop_if_zero());
        atomic_fetch_add(&zeros, 1);
    } else {
        barrier_meet(&barrier, 2 * THREADS);
    }
    return NULL;
}

static void of_many_starts_exactly_one_succeeds(void **state) {
    (void)state;
    atomic_store(&zeros, 0);
    size_t rounds = times(300);
    for (size_t i = 0; i < rounds; i++)
        run_threads(start_by_hand, THREADS, NULL);
    assert_int_equal(atomic_load(&zeros), rounds);
}

// ---- Everybody, all the time ----------------------------------------------------------------

// Start, go, join, stop from all threads; the runtime comes and goes under them.
static void *go_join_and_stop(void *arg) {
    struct dice dice = {(uint64_t)(uintptr_t)&dice};
    (void)arg;
    barrier_meet(&barrier, THREADS);
    for (size_t i = 0; i < times(1500); i++) {
        weft_scope scope = {0};
        for (uint64_t k = 0; k < dice_roll(&dice, 4); k++) {
            expect(weft_go(&scope, end_at_once, NULL), 0);
            atomic_fetch_add(&begun, 1);
        }
        if (dice_roll(&dice, 3) == 0)
            weft_cancel(&scope);
        expect(weft_join(&scope), 0);
        if (dice_roll(&dice, 3) == 0)
            (void)stop_if_zero();
    }
    (void)stop_if_zero();
    return NULL;
}

static void the_runtime_comes_and_goes_under_all_threads(void **state) {
    (void)state;
    atomic_store(&begun, 0);
    atomic_store(&ended, 0);
    run_threads(go_join_and_stop, THREADS, NULL);
    assert_int_equal(atomic_load(&ended), atomic_load(&begun));
    expect(weft_stop(0), -ENOENT);
}

// ---- Foreign calls against a stop -----------------------------------------------------------

struct outside {
    atomic_bool is_over;
    atomic_int conn;
    weft_scope scope; // task zero's; cancelled from outside
};

static void *stop_all_the_time(void *arg) {
    struct outside *outside = arg;
    while (!atomic_load(&outside->is_over)) {
        expect_either(weft_stop(0), -EPERM, -ENOENT);
        weft_cancel(&outside->scope);
    }
    return NULL;
}

static void *use_the_handle(void *arg) {
    struct outside *outside = arg;
    weft_addr addr;
    char byte;
    while (!atomic_load(&outside->is_over)) {
        int conn = atomic_load(&outside->conn);
        expect_either(weft_peer_addr(conn, &addr), 0, -EBADF);
        weft_within(20 * WEFT_MICROSECOND);
        (void)weft_read(conn, &byte, 1);
    }
    return NULL;
}

static int close_conn(void *arg) {
    struct outside *outside = arg;
    return weft_close(atomic_load(&outside->conn));
}

static int wait_for_ever(void *arg) {
    (void)arg;
    return weft_sleep(INT64_MAX);
}

// A task closes what threads are using, and the runtime ends at once: those threads may still be
// about to wake the task.
static void task_zero_stops_while_threads_use_what_its_tasks_close(void **state) {
    (void)state;
    static struct outside outside;
    pthread_t threads[3];
    outside = (struct outside){.conn = -EBADF};
    threads[0] = thread_start(stop_all_the_time, &outside);
    threads[1] = thread_start(use_the_handle, &outside);
    threads[2] = thread_start(use_the_handle, &outside);
    for (size_t i = 0; i < times(250); i++) {
        struct tcp_pair pair = tcp_pair_open();
        atomic_store(&outside.conn, pair.client);
        expect(weft_start(&(weft_options){.driver = "epoll"}), 0);
        expect(weft_go(&outside.scope, wait_for_ever, NULL), 0);
        expect(weft_go(&outside.scope, close_conn, &outside), 0);
        if (i % 2)
            expect(weft_sleep(1), 0);
        expect(weft_stop(INT64_MAX), 0);
        expect(weft_join(&outside.scope), -ECANCELED);
        expect(weft_close(pair.server), 0);
        expect(weft_close(pair.client), -EBADF);
    }
    atomic_store(&outside.is_over, true);
    for (int i = 0; i < 3; i++)
        thread_join(threads[i]);
}

// ---- Joins against a stop -------------------------------------------------------------------

enum { SCOPES = 20 };

// Each scope has an error and its cause, which the end of the runtime frees where nobody joins.
static void *join_while_it_stops(void *arg) {
    weft_scope scopes[SCOPES] = {{{0}}};
    (void)arg;
    for (int i = 0; i < SCOPES; i++)
        expect(weft_go(&scopes[i], wait_for_ever, NULL), 0);
    barrier_meet(&barrier, THREADS);
    for (int i = 0; i < SCOPES; i++) {
        expect(weft_join(&scopes[i]), -ECANCELED);
        expect_explained("join");
    }
    return NULL;
}

static void threads_join_their_scopes_while_the_runtime_stops(void **state) {
    (void)state;
    pthread_t threads[THREADS - 1];
    for (size_t i = 0; i < times(200); i++) {
        barrier = (struct barrier){0};
        expect(weft_start(&(weft_options){.driver = "epoll", .own_threads = i % 2}), 0);
        for (int k = 0; k < THREADS - 1; k++)
            threads[k] = thread_start(join_while_it_stops, NULL);
        barrier_meet(&barrier, THREADS);
        expect(weft_stop(INT64_MAX), 0);
        for (int k = 0; k < THREADS - 1; k++)
            thread_join(threads[k]);
    }
}

int main(void) {
    const struct CMUnitTest cases[] = {
        CASE(threads_that_go_first_at_the_same_time_share_one_runtime),
        CASE(of_many_starts_exactly_one_succeeds),
        CASE(the_runtime_comes_and_goes_under_all_threads),
        CASE(task_zero_stops_while_threads_use_what_its_tasks_close),
        CASE(threads_join_their_scopes_while_the_runtime_stops),
    };
    return RUN(cases);
}
