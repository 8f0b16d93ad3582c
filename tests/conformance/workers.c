// SPDX-License-Identifier: MIT
// Many workers: how many there are, which thread runs which task, who takes what has not started,
// and the thread that started the runtime. Each case runs with several numbers of workers, whatever
// WEFT_WORKERS says. Order and budgets under load: load.c.
#define _GNU_SOURCE // affinity masks
#include "under.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

// Waits without a call of weft.
static void wait_outside(struct flag *flag, int at_least) {
    while (flag_value(flag) < at_least)
        (void)sched_yield();
}

static int raise_flag(void *context) {
    flag_raise(context);
    return 0;
}

// ---- How many -------------------------------------------------------------------------------

static void start_with(const char *environment, int workers, int expected) {
    weft_options options = options_for(workers);
    if (environment)
        setenv("WEFT_WORKERS", environment, 1);
    else
        unsetenv("WEFT_WORKERS");
    if (expected < 0) {
        expect(weft_start(&options), expected);
        expect_explained("workers");
        expect(weft_worker_count(), 0);
        return;
    }
    expect(weft_start(&options), 0);
    expect(weft_worker_count(), expected);
    expect(weft_stop(0), 0);
}

// "How many workers, 1 to 1024 ... 0: the environment's WEFT_WORKERS, else ..."
CASE(there_are_as_many_workers_as_asked_for, .is_bare = true) {
    static const char *const wrong[] = {"0", "-1", "1025", "99999999999", "two", "2x", " 2", "2 "};
    expect(weft_worker_count(), 0);
    start_with(NULL, 1, 1);
    start_with(NULL, 8, 8);
    start_with("3", 0, 3);
    start_with("3", 2, 2);
    start_with(NULL, -1, -EINVAL);
    start_with("3", 1025, -EINVAL);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        start_with(wrong[i], 0, -EINVAL);
}
CASE_NEEDS_PUBLIC_DRIVER(there_are_as_many_workers_as_asked_for)

// "One for each processor that the affinity mask and the control groups' CPU quota leave."
CASE(by_default_there_is_one_worker_for_each_processor, .is_bare = true) {
    cpu_set_t mask;
    weft_options options = options_for(0);
    unsetenv("WEFT_WORKERS");
    expect(sched_getaffinity(0, sizeof mask, &mask), 0);
    expect(weft_start(&options), 0);
    expect_that(weft_worker_count() >= 1 && weft_worker_count() <= CPU_COUNT(&mask));
    expect(weft_stop(0), 0);
    for (int cpu = 0; CPU_COUNT(&mask) > 1; cpu++)
        CPU_CLR(cpu, &mask);
    expect(sched_setaffinity(0, sizeof mask, &mask), 0);
    expect(weft_start(&options), 0);
    expect(weft_worker_count(), 1);
    expect(weft_stop(0), 0);
}
CASE_NEEDS_PUBLIC_DRIVER(by_default_there_is_one_worker_for_each_processor)

// ---- Which thread ---------------------------------------------------------------------------

struct place {
    pthread_t thread;
};

static int tell_place(void *context) {
    ((struct place *)context)->thread = pthread_self();
    return weft_yield();
}

static void find_threads(int workers, struct place *places) {
    weft_scope scope = {0};
    for (int i = 0; i < workers; i++)
        go_on(i + 1, &scope, tell_place, &places[i]);
    expect(weft_join(&scope), 0);
}

static void expect_one_thread_each(int workers) {
    struct place first[WORKERS_MAX], second[WORKERS_MAX];
    find_threads(workers, first);
    find_threads(workers, second);
    expect_that(pthread_equal(first[0].thread, pthread_self())); // "becomes worker 1"
    for (int i = 0; i < workers; i++) {
        expect_that(pthread_equal(first[i].thread, second[i].thread));
        for (int k = 0; k < i; k++)
            expect_that(!pthread_equal(first[i].thread, first[k].thread));
    }
}

CASE(each_worker_is_one_thread, .is_bare = true) {
    under_1_2_and_8(expect_one_thread_each);
}
CASE_NEEDS_PUBLIC_DRIVER(each_worker_is_one_thread)

static int wander(int conn) {
    pthread_t home = pthread_self();
    char byte;
    for (int i = 0; i < 20; i++) {
        expect(weft_write(conn, "x", 1), 1);
        expect_that(pthread_equal(home, pthread_self()));
        expect(weft_yield(), 0);
        expect_that(pthread_equal(home, pthread_self()));
        expect(weft_sleep(i % 3 * WEFT_MICROSECOND), 0);
        expect_that(pthread_equal(home, pthread_self()));
        expect(weft_read(conn, &byte, 1), 1);
        expect_that(pthread_equal(home, pthread_self()));
    }
    return weft_close(conn);
}

static int wander_at_both_ends(void *unused) {
    struct tcp_pair pair = tcp_pair_open();
    pthread_t home = pthread_self();
    weft_scope scope = {0};
    (void)unused;
    expect(weft_go(&scope, wander, pair.client), 0);
    expect(weft_go(&scope, wander, pair.server), 0);
    expect(weft_join(&scope), 0);
    expect_that(pthread_equal(home, pthread_self()));
    return 0;
}

static void expect_tasks_stay(int workers) {
    weft_scope scope = {0};
    for (int i = 0; i < 5 * workers; i++)
        expect(weft_go(&scope, wander_at_both_ends, NULL), 0);
    expect(weft_join(&scope), 0);
}

// "A task never changes its worker once it has started."
CASE(a_task_stays_on_the_thread_where_it_started, .is_bare = true) {
    under_1_2_and_8(expect_tasks_stay);
}
CASE_NEEDS_PUBLIC_DRIVER(a_task_stays_on_the_thread_where_it_started)

static int start_one_here(void *context) {
    struct place *places = context, child;
    weft_task_options here = {.worker = WEFT_WORKER_HERE};
    weft_scope scope = {0};
    places->thread = pthread_self();
    for (int i = 0; i < 10; i++) {
        expect(weft_go_with(&scope, tell_place, (void *)&child, &here), 0);
        expect(weft_join(&scope), 0);
        expect_that(pthread_equal(child.thread, places->thread));
    }
    return 0;
}

static void *start_here_in_thread(void *context) {
    weft_task_options here = {.worker = WEFT_WORKER_HERE};
    weft_scope scope = {0};
    expect(weft_go_with(&scope, raise_flag, context, &here), -EINVAL);
    return NULL;
}

static void expect_the_worker_asked_for(int workers) {
    struct place places[WORKERS_MAX];
    struct flag none = {0};
    weft_scope scope = {0};
    pthread_t thread;
    for (int i = 0; i < workers; i++)
        go_on(i + 1, &scope, start_one_here, &places[i]);
    expect(weft_join(&scope), 0);
    static const int beyond[] = {1, 100, 2000000000};
    for (int i = 0; i < 3; i++) {
        weft_task_options there = {.worker = workers + beyond[i]};
        expect(weft_go_with(&scope, raise_flag, (void *)&none, &there), -EINVAL);
    }
    expect(weft_go_with(&scope, raise_flag, (void *)&none, &(weft_task_options){.worker = -2}),
           -EINVAL);
    expect(-pthread_create(&thread, NULL, start_here_in_thread, &none), 0);
    expect(-pthread_join(thread, NULL), 0);
    expect(weft_join(&scope), 0);
    expect(flag_value(&none), 0);
}

// "n is the n-th worker ... WEFT_WORKER_HERE: the worker of the calling task."
CASE(a_task_runs_on_the_worker_asked_for, .is_bare = true) {
    under_1_2_and_8(expect_the_worker_asked_for);
}
CASE_NEEDS_PUBLIC_DRIVER(a_task_runs_on_the_worker_asked_for)

// ---- Placing and stealing -------------------------------------------------------------------

static struct flag begun;

static int wait_for_the_peer(int conn) {
    char byte;
    flag_raise(&begun);
    expect(weft_read(conn, &byte, 1), 0);
    return weft_close(conn);
}

static int steals_of_all(int workers) {
    int count = 0;
    for (int i = 1; i <= workers; i++)
        count += (int)stats_of(i).steals;
    return count;
}

// One after the other, so that each is placed when the one before it has been counted. A thief may
// be quicker than the worker that was chosen: its share is larger by that.
static void expect_even_shares(int workers) {
    enum { EACH = 12 };
    static int clients[EACH * WORKERS_MAX];
    weft_addr addr;
    int listener = listen_anywhere(&addr), count = EACH * workers;
    weft_scope scope = {0};
    begun = (struct flag){0};
    for (int i = 0; i < count; i++) {
        clients[i] = opened(weft_tcp_connect_with(&addr, NULL));
        expect(weft_go(&scope, wait_for_the_peer, weft_accept(listener)), 0);
        await_flag(&begun, i + 1);
    }
    int steals = steals_of_all(workers);
    for (int i = 1; i <= workers; i++) {
        int share = (int)stats_of(i).tasks, stolen = (int)stats_of(i).steals;
        if (share < EACH - 1 - steals || share > EACH + 1 + stolen)
            fail_msg("worker %d of %d has %d of %d connections, of which it stole %d", i, workers,
                     share, count, stolen);
    }
    for (int i = 0; i < count; i++)
        expect(weft_close(clients[i]), 0);
    expect(weft_join(&scope), 0);
    expect(weft_close(listener), 0);
}

// "Places each connection where the fewest tasks live."
CASE(connections_are_shared_evenly, .is_bare = true) {
    under_1_2_and_8(expect_even_shares);
}
CASE_NEEDS_PUBLIC_DRIVER(connections_are_shared_evenly)

enum { CHILDREN = 50 };

// Computes until others have done its children's work.
static int compute_until_they_have_run(void *unused) {
    struct flag ran = {0};
    weft_scope children = {0};
    (void)unused;
    for (int i = 0; i < CHILDREN; i++)
        expect(weft_go(&children, raise_flag, (void *)&ran), 0);
    wait_outside(&ran, CHILDREN);
    return weft_join(&children);
}

static void expect_help(int workers) {
    for (int i = rounds(100); i > 0; i--) {
        weft_scope scope = {0};
        go_on(1 + i % workers, &scope, compute_until_they_have_run, NULL);
        expect(weft_join(&scope), 0);
        if (i % 5 == 0)
            expect(weft_sleep(WEFT_MILLISECOND), 0); // all fall asleep
    }
    expect_that(steals_of_all(workers) >= rounds(100) * CHILDREN);
}

// "Until the task has started it may go from one worker to another."
CASE(idle_workers_start_what_a_busy_one_cannot, .is_bare = true) {
    under(2, expect_help);
    under(8, expect_help);
}
CASE_NEEDS_PUBLIC_DRIVER(idle_workers_start_what_a_busy_one_cannot)

// ---- Task zero outside ----------------------------------------------------------------------

static void expect_help_for_task_zero(int workers) {
    (void)workers;
    for (int i = rounds(200); i > 0; i--) {
        struct flag ran = {0};
        weft_scope scope = {0};
        for (int k = i % 7; k >= 0; k--)
            expect(weft_go(&scope, raise_flag, (void *)&ran), 0);
        wait_outside(&ran, i % 7 + 1);
        expect(weft_join(&scope), 0);
        if (i % 3 == 0)
            expect(weft_sleep(WEFT_MILLISECOND), 0);
    }
}

// "Its tasks do not run while the caller is busy or blocked outside weft ..., though other workers
// take what has not started."
CASE(what_task_zero_has_started_runs_while_it_is_outside, .is_bare = true) {
    under(2, expect_help_for_task_zero);
    under(3, expect_help_for_task_zero);
    under(8, expect_help_for_task_zero);
}
CASE_NEEDS_PUBLIC_DRIVER(what_task_zero_has_started_runs_while_it_is_outside)

static pthread_t task_zero;

static int run_elsewhere(void *context) {
    expect_that(!pthread_equal(pthread_self(), task_zero));
    flag_raise(context);
    return 0;
}

static int serve_elsewhere(int conn) {
    expect_that(!pthread_equal(pthread_self(), task_zero));
    return weft_close(conn);
}

static void *start_tasks_and_join(void *context) {
    weft_scope scope = {0};
    for (int i = 0; i < CHILDREN; i++) {
        struct tcp_pair pair = tcp_pair_open();
        expect(weft_go(&scope, run_elsewhere, context), 0);
        expect(weft_go(&scope, serve_elsewhere, pair.client), 0);
        expect(weft_close(pair.server), 0);
    }
    expect(weft_join(&scope), 0);
    return NULL;
}

static void expect_nothing_new_on_worker_0(int workers) {
    struct flag ran = {0};
    pthread_t thread;
    (void)workers;
    task_zero = pthread_self();
    expect(-pthread_create(&thread, NULL, start_tasks_and_join, &ran), 0);
    expect(-pthread_join(thread, NULL), 0); // outside weft
    expect(flag_value(&ran), CHILDREN);
}

CASE(nothing_new_goes_to_worker_0_while_task_zero_is_outside, .is_bare = true) {
    under(2, expect_nothing_new_on_worker_0);
    under(8, expect_nothing_new_on_worker_0);
}
CASE_NEEDS_PUBLIC_DRIVER(nothing_new_goes_to_worker_0_while_task_zero_is_outside)

struct ticker {
    struct flag ticks, stop;
};

static int tick(void *context) {
    struct ticker *ticker = context;
    for (; flag_value(&ticker->stop) == 0; flag_raise(&ticker->ticks))
        expect(weft_yield(), 0);
    return 0;
}

static int take_some_time(void *context) {
    for (int i = 0; i < 100; i++)
        expect(weft_sleep(WEFT_MICROSECOND), 0);
    flag_raise(context);
    return 0;
}

static void expect_worker_0_to_wait(int workers) {
    struct ticker ticker = {{0}, {0}};
    struct flag done = {0};
    weft_scope scope = {0};
    go_on(1, &scope, tick, &ticker);
    await_flag(&ticker.ticks, 10);
    int ticks = flag_value(&ticker.ticks);
    go_on(workers, &scope, take_some_time, &done);
    wait_outside(&done, 1);
    expect(flag_value(&ticker.ticks), ticks);
    flag_raise(&ticker.stop);
    expect(weft_join(&scope), 0);
}

// "Worker 1 runs tasks only while task zero waits inside weft."
CASE(what_has_started_on_worker_0_waits_while_task_zero_is_outside, .is_bare = true) {
    under(2, expect_worker_0_to_wait);
    under(8, expect_worker_0_to_wait);
}
CASE_NEEDS_PUBLIC_DRIVER(what_has_started_on_worker_0_waits_while_task_zero_is_outside)

// ---- Own threads ----------------------------------------------------------------------------

static int try_to_stop(void *context) {
    expect(weft_stop(0), -EPERM);
    return raise_flag(context);
}

static void *stop_here(void *unused) {
    expect(weft_stop(INT64_MAX), 0);
    return unused;
}

// "1: the calling thread stays a plain one and every worker has a thread of its own."
CASE(with_own_threads_the_caller_stays_a_plain_thread, .is_bare = true) {
    static const int counts[] = {1, 2, 8};
    for (int i = 0; i < 3; i++) {
        weft_options options = options_for(counts[i]);
        struct place places[WORKERS_MAX];
        struct flag ran = {0};
        weft_scope scope = {0};
        pthread_t thread;
        options.own_threads = 1;
        expect(weft_start(&options), 0);
        expect(weft_worker_count(), counts[i]);
        assert_string_equal(weft_driver_name(), "thread");
        for (int k = 0; k < 10; k++)
            expect(weft_go(&scope, try_to_stop, (void *)&ran), 0);
        wait_outside(&ran, 10);
        expect(weft_join(&scope), 0);
        find_threads(counts[i], places);
        for (int k = 0; k < counts[i]; k++)
            expect_that(!pthread_equal(places[k].thread, pthread_self()));
        expect(-pthread_create(&thread, NULL, stop_here, NULL), 0); // any plain thread may
        expect(-pthread_join(thread, NULL), 0);
        expect(weft_stop(0), -ENOENT);
    }
}
CASE_NEEDS_PUBLIC_DRIVER(with_own_threads_the_caller_stays_a_plain_thread)
