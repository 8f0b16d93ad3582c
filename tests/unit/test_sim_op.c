// SPDX-License-Identifier: MIT
// Unit tests of driver/sim_op.c: the order in which operations complete, what a cancel may answer,
// what callbacks may do.
#include "in_child.h"
#include "sim_tools.h"

enum { TRIALS = 60 };

static struct call *finished[64];
static int finished_count;

static void note(struct call *call) {
    finished[finished_count++] = call;
}

static void prepare_read(struct call *call, struct sock s, char *byte) {
    prepare_io(call, WEFT__OP_READ, s, byte, 1);
    call->then = note;
}

// ---- Order ----

// Two sockets become readable at one time; who is first is by seed.
static void ready_operations_complete_in_either_order(void **state) {
    (void)state;
    struct pair a = open_pair(), b = open_pair();
    int a_first = 0;
    for (int i = 0; i < TRIALS; i++) {
        char bytes[2];
        struct call calls[2];
        prepare_read(&calls[0], a.server, &bytes[0]);
        prepare_read(&calls[1], b.server, &bytes[1]);
        assert_int_equal(write_text(a.client, "a") + write_text(b.client, "b"), 2);
        settle();
        submit(&calls[0]);
        submit(&calls[1]);
        finished_count = 0;
        await_done(&calls[0]);
        await_done(&calls[1]);
        a_first += finished[0] == &calls[0];
    }
    assert_in_range(a_first, TRIALS / 5, TRIALS * 4 / 5);
    close_pair(a);
    close_pair(b);
}

static void one_sockets_readers_are_served_in_order_of_arrival(void **state) {
    (void)state;
    enum { READERS = 10 };
    struct pair pair = open_pair();
    char bytes[READERS];
    struct call calls[READERS];
    finished_count = 0;
    for (int i = 0; i < READERS; i++) {
        prepare_read(&calls[i], pair.server, &bytes[i]);
        submit(&calls[i]);
    }
    assert_int_equal(write_text(pair.client, "0123456789"), 10);
    for (int i = 0; i < READERS; i++) {
        await_done(&calls[i]);
        assert_ptr_equal(finished[i], &calls[i]);
        assert_int_equal(bytes[i], '0' + i);
    }
    close_pair(pair);
}

static void watchers_do_not_wait_for_each_other(void **state) {
    (void)state;
    struct pair pair = open_pair();
    struct call readable, writable, either;
    prepare(&readable, WEFT__OP_READY, pair.client);
    readable.op.events = WEFT__READABLE;
    prepare(&writable, WEFT__OP_READY, pair.client);
    writable.op.events = WEFT__WRITABLE;
    prepare(&either, WEFT__OP_READY, pair.client);
    either.op.events = WEFT__READABLE | WEFT__WRITABLE;
    submit(&readable);
    submit(&writable);
    submit(&either);
    await_done(&writable);
    await_done(&either);
    assert_int_equal(either.op.result, WEFT__WRITABLE);
    settle();
    assert_true(readable.op.is_pending);
    assert_int_equal(write_text(pair.server, "x"), 1);
    await_done(&readable);
    assert_int_equal(readable.op.result, WEFT__READABLE);
    close_pair(pair);
}

// It could have waited for ever: a listener never becomes writable.
static void a_hopeless_write_completes_with_its_error(void **state) {
    (void)state;
    weft_addr addr;
    struct sock socks[] = {open_listener(1, &addr), open_socket(WEFT__STREAM)};
    for (int i = 0; i < 2; i++) {
        struct call call;
        prepare_io(&call, WEFT__OP_WRITE, socks[i], "x", 1);
        submit(&call);
        await_done(&call);
        assert_int_equal(call.op.result, -EPIPE);
        close_socket(socks[i]);
    }
}

// ---- Cancel ----

static void a_cancel_answers_at_once_or_in_the_next_wait(void **state) {
    (void)state;
    struct pair pair = open_pair();
    int at_once = 0;
    for (int i = 0; i < TRIALS; i++) {
        char byte = 0;
        struct call call;
        prepare_io(&call, WEFT__OP_READ, pair.server, &byte, 1);
        submit(&call);
        d->class->cancel(d, &call.op);
        at_once += call.done_count;
        if (call.op.is_pending)
            d->class->cancel(d, &call.op); // asked twice, answered once
        d->class->wait(d, 0);
        assert_int_equal(call.done_count, 1);
        assert_int_equal(call.op.result, -ECANCELED);
    }
    assert_in_range(at_once, TRIALS / 5, TRIALS * 4 / 5);
    close_pair(pair);
}

// The data arrives after the cancel and before its late answer: it is not for this read.
static void a_late_cancel_takes_nothing(void **state) {
    (void)state;
    struct pair pair = open_pair();
    for (int i = 0; i < TRIALS; i++) {
        char byte = 0;
        struct call call;
        prepare_io(&call, WEFT__OP_READ, pair.server, &byte, 1);
        submit(&call);
        assert_int_equal(write_text(pair.client, "x"), 1);
        assert_int_equal(cancel(&call), -ECANCELED);
        assert_int_equal(byte, 0);
        assert_reads(pair.server, "x");
    }
    close_pair(pair);
}

// The data is there before the cancel: by seed the read is done all the same.
static void a_cancel_may_find_the_operation_done(void **state) {
    (void)state;
    struct pair pair = open_pair();
    int done = 0;
    for (int i = 0; i < TRIALS; i++) {
        char byte = 0;
        struct call call;
        assert_int_equal(write_text(pair.client, "x"), 1);
        settle();
        prepare_io(&call, WEFT__OP_READ, pair.server, &byte, 1);
        submit(&call);
        int64_t result = cancel(&call);
        assert_int_equal(result, byte == 'x' ? 1 : -ECANCELED);
        done += result == 1;
        if (result != 1)
            assert_reads(pair.server, "x");
    }
    assert_in_range(done, TRIALS / 5, TRIALS * 4 / 5);
    close_pair(pair);
}

static void cancel_other(struct call *call) {
    if (call->other->op.is_pending)
        d->class->cancel(d, &call->other->op);
}

// The callback of the first cancels a second that is ready, too: by seed it comes in time or not.
// Results are delivered one by one half of the time, and half of the cancels that this allows find
// the operation done.
static void a_cancel_from_a_callback_comes_in_time_or_too_late(void **state) {
    (void)state;
    struct pair pairs[2] = {open_pair(), open_pair()};
    int cancelled = 0;
    for (int i = 0; i < TRIALS; i++) {
        char bytes[2];
        struct call calls[2];
        for (int k = 0; k < 2; k++) {
            assert_int_equal(write_text(pairs[k].client, "x"), 1);
            prepare_io(&calls[k], WEFT__OP_READ, pairs[k].server, &bytes[k], 1);
            calls[k].then = cancel_other;
            calls[k].other = &calls[1 - k];
        }
        settle();
        submit(&calls[0]);
        submit(&calls[1]);
        for (int k = 0; k < 2; k++)
            await_done(&calls[k]);
        for (int k = 0; k < 2; k++) {
            if (calls[k].op.result == 1)
                continue;
            assert_int_equal(calls[k].op.result, -ECANCELED);
            assert_reads(pairs[k].server, "x");
            cancelled++;
        }
    }
    assert_in_range(cancelled, TRIALS / 10, TRIALS * 2 / 5);
    close_pair(pairs[0]);
    close_pair(pairs[1]);
}

// ---- Callbacks ----

static void submit_again(struct call *call) {
    assert_int_equal(d->class->submit(d, &call->op), 0);
}

// It could complete for ever; a wait comes back all the same.
static void a_callback_may_submit_without_end(void **state) {
    (void)state;
    struct sock s = open_socket(WEFT__DATAGRAM);
    struct call call;
    prepare(&call, WEFT__OP_READY, s);
    call.op.events = WEFT__WRITABLE;
    call.then = submit_again;
    submit(&call);
    for (int i = 1; i <= 5; i++) {
        d->class->wait(d, INT64_MAX);
        assert_int_equal(call.done_count, i);
    }
    call.then = NULL;
    d->class->cancel(d, &call.op);
    d->class->wait(d, 0);
    assert_false(call.op.is_pending);
    close_socket(s);
}

static struct pair doomed;

static void close_doomed(struct call *call) {
    (void)call;
    close_pair(doomed);
}

// Its sockets are in the middle of being served.
static void a_callback_may_close_sockets(void **state) {
    (void)state;
    for (int i = 0; i < TRIALS; i++) {
        struct pair other = open_pair();
        doomed = open_pair();
        char bytes[2];
        struct call calls[2];
        prepare_io(&calls[0], WEFT__OP_READ, doomed.server, &bytes[0], 1);
        calls[0].then = close_doomed;
        prepare_io(&calls[1], WEFT__OP_READ, other.server, &bytes[1], 1);
        assert_int_equal(write_text(doomed.client, "x") + write_text(other.client, "x"), 2);
        submit(&calls[0]);
        submit(&calls[1]);
        await_done(&calls[0]);
        await_done(&calls[1]);
        close_pair(other);
    }
}

static void close_with_a_reader(void *arg) {
    (void)arg;
    struct sock s = open_socket(WEFT__DATAGRAM);
    struct call call;
    char byte;
    prepare_io(&call, WEFT__OP_READ, s, &byte, 1);
    submit(&call);
    close_socket(s);
}

static void closing_under_a_waiting_operation_is_caught(void **state) {
    (void)state;
    assert_int_equal(signal_that_ends_child(close_with_a_reader, NULL), SIGABRT);
}

static const struct CMUnitTest cases[] = {
    CASE(ready_operations_complete_in_either_order),
    CASE(one_sockets_readers_are_served_in_order_of_arrival),
    CASE(watchers_do_not_wait_for_each_other),
    CASE(a_hopeless_write_completes_with_its_error),
    CASE(a_cancel_answers_at_once_or_in_the_next_wait),
    CASE(a_late_cancel_takes_nothing),
    CASE(a_cancel_may_find_the_operation_done),
    CASE(a_cancel_from_a_callback_comes_in_time_or_too_late),
    CASE(a_callback_may_submit_without_end),
    CASE(a_callback_may_close_sockets),
    CASE(closing_under_a_waiting_operation_is_caught),
};

int main(void) {
    return sim_main(0, NULL, cases);
}
