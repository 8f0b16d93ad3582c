// SPDX-License-Identifier: MIT
// The cases of the driver contract about cancelling, and about callbacks that submit and cancel.
// Included by driver_contract.h.
#ifndef TESTS_UNIT_DRIVER_CONTRACT_CANCEL_H
#define TESTS_UNIT_DRIVER_CONTRACT_CANCEL_H

#include "base/rng.h"
#include "driver_tools.h"

// ---- Cancel ----

static void a_cancelled_read_has_taken_nothing(void **state) {
    (void)state;
    struct pair pair = open_pair();
    char byte;
    struct call call;
    prepare_io(&call, WEFT__OP_READ, pair.server, &byte, 1);
    submit(&call);
    d->class->wait(d, 0);
    assert_int_equal(cancel(&call), -ECANCELED);
    assert_int_equal(write_text(pair.client, "whole"), 5);
    d->class->wait(d, 0);
    assert_int_equal(call.done_count, 1);
    assert_reads(pair.server, "whole");
    close_pair(pair);
}

// The data is there, and so is the cancel: both results are allowed, losing a byte is not.
static void a_cancel_that_races_data_loses_none(void **state) {
    (void)state;
    struct pair pair = open_pair();
    for (int waits = 0; waits < 2; waits++) {
        char buf[8] = {0};
        struct call call;
        prepare_io(&call, WEFT__OP_READ, pair.server, buf, sizeof buf);
        if (waits == 0)
            submit(&call);
        assert_int_equal(write_text(pair.client, "data"), 4);
        if (waits == 1)
            submit(&call);
        int64_t result = cancel(&call);
        if (result == -ECANCELED) {
            assert_reads(pair.server, "data");
        } else {
            assert_int_equal(result, 4);
            assert_string_equal(buf, "data");
        }
    }
    close_pair(pair);
}

static void every_kind_of_wait_can_be_cancelled(void **state) {
    (void)state;
    weft_addr addr;
    struct sock listener = open_listener(8, &addr);
    struct sock udp = open_bound(WEFT__DATAGRAM, &addr);
    struct pair pair = open_pair();
    char byte;
    struct call calls[4];
    prepare(&calls[0], WEFT__OP_ACCEPT, listener);
    prepare_io(&calls[1], WEFT__OP_RECVMSG, udp, &byte, 1);
    prepare(&calls[2], WEFT__OP_READY, pair.server);
    calls[2].op.events = WEFT__READABLE;
    prepare_io(&calls[3], WEFT__OP_READ, pair.server, &byte, 1);
    calls[3].op.flags = WEFT__OP_PEEK;
    for (size_t i = 0; i < 4; i++)
        submit(&calls[i]);
    d->class->wait(d, 0);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(cancel(&calls[i]), -ECANCELED);
    close_pair(pair);
    close_socket(udp);
    close_socket(listener);
}

static void a_cancelled_write_has_sent_nothing(void **state) {
    (void)state;
    struct pair pair = open_pair();
    size_t written = fill(pair.client);
    struct call call;
    for (;;) { // room may still appear while the last bytes move to the peer's buffer
        prepare_io(&call, WEFT__OP_WRITE, pair.client, "x", 1);
        submit(&call);
        d->class->wait(d, 0);
        if (call.op.is_pending)
            break;
        assert_int_equal(call.op.result, 1);
        written++;
    }
    int64_t result = cancel(&call);
    assert_true(result == -ECANCELED || result == 1);
    written += result == 1;
    assert_int_equal(ctl(WEFT__CTL_SHUTDOWN, pair.client, WEFT__SHUT_WRITE, NULL), 0);
    drain(pair.server, written);
    assert_reads(pair.server, ""); // the end, and not one byte more
    close_pair(pair);
}

// A backlog of 1 holds two connections here (listen(2)); further ones wait.
static void a_waiting_connect_can_be_cancelled(void **state) {
    (void)state;
    only_real();
    enum { COUNT = 6 };
    weft_addr addr;
    struct sock listener = open_listener(1, &addr);
    struct sock clients[COUNT];
    struct call calls[COUNT];
    for (int i = 0; i < COUNT; i++) {
        clients[i] = open_socket(WEFT__STREAM);
        prepare_connect(&calls[i], clients[i], &addr);
        submit(&calls[i]);
    }
    await_done(&calls[0]);
    assert_int_equal(calls[0].op.result, 0);
    assert_true(calls[COUNT - 1].op.is_pending);
    assert_int_equal(cancel(&calls[COUNT - 1]), -ECANCELED);
    for (int i = 1; i < COUNT - 1; i++) { // one may connect in this moment
        int64_t result = calls[i].op.is_pending ? cancel(&calls[i]) : calls[i].op.result;
        assert_true(result == 0 || result == -ECANCELED);
    }
    for (int i = 0; i < COUNT; i++)
        close_socket(clients[i]);
    close_socket(listener);
}

// Over loopback a connection stands as soon as it was begun. It happened, and is not thrown away.
static void a_cancelled_connect_that_stands_is_kept(void **state) {
    (void)state;
    only_real();
    weft_addr addr;
    struct sock listener = open_listener(1, &addr);
    struct sock client = open_socket(WEFT__STREAM);
    struct call call;
    prepare_connect(&call, client, &addr);
    submit(&call);
    assert_int_equal(cancel(&call), 0);
    close_socket(client);
    close_socket(listener);
}

// Numbered bytes, and a cancel after a random number of looks: the reader sees every number once.
static void random_cancels_lose_and_double_nothing(void **state) {
    (void)state;
    enum { ROUNDS = 5000 };
    struct pair pair = open_pair();
    struct weft__rng rng;
    weft__rng_seed(&rng, 7);
    uint8_t next_out = 0, next_in = 0, buf[4];
    struct call call;
    call.op.is_pending = false;
    for (int round = 0; round < ROUNDS; round++) {
        uint8_t bytes[3] = {next_out, (uint8_t)(next_out + 1), (uint8_t)(next_out + 2)};
        prepare_io(&call, WEFT__OP_READ, pair.server, buf, sizeof buf);
        if (weft__rng_below(&rng, 2))
            submit(&call);
        int64_t size = 1 + (int64_t)weft__rng_below(&rng, 3);
        assert_int_equal(run_io(WEFT__OP_WRITE, pair.client, bytes, (size_t)size), size);
        next_out = (uint8_t)(next_out + size);
        if (!call.op.is_pending && call.done_count == 0)
            submit(&call);
        for (uint64_t looks = weft__rng_below(&rng, 3); looks > 0; looks--)
            d->class->wait(d, 0);
        if (call.op.is_pending && weft__rng_below(&rng, 2))
            d->class->cancel(d, &call.op);
        await_done(&call);
        for (int64_t i = 0; i < call.op.result; i++)
            assert_int_equal(buf[i], next_in++);
        assert_true(call.op.result > 0 || call.op.result == -ECANCELED);
    }
    while (next_in != next_out) {
        assert_int_equal(run_io(WEFT__OP_READ, pair.server, buf, 1), 1);
        assert_int_equal(buf[0], next_in++);
    }
    prepare_io(&call, WEFT__OP_READ, pair.server, buf, 1);
    assert_int_equal(d->class->try(d, &call.op), -EAGAIN);
    close_pair(pair);
}

// ---- Callbacks that submit and cancel ----

static void submit_again(struct call *call) {
    call->then = NULL;
    call->done_count = 0;
    assert_int_equal(d->class->submit(d, &call->op), 0);
}

static void done_may_submit_the_same_op_again(void **state) {
    (void)state;
    struct pair pair = open_pair();
    char byte = 0;
    struct call call;
    prepare_io(&call, WEFT__OP_READ, pair.server, &byte, 1);
    call.then = submit_again;
    submit(&call);
    assert_int_equal(write_text(pair.client, "ab"), 2);
    await_done(&call);
    assert_int_equal(byte, 'b');
    close_pair(pair);
}

static void cancel_other(struct call *call) {
    if (call->other->op.is_pending)
        d->class->cancel(d, &call->other->op);
}

// Both are ready when the driver looks; each cancels the other. Whoever comes second had been
// completed, or is cancelled without an effect.
static void done_may_cancel_an_op_that_is_ready_too(void **state) {
    (void)state;
    struct pair a = open_pair(), b = open_pair();
    struct sock readers[2] = {a.server, b.server};
    char bytes[2] = {0};
    struct call calls[2];
    for (int i = 0; i < 2; i++) {
        prepare_io(&calls[i], WEFT__OP_READ, readers[i], &bytes[i], 1);
        calls[i].then = cancel_other;
        calls[i].other = &calls[1 - i];
        submit(&calls[i]);
    }
    d->class->wait(d, 0);
    assert_int_equal(write_text(a.client, "a") + write_text(b.client, "b"), 2);
    for (int i = 0; i < 2; i++) {
        await_done(&calls[i]);
        assert_true(calls[i].op.result == 1 || calls[i].op.result == -ECANCELED);
        assert_int_equal(bytes[i], calls[i].op.result == 1 ? "ab"[i] : 0);
        if (calls[i].op.result == -ECANCELED)
            assert_reads(readers[i], i == 0 ? "a" : "b");
    }
    assert_true(calls[0].op.result == 1 || calls[1].op.result == 1);
    close_pair(a);
    close_pair(b);
}

static void a_hundred_connections_wait_at_once(void **state) {
    (void)state;
    enum { COUNT = 100 };
    static struct pair pairs[COUNT];
    static struct call calls[COUNT];
    static char bytes[COUNT];
    for (int i = 0; i < COUNT; i++) {
        pairs[i] = open_pair();
        prepare_io(&calls[i], WEFT__OP_READ, pairs[i].server, &bytes[i], 1);
        submit(&calls[i]);
    }
    assert_int_equal(d->pending, COUNT);
    for (int i = COUNT - 1; i >= 0; i--) {
        char byte = (char)i;
        assert_int_equal(run_io(WEFT__OP_WRITE, pairs[i].client, &byte, 1), 1);
    }
    for (int i = 0; i < COUNT; i++) {
        await_done(&calls[i]);
        assert_int_equal(bytes[i], i);
        close_pair(pairs[i]);
    }
}

#endif
