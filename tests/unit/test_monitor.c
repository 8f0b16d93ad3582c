// SPDX-License-Identifier: MIT
// Unit tests of task/monitor.c and task/watchdog.c: which tasks are named and how, when nobody is,
// what becomes of tasks that nobody was called for, and that an idle process stays asleep.
#define UNIT_WORKERS "2"
#include "task_tools.h"
#include "threads.h"

#include <stdio.h>
#include <time.h>

enum { PATIENCE_MS = 20, LINES_SIZE = 8192 };

// ---- What is logged ----

static struct {
    struct weft__lock lock;
    char text[LINES_SIZE];
} lines;

static void keep_line(int level, const char *text, void *context) {
    (void)context;
    weft__lock(&lines.lock);
    size_t length = strlen(lines.text);
    if (level == WEFT__LOG_WARN)
        snprintf(lines.text + length, sizeof lines.text - length, "%s\n", text);
    weft__unlock(&lines.lock);
}

static size_t count_logged(const char *what) {
    size_t count = 0;
    weft__lock(&lines.lock);
    for (const char *at = lines.text; (at = strstr(at, what)) != NULL; at++)
        count++;
    weft__unlock(&lines.lock);
    return count;
}

static void start(int workers, int64_t watchdog_ns) {
    lines.text[0] = '\0';
    weft_options options = {
        .driver = "epoll", .workers = workers, .log = keep_line, .watchdog_ns = watchdog_ns};
    expect(weft_start(&options), 0);
}

static void start_watched(void) {
    start(2, PATIENCE_MS * WEFT_MILLISECOND);
}

// ---- Tasks that keep their worker ----

static volatile unsigned sink;

static __attribute__((noinline)) void compute_until_named(const char *name) {
    while (count_logged(name) == 0)
        for (int i = 0; i < 1000000; i++)
            sink++;
    sink++;
}

static int compute(void *arg) {
    compute_until_named(arg);
    return 0;
}

static __attribute__((noinline)) void doze_until_named(const char *name) {
    while (count_logged(name) == 0)
        nanosleep(&(struct timespec){.tv_nsec = 3 * PATIENCE_MS * 1000000}, NULL);
    sink++;
}

static int doze(void *arg) {
    doze_until_named(arg);
    return 0;
}

static int doze_until_caught(void *arg) {
    while (stderr_catch_count(arg) == 0)
        nanosleep(&(struct timespec){.tv_nsec = 3 * PATIENCE_MS * 1000000}, NULL);
    return 0;
}

static void go_named(weft_scope *scope, const char *name, int (*fn)(void *), const void *arg) {
    expect(weft_go_with(scope, fn, (void *)arg, &(weft_task_options){.name = name}), 0);
}

static void a_task_that_computes_is_named_with_its_calls(void **state) {
    (void)state;
    weft_scope scope = {0};
    start_watched();
    go_named(&scope, "abacus", compute, "task abacus (compute) has kept worker");
    expect(weft_join(&scope), 0);
    if (test_slowness() == 1)
        expect_that(count_logged("busy in ") == 0 || count_logged("compute_until_named+") > 0);
    expect_that(count_logged("weft_blocking)") > 0);
}

static void a_task_that_blocks_is_named_with_where(void **state) {
    (void)state;
    weft_scope scope = {0};
    start_watched();
    expect(weft_go(&scope, doze, "task doze has kept worker"), 0);
    expect(weft_join(&scope), 0);
    if (test_under_valgrind())
        skip(); // it waits in Valgrind's own code
    expect_that(count_logged("nanosleep") > 0);
#if defined(__x86_64__) || defined(__aarch64__)
    expect_that(count_logged("doze_until_named+") > 0);
#endif
    expect(count_logged(__func__), 0); // who started it is not among its calls
}

// Beside a single worker the monitor has no descriptors but that.
static void what_is_named_beside_one_worker_goes_to_stderr(void **state) {
    (void)state;
    weft_scope scope = {0};
    weft_options options = {
        .driver = "epoll", .workers = 1, .watchdog_ns = PATIENCE_MS * WEFT_MILLISECOND};
    expect(weft_start(&options), 0);
    stderr_catch_begin(); // another file takes the place of the one it began with
    expect(weft_go(&scope, doze_until_caught, "weft: task doze_until_caught has kept worker 1"), 0);
    expect(weft_join(&scope), 0);
    stderr_catch_end();
}

static int doze_long(void *arg) {
    (void)arg;
    nanosleep(&(struct timespec){.tv_nsec = 10 * PATIENCE_MS * 1000000}, NULL);
    return 0;
}

static void doze_until_count(const char *name, size_t count) {
    while (count_logged(name) < count)
        doze_long(NULL);
}

static int doze_twice(void *arg) {
    doze_until_count(arg, 1);
    doze_long(NULL);
    expect(count_logged(arg), 1);
    expect(weft_yield(), 0);
    doze_until_count(arg, 2);
    return 0;
}

static void it_is_named_once_until_it_has_paused(void **state) {
    (void)state;
    weft_scope scope = {0};
    start_watched();
    go_named(&scope, "dozer", doze_twice, "task dozer (doze_twice)");
    expect(weft_join(&scope), 0);
}

static int yield_long(void *arg) {
    (void)arg;
    int64_t until = weft_now() + 5 * PATIENCE_MS * WEFT_MILLISECOND;
    while (weft_now() < until)
        expect(weft_yield(), 0);
    return 0;
}

static void one_that_pauses_is_not_named(void **state) {
    (void)state;
    weft_scope scope = {0};
    start(2, test_slowness() > 1 ? 0 : PATIENCE_MS * WEFT_MILLISECOND);
    for (int i = 0; i < 4; i++)
        expect(weft_go(&scope, yield_long, NULL), 0);
    expect(weft_join(&scope), 0);
    expect(count_logged("has kept worker"), 0);
}

static void without_a_watchdog_nobody_is_named(void **state) {
    (void)state;
    weft_scope scope = {0};
    start(2, -1);
    go_named(&scope, "dozer", doze_long, NULL);
    expect(weft_join(&scope), 0);
    expect(count_logged("has kept worker"), 0);
    expect(weft_stop(0), 0);
    start(1, -1); // nothing to look at
    assert_null(weft__runtime_now()->monitor);
}

// ---- Task zero ----

static int sleep_until_named(void *arg) {
    while (count_logged(arg) == 0)
        expect(weft_sleep(WEFT_MILLISECOND), 0);
    return 0;
}

static void task_zero_is_named_when_tasks_wait_for_it(void **state) {
    (void)state;
    weft_scope scope = {0};
    start_watched();
    expect(weft_go_with(&scope, sleep_until_named, "has kept worker 1",
                        &(weft_task_options){.worker = 1}),
           0);
    while (weft__load(&weft__runtime_now()->workers[0]->stats.started, relaxed) == 0)
        expect(weft_sleep(WEFT_MILLISECOND), 0);
    doze_until_named("task zero (the thread that started the runtime) has kept worker 1");
    expect_that(count_logged(" outside weft") == 1);
    expect_that(count_logged("1 task waits there") == 1);
    expect(weft_join(&scope), 0);
}

static bool is_monitor_asleep(void) {
    return weft__load(&weft__runtime_now()->monitor_word, acquire) == WEFT__MONITOR_SLEEPS;
}

static int end_at_once(void *arg) {
    (void)arg;
    return 0;
}

static void *start_and_join(void *arg) {
    weft_scope scope = {0};
    expect(weft_go(&scope, end_at_once, arg), 0);
    expect(weft_join(&scope), 0);
    return NULL;
}

// No other worker could start it.
static void beside_one_worker_unstarted_tasks_wait_for_task_zero_too(void **state) {
    (void)state;
    for (int is_from_outside = 0; is_from_outside < 2; is_from_outside++) {
        weft_scope scope = {0};
        pthread_t thread;
        start(1, PATIENCE_MS * WEFT_MILLISECOND);
        while (!is_monitor_asleep())
            nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
        if (is_from_outside)
            thread = thread_start(start_and_join, NULL);
        else
            expect(weft_go(&scope, end_at_once, NULL), 0);
        doze_until_named("task zero (the thread that started the runtime) has kept worker 1");
        expect(count_logged("1 task waits there"), 1);
        if (is_from_outside) {
            while (weft__load(&weft__runtime_now()->workers[0]->stats.ended, relaxed) == 0)
                expect(weft_yield(), 0);
            thread_join(thread);
        }
        expect(weft_join(&scope), 0);
        expect(weft_stop(INT64_MAX), 0);
    }
}

static void task_zero_may_stay_away_when_nobody_waits(void **state) {
    (void)state;
    start_watched();
    expect(weft_sleep(WEFT_MILLISECOND), 0);
    nanosleep(&(struct timespec){.tv_nsec = 10 * PATIENCE_MS * 1000000}, NULL);
    expect(count_logged("has kept worker"), 0);
}

// ---- Unstarted tasks ----

static int raise_when_run(void *flag) {
    flag_raise(flag);
    return 0;
}

struct busy {
    struct flag begun, ran;
};

static int doze_until_ran(void *arg) {
    struct busy *busy = arg;
    flag_raise(&busy->begun);
    while (flag_value(&busy->ran) == 0)
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    return 0;
}

static int sleep_until_ran(void *arg) {
    struct busy *busy = arg;
    while (flag_value(&busy->ran) == 0)
        expect(weft_sleep(WEFT_HOUR), -ECANCELED);
    return 0;
}

static void *start_task(void *arg) {
    struct busy *busy = arg;
    weft_scope scope = {0};
    expect(weft_go(&scope, raise_when_run, &busy->ran), 0);
    expect(weft_join(&scope), 0);
    return NULL;
}

// A plain thread places it with the worker that has fewer tasks, which is busy and calls nobody;
// and the other one sleeps.
static void a_task_that_nobody_was_called_for_is_started(void **state) {
    (void)state;
    struct busy busy = {.ran = {0}};
    weft_scope sleepers = {0}, scope = {0};
    start_watched();
    for (int i = 0; i < 3; i++)
        expect(weft_go_with(&sleepers, sleep_until_ran, &busy, &(weft_task_options){.worker = 1}),
               0);
    await_parked_tasks(3);
    expect(weft_go_with(&scope, doze_until_ran, &busy, &(weft_task_options){.worker = 2}), 0);
    await_flag(&busy.begun, 1);
    pthread_t thread = thread_start(start_task, &busy);
    expect(weft_join(&scope), 0);
    thread_join(thread);
    weft_cancel(&sleepers);
    expect(weft_join(&sleepers), 0);
}

// ---- Sleeping ----

// In a futex(2) without a time limit, its fourth argument: proc(5), /proc/PID/syscall.
static bool waits_for_ever(uint64_t thread_id) {
    char path[64], line[256] = "";
    unsigned long long limit;
    snprintf(path, sizeof path, "/proc/self/task/%llu/syscall", (unsigned long long)thread_id);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    bool is_waiting = fgets(line, sizeof line, file) != NULL &&
                      sscanf(line, "%*s %*s %*s %*s %llx", &limit) == 1 && limit == 0;
    fclose(file);
    return is_waiting;
}

// A thread that was joined may be listed a moment longer.
static void it_is_there_as_long_as_a_runtime(void **state) {
    (void)state;
    weft_addr addr;
    uint64_t id = 0;
    // ThreadSanitizer has one of its own.
    size_t before_any = test_slowness() > 1 ? count_threads(NULL, NULL) : 1;
    await_that(count_threads(NULL, NULL) == before_any);
    expect(weft_close(udp_anywhere(&addr)), 0);
    expect(weft_sleep(1), 0);
    expect(weft_blocking(end_at_once, NULL), 0);
    expect(count_threads(NULL, NULL), before_any); // plain calls need no other
    for (int workers = 1; workers <= 2; workers++) {
        start(workers, 0);
        await_that(count_threads("weft-monitor", &id) == 1);
        await_that(count_threads(NULL, NULL) == before_any + (size_t)workers);
        expect(weft_stop(0), 0);
        await_that(count_threads(NULL, NULL) == before_any);
    }
}

static void in_an_idle_process_it_sleeps(void **state) {
    (void)state;
    start_watched();
    uint64_t id = 0;
    await_that(count_threads("weft-monitor", &id) == 1); // it takes its name when it runs
    if (test_slowness() > 1) // the system calls are not those of the program
        skip();
    for (int i = 0; i < 3; i++) {
        expect(weft_sleep(30 * WEFT_MILLISECOND), 0); // a worker that wakes rouses it
        while (!is_monitor_asleep() || !waits_for_ever(id))
            nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    }
}

static void a_worker_that_wakes_rouses_it(void **state) {
    (void)state;
    struct flag ran = {0};
    weft_scope scope = {0};
    start_watched();
    expect(weft_sleep(30 * WEFT_MILLISECOND), 0);
    while (!is_monitor_asleep())
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    go_named(&scope, "late", doze, "task late (doze)");
    expect(weft_go(&scope, raise_when_run, &ran), 0);
    expect(weft_join(&scope), 0);
}

static void a_runtime_may_be_without_it(void **state) {
    (void)state;
    weft_scope scope = {0};
    fault_nth("thread", 1, -EAGAIN); // with one worker the monitor's is the first
    start(1, 0);
    fault_none();
    expect(count_logged("no monitor"), 1);
    go_named(&scope, "dozer", doze_long, NULL);
    expect(weft_join(&scope), 0);
    expect(count_logged("has kept worker"), 0);
}

int main(void) {
    const struct CMUnitTest cases[] = {
        CASE(a_task_that_computes_is_named_with_its_calls),
        CASE(a_task_that_blocks_is_named_with_where),
        CASE(what_is_named_beside_one_worker_goes_to_stderr),
        CASE(it_is_named_once_until_it_has_paused),
        CASE(one_that_pauses_is_not_named),
        CASE(without_a_watchdog_nobody_is_named),
        CASE(task_zero_is_named_when_tasks_wait_for_it),
        CASE(beside_one_worker_unstarted_tasks_wait_for_task_zero_too),
        CASE(task_zero_may_stay_away_when_nobody_waits),
        CASE(a_task_that_nobody_was_called_for_is_started),
        CASE(it_is_there_as_long_as_a_runtime),
        CASE(in_an_idle_process_it_sleeps),
        CASE(a_worker_that_wakes_rouses_it),
        CASE(a_runtime_may_be_without_it),
    };
    return RUN(cases);
}
