// SPDX-License-Identifier: MIT
// Unit tests of task/balance.c: where a task is placed, who is called, what a thief takes, how long
// a worker sleeps. Workers on fake drivers, without threads: the test does what each would do.
#include "fake_driver.h"

#include "task/unstarted.h"

enum { WORKERS_MAX = 16, TASKS = 1000 };

static struct weft__runtime runtime;
static struct weft__worker workers[WORKERS_MAX], *list[WORKERS_MAX];
static struct fake fakes[WORKERS_MAX];
static struct weft__task tasks[TASKS];
static int next_task;

static void make_workers(uint32_t count) {
    runtime.worker_count = count;
    for (uint32_t i = 0; i < count; i++) {
        fakes[i] = (struct fake){.driver.class = &fake_class, .now = WEFT_SECOND};
        workers[i].index = i;
        expect(weft__worker_init(&workers[i], &runtime, &fakes[i].driver, 0, count), 0);
    }
}

static int balance_begin(void **state) {
    case_begin(state);
    memset(tasks, 0, sizeof tasks);
    next_task = 0;
    runtime = (struct weft__runtime){.workers = list};
    for (int i = 0; i < WORKERS_MAX; i++)
        list[i] = &workers[i];
    return 0;
}

static int balance_end(void **state) {
    weft__this_worker_set(NULL);
    assert_int_equal(runtime.balance.asleep, 0);
    assert_int_equal(runtime.balance.searching, 0);
    assert_int_equal(runtime.balance.watching, 0);
    for (uint32_t i = 0; i < runtime.worker_count; i++) {
        while (weft__unstarted_take(workers[i].unstarted))
            ;
        weft__worker_destroy(&workers[i]);
    }
    return case_end(state);
}

#define CASE_OF_BALANCE(fn) cmocka_unit_test_setup_teardown(fn, balance_begin, balance_end)

// `count` unstarted tasks in the queue of its own of a worker.
static void give(int to, int count) {
    for (; count > 0; count--)
        weft__unstarted_push(workers[to].unstarted, &tasks[next_task++]);
}

static void pin(int to) {
    tasks[next_task].is_pinned = true;
    weft__unstarted_pin(workers[to].unstarted, &tasks[next_task++]);
}

static size_t count_of(int worker) {
    return weft__unstarted_count(workers[worker].unstarted);
}

// ---- Sleep as worker.c does it --------------------------------------------------------------

static int64_t fall_asleep(int worker, int64_t until_ns) {
    weft__store(&workers[worker].sleeping, WEFT__ASLEEP, relaxed);
    weft__balance_fall_asleep(&runtime);
    return weft__balance_sleep_until(&workers[worker], until_ns);
}

static void get_up(int worker) {
    bool is_called = weft__exchange(&workers[worker].sleeping, WEFT__RUNS, acquire) == WEFT__CALLED;
    fakes[worker].is_woken = false;
    weft__balance_rise(&workers[worker], is_called);
}

// Whom the last call woke, or -1. One at most.
static int woken(void) {
    int who = -1;
    for (uint32_t i = 0; i < runtime.worker_count; i++) {
        if (!fakes[i].is_woken)
            continue;
        assert_int_equal(who, -1);
        assert_int_equal(workers[i].sleeping, WEFT__CALLED);
        who = (int)i;
    }
    return who;
}

// ---- Placing --------------------------------------------------------------------------------

static int placed_at(void) {
    struct weft__worker *worker = weft__balance_place(&runtime);
    weft__fetch_add(&worker->placed, 1, relaxed); // as weft__worker_place does
    return (int)worker->index;
}

static void a_task_goes_where_the_fewest_live(void **state) {
    (void)state;
    make_workers(4);
    workers[0].placed = 5;
    workers[1].stats.kept = 4;
    workers[2].placed = 9; // of which 4 have ended and 2 were stolen
    workers[2].stats.ended = 4;
    workers[2].lost = 2;
    workers[3].stats.kept = 100;
    workers[3].stats.ended = 95;
    assert_int_equal(placed_at(), 2); // 5, 4, 3, 5 live
    int second = placed_at(), third = placed_at();
    assert_true(second + third == 1 + 2 && second != third);
    for (int i = 0; i < 400; i++)
        (void)placed_at();
    for (int i = 0; i < 4; i++) {
        uint64_t came = workers[i].stats.kept + workers[i].placed;
        assert_int_equal(came - workers[i].stats.ended - workers[i].lost, 105);
    }
}

static void equal_workers_are_served_in_turn(void **state) {
    (void)state;
    make_workers(5);
    for (int i = 0; i < 500; i++)
        (void)placed_at();
    for (int i = 0; i < 5; i++)
        assert_int_equal(workers[i].placed, 100);
}

static void a_worker_whose_thread_is_outside_gets_nothing(void **state) {
    (void)state;
    make_workers(3);
    workers[0].is_away = 1;
    workers[1].placed = workers[2].placed = 1000;
    for (int i = 0; i < 200; i++)
        assert_int_not_equal(placed_at(), 0);
    weft__this_worker_set(&workers[0]); // task zero itself is about to wait, as likely as not
    assert_int_equal(placed_at(), 0);
    weft__this_worker_set(&workers[1]);
    assert_int_not_equal(placed_at(), 0);
    workers[0].is_away = 0;
    assert_int_equal(placed_at(), 0);
}

static void a_worker_alone_gets_everything(void **state) {
    (void)state;
    make_workers(1);
    assert_int_equal(placed_at(), 0);
    workers[0].is_away = 1;
    assert_int_equal(placed_at(), 0);
}

// The counters are read one after the other, so that a task may seem to have ended before it came.
static void less_than_no_task_is_few(void **state) {
    (void)state;
    make_workers(3);
    workers[0].placed = 1;
    workers[1].lost = 2;
    workers[2].placed = 1;
    assert_int_equal(placed_at(), 1);
}

// Not all are compared, but all have their turn.
static void many_workers_share_evenly(void **state) {
    (void)state;
    make_workers(WORKERS_MAX);
    for (int i = 0; i < 100 * WORKERS_MAX; i++)
        (void)placed_at();
    for (int i = 0; i < WORKERS_MAX; i++)
        assert_in_range(workers[i].placed, 99, 101);
}

// ---- Calling --------------------------------------------------------------------------------

static void a_call_wakes_one_sleeper(void **state) {
    (void)state;
    make_workers(4);
    (void)fall_asleep(0, INT64_MAX);
    (void)fall_asleep(3, INT64_MAX);
    give(1, 10);
    weft__balance_call(&workers[1]); // 2 runs
    assert_int_equal(woken(), 3);
    assert_int_equal(runtime.balance.searching, 1);
    weft__balance_call(&workers[1]); // somebody is looking
    assert_int_equal(woken(), 3);
    get_up(3);
    assert_int_equal(count_of(3), 5);
    get_up(0);
}

static void who_has_nothing_to_give_calls_nobody(void **state) {
    (void)state;
    make_workers(2);
    (void)fall_asleep(1, INT64_MAX);
    weft__balance_call(&workers[0]);
    pin(0);
    weft__balance_call(&workers[0]);
    assert_int_equal(woken(), -1);
    get_up(1);
}

static void when_none_sleeps_none_is_called(void **state) {
    (void)state;
    make_workers(3);
    give(0, 2);
    weft__balance_call(&workers[0]);
    assert_int_equal(woken(), -1);
    (void)fall_asleep(1, INT64_MAX);
    workers[1].sleeping = WEFT__RUNS; // nudged, and not up yet
    runtime.balance.watching = 0;     // as if it had fallen asleep before the tasks came
    workers[1].is_watching = false;
    weft__balance_call(&workers[0]);
    assert_int_equal(woken(), -1);
    assert_int_equal(runtime.balance.searching, 0);
    get_up(1);
}

// Who has tasks left at the moment of its sleep will look again: that is as good as a call.
static void nobody_is_called_while_somebody_watches(void **state) {
    (void)state;
    make_workers(3);
    (void)fall_asleep(1, INT64_MAX);
    give(0, 10);
    (void)fall_asleep(2, INT64_MAX);
    assert_int_equal(runtime.balance.watching, 1);
    weft__balance_call(&workers[0]);
    assert_int_equal(woken(), -1);
    get_up(2); // which it does by itself
    assert_int_equal(count_of(2), 5);
    assert_int_equal(woken(), 1); // and there is enough for two
    get_up(1);
}

// ---- Stealing -------------------------------------------------------------------------------

static void a_thief_takes_half_and_not_more_than_32(void **state) {
    (void)state;
    static const size_t rows[][2] = {{1, 1},   {2, 1},   {3, 2},   {10, 5},
                                     {63, 32}, {64, 32}, {300, 32}};
    make_workers(2);
    uint64_t stolen = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        next_task = 0;
        give(0, (int)rows[i][0]);
        assert_true(weft__balance_search(&workers[1]));
        assert_int_equal(count_of(1), rows[i][1]);
        assert_int_equal(count_of(0), rows[i][0] - rows[i][1]);
        assert_ptr_equal(weft__unstarted_steal(workers[1].unstarted), &tasks[0]); // the oldest
        stolen += rows[i][1];
        assert_int_equal(workers[1].stats.steals, stolen);
        assert_int_equal(workers[1].stats.kept, stolen);
        assert_int_equal(workers[0].lost, stolen);
        for (int w = 0; w < 2; w++)
            while (weft__unstarted_take(workers[w].unstarted))
                ;
    }
}

static void a_thief_goes_round_and_takes_from_one(void **state) {
    (void)state;
    make_workers(4);
    give(0, 4);
    give(3, 4);
    assert_true(weft__balance_search(&workers[2]));
    assert_int_equal(count_of(3), 2);
    assert_int_equal(count_of(0), 4);
    assert_true(weft__balance_search(&workers[1]));
    assert_int_equal(count_of(2) + count_of(3), 3);
}

static void where_nothing_is_to_be_had_nothing_is_taken(void **state) {
    (void)state;
    make_workers(2);
    assert_false(weft__balance_search(&workers[1]));
    pin(0);
    assert_false(weft__balance_search(&workers[1]));
    assert_int_equal(workers[1].stats.searches, 2);
    assert_int_equal(workers[1].stats.steals, 0);
}

static void who_could_not_start_them_takes_none(void **state) {
    (void)state;
    make_workers(3);
    give(0, 10);
    workers[1].is_starved = true;
    assert_false(weft__balance_search(&workers[1]));
    assert_int_equal(fall_asleep(1, WEFT_HOUR), WEFT_HOUR); // and looks no sooner than that ends
    weft__balance_call(&workers[0]);
    assert_int_equal(woken(), 1);
    get_up(1);
    assert_int_equal(count_of(0), 10);
    assert_int_equal(workers[1].stats.searches, 0);
}

static void alone_there_is_nobody_to_look_at(void **state) {
    (void)state;
    make_workers(1);
    give(0, 3);
    assert_false(weft__balance_search(&workers[0]));
    assert_int_equal(workers[0].stats.searches, 0);
    weft__balance_call(&workers[0]);
    assert_int_equal(fall_asleep(0, WEFT_HOUR), WEFT_HOUR);
    get_up(0);
}

// Its own work goes first, and others' is not forgotten for that.
static void who_is_wanted_at_home_passes_the_call_on(void **state) {
    (void)state;
    static struct weft__node woken_task;
    make_workers(3);
    give(0, 10);
    (void)fall_asleep(1, INT64_MAX);
    runtime.balance.watching = 0; // as if it had fallen asleep before the tasks came
    workers[1].is_watching = false;
    workers[2].inbox = &woken_task;
    assert_false(weft__balance_search(&workers[2]));
    assert_int_equal(count_of(0), 10);
    assert_int_equal(woken(), 1);
    get_up(1);
    assert_int_equal(count_of(1), 5);
    workers[2].inbox = NULL;
}

// Such work may come in the last moment before the sleep, too.
static void who_does_not_fall_asleep_after_all_passes_the_call_on(void **state) {
    (void)state;
    make_workers(3);
    (void)fall_asleep(1, INT64_MAX);
    give(0, 10);
    assert_int_equal(fall_asleep(2, 0), 0);
    assert_int_equal(woken(), 1);
    get_up(2);
    assert_int_equal(count_of(2), 0);
    get_up(1);
    assert_int_equal(count_of(1), 5);
}

static void loot_of_one_task_is_not_worth_a_call(void **state) {
    (void)state;
    make_workers(3);
    (void)fall_asleep(2, INT64_MAX);
    give(0, 1);
    assert_true(weft__balance_search(&workers[1]));
    assert_int_equal(woken(), -1);
    give(0, 2);
    while (weft__unstarted_take(workers[1].unstarted))
        ;
    assert_true(weft__balance_search(&workers[1])); // one of two: the other is for the next
    assert_int_equal(woken(), 2);
    get_up(2);
}

// ---- Sleeping -------------------------------------------------------------------------------

enum { PAUSE_MIN_NS = 20000, PAUSE_MAX_NS = 10000000 };

// The worker falls asleep, and that for `pause_ns`.
static void expect_pause(int worker, int64_t pause_ns) {
    fakes[worker].now += WEFT_MILLISECOND;
    assert_int_equal(fall_asleep(worker, INT64_MAX), fakes[worker].now + pause_ns);
    assert_int_equal(runtime.balance.watching, 1);
}

static void with_nothing_to_take_it_sleeps_as_long_as_it_likes(void **state) {
    (void)state;
    make_workers(2);
    give(1, 5); // its own
    pin(0);
    assert_int_equal(fall_asleep(1, INT64_MAX), INT64_MAX);
    get_up(1);
    assert_int_equal(fall_asleep(1, WEFT_HOUR), WEFT_HOUR);
    get_up(1);
    assert_int_equal(workers[1].stats.searches, 0);
    assert_int_equal(runtime.balance.pause_ns, 0);
}

static void while_others_have_some_it_looks_again_soon(void **state) {
    (void)state;
    make_workers(2);
    give(0, 5);
    runtime.balance.pause_ns = 5 * WEFT_MILLISECOND;
    expect_pause(1, 5 * WEFT_MILLISECOND);
    get_up(1);
    assert_int_equal(count_of(1), 3);
    assert_int_equal(runtime.balance.pause_ns, 0); // what is found begins anew
    while (weft__unstarted_take(workers[1].unstarted))
        ;
    expect_pause(1, PAUSE_MIN_NS);
    get_up(1);
    assert_int_equal(fall_asleep(1, 7), 7); // its own timer is earlier
    get_up(1);
}

// A call in vain makes the next ones rarer, but at the end of that time somebody looks.
static void who_was_called_in_vain_watches_once_for_a_growing_time(void **state) {
    (void)state;
    make_workers(2);
    int64_t pause = PAUSE_MIN_NS;
    assert_int_equal(fall_asleep(1, INT64_MAX), INT64_MAX);
    for (int i = 0; i < 12; i++) {
        give(0, 1);
        weft__balance_call(&workers[0]);
        assert_int_equal(woken(), 1);
        assert_non_null(weft__unstarted_take(workers[0].unstarted)); // its worker was quicker
        get_up(1);
        expect_pause(1, pause);
        give(0, 1);
        weft__balance_call(&workers[0]);
        assert_int_equal(woken(), -1);
        assert_non_null(weft__unstarted_take(workers[0].unstarted));
        pause = pause * 2 < PAUSE_MAX_NS ? pause * 2 : PAUSE_MAX_NS;
        get_up(1);
        assert_int_equal(runtime.balance.pause_ns, pause);
        pause = pause * 2 < PAUSE_MAX_NS ? pause * 2 : PAUSE_MAX_NS;
        assert_int_equal(fall_asleep(1, INT64_MAX), INT64_MAX); // nobody has anything: for good
    }
    assert_int_equal(pause, PAUSE_MAX_NS);
    get_up(1);
}

// The defect that made the watch necessary: tasks that come while no call is made are found.
static void tasks_that_come_while_one_watches_are_found_by_it(void **state) {
    (void)state;
    make_workers(3);
    (void)fall_asleep(1, INT64_MAX);
    (void)fall_asleep(2, INT64_MAX);
    give(0, 1);
    weft__balance_call(&workers[0]);
    assert_int_equal(woken(), 1);
    assert_non_null(weft__unstarted_take(workers[0].unstarted));
    get_up(1);
    expect_pause(1, PAUSE_MIN_NS);
    give(0, 4);
    weft__balance_call(&workers[0]); // and its thread goes outside weft
    assert_int_equal(woken(), -1);
    get_up(1);
    assert_int_equal(count_of(1), 2);
    assert_int_equal(woken(), 2);
    get_up(2);
    assert_true(count_of(2) > 0);
}

static void who_falls_asleep_last_wakes_the_one_that_stops(void **state) {
    (void)state;
    make_workers(2);
    struct weft__waiter *self = weft__self();
    workers[0].stats.spawned = 3;
    workers[1].stats.ended = 2;
    assert_int_equal(fall_asleep(1, WEFT_HOUR), WEFT_HOUR); // nobody stops
    get_up(1);
    runtime.stopper = self;
    assert_int_equal(fall_asleep(1, WEFT_HOUR), WEFT_HOUR); // one is alive
    get_up(1);
    workers[0].stats.ended = 1;
    assert_int_equal(fall_asleep(1, WEFT_HOUR), 0);
    get_up(1);
    weft__park(self, INT64_MAX); // returns at once
}

int main(void) {
    const struct CMUnitTest cases[] = {
        CASE_OF_BALANCE(a_task_goes_where_the_fewest_live),
        CASE_OF_BALANCE(equal_workers_are_served_in_turn),
        CASE_OF_BALANCE(a_worker_whose_thread_is_outside_gets_nothing),
        CASE_OF_BALANCE(a_worker_alone_gets_everything),
        CASE_OF_BALANCE(less_than_no_task_is_few),
        CASE_OF_BALANCE(many_workers_share_evenly),
        CASE_OF_BALANCE(a_call_wakes_one_sleeper),
        CASE_OF_BALANCE(who_has_nothing_to_give_calls_nobody),
        CASE_OF_BALANCE(when_none_sleeps_none_is_called),
        CASE_OF_BALANCE(nobody_is_called_while_somebody_watches),
        CASE_OF_BALANCE(a_thief_takes_half_and_not_more_than_32),
        CASE_OF_BALANCE(a_thief_goes_round_and_takes_from_one),
        CASE_OF_BALANCE(where_nothing_is_to_be_had_nothing_is_taken),
        CASE_OF_BALANCE(who_could_not_start_them_takes_none),
        CASE_OF_BALANCE(alone_there_is_nobody_to_look_at),
        CASE_OF_BALANCE(who_is_wanted_at_home_passes_the_call_on),
        CASE_OF_BALANCE(who_does_not_fall_asleep_after_all_passes_the_call_on),
        CASE_OF_BALANCE(loot_of_one_task_is_not_worth_a_call),
        CASE_OF_BALANCE(with_nothing_to_take_it_sleeps_as_long_as_it_likes),
        CASE_OF_BALANCE(while_others_have_some_it_looks_again_soon),
        CASE_OF_BALANCE(who_was_called_in_vain_watches_once_for_a_growing_time),
        CASE_OF_BALANCE(tasks_that_come_while_one_watches_are_found_by_it),
        CASE_OF_BALANCE(who_falls_asleep_last_wakes_the_one_that_stops),
    };
    return RUN(cases);
}
