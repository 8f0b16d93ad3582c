// SPDX-License-Identifier: MIT
// Unit tests of task/stats.c: which workers there are, what their counters count, and that anybody
// may read them at any time. Exact numbers on a driver whose clock stands still.
#define UNIT_WORKERS "2" // it is about races
#include "fake_driver.h"

#include <limits.h>

static weft_scope scope;

static weft_worker_stats stats_of(int worker) {
    weft_worker_stats stats;
    expect(weft_worker_stats_get(worker, &stats), 0);
    return stats;
}

// ---- Which workers --------------------------------------------------------------------------

static void without_a_runtime_there_is_no_worker(void **state) {
    (void)state;
    weft_worker_stats stats = {.tasks = 7};
    expect(weft_worker_count(), 0);
    expect(weft_worker_stats_get(1, &stats), -ENOENT);
    assert_int_equal(stats.tasks, 7); // untouched
    expect(weft_start(&(weft_options){.driver = "epoll", .workers = 3}), 0);
    expect(weft_worker_count(), 3);
    expect(weft_stop(0), 0);
    expect(weft_worker_count(), 0);
    expect(weft_worker_stats_get(1, &stats), -ENOENT);
}

static void workers_are_numbered_from_one(void **state) {
    (void)state;
    static const int none[] = {0, -1, 4, INT_MAX, INT_MIN};
    weft_worker_stats stats = {.tasks = 7};
    expect(weft_start(&(weft_options){.driver = "epoll", .workers = 3}), 0);
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        expect(weft_worker_stats_get(none[i], &stats), -ENOENT);
    assert_int_equal(stats.tasks, 7);
    for (int i = 1; i <= 3; i++)
        expect(weft_worker_stats_get(i, &stats), 0);
}

// A program that was compiled with another version of the struct.
static void older_and_newer_structs_are_filled_as_far_as_known(void **state) {
    (void)state;
    struct {
        weft_worker_stats known;
        uint64_t future[4];
    } newer;
    memset(&newer, 0xff, sizeof newer);
    expect(weft_priv_worker_stats(1, &newer.known, sizeof newer), 0);
    assert_int_equal(newer.known.tasks, 0);
    assert_true(newer.known.switches < UINT64_MAX);
    assert_int_equal(newer.future[0], UINT64_MAX); // not ours
    memset(&newer, 0xff, sizeof newer);
    expect(weft_priv_worker_stats(1, &newer.known, sizeof newer.known.tasks), 0);
    assert_int_equal(newer.known.tasks, 0);
    assert_int_equal(newer.known.switches, UINT64_MAX);
    expect(weft_priv_worker_stats(1, &newer.known, 0), 0);
}

// ---- What they count ------------------------------------------------------------------------

static int yield_five_times(void *arg) {
    (void)arg;
    for (int i = 0; i < 5; i++)
        expect(weft_yield(), 0);
    return 0;
}

static void tasks_switches_and_yields_are_counted(void **state) {
    (void)state;
    weft_worker_stats first = stats_of(1);
    for (int i = 0; i < 3; i++)
        expect(weft_go(&scope, yield_five_times, NULL), 0);
    assert_int_equal(stats_of(1).tasks, first.tasks); // started, as the task sees it: not yet
    expect(weft_join(&scope), 0);
    weft_worker_stats last = stats_of(1);
    assert_int_equal(last.tasks - first.tasks, 3);
    assert_int_equal(last.yields - first.yields, 3 * 5);
    assert_int_equal(last.switches - first.switches, 3 * 6 + 1); // and task zero at the end
    assert_int_equal(last.budget_yields, first.budget_yields);
    assert_int_equal(last.wakes, first.wakes); // nobody else has woken any
    assert_int_equal(last.steals, 0);
}

static int64_t always(struct fake *f, struct weft__op *op) {
    (void)f;
    (void)op;
    return 1;
}

static int read_1000_times(int h) {
    char byte;
    for (int i = 0; i < 1000; i++)
        expect(weft_read(h, &byte, 1), 1);
    return 0;
}

static void operations_and_spent_budgets_are_counted(void **state) {
    (void)state;
    fake.on_try = always;
    weft_worker_stats first = stats_of(1);
    int h = fake_handle(WEFT__KIND_STREAM), other = fake_handle(WEFT__KIND_STREAM);
    expect(weft_go(&scope, read_1000_times, h), 0);
    expect(weft_go(&scope, read_1000_times, other), 0);
    expect(weft_join(&scope), 0);
    weft_worker_stats last = stats_of(1);
    assert_int_equal(last.operations - first.operations, 2000);
    assert_int_equal(last.waits, first.waits);
    assert_int_equal(last.budget_yields - first.budget_yields, 2 * (1000 / WEFT__BUDGET));
    assert_int_equal(last.yields - first.yields, last.budget_yields - first.budget_yields);
    expect(weft_close(h), 0);
    expect(weft_close(other), 0);
}

static void answer_in_a_second(struct fake *f, struct weft__op *op) {
    fake_at(f, op, f->now + WEFT_SECOND, 1);
}

static void waits_and_sleeps_are_counted(void **state) {
    (void)state;
    char byte;
    int h = fake_handle(WEFT__KIND_STREAM);
    fake.on_submit = answer_in_a_second;
    weft_worker_stats first = stats_of(1);
    for (int i = 0; i < 10; i++)
        expect(weft_read(h, &byte, 1), 1);
    weft_worker_stats last = stats_of(1);
    assert_int_equal(last.operations - first.operations, 10);
    assert_int_equal(last.waits - first.waits, 10);
    assert_true(last.parks - first.parks >= 10);
    assert_true(last.turns - first.turns >= last.parks - first.parks);
    assert_int_equal(last.searches, first.searches); // there is nobody to steal from
    expect(weft_close(h), 0);
}

// ---- Several workers ------------------------------------------------------------------------

static int start_and_join(void *arg) {
    weft_scope children = {0};
    for (int i = 0; i < 100; i++)
        expect(weft_go(&children, yield_five_times, arg), 0);
    return weft_join(&children);
}

static weft_worker_stats sum_of_all(void) {
    weft_worker_stats sum = {0};
    for (int i = 1; i <= weft_worker_count(); i++) {
        weft_worker_stats stats = stats_of(i);
        sum.tasks += stats.tasks;
        sum.yields += stats.yields;
        sum.steals += stats.steals;
        sum.switches += stats.switches;
    }
    return sum;
}

static void each_task_is_counted_where_it_has_started(void **state) {
    (void)state;
    expect(weft_start(&(weft_options){.driver = "epoll", .workers = 4}), 0);
    for (int i = 1; i <= 4; i++)
        expect(weft_go_with(&scope, start_and_join, NULL, &(weft_task_options){.worker = i}), 0);
    expect(weft_join(&scope), 0);
    weft_worker_stats sum = sum_of_all();
    assert_int_equal(sum.tasks, 4 + 4 * 100);
    assert_int_equal(sum.yields, 4 * 100 * 5);
    assert_true(sum.switches >= 4 * 100 * 6 + 4 * 2);
    assert_true(sum.steals <= sum.tasks);
}

static atomic_bool is_over;

enum { COUNTERS = sizeof(weft_worker_stats) / sizeof(uint64_t), WORKERS = 4 };

static void *watch_them_go_up(void *arg) {
    static uint64_t last[WORKERS][COUNTERS];
    (void)arg;
    while (!atomic_load(&is_over))
        for (int i = 0; i < WORKERS; i++) {
            weft_worker_stats stats = stats_of(i + 1);
            uint64_t now[COUNTERS];
            memcpy(now, &stats, sizeof now);
            for (int k = 0; k < COUNTERS; k++)
                assert_true(now[k] >= last[i][k]);
            memcpy(last[i], now, sizeof now);
        }
    return NULL;
}

static void go_and_join(void) {
    for (int i = 0; i < 4; i++)
        expect(weft_go(&scope, start_and_join, NULL), 0);
    expect(weft_join(&scope), 0);
}

static void for_whoever_reads_them_they_only_go_up(void **state) {
    (void)state;
    atomic_store(&is_over, false);
    expect(weft_start(&(weft_options){.driver = "epoll", .workers = WORKERS}), 0);
    pthread_t thread = thread_start(watch_them_go_up, NULL);
    for (size_t round = 0; round < times(100); round++)
        go_and_join();
    atomic_store(&is_over, true);
    thread_join(thread);
}

static void *read_all_the_time(void *arg) {
    weft_worker_stats stats;
    (void)arg;
    while (!atomic_load(&is_over))
        for (int i = weft_worker_count(); i > 0; i--)
            expect_either(weft_worker_stats_get(i, &stats), 0, -ENOENT);
    return NULL;
}

static void anybody_may_read_them_while_runtimes_come_and_go(void **state) {
    (void)state;
    pthread_t threads[2];
    atomic_store(&is_over, false);
    for (int i = 0; i < 2; i++)
        threads[i] = thread_start(read_all_the_time, NULL);
    for (size_t round = 0; round < times(100); round++) {
        expect(weft_start(&(weft_options){.driver = "epoll", .own_threads = round % 2}), 0);
        go_and_join();
        expect(weft_stop(INT64_MAX), 0);
    }
    atomic_store(&is_over, true);
    for (int i = 0; i < 2; i++)
        thread_join(threads[i]);
}

int main(void) {
    const struct CMUnitTest cases[] = {
        CASE(without_a_runtime_there_is_no_worker),
        CASE(workers_are_numbered_from_one),
        CASE_ON_FAKE(older_and_newer_structs_are_filled_as_far_as_known),
        CASE_ON_FAKE(tasks_switches_and_yields_are_counted),
        CASE_ON_FAKE(operations_and_spent_budgets_are_counted),
        CASE_ON_FAKE(waits_and_sleeps_are_counted),
        CASE(each_task_is_counted_where_it_has_started),
        CASE(for_whoever_reads_them_they_only_go_up),
        CASE(anybody_may_read_them_while_runtimes_come_and_go),
    };
    return RUN(cases);
}
