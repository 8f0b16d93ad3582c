// SPDX-License-Identifier: MIT
//
// Scopes (task/scope.c, rules 1 to 5): join against the last tasks, cancel, and go from outside.
#include "runtime.h"

#include "os/os.h"

#include <errno.h>

static struct weft__scope memory;
static weft_scope *const shared = (weft_scope *)&memory;
static uint32_t ran; // atomic

static int run_once(void *arg) {
    (void)arg;
    weft__fetch_add(&ran, 1, relaxed);
    return 0;
}

static int wait_for_cancel(void *arg) {
    struct weft__waiter *self = weft__self();
    (void)arg;
    while (weft__interrupted(self) == 0)
        weft__park(self, weft__interrupt_at(self));
    weft__fetch_add(&ran, 1, relaxed);
    return 0;
}

static void zero_waits_for_one(void) {
    zero_waits_for(1);
}

static void zero_waits_for_two(void) {
    zero_waits_for(2);
}

// ---- Rule 4: who ends last touches the scope no more ----

static void join_and_free(void) {
    weft_scope *scope = weft__alloc(sizeof *scope);
    EXPECT(weft_go(scope, run_once, NULL) == 0);
    EXPECT(weft_go(scope, run_once, NULL) == 0);
    EXPECT(weft_join(scope) == 0);
    EXPECT(weft__load(&ran, relaxed) == 2);
    weft__free(scope);
    tell_zero();
}

// ---- Cancel against go and join ----

static void go_and_join_shared(void) {
    EXPECT(weft_go(shared, wait_for_cancel, NULL) == 0);
    EXPECT(weft_join(shared) == 0);
    EXPECT(weft__load(&ran, relaxed) == 1);
    tell_zero();
}

static void cancel_shared(void) {
    weft_cancel(shared);
}

// ---- Rule 3: a child scope that is opened while its parent is cancelled ----

static int wait_for_cancel_and_tell(void *parent) {
    (void)wait_for_cancel(NULL);
    weft__unpark(parent);
    return 0;
}

// The parent does nothing about it: the child scope is cancelled because it is below.
static int join_child_scope(void *arg) {
    weft_scope child = {0};
    struct weft__waiter *self = weft__self();
    (void)arg;
    EXPECT(weft_go(&child, wait_for_cancel_and_tell, (void *)self) == 0);
    while (weft__load(&ran, relaxed) == 0)
        weft__park(self, INT64_MAX);
    EXPECT(weft_join(&child) == -ECANCELED);
    return 0;
}

static void go_and_join_parent(void) {
    EXPECT(weft_go(shared, join_child_scope, NULL) == 0);
    EXPECT(weft_join(shared) == 0);
    EXPECT(weft__load(&ran, relaxed) == 1);
    tell_zero();
}

// ---- A task adds one more while the scope is joined ----

static int add_sibling(void *arg) {
    (void)arg;
    EXPECT(weft_go(shared, run_once, NULL) == 0);
    return 0;
}

static void join_with_sibling(void) {
    EXPECT(weft_go(shared, add_sibling, NULL) == 0);
    EXPECT(weft_join(shared) == 0);
    EXPECT(weft__load(&ran, relaxed) == 1);
    tell_zero();
}

// ---- Another thread does, or is refused, or is the first to use it anew ----

static uint32_t started; // atomic

static void go_and_join_if_owner(void) {
    int error = weft_go(shared, run_once, NULL);
    EXPECT(error == 0 || error == -EBUSY);
    if (error == 0)
        weft__fetch_add(&started, 1, relaxed);
    error = weft_join(shared);
    EXPECT(error == 0 || error == -EPERM);
    tell_zero();
}

static void all_have_run(void) {
    EXPECT(ran == started);
    EXPECT(memory.flags == 0);
    runtime_stop();
}

// ---- A deadline of the joiner ----

static void join_within(void) {
    EXPECT(weft_go(shared, wait_for_cancel, NULL) == 0);
    {
        weft_within(WEFT_SECOND);
        EXPECT(weft_join(shared) == -ETIMEDOUT);
    }
    EXPECT(weft__load(&ran, relaxed) == 1);
    tell_zero();
}

// ---- A shielded task sees when it was cancelled ----

enum { CANCELLED_AT = 1500000000 };

static int wait_in_shield(void *arg) {
    struct weft__waiter *self = weft__self();
    int error;
    (void)arg;
    weft_shield(WEFT_SECOND);
    while ((error = weft__interrupted(self)) == 0) {
        weft__park(self, weft__interrupt_at(self));
        (void)weft__fresh_now(self);
    }
    EXPECT(error == -ECANCELED);
    EXPECT(weft__fresh_now(self) >= CANCELLED_AT + WEFT_SECOND);
    return 0;
}

static void go_shielded(void) {
    EXPECT(weft_go(shared, wait_in_shield, NULL) == 0);
    EXPECT(weft_join(shared) == 0);
    tell_zero();
}

static void cancel_later(void) {
    while (weft__fresh_now(weft__self()) < CANCELLED_AT)
        weft__park(weft__self(), CANCELLED_AT);
    weft_cancel(shared);
}

// ---- The joiner is woken too early, by somebody who is late (park.c, rule 3) ----

static struct weft__waiter *joiner;

static void know_joiner(void) {
    if (weft__self() != zero && !joiner)
        joiner = weft__self();
}

static void wake_joiner(void) {
    weft__unpark(joiner);
}

static void join_one_and_free(void) {
    weft_scope *scope = weft__alloc(sizeof *scope);
    EXPECT(weft_go(scope, run_once, NULL) == 0);
    EXPECT(weft_join(scope) == 0);
    EXPECT(weft__load(&ran, relaxed) == 1);
    weft__free(scope);
    tell_zero();
}

#define CASE(text, most, end, ...)                                                                 \
    EXPLORE_CASE(text, most, runtime_start, runtime_prologue, end, __VA_ARGS__)

static const struct explore_case cases[] = {
    CASE("join_against_last_tasks", 3, runtime_stop, {"zero", zero_waits_for_one},
         {"joiner", join_and_free}),
    {.name = "join_against_late_wake",
     .bound = 2,
     .setup = runtime_start,
     .prologue = know_joiner,
     .finish = runtime_stop,
     .threads = {{"zero", zero_waits_for_one},
                 {"joiner", join_one_and_free},
                 {"waker", wake_joiner}}},
    CASE("cancel_against_join", 2, runtime_stop, {"zero", zero_waits_for_one},
         {"joiner", go_and_join_shared}, {"canceller", cancel_shared}),
    CASE("cancel_against_child_scope", 2, runtime_stop, {"zero", zero_waits_for_one},
         {"joiner", go_and_join_parent}, {"canceller", cancel_shared}),
    CASE("cancel_against_shield", 2, runtime_stop, {"zero", zero_waits_for_one},
         {"joiner", go_shielded}, {"canceller", cancel_later}),
    CASE("sibling_while_joined", 3, runtime_stop, {"zero", zero_waits_for_one},
         {"joiner", join_with_sibling}),
    CASE("go_while_joined", 1, all_have_run, {"zero", zero_waits_for_two},
         {"first", go_and_join_if_owner}, {"second", go_and_join_if_owner}),
    CASE("join_deadline", 3, runtime_stop, {"zero", zero_waits_for_one}, {"joiner", join_within}),
};
EXPLORE_CASES(cases)
