// SPDX-License-Identifier: MIT
//
// Two workers: tasks that are stolen, placed, woken and joined across them, and the calls that one
// makes to the other (task/balance.c). Worker 1 is thread 0's, whose task zero waits in weft;
// worker 2 has a thread of its own.
#include "runtime.h"

#include "os/os.h"

static weft_scope scope;
static uint32_t ran;                // atomic
static struct weft__waiter *parked; // plain
static uint32_t is_let_go;          // atomic

static void start_two(void) {
    zero = weft__self();
    EXPECT(weft_start(&(weft_options){.workers = 2, .no_overflow_report = true}) == 0);
}

static int run_once(void *arg) {
    (void)arg;
    weft__fetch_add(&ran, 1, relaxed);
    return 0;
}

static int run_on_handle(int h) {
    EXPECT(h == 7);
    weft__fetch_add(&ran, 1, relaxed);
    return 0;
}

// ---- What zero's worker does not get round to, the other one starts ----

static void go_two_and_join(void) {
    EXPECT(weft_go(&scope, run_once, NULL) == 0);
    EXPECT(weft_go(&scope, run_once, NULL) == 0);
    EXPECT(weft_join(&scope) == 0);
    EXPECT(weft__load(&ran, relaxed) == 2);
}

static int spawn_child(void *arg) {
    weft_scope children = {0};
    (void)arg;
    EXPECT(weft_go(&children, run_once, NULL) == 0);
    EXPECT(weft_join(&children) == 0);
    return run_once(NULL);
}

static void go_tree_and_join(void) {
    EXPECT(weft_go(&scope, spawn_child, NULL) == 0);
    EXPECT(weft_join(&scope) == 0);
    EXPECT(weft__load(&ran, relaxed) == 2);
}

// ---- Placed ----

static void go_pinned_and_join(void) {
    EXPECT(weft_go_with(&scope, run_once, NULL, &(weft_task_options){.worker = 2}) == 0);
    EXPECT(weft_join(&scope) == 0);
    EXPECT(weft__load(&ran, relaxed) == 1);
}

// Who has joined all may stop without a grace.
static void go_pinned_join_and_stop(void) {
    go_pinned_and_join();
    runtime_stop();
}

static void go_with_handle_and_join(void) {
    EXPECT(weft_go(&scope, run_on_handle, 7) == 0);
    EXPECT(weft_join(&scope) == 0);
    EXPECT(weft__load(&ran, relaxed) == 1);
}

static void zero_waits_for_one(void) {
    zero_waits_for(1);
}

static void go_from_outside(void) {
    weft_scope own = {0};
    EXPECT(weft_go(&own, run_once, NULL) == 0);
    EXPECT(weft_join(&own) == 0);
    EXPECT(weft__load(&ran, relaxed) == 1);
    tell_zero();
}

// ---- Woken across workers ----

static int wait_to_be_let_go(void *arg) {
    parked = weft__self();
    tell_zero();
    (void)arg;
    while (!weft__load(&is_let_go, relaxed))
        weft__park(parked, INT64_MAX);
    return 0;
}

static void start_waiting_on_two(void) {
    start_two();
    EXPECT(weft_go_with(&scope, wait_to_be_let_go, NULL, &(weft_task_options){.worker = 2}) == 0);
    zero_waits_for(1);
}

static void let_go_and_join(void) {
    weft__store(&is_let_go, 1, relaxed);
    weft__unpark(parked);
    EXPECT(weft_join(&scope) == 0);
}

// A call to worker 2, because zero's has something to give away, and a wake, at once.
static void go_and_join_all(void) {
    EXPECT(weft_go(&scope, run_once, NULL) == 0);
    EXPECT(weft_join(&scope) == 0);
    EXPECT(weft__load(&ran, relaxed) == 1);
}

static void let_go(void) {
    weft__store(&is_let_go, 1, relaxed);
    weft__foreign_enter();
    weft__unpark(parked);
    weft__foreign_leave();
}

#define CASE(text, most, begin, end, ...)                                                          \
    EXPLORE_CASE(text, most, begin, runtime_prologue, end, __VA_ARGS__)

static const struct explore_case cases[] = {
    CASE("stolen_or_not", 2, start_two, runtime_stop, {"zero", go_two_and_join}),
    CASE("tree", 2, start_two, runtime_stop, {"zero", go_tree_and_join}),
    CASE("pinned_to_the_other", 3, start_two, runtime_stop, {"zero", go_pinned_and_join}),
    CASE("joined_then_stopped", 2, start_two, NULL, {"zero", go_pinned_join_and_stop}),
    CASE("handle_is_placed", 2, start_two, runtime_stop, {"zero", go_with_handle_and_join}),
    CASE("placed_from_outside", 2, start_two, runtime_stop, {"zero", zero_waits_for_one},
         {"outside", go_from_outside}),
    CASE("wake_across", 3, start_waiting_on_two, runtime_stop, {"zero", let_go_and_join}),
    CASE("call_and_wake", 2, start_waiting_on_two, runtime_stop, {"zero", go_and_join_all},
         {"waker", let_go}),
};
EXPLORE_CASES(cases)
