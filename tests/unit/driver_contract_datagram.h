// SPDX-License-Identifier: MIT
// The cases of the driver contract about datagrams and readiness. Included by driver_contract.h.
#ifndef TESTS_UNIT_DRIVER_CONTRACT_DATAGRAM_H
#define TESTS_UNIT_DRIVER_CONTRACT_DATAGRAM_H

#include "driver_tools.h"

// ---- Datagrams ----

static void a_datagram_arrives_whole_with_its_sender(void **state) {
    (void)state;
    weft_addr from, to;
    struct sock sender = open_bound(WEFT__DATAGRAM, &from);
    struct sock receiver = open_bound(WEFT__DATAGRAM, &to);
    char buf[16] = {0};
    struct call in, out;
    prepare_io(&in, WEFT__OP_RECVMSG, receiver, buf, sizeof buf);
    in.op.peer = &in.peer;
    submit(&in);
    prepare_io(&out, WEFT__OP_SENDMSG, sender, "data", 4);
    out.op.peer = &to;
    assert_int_equal(run(&out), 4);
    await_done(&in);
    assert_int_equal(in.op.result, 4);
    assert_string_equal(buf, "data");
    assert_memory_equal(&in.peer, &from, sizeof from);
    assert_int_equal(in.op.flags & WEFT__OP_TRUNCATED, 0);
    close_pair((struct pair){sender, receiver});
}

// Three datagrams: one too long, an empty one, one that fits. The first is peeked at as well.
static void a_datagram_too_long_is_cut_and_says_so(void **state) {
    (void)state;
    weft_addr to;
    struct sock receiver = open_bound(WEFT__DATAGRAM, &to);
    struct sock sender = open_socket(WEFT__DATAGRAM);
    assert_int_equal(ctl(WEFT__CTL_CONNECT, sender, 0, &to), 0);
    static const char *const texts[] = {"longer", "", "fits"};
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(run_io(WEFT__OP_SENDMSG, sender, texts[i], strlen(texts[i])),
                         strlen(texts[i]));
    static const struct {
        const char *text;
        uint32_t flags, truncated;
    } expected[] = {{"long", WEFT__OP_PEEK, WEFT__OP_TRUNCATED},
                    {"long", 0, WEFT__OP_TRUNCATED},
                    {"", 0, 0},
                    {"fits", 0, 0}};
    for (size_t i = 0; i < 4; i++) {
        char buf[8] = {0};
        struct call call;
        prepare_io(&call, WEFT__OP_RECVMSG, receiver, buf, 4);
        call.op.flags = expected[i].flags;
        assert_int_equal(run(&call), strlen(expected[i].text));
        assert_string_equal(buf, expected[i].text);
        assert_int_equal(call.op.flags & WEFT__OP_TRUNCATED, expected[i].truncated);
    }
    close_pair((struct pair){sender, receiver});
}

static void a_datagram_without_a_peer_is_refused(void **state) {
    (void)state;
    struct sock sender = open_socket(WEFT__DATAGRAM);
    assert_int_equal(run_io(WEFT__OP_SENDMSG, sender, "x", 1), -EDESTADDRREQ);
    close_socket(sender);
}

static void a_refused_datagram_is_reported_once(void **state) {
    (void)state;
    only_real();
    weft_addr nobody;
    close_socket(open_bound(WEFT__DATAGRAM, &nobody));
    struct sock sender = open_socket(WEFT__DATAGRAM);
    assert_int_equal(ctl(WEFT__CTL_CONNECT, sender, 0, &nobody), 0);
    char byte;
    struct call call;
    prepare_io(&call, WEFT__OP_RECVMSG, sender, &byte, 1);
    submit(&call);
    assert_int_equal(run_io(WEFT__OP_SENDMSG, sender, "x", 1), 1);
    await_done(&call);
    assert_int_equal(call.op.result, -ECONNREFUSED);
    prepare_io(&call, WEFT__OP_RECVMSG, sender, &byte, 1);
    assert_int_equal(d->class->try(d, &call.op), -EAGAIN);
    close_socket(sender);
}

// ---- Readiness ----

static void prepare_ready(struct call *call, struct sock s, uint32_t events) {
    prepare(call, WEFT__OP_READY, s);
    call->op.events = events;
}

static void readiness_waits_for_the_directions_asked_for(void **state) {
    (void)state;
    struct pair pair = open_pair();
    struct call call, reading;
    prepare_ready(&call, pair.server, WEFT__READABLE | WEFT__WRITABLE);
    assert_int_equal(run(&call), WEFT__WRITABLE);
    prepare_ready(&reading, pair.server, WEFT__READABLE);
    submit(&reading);
    d->class->wait(d, 0);
    assert_int_equal(reading.done_count, 0);
    assert_int_equal(write_text(pair.client, "x"), 1);
    await_done(&reading);
    assert_int_equal(reading.op.result, WEFT__READABLE);
    prepare_ready(&call, pair.server, WEFT__READABLE | WEFT__WRITABLE);
    assert_int_equal(run(&call), WEFT__READABLE | WEFT__WRITABLE);
    assert_reads(pair.server, "x"); // it took nothing
    close_pair(pair);
}

static void a_listener_is_readable_when_a_connection_waits(void **state) {
    (void)state;
    weft_addr addr;
    struct sock listener = open_listener(8, &addr);
    struct call call;
    prepare_ready(&call, listener, WEFT__READABLE);
    submit(&call);
    struct sock client = open_socket(WEFT__STREAM);
    struct call connecting;
    prepare_connect(&connecting, client, &addr);
    assert_int_equal(run(&connecting), 0);
    await_done(&call);
    assert_int_equal(call.op.result, WEFT__READABLE);
    close_socket(client);
    close_socket(listener);
}

#endif
