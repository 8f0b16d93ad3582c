// SPDX-License-Identifier: MIT
// What a cancellation reaches, and what it never refuses: parents and children, tasks that have not
// started or come later, close, shutdown, join and go.
#include "case.h"

#include <pthread.h>

struct sleeper {
    int seen, seen_again;
    weft_scope *scope;
    int handle;
    struct flag *wait;
    struct flag begun, done;
};

static int sleep_on(void *context) {
    struct sleeper *sleeper = context;
    flag_raise(&sleeper->begun);
    sleeper->seen = weft_sleep(WEFT_HOUR);
    sleeper->seen_again = weft_yield();
    flag_raise(&sleeper->done);
    return 0;
}

static const weft_task_options here = {.worker = WEFT_WORKER_HERE}; // no thief starts it

// "A task cancelled before it started still runs (its first wait returns -ECANCELED), so what it
// was given is released."
CASE(a_task_cancelled_before_it_started_still_runs) {
    weft_scope scope = {0};
    struct sleeper sleeper = {.seen = 0};
    expect(weft_go_with(&scope, sleep_on, (void *)&sleeper, &here), 0);
    weft_cancel(&scope);
    expect(flag_value(&sleeper.begun), 0);
    expect(weft_join(&scope), 0);
    expect(flag_value(&sleeper.done), 1);
    expect(sleeper.seen, -ECANCELED);
}
CASE_NEEDS_SCOPE(a_task_cancelled_before_it_started_still_runs)

static int read_and_close(int conn) {
    char byte;
    int result = (int)weft_read(conn, &byte, 1);
    expect(weft_close(conn), 0);
    return result;
}

CASE(a_handle_given_to_a_task_cancelled_before_it_started_is_released) {
    struct tcp_pair pair = tcp_pair_open();
    weft_scope scope = {0};
    char byte;
    expect(weft_write(pair.client, "x", 1), 1);
    expect(weft_ready(pair.server, WEFT_READ), WEFT_READ);
    expect(weft_go_with(&scope, read_and_close, pair.server, &here), 0);
    weft_cancel(&scope);
    expect(weft_join(&scope), -ECANCELED);
    expect(weft_close(pair.server), -EBADF);
    expect(weft_read(pair.client, &byte, 1), -ECONNRESET); // closed with unread data
    expect(weft_close(pair.client), 0);
}
CASE_NEEDS_SCOPE(a_handle_given_to_a_task_cancelled_before_it_started_is_released)

// weft_cancel: "Cancels the scope's tasks, those it will get until it is joined".
CASE(a_task_added_to_a_cancelled_scope_is_cancelled) {
    weft_scope scope = {0};
    struct sleeper first = {.seen = 0}, later = {.seen = 0};
    expect(weft_go(&scope, sleep_on, (void *)&first), 0);
    weft_cancel(&scope);
    expect(weft_go(&scope, sleep_on, (void *)&later), 0);
    expect(weft_join(&scope), 0);
    expect(first.seen, -ECANCELED);
    expect(later.seen, -ECANCELED);
}
CASE_NEEDS_SCOPE(a_task_added_to_a_cancelled_scope_is_cancelled)

// "A joined scope is empty and reusable": no longer cancelled either.
CASE(a_cancelled_scope_is_fresh_after_it_was_joined) {
    weft_scope scope = {0};
    struct sleeper sleeper = {.seen = 0};
    expect(weft_go(&scope, sleep_on, (void *)&sleeper), 0);
    weft_cancel(&scope);
    weft_cancel(&scope); // idempotent
    expect(weft_join(&scope), 0);
    struct sleeper fresh = {.seen = 0};
    expect(weft_go(&scope, sleep_on, (void *)&fresh), 0);
    await_flag(&fresh.begun, 1);
    for (int i = 0; i < 20; i++)
        expect(weft_yield(), 0);
    expect(flag_value(&fresh.done), 0);
    weft_cancel(&scope);
    expect(weft_join(&scope), 0);
    expect(fresh.seen, -ECANCELED);
}
CASE_NEEDS_SCOPE(a_cancelled_scope_is_fresh_after_it_was_joined)

// "Level-triggered: every later call answers the same", however often it is asked.
CASE(a_cancelled_task_stays_cancelled) {
    weft_scope scope = {0};
    struct sleeper sleeper = {.seen = 0};
    expect(weft_go(&scope, sleep_on, (void *)&sleeper), 0);
    await_flag(&sleeper.begun, 1);
    weft_cancel(&scope);
    expect(weft_join(&scope), 0);
    expect(sleeper.seen, -ECANCELED);
    expect(sleeper.seen_again, -ECANCELED);
}
CASE_NEEDS_SCOPE(a_cancelled_task_stays_cancelled)

struct family {
    struct sleeper child, grandchild;
    int joined;
    struct flag ready;
    int64_t sleep_ns;
};

static int be_child(void *context) {
    struct family *family = context;
    weft_scope below = {0};
    expect(weft_go(&below, sleep_on, (void *)&family->grandchild), 0);
    sleep_on(&family->child);
    family->joined = weft_join(&below);
    return 0;
}

// "A scope's parent is the scope of the task that first uses it; cancelling a scope cancels those
// below it."
CASE(cancelling_a_scope_cancels_those_below_it) {
    weft_scope scope = {0};
    struct family family = {.joined = 0};
    expect(weft_go(&scope, be_child, (void *)&family), 0);
    await_flag(&family.grandchild.begun, 1);
    weft_cancel(&scope);
    expect(weft_join(&scope), 0);
    expect(family.child.seen, -ECANCELED);
    expect(family.grandchild.seen, -ECANCELED);
    expect_either(family.joined, -ECANCELED, 0); // 0 when its task had ended before it joined
}
CASE_NEEDS_SCOPE(cancelling_a_scope_cancels_those_below_it)

static int cancel_below(void *context) {
    struct family *family = context;
    weft_scope below = {0};
    expect(weft_go(&below, sleep_on, (void *)&family->grandchild), 0);
    await_flag(&family->grandchild.begun, 1);
    weft_cancel(&below);
    expect(weft_join(&below), 0);
    expect(weft_check(), 0); // the one who cancels is above
    expect(weft_yield(), 0);
    return 0;
}

CASE(cancelling_a_scope_leaves_those_above_and_beside_it_alone) {
    weft_scope scope = {0}, beside = {0};
    struct family family = {.joined = 0};
    struct sleeper neighbour = {.seen = 0};
    expect(weft_go(&beside, sleep_on, (void *)&neighbour), 0);
    expect(weft_go(&scope, cancel_below, (void *)&family), 0);
    expect(weft_join(&scope), 0);
    expect(family.grandchild.seen, -ECANCELED);
    expect(flag_value(&neighbour.done), 0);
    weft_cancel(&beside);
    expect(weft_join(&beside), 0);
}
CASE_NEEDS_SCOPE(cancelling_a_scope_leaves_those_above_and_beside_it_alone)

// A task may cancel the scope that it lives in.
static int cancel_own(void *context) {
    struct sleeper *sleeper = context;
    expect(weft_check(), 0);
    weft_cancel(sleeper->scope);
    sleeper->seen = weft_yield();
    return 0;
}

CASE(a_task_may_cancel_the_scope_it_lives_in) {
    weft_scope scope = {0};
    struct sleeper self = {.scope = &scope}, sibling = {.seen = 0};
    expect(weft_go(&scope, sleep_on, (void *)&sibling), 0);
    expect(weft_go(&scope, cancel_own, (void *)&self), 0);
    expect(weft_join(&scope), 0);
    expect(self.seen, -ECANCELED);
    expect(sibling.seen, -ECANCELED);
}
CASE_NEEDS_SCOPE(a_task_may_cancel_the_scope_it_lives_in)

static int raise_done(void *context) {
    struct sleeper *sleeper = context;
    sleeper->seen = weft_yield();
    flag_raise(&sleeper->done);
    return 0;
}

// "Never refused or cut short by a cancel or deadline: close, shutdown, join, cancel, go."
static void do_what_is_never_refused(struct tcp_pair *pair, int expected) {
    weft_scope below = {0};
    struct sleeper task = {.seen = 0};
    weft_addr addr;
    expect(weft_check(), expected);
    expect(weft_shutdown(pair->client, WEFT_WRITE), 0);
    expect(weft_local_addr(pair->client, &addr), 0);
    expect(weft_tcp_nodelay(pair->client, 1), 0);
    expect(weft_close(pair->client), 0);
    expect(weft_abort(pair->server), 0);
    if (!world_has_tasks())
        return;
    expect(weft_go(&below, raise_done, (void *)&task), 0);
    weft_cancel(&below);
    int joined = weft_join(&below);
    expect(joined, expected);
    expect(flag_value(&task.done), 1); // it waited for the task nevertheless
    expect(task.seen, -ECANCELED);
}

CASE(a_deadline_never_refuses_close_shutdown_go_and_join) {
    struct tcp_pair pair = tcp_pair_open();
    weft_within(0);
    do_what_is_never_refused(&pair, -ETIMEDOUT);
}

// Another worker may have started it before it is cancelled.
static void do_it_cancelled(void *context) {
    expect(weft_sleep(WEFT_HOUR), -ECANCELED);
    do_what_is_never_refused(context, -ECANCELED);
}

CASE(a_cancel_never_refuses_close_shutdown_go_and_join) {
    struct tcp_pair pair = tcp_pair_open();
    struct parties parties = {0};
    party_start(&parties, "cancelled", do_it_cancelled, &pair);
    parties_cancel(&parties);
    parties_join(&parties);
}
CASE_NEEDS_SCOPE(a_cancel_never_refuses_close_shutdown_go_and_join)

static void *cancel_from_thread(void *scope) {
    weft_cancel(scope);
    weft_cancel(scope);
    return NULL;
}

// "Any thread may cancel it."
CASE(a_plain_thread_may_cancel_a_scope) {
    weft_scope scope = {0};
    struct sleeper sleeper = {.seen = 0};
    pthread_t thread;
    expect(weft_go(&scope, sleep_on, (void *)&sleeper), 0);
    await_flag(&sleeper.begun, 1);
    expect(-pthread_create(&thread, NULL, cancel_from_thread, &scope), 0);
    expect(weft_join(&scope), 0);
    expect(-pthread_join(thread, NULL), 0);
    expect(sleeper.seen, -ECANCELED);
}
CASE_NEEDS_SCOPE(a_plain_thread_may_cancel_a_scope)
CASE_NOT_ON(a_plain_thread_may_cancel_a_scope, "sim", NO_THREADS)
