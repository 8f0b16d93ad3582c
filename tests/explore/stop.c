// SPDX-License-Identifier: MIT
//
// The end of a runtime against plain threads that still have to do with it (task/runtime.c;
// task/park.c, rule 5; task/scope.c, rule 5; task/handle.c, rule 4): its memory is freed when
// weft_stop returns, and the explorer sees who touches it then.
#include "runtime.h"

#include "os/os.h"
#include "task/handle.h"

#include <errno.h>

static struct weft__scope memory;
static weft_scope *const shared = (weft_scope *)&memory;
static uint32_t ran; // atomic

static int run_once(void *arg) {
    (void)arg;
    weft__fetch_add(&ran, 1, relaxed);
    return 0;
}

static void stop(void) {
    EXPECT(weft_stop(INT64_MAX) == 0);
}

static void none_runs(void) {
    EXPECT(!weft__runtime_now());
}

// ---- Against weft_go: in the runtime that ends, or in a new one ----

static void go_and_join(void) {
    weft_scope own = {0};
    EXPECT(weft_go(&own, run_once, NULL) == 0);
    EXPECT(weft_join(&own) == 0);
    EXPECT(weft__load(&ran, relaxed) == 1);
    if (weft__self()->worker)
        EXPECT(weft_stop(0) == 0);
}

// ---- Against a weft_go that is refused: it has counted itself in ----

static void fail_to_go(void) {
    weft_scope own = {0};
    weft_task_options nobody = {.worker = 99};
    EXPECT(weft_go_with(&own, run_once, NULL, &nobody) == -EINVAL);
    if (weft__self()->worker)
        EXPECT(weft_stop(0) == 0);
}

// ---- Against a late wake of task zero ----

static void unpark_zero(void) {
    weft__unpark(zero);
}

// ---- Against join and cancel of a scope whose tasks have ended ----

// The second thread, which is the joiner, is the first to use the scope.
static void joiner_uses_shared(void) {
    if (weft__self() != zero && !memory.owner)
        EXPECT(weft_go(shared, run_once, NULL) == 0);
}

static void drain_then_stop(void) {
    while (weft__load(&ran, acquire) == 0)
        weft__worker_yield(zero->worker);
    stop();
}

static void join_shared(void) {
    EXPECT(weft_join(shared) == 0);
}

static void cancel_shared(void) {
    weft_cancel(shared);
}

// ---- Against the end of a use of a handle that a task closes ----

static int h;

static int close_in_task(void *arg) {
    struct weft__handle *handle;
    (void)arg;
    EXPECT(weft__handle_close(weft__self(), h, &handle) == 0);
    EXPECT(weft__handle_take_fd(handle) == 100);
    weft__handle_free(handle);
    return 0;
}

static void open_one(void) {
    runtime_start();
    h = weft__handle_open(100, WEFT__KIND_STREAM, weft__handle_serial());
    EXPECT(h > 0);
    EXPECT(weft_go(shared, close_in_task, NULL) == 0);
}

static void join_and_stop(void) {
    EXPECT(weft_join(shared) == 0);
    stop();
}

static void use_at(enum weft__side side) {
    struct weft__turn turn;
    int error = weft__turn_begin(&turn, weft__self(), h, side, WEFT__KIND_ANY);
    EXPECT(error == 0 || error == -EBADF);
    if (error == 0)
        weft__turn_end(&turn);
}

static void use(void) {
    use_at(WEFT__SIDE_NONE);
}

static void read_once(void) {
    use_at(WEFT__SIDE_READ);
}

// ---- Against the close of a handle at which a task waits until it is cancelled ----

static bool is_at_handle;

static int wait_at_handle(void *arg) {
    struct weft__waiter *self = weft__self();
    struct weft__turn turn;
    (void)arg;
    EXPECT(weft__turn_begin(&turn, self, h, WEFT__SIDE_READ, WEFT__KIND_ANY) == 0);
    weft__turn_waits(&turn);
    is_at_handle = true;
    while (!weft__turn_is_closing(&turn) && weft__interrupted(self) == 0)
        weft__park(self, INT64_MAX);
    weft__turn_waited(&turn);
    weft__turn_end(&turn);
    return 0;
}

static void start_waiting_task(void) {
    runtime_start();
    h = weft__handle_open(100, WEFT__KIND_STREAM, weft__handle_serial());
    EXPECT(weft_go(shared, wait_at_handle, NULL) == 0);
    while (!is_at_handle)
        weft__worker_yield(zero->worker);
}

static void close_h(void) {
    struct weft__handle *handle;
    EXPECT(weft__handle_close(weft__self(), h, &handle) == 0);
    EXPECT(weft__handle_take_fd(handle) == 100);
    weft__handle_free(handle);
}

// ---- With two workers: the last task ends elsewhere, or starts one more before ----

static void start_two(void) {
    zero = weft__self();
    EXPECT(weft_start(&(weft_options){.workers = 2, .no_overflow_report = true}) == 0);
}

static int run_and_start_one(void *arg) {
    EXPECT(weft_go(shared, run_once, NULL) == 0);
    return run_once(arg);
}

static void go_elsewhere(int (*fn)(void *), uint32_t count) {
    weft_task_options options = {.worker = 2};
    EXPECT(weft_go_with(shared, fn, NULL, &options) == 0);
    stop();
    EXPECT(weft__load(&ran, relaxed) == count);
    EXPECT(weft_join(shared) == 0);
}

static void go_elsewhere_and_stop(void) {
    go_elsewhere(run_once, 1);
}

static void go_one_that_starts_one_and_stop(void) {
    go_elsewhere(run_and_start_one, 2);
}

// ---- Workers with threads of their own: any thread stops, one at a time ----

static uint32_t stops; // atomic

static void start_own(void) {
    zero = weft__self();
    EXPECT(weft_start(&(weft_options){.workers = 1, .own_threads = 1}) == 0);
}

static void try_to_stop(void) {
    int error = weft_stop(INT64_MAX);
    EXPECT(error == 0 || error == -EBUSY || error == -ENOENT);
    weft__fetch_add(&stops, error == 0, relaxed);
}

static void go_then_stop(void) {
    weft_scope own = {0};
    EXPECT(weft_go(&own, run_once, NULL) == 0);
    EXPECT(weft_join(&own) == 0);
    EXPECT(weft__load(&ran, relaxed) == 1);
    stop();
}

static void was_stopped_once(void) {
    EXPECT(stops == 1);
    none_runs();
}

#define CASE(text, most, begin, ...)                                                               \
    EXPLORE_CASE(text, most, begin, runtime_prologue, none_runs, __VA_ARGS__)

static const struct explore_case cases[] = {
    CASE("against_go", 3, runtime_start, {"zero", stop}, {"outside", go_and_join}),
    CASE("against_refused_go", 4, runtime_start, {"zero", stop}, {"outside", fail_to_go}),
    CASE("against_late_wake", EXPLORE_ALL, runtime_start, {"zero", stop}, {"waker", unpark_zero}),
    {.name = "against_join_and_cancel",
     .bound = 2,
     .setup = runtime_start,
     .prologue = joiner_uses_shared,
     .finish = none_runs,
     .threads = {{"zero", drain_then_stop}, {"joiner", join_shared}, {"canceller", cancel_shared}}},
    CASE("close_in_task_against_use", 4, open_one, {"zero", join_and_stop}, {"user", use}),
    CASE("close_in_task_against_read", 4, open_one, {"zero", join_and_stop}, {"reader", read_once}),
    CASE("against_close", 3, start_waiting_task, {"zero", stop}, {"closer", close_h}),
    CASE("last_task_elsewhere", 2, start_two, {"zero", go_elsewhere_and_stop}),
    CASE("last_but_one_elsewhere", 1, start_two, {"zero", go_one_that_starts_one_and_stop}),
    CASE("own_threads", 3, start_own, {"outside", go_then_stop}),
    {.name = "two_stop",
     .bound = 2,
     .setup = start_own,
     .prologue = runtime_prologue,
     .finish = was_stopped_once,
     .threads = {{"one", try_to_stop}, {"other", try_to_stop}}},
};
EXPLORE_CASES(cases)
