// SPDX-License-Identifier: MIT
// weft_blocking: the same function, called by a thread beside the workers, by the caller itself, or
// on virtual time. docs/semantics.md 4: "on a thread beside the workers while the task waits".
#include "case.h"

#include <time.h>

struct job {
    struct flag begun, gate, done;
    int handle;
    int result;
};

static int add_one(void *context) {
    struct job *job = context;
    flag_raise(&job->done);
    return job->handle + 1;
}

CASE(a_blocking_call_returns_what_the_function_returned) {
    struct job job = {.handle = 41};
    expect(weft_blocking(add_one, &job), 42);
    job.handle = -ENOENT - 1; // an error of the function's own
    expect(weft_blocking(add_one, &job), -ENOENT);
    expect(weft_blocking(NULL, &job), -EINVAL);
}

CASE(a_blocking_call_is_refused_on_entry) {
    struct job job = {.handle = 1};
    weft_within(0);
    expect(weft_blocking(add_one, &job), -ETIMEDOUT);
    expect(weft_timed_out(), 1);
    expect(flag_value(&job.done), 0);
}

// Not with await_flag: that would let tasks run.
static int wait_at_gate(void *context) {
    struct job *job = context;
    flag_raise(&job->begun);
    while (flag_value(&job->gate) == 0)
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    return 5;
}

static void block(void *context) {
    struct job *job = context;
    expect(weft_blocking(wait_at_gate, job), 5);
}

static void open_gate(void *context) {
    struct job *job = context;
    await_flag(&job->begun, 1);
    flag_raise(&job->gate);
}

CASE(others_go_on_while_one_blocks) {
    struct job job = {.handle = 0};
    struct parties parties = {.count = 0};
    party_start(&parties, "blocks", block, &job);
    party_start(&parties, "opens", open_gate, &job);
    parties_join(&parties);
}
CASE_NOT_ON(others_go_on_while_one_blocks, "sim", NO_THREADS)

CASE(a_blocking_call_that_has_begun_is_not_cut_short) {
    struct job job = {.handle = 0};
    struct parties parties = {.count = 0};
    party_start(&parties, "blocks", block, &job);
    await_flag(&job.begun, 1);
    parties_cancel(&parties);
    expect(weft_sleep(check_patience_ns()), 0);
    flag_raise(&job.gate);
    parties_join(&parties); // it has got its 5
}
CASE_NEEDS_SCOPE(a_blocking_call_that_has_begun_is_not_cut_short)
CASE_NOT_ON(a_blocking_call_that_has_begun_is_not_cut_short, "sim", NO_THREADS)

static int sleep_for_ever(void *context) {
    (void)context;
    return weft_sleep(WEFT_HOUR);
}

CASE(the_deadline_holds_inside_a_blocking_call) {
    struct tcp_pair pair = tcp_pair_open();
    char byte;
    expect_waits(weft_blocking(sleep_for_ever, NULL));
    expect(weft_write(pair.client, "x", 1), 1); // and no longer than that
    expect(weft_read(pair.server, &byte, 1), 1);
    tcp_pair_close(&pair);
}

static int read_byte(void *context) {
    struct job *job = context;
    char byte;
    return (int)weft_read(job->handle, &byte, 1);
}

CASE(a_failure_inside_a_blocking_call_is_explained) {
    struct tcp_pair pair = tcp_pair_open();
    struct job job = {.handle = pair.server};
    expect(weft_close(pair.client), 0);
    expect(weft_blocking(read_byte, &job), 0);
    expect(weft_close(pair.server), 0);
    expect(weft_blocking(read_byte, &job), -EBADF);
    expect_explained("read");
}

static void call_often(void *context) {
    struct job job = {.handle = 1};
    for (int i = 0; i < 50; i++)
        expect(weft_blocking(add_one, &job), 2);
    expect(flag_value(&job.done), 50);
    flag_raise(context);
}

CASE(many_call_at_once) {
    enum { CALLERS = 40 };
    struct flag done = {0};
    struct parties parties = {.count = 0};
    for (int i = 0; i < CALLERS; i++)
        party_start(&parties, "caller", call_often, &done);
    parties_join(&parties);
    expect(flag_value(&done), CALLERS);
}
