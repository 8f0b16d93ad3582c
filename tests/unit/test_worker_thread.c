// SPDX-License-Identifier: MIT
// Unit tests of task/worker_thread.c: threads that begin and end together, also when one of them
// cannot be had; and what weft_start makes of that: fewer workers, or none of those asked for.
#include "task_tools.h"
#include "threads.h"

#include "task/worker_thread.h"

#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>

enum { WORKERS = 3 };

// ---- A runtime made by hand -----------------------------------------------------------------

static struct weft__runtime runtime;
static struct weft__worker workers[WORKERS], *list[WORKERS];
static struct weft__os_thread os_threads[WORKERS];
static char note[200], cause[200];
static struct weft__worker_plan plan;

static void *end_at_once(void *arg) {
    return arg;
}

static int by_hand_begin(void **state) {
    case_begin(state);
    thread_join(thread_start(end_at_once, NULL)); // a sanitizer's own thread comes with the first
    runtime = (struct weft__runtime){.workers = list,
                                     .os_threads = os_threads,
                                     .worker_count = WORKERS,
                                     .has_own_threads = true};
    weft__store(&runtime.threads, 1, relaxed);
    weft__scope_init_root(&runtime.root);
    for (uint32_t i = 0; i < WORKERS; i++) {
        workers[i] = (struct weft__worker){.index = i};
        list[i] = &workers[i];
    }
    note[0] = cause[0] = '\0';
    plan = (struct weft__worker_plan){
        .driver = "epoll", .note = note, .cause = cause, .text_size = sizeof note};
    return 0;
}

static int by_hand_end(void **state) {
    weft__scope_orphan_children(&runtime.root, weft__self());
    weft__task_pool_destroy(&runtime.pool);
    return case_end(state);
}

#define CASE_BY_HAND(fn) cmocka_unit_test_setup_teardown(fn, by_hand_begin, by_hand_end)

static int start(int worker) {
    return weft__worker_thread_start(&runtime, &workers[worker], &plan);
}

#define expect_threads(count) await_that(count_threads(NULL, NULL) == (count))

struct seen {
    struct weft__worker *worker;
    char name[16];
    const char *driver;
    sigset_t blocked;
};

static int look(void *arg) {
    struct seen *seen = arg;
    seen->worker = weft__this_worker();
    seen->driver = weft_driver_name();
    (void)prctl(PR_GET_NAME, seen->name);
    pthread_sigmask(SIG_SETMASK, NULL, &seen->blocked);
    return 0;
}

// weft_go on a worker of our choice.
static void go_on(int worker, weft_scope *scope, int (*fn)(void *), void *arg) {
    struct weft__task *task = weft__task_take(&runtime.pool, NULL);
    assert_non_null(task);
    weft__store(&task->waiter.cancelled, 0, relaxed);
    task->is_started = task->takes_handle = false;
    task->is_pinned = true;
    task->waiter.deadline = task->waiter.inherited = INT64_MAX;
    task->wake_at = INT64_MAX;
    task->fn = fn;
    task->arg = arg;
    weft__fetch_add(&runtime.outside, 1, seq_cst);
    assert_int_equal(
        weft__scope_add((struct weft__scope *)scope, weft__self(), task, &runtime.root), 0);
    weft__worker_place(&workers[worker], task);
}

static void each_thread_runs_its_worker(void **state) {
    (void)state;
    struct seen seen[WORKERS];
    weft_scope scope = {0};
    size_t threads = count_threads(NULL, NULL);
    for (int i = 0; i < WORKERS; i++)
        expect(start(i), 0);
    assert_int_equal(count_threads(NULL, NULL), threads + WORKERS);
    for (int i = 0; i < WORKERS; i++) // they may come before it goes
        go_on(i, &scope, look, &seen[i]);
    weft__worker_threads_go(&runtime);
    expect(weft_join(&scope), 0);
    await_that(weft__runtime_living(&runtime) == 0);
    weft__worker_threads_end(&runtime, WORKERS);
    expect_threads(threads);
    for (int i = 0; i < WORKERS; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "weft-%d", i + 1);
        assert_string_equal(seen[i].name, name);
        assert_string_equal(seen[i].driver, "epoll");
        assert_ptr_equal(seen[i].worker, &workers[i]);
        assert_true(sigismember(&seen[i].blocked, SIGINT) &&
                    sigismember(&seen[i].blocked, SIGALRM));
        assert_false(sigismember(&seen[i].blocked, SIGSEGV));
    }
}

static void nothing_runs_before_all_are_let_go(void **state) {
    (void)state;
    struct seen seen = {.worker = NULL};
    weft_scope scope = {0};
    for (int i = 0; i < WORKERS; i++) {
        expect(start(i), 0);
        if (i == 0)
            go_on(0, &scope, look, &seen);
    }
    weft__os_yield();
    assert_int_equal(workers[0].stats.started, 0);
    weft__worker_threads_go(&runtime);
    expect(weft_join(&scope), 0);
    await_that(weft__runtime_living(&runtime) == 0);
    weft__worker_threads_end(&runtime, WORKERS);
    assert_int_equal(workers[0].stats.started, 1);
}

static void those_that_were_not_let_go_end_as_well(void **state) {
    (void)state;
    size_t threads = count_threads(NULL, NULL);
    for (int i = 0; i < WORKERS; i++)
        expect(start(i), 0);
    weft__worker_threads_end(&runtime, WORKERS);
    expect_threads(threads);
    for (int i = 0; i < WORKERS; i++)
        assert_int_equal(workers[i].stats.turns, 0);
}

static void one_whose_driver_does_not_start_leaves_no_thread(void **state) {
    (void)state;
    size_t threads = count_threads(NULL, NULL);
    plan.driver = "carrier pigeon";
    expect(start(0), -EINVAL);
    assert_non_null(strstr(cause, "carrier pigeon"));
    expect_threads(threads);
    plan.driver = "epoll";
    expect(start(0), 0);
    assert_string_equal(cause, "");
    assert_non_null(strstr(note, "epoll"));
    weft__worker_threads_end(&runtime, 1);
    expect_threads(threads);
}

static void a_thread_that_cannot_be_had_says_so(void **state) {
    (void)state;
    fault_nth("thread", 1, -EAGAIN);
    expect(start(0), -EAGAIN);
    assert_non_null(strstr(cause, "no thread for a worker"));
    fault_nth("thread", 1, -ENOMEM);
    expect(start(0), -ENOMEM);
    assert_string_equal(cause, "");
    weft__worker_threads_end(&runtime, 0);
}

// What the n-th thread finds wanting, for each n: those before it end, and nothing is left.
static void those_that_stand_end_when_a_later_one_does_not_start(void **state) {
    (void)state;
    static const char *const kinds[] = {"alloc", "pages", "thread"};
    size_t threads = count_threads(NULL, NULL);
    for (size_t k = 0; k < 3; k++) {
        size_t living = weft__alloc_living();
        int count = 0;
        for (uint64_t n = 1; count < WORKERS; n++) {
            weft__store(&runtime.up, 0, relaxed);
            weft__store(&runtime.threads, 1, relaxed);
            fault_nth(kinds[k], n, -ENOMEM);
            for (count = 0; count < WORKERS && start(count) == 0;)
                count++;
            fault_none();
            weft__worker_threads_end(&runtime, (uint32_t)count);
            expect_threads(threads);
            assert_int_equal(weft__alloc_living(), living);
        }
    }
}

// ---- Another driver for a later worker ------------------------------------------------------

static int warnings, fallbacks;

static void count_fallbacks(int level, const char *text, void *context) {
    (void)context;
    warnings += level == WEFT__LOG_WARN;
    fallbacks += strstr(text, "driver of worker 1: epoll (io_uring ") == text;
}

// What io_uring cannot get epoll may; where there is no io_uring at all, too.
static void if_the_ladder_chose_a_worker_may_take_the_next_driver(void **state) {
    (void)state;
    warnings = fallbacks = 0;
    weft__log_to(count_fallbacks, NULL);
    plan.driver = "uring";
    for (uint64_t n = 1; n <= 6; n++) {
        plan.may_fall_back = n <= 3;
        weft__store(&runtime.up, 0, relaxed);
        weft__store(&runtime.threads, 1, relaxed);
        fault_nth("alloc", 1 + n % 3, -ENOMEM);
        int error = start(0);
        fault_none();
        if (error == 0 && strcmp(workers[0].driver->class->name, "epoll") == 0)
            assert_true(plan.may_fall_back);
        weft__worker_threads_end(&runtime, error == 0);
    }
    weft__log_to(NULL, NULL);
    assert_true(fallbacks > 0);
    assert_int_equal(warnings, fallbacks);
}

// ---- weft_start -----------------------------------------------------------------------------

static int fewer;
static char last_line[256];

static void keep_warning(int level, const char *text, void *context) {
    (void)context;
    warnings += level == WEFT__LOG_WARN;
    fewer += strstr(text, "1 worker instead of ") == text;
    (void)snprintf(last_line, sizeof last_line, "%s", text);
}

static int start_epoll(int count, int own_threads) {
    warnings = fewer = 0;
    return weft_start(&(weft_options){
        .driver = "epoll", .workers = count, .own_threads = own_threads, .log = keep_warning});
}

static int by_default_begin(void **state) {
    unsetenv("WEFT_WORKERS");
    return case_begin(state);
}

static int by_default_end(void **state) {
    setenv("WEFT_WORKERS", UNIT_WORKERS, 1);
    return case_end(state);
}

#define CASE_BY_DEFAULT(fn) cmocka_unit_test_setup_teardown(fn, by_default_begin, by_default_end)

static void nobody_asked_so_fewer_workers_will_do(void **state) {
    (void)state;
    if (weft__os_cpu_count() < 2)
        skip();
    for (int own_threads = 0; own_threads < 2; own_threads++) {
        fault_nth("thread", own_threads ? 2 : 1, -EAGAIN);
        expect(start_epoll(0, own_threads), 0);
        fault_none();
        assert_int_equal(weft_worker_count(), 1);
        assert_int_equal(warnings, 1);
        assert_int_equal(fewer, 1);
        assert_string_equal(last_line, "driver: epoll (asked for)"); // of the one that runs
        expect(weft_stop(0), 0);
    }
}

static void of_those_asked_for_all_start_or_none(void **state) {
    (void)state;
    for (int by_environment = 0; by_environment < 2; by_environment++) {
        setenv("WEFT_WORKERS", by_environment ? "4" : "1", 1);
        for (int i = 0; i < 6; i++) {
            int own_threads = i % 2;
            fault_nth("thread", 1 + (uint64_t)i / 2 + (uint64_t)own_threads, -EAGAIN);
            expect(start_epoll(by_environment ? 0 : 4, own_threads), -EAGAIN);
            fault_none();
            expect_explained("no thread for a worker");
            assert_int_equal(warnings, 0);
            assert_int_equal(weft_worker_count(), 0);
            expect(weft_stop(0), -ENOENT);
        }
    }
}

static void without_a_thread_for_worker_0_there_is_no_runtime(void **state) {
    (void)state;
    fault_nth("thread", 1, -EAGAIN);
    expect(start_epoll(0, 1), -EAGAIN);
    expect_explained("no thread for a worker");
    expect(weft_stop(0), -ENOENT);
}

// As many descriptors as one worker needs, and one more.
static void without_descriptors_a_driver_does_not_start(void **state) {
    (void)state;
    struct leftovers idle, running;
    struct rlimit limit;
    expect(start_epoll(1, 0), 0);
    leftovers_count(&running);
    expect(weft_stop(0), 0);
    leftovers_count(&idle);
    int lowest = dup(STDERR_FILENO);
    close(lowest);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    rlim_t soft = limit.rlim_cur;
    limit.rlim_cur = (rlim_t)lowest + running.descriptors - idle.descriptors + 1;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    expect(start_epoll(8, 0), -EMFILE);
    expect_explained("epoll");
    bool has_started = start_epoll(0, 0) == 0;
    int count = weft_worker_count();
    limit.rlim_cur = soft;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_true(has_started);
    assert_int_equal(count, 1);
    assert_int_equal(fewer, weft__os_cpu_count() > 1);
}

int main(void) {
    const struct CMUnitTest cases[] = {
        CASE_BY_HAND(each_thread_runs_its_worker),
        CASE_BY_HAND(nothing_runs_before_all_are_let_go),
        CASE_BY_HAND(those_that_were_not_let_go_end_as_well),
        CASE_BY_HAND(one_whose_driver_does_not_start_leaves_no_thread),
        CASE_BY_HAND(a_thread_that_cannot_be_had_says_so),
        CASE_BY_HAND(those_that_stand_end_when_a_later_one_does_not_start),
        CASE_BY_HAND(if_the_ladder_chose_a_worker_may_take_the_next_driver),
        CASE_BY_DEFAULT(nobody_asked_so_fewer_workers_will_do),
        CASE_BY_DEFAULT(of_those_asked_for_all_start_or_none),
        CASE_BY_DEFAULT(without_a_thread_for_worker_0_there_is_no_runtime),
        CASE_BY_DEFAULT(without_descriptors_a_driver_does_not_start),
    };
    return RUN(cases);
}
