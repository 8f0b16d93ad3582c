// SPDX-License-Identifier: MIT
//
// The wait queue (task/wait_queue.h, rules 1 to 3) as a mutex and an event use it: hand-over, an
// interruption against a grant, and memory that goes with the last user.
#include "runtime.h"

#include "os/os.h"

#include <errno.h>
#include <weft/sync.h>

static weft_mutex mutex;
static weft_scope scope;
static unsigned inside; // guarded by the mutex: a race, if two hold it
static int result;      // the task's

static void hold_once(void) {
    EXPECT(weft_lock(&mutex) == 0);
    inside++;
    weft_unlock(&mutex);
}

static void hold_twice(void) {
    hold_once();
    hold_once();
}

static void is_free_after(unsigned expected) {
    EXPECT(inside == expected);
    EXPECT(weft_try_lock(&mutex) == 0);
    weft_unlock(&mutex);
}

static void three(void) {
    is_free_after(3);
}

// ---- Rule 2: an interruption against a grant ------------------------------------------------

static int hold_if_given(void) {
    int error = weft_lock(&mutex);
    if (error == 0) {
        inside++;
        weft_unlock(&mutex);
    }
    return error;
}

static void hold_within(void) {
    weft_within(WEFT_SECOND);
    result = hold_if_given();
    EXPECT(result == 0 || result == -ETIMEDOUT);
}

static void one_or_two(void) {
    is_free_after(result == 0 ? 2 : 1);
}

static void two_or_three(void) {
    is_free_after(result == 0 ? 3 : 2);
}

static int hold_as_task(void *arg) {
    (void)arg;
    result = hold_if_given();
    EXPECT(result == 0 || result == -ECANCELED);
    return 0;
}

static void zero_runs_task(void) {
    EXPECT(weft_go(&scope, hold_as_task, NULL) == 0);
    EXPECT(weft_join(&scope) == 0);
}

static void cancel_it(void) {
    weft_cancel(&scope);
}

static void one_or_two_and_stop(void) {
    one_or_two();
    runtime_stop();
}

// ---- Rule 3: who waits may free the object, or end the runtime, once it was let go ----

static weft_event *event;

static void make_event(void) {
    event = weft__alloc(sizeof *event);
    *event = (weft_event){{0}};
}

static void wait_and_free(void) {
    weft_event *mine = event;
    EXPECT(weft_event_wait(mine) == 0);
    weft__free(mine);
}

static void set(void) {
    weft_event_set(event);
}

static int wait_in_task(void *arg) {
    (void)arg;
    wait_and_free();
    return 0;
}

static void start_with_event(void) {
    make_event();
    runtime_start();
}

static void zero_runs_task_and_stops(void) {
    EXPECT(weft_go(&scope, wait_in_task, NULL) == 0);
    EXPECT(weft_join(&scope) == 0);
    runtime_stop();
}

// The mutex is part of what it guards, as a count of users is.
struct shared {
    weft_mutex mutex;
    unsigned users;
};
static struct shared *shared;

static void make_shared(void) {
    shared = weft__alloc(sizeof *shared);
    *shared = (struct shared){.users = 2};
}

static void leave_and_free_last(void) {
    struct shared *mine = shared;
    EXPECT(weft_lock(&mine->mutex) == 0);
    bool is_last = --mine->users == 0;
    weft_unlock(&mine->mutex);
    if (is_last)
        weft__free(mine);
}

#define CASE(text, most, begin, end, ...)                                                          \
    EXPLORE_CASE(text, most, begin, runtime_prologue, end, __VA_ARGS__)

static const struct explore_case cases[] = {
    CASE("handed_over", 6, NULL, three, {"once", hold_once}, {"twice", hold_twice}),
    CASE("handed_over_among_three", 4, NULL, three, {"a", hold_once}, {"b", hold_once},
         {"c", hold_once}),
    CASE("deadline_against_grant", 5, NULL, one_or_two, {"holds", hold_once},
         {"waits", hold_within}),
    CASE("deadline_against_two", 3, NULL, two_or_three, {"holds", hold_once},
         {"waits", hold_within}, {"comes by", hold_once}),
    CASE("cancel_against_grant", 3, runtime_start, one_or_two_and_stop, {"zero", zero_runs_task},
         {"holds", hold_once}, {"cancels", cancel_it}),
    CASE("event_freed_by_who_waited", 5, make_event, NULL, {"waits", wait_and_free}, {"sets", set}),
    CASE("runtime_stopped_by_who_waited", 3, start_with_event, NULL,
         {"zero", zero_runs_task_and_stops}, {"sets", set}),
    CASE("freed_by_last_user", 5, make_shared, NULL, {"a", leave_and_free_last},
         {"b", leave_and_free_last}),
};
EXPLORE_CASES(cases)
