// SPDX-License-Identifier: MIT
//
// The inbox of a worker against its sleep (task/worker.c, "Sleep"): wakes of its tasks and new
// tasks, from plain threads.
#include "runtime.h"

#include "task/worker.h"

// ---- One wake, two wakes ----

static void zero_waits_for_one(void) {
    zero_waits_for(1);
}

static void zero_waits_for_two(void) {
    zero_waits_for(2);
}

// ---- A task that waits; what its waker wrote is seen ----

static weft_scope scope;
static struct weft__waiter *parked[2];
static uint32_t is_let_go[2]; // atomic
static int gift[2], got[2];   // plain

static int wait_in_task(void *arg) {
    intptr_t i = (intptr_t)arg;
    parked[i] = weft__self();
    while (!weft__load(&is_let_go[i], relaxed))
        weft__park(parked[i], INT64_MAX);
    weft__fence(acquire);
    got[i] = gift[i];
    return 0;
}

static void start_two_tasks(void) {
    runtime_start();
    for (intptr_t i = 0; i < 2; i++)
        EXPECT(weft_go(&scope, wait_in_task, (void *)i) == 0);
    while (!parked[0] || !parked[1])
        weft__worker_yield(zero->worker);
}

static void let_go(int i) {
    gift[i] = 1;
    weft__store(&is_let_go[i], 1, release);
    weft__unpark(parked[i]);
}

static void let_first_go(void) {
    let_go(0);
}

static void let_second_go(void) {
    let_go(1);
}

static void let_both_go(void) {
    let_go(0);
    let_go(1);
}

static void join_both(void) {
    EXPECT(weft_join(&scope) == 0);
    EXPECT(got[0] == 1 && got[1] == 1);
}

// ---- A wake that comes too late, for whoever has the record now (park.c, rule 3) ----

static int wait_for_second(void *arg) {
    struct weft__waiter *self = weft__self();
    (void)arg;
    while (!weft__load(&is_let_go[1], relaxed))
        weft__park(self, INT64_MAX);
    return 0;
}

static int let_second_go_in_task(void *arg) {
    weft__store(&is_let_go[1], 1, relaxed);
    weft__unpark(arg);
    return 0;
}

static void start_one_task(void) {
    runtime_start();
    EXPECT(weft_go(&scope, wait_in_task, NULL) == 0);
    while (!parked[0])
        weft__worker_yield(zero->worker);
}

static void wake_late(void) {
    let_go(0);
    weft__foreign_enter();
    weft__unpark(parked[0]);
    weft__foreign_leave();
}

static void use_record_again(void) {
    EXPECT(weft_join(&scope) == 0);
    EXPECT(weft_go(&scope, wait_for_second, NULL) == 0);
    weft__worker_yield(zero->worker);
    EXPECT(weft_go(&scope, let_second_go_in_task, (void *)parked[0]) == 0);
    EXPECT(weft_join(&scope) == 0);
}

// ---- A timer of the worker against a wake from outside ----

static void wait_for_one_in_time(void) {
    while (weft__load(&others_done, acquire) < 1 && weft__fresh_now(zero) < 2000000000)
        weft__park(zero, 2000000000);
    zero_waits_for(1);
}

// ---- New tasks from outside ----

static int count_task(void *arg) {
    ++*(int *)arg;
    return 0;
}

static void go_and_join(void) {
    weft_scope own = {0};
    int ran = 0;
    EXPECT(weft_go(&own, count_task, (void *)&ran) == 0);
    EXPECT(weft_join(&own) == 0);
    EXPECT(ran == 1);
    tell_zero();
}

static const struct explore_case cases[] = {
    {.name = "one_wake",
     .bound = EXPLORE_ALL,
     .setup = runtime_start,
     .prologue = runtime_prologue,
     .finish = runtime_stop,
     .threads = {{"zero", zero_waits_for_one}, {"waker", tell_zero}}},
    {.name = "two_wakes",
     .bound = 3,
     .setup = runtime_start,
     .prologue = runtime_prologue,
     .finish = runtime_stop,
     .threads = {{"zero", zero_waits_for_two}, {"waker", tell_zero}, {"waker2", tell_zero}}},
    {.name = "two_tasks_one_waker",
     .bound = 4,
     .setup = start_two_tasks,
     .prologue = runtime_prologue,
     .finish = runtime_stop,
     .threads = {{"zero", join_both}, {"waker", let_both_go}}},
    {.name = "two_tasks_two_wakers",
     .bound = 3,
     .setup = start_two_tasks,
     .prologue = runtime_prologue,
     .finish = runtime_stop,
     .threads = {{"zero", join_both}, {"waker", let_first_go}, {"waker2", let_second_go}}},
    {.name = "late_wake",
     .bound = 3,
     .setup = start_one_task,
     .prologue = runtime_prologue,
     .finish = runtime_stop,
     .threads = {{"zero", use_record_again}, {"waker", wake_late}}},
    {.name = "timer_against_wake",
     .bound = EXPLORE_ALL,
     .setup = runtime_start,
     .prologue = runtime_prologue,
     .finish = runtime_stop,
     .threads = {{"zero", wait_for_one_in_time}, {"waker", tell_zero}}},
    {.name = "go_from_outside",
     .bound = 3,
     .setup = runtime_start,
     .prologue = runtime_prologue,
     .finish = runtime_stop,
     .threads = {{"zero", zero_waits_for_one}, {"outside", go_and_join}}},
};
EXPLORE_CASES(cases)
