// SPDX-License-Identifier: MIT
// Unit tests of task/worker_virtual.c, and of what makes it possible in the driver and in
// balance.c: several simulated workers that share one thread. Each scenario runs with many seeds,
// and once more with each to compare the histories.
#include "dump_tools.h"

#include "driver/sim.h"

enum { WORKERS = 3, SEEDS = 40 };

static uint64_t seed_now;

static void start(unsigned workers, uint64_t seed) {
    seed_now = seed;
    world_set("sim", seed);
    expect(world_start_workers(workers), 0);
    expect(weft_worker_count(), (int)workers);
}

// The history of one run.
static uint64_t live(unsigned workers, uint64_t seed, void (*scenario)(void)) {
    start(workers, seed);
    scenario();
    uint64_t hash = world_trace_hash();
    expect(weft_stop(INT64_MAX), 0);
    return hash;
}

static void with_many_seeds(unsigned workers, void (*scenario)(void)) {
    for (uint64_t seed = 1; seed <= times(SEEDS); seed++)
        expect_that(live(workers, seed, scenario) == live(workers, seed, scenario));
}

static int worker_here(void) {
    return (int)weft__worker_number(weft__this_worker());
}

static void go_on(int worker, weft_scope *scope, int (*fn)(void *), void *arg) {
    expect(weft_go_with(scope, fn, arg, &(weft_task_options){.worker = worker}), 0);
}

static weft_worker_stats stats_of(int worker) {
    weft_worker_stats stats;
    expect(weft_worker_stats_get(worker, &stats), 0);
    return stats;
}

// ---- Who runs what --------------------------------------------------------------------------

static int expect_worker(void *arg) {
    int *ran = arg;
    int worker = worker_here();
    expect(worker, ran[0]);
    for (int i = 0; i < 5; i++) {
        expect(i % 2 ? weft_yield() : weft_sleep(WEFT_MICROSECOND), 0);
        expect(worker_here(), worker); // also when others have had the thread in between
    }
    ran[1]++;
    return 0;
}

static void place_tasks(void) {
    weft_scope scope = {0};
    int ran[WORKERS + 1][2] = {{0}};
    for (int i = 1; i <= WORKERS; i++)
        ran[i][0] = i;
    for (int i = 0; i < 10 * WORKERS; i++)
        go_on(1 + i % WORKERS, &scope, expect_worker, ran[1 + i % WORKERS]);
    expect(weft_join(&scope), 0);
    for (int i = 1; i <= WORKERS; i++) {
        expect(ran[i][1], 10);
        expect(stats_of(i).tasks, 10);
    }
}

static void a_task_runs_and_stays_where_it_was_placed(void **state) {
    (void)state;
    with_many_seeds(WORKERS, place_tasks);
}

static int steals;

static int yield_a_little(void *arg) {
    (void)arg;
    for (int i = 0; i < 3; i++)
        expect(weft_yield(), 0);
    return 0;
}

static void start_many_at_once(void) {
    enum { MANY = 200 };
    weft_scope scope = {0};
    for (int i = 0; i < MANY; i++)
        expect(weft_go(&scope, yield_a_little, NULL), 0);
    expect(weft_join(&scope), 0);
    int tasks = 0;
    for (int i = 1; i <= WORKERS; i++)
        tasks += (int)stats_of(i).tasks;
    expect(tasks, MANY);
    steals += (int)(stats_of(2).steals + stats_of(3).steals);
}

static void idle_workers_steal(void **state) {
    (void)state;
    steals = 0;
    with_many_seeds(WORKERS, start_many_at_once);
    expect_that(steals > 0);
}

// Who has left tasks to their worker looks again soon: in virtual time, or else, some time in a
// hundred years, at a moment that is another one in each run.
static void wait_for_late_thieves(void) {
    start_many_at_once();
    expect(weft_sleep(100 * 365 * 24 * WEFT_HOUR), 0);
}

static void a_thief_that_comes_again_does_so_in_virtual_time(void **state) {
    (void)state;
    with_many_seeds(WORKERS, wait_for_late_thieves);
}

static char order[64];
static size_t order_length;

static int note_name(void *arg) {
    order[order_length++] = *(const char *)arg;
    expect(weft_yield(), 0);
    order[order_length++] = *(const char *)arg;
    return 0;
}

static void note_order(void) {
    static const char names[] = "abc";
    weft_scope scope = {0};
    order_length = 0;
    for (int i = 0; i < WORKERS; i++)
        go_on(i + 1, &scope, note_name, (void *)&names[i]);
    expect(weft_join(&scope), 0);
    order[order_length] = '\0';
}

static void the_seed_says_whose_turn_it_is(void **state) {
    (void)state;
    bool begins_with[WORKERS] = {false}, is_mixed = false;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        (void)live(WORKERS, seed, note_order);
        expect(order_length, 2 * WORKERS);
        begins_with[order[0] - 'a'] = true;
        is_mixed |= order[0] != order[1];
    }
    expect_that(begins_with[0] && begins_with[1] && begins_with[2] && is_mixed);
}

static void another_seed_is_another_history(void **state) {
    (void)state;
    uint64_t hashes[20];
    for (uint64_t seed = 0; seed < 20; seed++) {
        hashes[seed] = live(WORKERS, seed, start_many_at_once);
        for (uint64_t other = 0; other < seed; other++)
            expect_that(hashes[other] != hashes[seed]);
    }
}

// ---- Time -----------------------------------------------------------------------------------

static int sleep_exactly(void *arg) {
    int64_t before_ns = weft_now(), ns = (int64_t)(intptr_t)arg * WEFT_MILLISECOND;
    expect(weft_sleep(ns), 0);
    expect(weft_now() - before_ns, ns);
    return 0;
}

// Time stands as long as any worker can go on, and then moves to what comes first of all of them.
static void sleep_everywhere(void) {
    weft_scope scope = {0};
    int64_t before_ns = weft_now();
    for (intptr_t i = 0; i < 4 * WORKERS; i++)
        go_on(1 + (int)i % WORKERS, &scope, sleep_exactly, (void *)(1000 - i * i));
    expect(weft_join(&scope), 0);
    expect(weft_now() - before_ns, WEFT_SECOND);
}

static void sleeps_on_all_workers_last_exactly_as_long_as_asked(void **state) {
    (void)state;
    with_many_seeds(WORKERS, sleep_everywhere);
}

// ---- The network ----------------------------------------------------------------------------

static int echo(int conn) {
    char buf[300];
    ssize_t n;
    while ((n = weft_read(conn, buf, sizeof buf)) > 0)
        expect(weft_write_all(conn, buf, (size_t)n), n);
    expect(n, 0);
    return weft_close(conn);
}

static int serve(void *arg) {
    weft_scope clients = {0};
    int listener = *(int *)arg, error;
    while ((error = weft_go(&clients, echo, weft_accept(listener))) == 0)
        ;
    expect(error, -EBADF); // closed
    return weft_join(&clients);
}

static int be_client(void *arg) {
    enum { SIZE = 3000 };
    const weft_addr *addr = arg;
    char sent[SIZE], back[SIZE];
    int conn = opened(weft_tcp_connect_with(addr, NULL));
    bytes_fill(sent, SIZE, 0);
    expect(weft_write_all(conn, sent, SIZE), SIZE);
    expect(weft_read_exact(conn, back, SIZE), SIZE);
    expect_that(bytes_are_right(back, SIZE, 0));
    return weft_close(conn);
}

static void echo_between_workers(void) {
    weft_addr addr;
    int listener = listen_anywhere(&addr);
    weft_scope server = {0}, clients = {0};
    go_on(2, &server, serve, &listener);
    for (int i = 0; i < 9; i++)
        go_on(1 + i % WORKERS, &clients, be_client, &addr);
    expect(weft_join(&clients), 0);
    expect(weft_close(listener), 0);
    expect(weft_join(&server), 0);
}

static void workers_talk_to_each_other(void **state) {
    (void)state;
    with_many_seeds(WORKERS, echo_between_workers);
}

// Two that read from one connection, on different workers: what is not the one's is the other's.
struct readers {
    int conn;
    int bytes;
};

static int read_to_the_end(void *arg) {
    struct readers *readers = arg;
    char buf[7];
    ssize_t n;
    while ((n = weft_read(readers->conn, buf, sizeof buf)) > 0)
        readers->bytes += (int)n;
    return (int)n;
}

static void share_a_connection(void) {
    struct tcp_pair pair = tcp_pair_open();
    struct readers readers = {.conn = pair.server, .bytes = 0};
    weft_scope scope = {0};
    for (int i = 1; i <= WORKERS; i++)
        go_on(i, &scope, read_to_the_end, &readers);
    for (int i = 0; i < 10; i++)
        expect(weft_write_all(pair.client, "hundred bytes less ninety", 25), 25);
    expect(weft_shutdown(pair.client, WEFT_WRITE), 0);
    expect(weft_join(&scope), 0);
    expect(readers.bytes, 250);
    tcp_pair_close(&pair);
}

static void a_handle_may_be_used_on_several_workers(void **state) {
    (void)state;
    with_many_seeds(WORKERS, share_a_connection);
}

// ---- Scopes ---------------------------------------------------------------------------------

static int sleep_for_ever(void *arg) {
    (void)arg;
    return weft_sleep(INT64_MAX);
}

static int parent(void *arg) {
    weft_scope children = {0};
    int next = 1 + worker_here() % WORKERS;
    (void)arg;
    for (int i = 0; i < 4; i++)
        go_on(next, &children, sleep_for_ever, NULL);
    expect(weft_join(&children), -ECANCELED);
    return -ECANCELED;
}

static void cancel_across(void) {
    weft_scope scope = {0};
    for (int i = 1; i <= WORKERS; i++)
        go_on(i, &scope, parent, NULL);
    if (seed_now % 2 == 0) // else some have not started
        await_parked_tasks(5 * WORKERS);
    weft_cancel(&scope);
    expect(weft_join(&scope), -ECANCELED);
}

static void a_cancel_reaches_the_tasks_of_all_workers(void **state) {
    (void)state;
    with_many_seeds(WORKERS, cancel_across);
}

static int read_for_ever(int conn) {
    char byte;
    expect(weft_read(conn, &byte, 1), -ECANCELED);
    return weft_close(conn);
}

static void weft_stop_ends_the_tasks_of_all_workers(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= times(SEEDS); seed++) {
        static weft_scope scope;
        struct tcp_pair pair;
        start(WORKERS, seed);
        pair = tcp_pair_open();
        expect(weft_go(&scope, read_for_ever, pair.client), 0);
        expect(weft_go(&scope, read_for_ever, pair.server), 0);
        for (int i = 0; i < 20; i++)
            go_on(i % (WORKERS + 1), &scope, sleep_for_ever, NULL); // 0: anywhere
        if (seed % 2 == 0)
            await_parked_tasks(22);
        expect(weft_stop(INT64_MAX), 0);
        expect(weft_join(&scope), -ECANCELED);
    }
}

// ---- Deadlocks ------------------------------------------------------------------------------

static struct weft__waiter *reported_to;
static int report_count;

static void tell_of_deadlock(struct weft__driver *d, const char *report) {
    (void)d;
    expect_that(strstr(report, "(deadlock)") && strstr(report, "3 operations wait"));
    report_count++;
    weft__unpark(reported_to);
}

static int wait_in_vain(int conn) {
    char byte;
    expect(weft_read(conn, &byte, 1), 0);
    return weft_close(conn);
}

static void when_no_worker_can_go_on_it_is_a_deadlock(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct tcp_pair pairs[WORKERS];
        weft_scope scope = {0};
        start(WORKERS, seed);
        for (int i = 0; i < WORKERS; i++) {
            pairs[i] = tcp_pair_open();
            expect(weft_go_with(&scope, wait_in_vain, pairs[i].server,
                                &(weft_task_options){.worker = i + 1}),
                   0);
        }
        reported_to = weft__self();
        report_count = 0;
        weft__sim_deadlock = tell_of_deadlock;
        while (report_count == 0)
            weft__park(reported_to, INT64_MAX);
        weft__sim_deadlock = NULL;
        expect(report_count, 1);
        for (int i = 0; i < WORKERS; i++)
            expect(weft_close(pairs[i].client), 0);
        expect(weft_join(&scope), 0);
        expect(weft_stop(0), 0);
    }
}

// ---- Reports --------------------------------------------------------------------------------

static int sleep_here(void *arg) {
    return sleep_for_ever(arg);
}

static int expect_in_dump(void *arg) {
    static const char *const names[] = {"first", "second", "third"};
    const char *text = dump();
    (void)arg;
    for (int i = 0; i < WORKERS; i++) {
        char waits[64];
        (void)snprintf(waits, sizeof waits, "waits on worker %d", i + 1);
        (void)find(task_line(text, names[i]), waits);
        expect_frame(text, names[i], "weft_sleep");
    }
    (void)find(text, "runs on worker 2"); // this one
    return 0;
}

static void look_at_all(void) {
    static const char *const names[] = {"first", "second", "third"};
    weft_scope sleepers = {0}, scope = {0};
    for (int i = 0; i < WORKERS; i++)
        expect(weft_go_with(&sleepers, sleep_here, NULL,
                            &(weft_task_options){.name = names[i], .worker = i + 1}),
               0);
    await_parked_tasks(WORKERS);
    go_on(2, &scope, expect_in_dump, NULL);
    expect(weft_join(&scope), 0);
    weft_cancel(&sleepers);
    expect(weft_join(&sleepers), -ECANCELED);
}

static void a_dump_shows_the_tasks_of_all_workers(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++)
        (void)live(WORKERS, seed, look_at_all);
}

// ---- Starting and ending --------------------------------------------------------------------

static void without_memory_none_of_them_starts(void **state) {
    (void)state;
    for (uint64_t n = 1;; n++) {
        size_t blocks = weft__alloc_living();
        world_set("sim", 1);
        weft__fail_arm(WEFT__FAIL_ALLOC, n, false, -ENOMEM);
        int error = world_start_workers(WORKERS);
        weft__fail_disarm();
        if (error == 0) {
            expect_that(n > 4 * WORKERS);
            break;
        }
        expect(error, -ENOMEM);
        expect(weft_stop(0), -ENOENT);
        expect(weft__alloc_living(), blocks);
    }
}

static void one_that_never_ran_ends_too(void **state) {
    (void)state;
    size_t blocks = weft__alloc_living();
    for (int i = 0; i < 3; i++) {
        start(16, 1);
        expect(weft_stop(0), 0);
    }
    expect(weft__alloc_living(), blocks);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(a_task_runs_and_stays_where_it_was_placed),
        CASE(idle_workers_steal),
        CASE(a_thief_that_comes_again_does_so_in_virtual_time),
        CASE(the_seed_says_whose_turn_it_is),
        CASE(another_seed_is_another_history),
        CASE(sleeps_on_all_workers_last_exactly_as_long_as_asked),
        CASE(workers_talk_to_each_other),
        CASE(a_handle_may_be_used_on_several_workers),
        CASE(a_cancel_reaches_the_tasks_of_all_workers),
        CASE(weft_stop_ends_the_tasks_of_all_workers),
        CASE(when_no_worker_can_go_on_it_is_a_deadlock),
        CASE(a_dump_shows_the_tasks_of_all_workers),
        CASE(without_memory_none_of_them_starts),
        CASE(one_that_never_ran_ends_too),
    };
    return RUN(tests);
}
