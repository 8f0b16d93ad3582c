// SPDX-License-Identifier: MIT
// Unit tests of task/stop.c: the sums that tell how many tasks live, and weft_stop against
// everybody who starts tasks meanwhile. What weft_stop refuses: test_runtime.c.
#define UNIT_WORKERS "2" // it is about races
#include "task_tools.h"

static weft_scope scope;
static atomic_int begun, ended;
static atomic_bool may_end;

static int stop_begin(void **state) {
    case_begin(state);
    atomic_store(&begun, 0);
    atomic_store(&ended, 0);
    atomic_store(&may_end, false);
    return 0;
}

#define CASE_OF_STOP(fn) cmocka_unit_test_setup_teardown(fn, stop_begin, case_end)

static int start(int own_threads) {
    return weft_start(&(weft_options){.driver = "epoll", .own_threads = own_threads});
}

static uint64_t living(void) {
    return weft__runtime_living(weft__runtime_now());
}

static int wait_for_ever(void *arg) {
    (void)arg;
    atomic_fetch_add(&begun, 1);
    int error = weft_sleep(INT64_MAX);
    atomic_fetch_add(&ended, 1);
    return error;
}

static int end_at_once(void *arg) {
    (void)arg;
    atomic_fetch_add(&ended, 1);
    return 0;
}

// Whom neither a cancel nor a stop moves.
static int wait_until_it_may_end(void *arg) {
    (void)arg;
    weft_shield(WEFT_HOUR);
    atomic_fetch_add(&begun, 1);
    while (!atomic_load(&may_end))
        expect(weft_sleep(WEFT_MILLISECOND), 0);
    atomic_fetch_add(&ended, 1);
    return 0;
}

// ---- Counting -------------------------------------------------------------------------------

static int start_five(void *arg) {
    weft_scope children = {0};
    (void)arg;
    for (int i = 0; i < 5; i++)
        expect(weft_go(&children, wait_for_ever, NULL), 0);
    return weft_join(&children);
}

static void *start_seven_and_join(void *arg) {
    weft_scope own = {0};
    (void)arg;
    for (int i = 0; i < 7; i++)
        expect(weft_go(&own, wait_for_ever, NULL), 0);
    while (!atomic_load(&may_end))
        weft__os_yield();
    weft_cancel(&own);
    expect(weft_join(&own), -ECANCELED);
    return NULL;
}

static void tasks_count_whoever_has_started_them_and_wherever_they_run(void **state) {
    (void)state;
    for (int own_threads = 0; own_threads < 2; own_threads++) {
        atomic_store(&may_end, false);
        expect(start(own_threads), 0);
        assert_int_equal(living(), 0);
        for (int i = 1; i <= weft_worker_count(); i++)
            expect(weft_go_with(&scope, start_five, NULL, &(weft_task_options){.worker = i}), 0);
        uint64_t by_tasks = 6 * (uint64_t)weft_worker_count();
        for (struct await await = {0}; living() != by_tasks;) // worker 0 needs us to wait
            await_pause(&await, "all have started theirs");
        pthread_t thread = thread_start(start_seven_and_join, NULL);
        for (struct await await = {0}; living() != by_tasks + 7;)
            await_pause(&await, "seven more");
        weft_cancel(&scope);
        expect(weft_join(&scope), -ECANCELED);
        for (struct await await = {0}; living() != 7;) // the last one may still be on its way out
            await_pause(&await, "seven left");
        atomic_store(&may_end, true);
        for (struct await await = {0}; living() != 0;)
            await_pause(&await, "none left");
        thread_join(thread);
        expect(weft_stop(0), 0);
    }
}

static int start_and_join_often(void *arg) {
    for (size_t i = 0; i < times(20000); i++) {
        weft_scope children = {0};
        expect(weft_go(&children, end_at_once, arg), 0);
        expect(weft_join(&children), 0);
    }
    return 0;
}

static void *watch_the_sum(void *arg) {
    (void)arg;
    while (!atomic_load(&may_end)) {
        weft__foreign_enter();
        struct weft__runtime *runtime = weft__runtime_now();
        uint64_t sum = runtime ? weft__runtime_living(runtime) : 1;
        weft__foreign_leave();
        // Four and their children, and what had come and gone between two reads: never 0, nor
        // below. Unless they were told to end meanwhile.
        if (!atomic_load(&may_end))
            assert_in_range(sum, 1, INT64_MAX);
    }
    return NULL;
}

static void while_a_task_lives_the_sums_never_say_that_none_does(void **state) {
    (void)state;
    expect(start(1), 0);
    weft_scope others = {0};
    expect(weft_go(&others, wait_until_it_may_end, NULL), 0);
    pthread_t thread = thread_start(watch_the_sum, NULL);
    for (int i = 0; i < 4; i++)
        expect(weft_go_with(&scope, start_and_join_often, NULL,
                            &(weft_task_options){.worker = 1 + i % weft_worker_count()}),
               0);
    expect(weft_join(&scope), 0);
    atomic_store(&may_end, true);
    thread_join(thread);
    expect(weft_join(&others), 0);
}

// ---- Stopping -------------------------------------------------------------------------------

static void a_stop_ends_the_tasks_of_all_workers(void **state) {
    (void)state;
    for (size_t round = 0; round < times(200); round++) {
        int own_threads = round % 2;
        atomic_store(&begun, 0);
        atomic_store(&ended, 0);
        expect(start(own_threads), 0);
        for (int i = 0; i < 4 * weft_worker_count(); i++) {
            int worker = i % 2 ? 1 + i % weft_worker_count() : 0;
            expect(
                weft_go_with(&scope, wait_for_ever, NULL, &(weft_task_options){.worker = worker}),
                0);
        }
        int count = 4 * weft_worker_count();
        expect(weft_stop(INT64_MAX), 0);
        assert_int_equal(atomic_load(&begun), count);
        assert_int_equal(atomic_load(&ended), count);
        expect(weft_join(&scope), -ECANCELED);
    }
}

static int pass_it_on(void *arg) {
    int *left = arg;
    weft_scope child = {0};
    if (*left > 0) {
        --*left;
        expect(weft_go(&child, pass_it_on, left), 0);
    }
    (void)weft_yield(); // -ECANCELED, once the stop has begun
    atomic_fetch_add(&ended, 1);
    expect_either(weft_join(&child), 0, -ECANCELED);
    return 0;
}

static void tasks_that_start_others_meanwhile_are_waited_for(void **state) {
    (void)state;
    for (size_t round = 0; round < times(100); round++) {
        int left = 50;
        atomic_store(&ended, 0);
        expect(start((int)round % 2), 0);
        expect(weft_go(&scope, pass_it_on, &left), 0);
        expect(weft_stop(INT64_MAX), 0);
        assert_int_equal(atomic_load(&ended), 51);
        expect(weft_join(&scope), 0);
    }
}

static void *stop_for_good(void *arg) {
    expect(weft_stop(INT64_MAX), 0);
    atomic_store((atomic_bool *)arg, true);
    return NULL;
}

static bool is_being_stopped(void) {
    return weft__load(&weft__runtime_now()->stopper, acquire) != NULL;
}

static void one_thread_stops_at_a_time(void **state) {
    (void)state;
    atomic_bool is_stopped = false;
    expect(start(1), 0);
    expect(weft_go(&scope, wait_until_it_may_end, NULL), 0);
    pthread_t thread = thread_start(stop_for_good, &is_stopped);
    await_that(is_being_stopped());
    expect(weft_stop(0), -EBUSY);
    expect(weft_stop(INT64_MAX), -EBUSY);
    assert_false(atomic_load(&is_stopped));
    atomic_store(&may_end, true);
    thread_join(thread);
    expect(weft_stop(0), -ENOENT);
    expect(weft_join(&scope), 0);
}

// ---- The gate -------------------------------------------------------------------------------

// A plain thread that is inside weft_go may be about to start the only task.
static void a_stop_waits_for_whoever_is_inside_weft_go(void **state) {
    (void)state;
    atomic_bool is_stopped = false;
    struct weft__waiter *self = weft__self();
    struct weft__runtime *entered;
    expect(start(1), 0);
    expect(weft__runtime_enter(self, &entered), 0);
    assert_ptr_equal(entered, weft__runtime_now());
    pthread_t thread = thread_start(stop_for_good, &is_stopped);
    await_that(is_being_stopped());
    for (int i = 0; i < 100; i++)
        weft__os_yield();
    assert_false(atomic_load(&is_stopped));
    weft__runtime_leave(entered, self);
    thread_join(thread);
    assert_null(weft__runtime_now());
}

static void a_stop_that_gives_up_leaves_the_gate_open(void **state) {
    (void)state;
    weft_scope others = {0};
    expect(start(1), 0);
    expect(weft_go(&scope, wait_until_it_may_end, NULL), 0);
    await_that(atomic_load(&begun) == 1);
    stderr_catch_begin();
    expect(weft_stop(0), -ETIMEDOUT);
    expect(weft_stop(WEFT_MILLISECOND), -ETIMEDOUT);
    assert_int_equal(stderr_catch_count("1 task is still alive"), 2);
    stderr_catch_end();
    assert_false(is_being_stopped());
    expect(weft_go(&others, end_at_once, NULL), 0);
    expect(weft_join(&others), 0);
    assert_int_equal(atomic_load(&ended), 1);
    atomic_store(&may_end, true);
    expect(weft_stop(INT64_MAX), 0);
    expect(weft_join(&scope), 0);
}

// Whoever comes when it is closed has met no runtime, and begins one of its own: of that it is task
// zero and has to stop it.
static void stop_if_we_may(void) {
    int error = weft_stop(INT64_MAX);
    assert_true(error == 0 || error == -ENOENT || error == -EPERM || error == -EBUSY);
}

static void *go_for_ever(void *arg) {
    (void)arg;
    while (!atomic_load(&may_end)) {
        weft_scope own = {0};
        for (int i = 0; i < 3; i++) {
            expect(weft_go(&own, end_at_once, NULL), 0);
            atomic_fetch_add(&begun, 1);
        }
        expect_either(weft_join(&own), 0, -ECANCELED);
        stop_if_we_may();
    }
    stop_if_we_may();
    return NULL;
}

static void threads_that_go_for_ever_do_not_keep_it_from_stopping(void **state) {
    (void)state;
    enum { GOERS = 3 };
    pthread_t threads[GOERS];
    size_t stops = 0;
    setenv("WEFT_DRIVER", "epoll", 1); // for those that the goers start
    for (int i = 0; i < GOERS; i++)
        threads[i] = thread_start(go_for_ever, NULL);
    while (stops < times(300)) {
        int error = start(1);
        assert_true(error == 0 || error == -EALREADY);
        stops += weft_stop(INT64_MAX) == 0;
    }
    atomic_store(&may_end, true);
    for (int i = 0; i < GOERS; i++)
        thread_join(threads[i]);
    unsetenv("WEFT_DRIVER");
    assert_int_equal(atomic_load(&ended), atomic_load(&begun));
}

int main(void) {
    const struct CMUnitTest cases[] = {
        CASE_OF_STOP(tasks_count_whoever_has_started_them_and_wherever_they_run),
        CASE_OF_STOP(while_a_task_lives_the_sums_never_say_that_none_does),
        CASE_OF_STOP(a_stop_ends_the_tasks_of_all_workers),
        CASE_OF_STOP(tasks_that_start_others_meanwhile_are_waited_for),
        CASE_OF_STOP(one_thread_stops_at_a_time),
        CASE_OF_STOP(a_stop_waits_for_whoever_is_inside_weft_go),
        CASE_OF_STOP(a_stop_that_gives_up_leaves_the_gate_open),
        CASE_OF_STOP(threads_that_go_for_ever_do_not_keep_it_from_stopping),
    };
    return RUN(cases);
}
