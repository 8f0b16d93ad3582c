// SPDX-License-Identifier: MIT
// Unit tests of driver/uring_request.c: that data moves by requests, what these say to the kernel,
// what becomes of its answers, and when an attempt is made. Which operation an answer belongs to is
// in test_uring.c.
#include <sys/socket.h>

#include "driver/op.h"
#include "driver/socket.h"
#include "uring_tools.h"

// ---- Data moves by requests ----

// Both ends wait before the data comes. The only poll is the one that `wake` needs.
static void a_thousand_echoes_that_wait_are_two_thousand_recvs_and_no_poll(void **state) {
    (void)state;
    enum { ECHOES = 1000 };
    struct pair pair = open_pair();
    d->class->wait(d, 0);
    uint64_t before = requests_of_all_kinds();
    assert_int_equal(requests(IORING_OP_POLL_ADD), 1);
    for (int i = 0; i < ECHOES; i++) {
        char at_client = 0, at_server = 0, byte = (char)i;
        struct call client, server;
        prepare_io(&server, WEFT__OP_READ, pair.server, &at_server, 1);
        prepare_io(&client, WEFT__OP_READ, pair.client, &at_client, 1);
        submit(&server);
        submit(&client);
        d->class->wait(d, 0);
        assert_int_equal(run_io(WEFT__OP_WRITE, pair.client, &byte, 1), 1);
        await_done(&server);
        assert_int_equal(run_io(WEFT__OP_WRITE, pair.server, &at_server, 1), 1);
        await_done(&client);
        assert_int_equal(at_client, byte);
    }
    assert_int_equal(requests(IORING_OP_RECV), 2 * ECHOES);
    assert_int_equal(requests_of_all_kinds() - before, 2 * ECHOES);
    assert_int_equal(requests(IORING_OP_POLL_ADD), 1);
    close_pair(pair);
}

static void a_write_that_has_to_wait_is_a_send(void **state) {
    (void)state;
    struct pair pair = open_pair();
    for (size_t count = 1; count <= 2; count++) {
        size_t written = fill(pair.client);
        struct call call;
        prepare_io(&call, WEFT__OP_WRITE, pair.client, "ab", 2);
        call.iov[1] = (struct iovec){.iov_base = "cd", .iov_len = 2};
        call.op.count = count;
        submit(&call);
        d->class->wait(d, 0);
        drain(pair.server, written);
        await_done(&call);
        assert_int_equal(call.op.result, 2 * count);
        assert_reads(pair.server, count == 1 ? "ab" : "abcd");
    }
    assert_int_equal(requests(IORING_OP_SEND), 1);
    assert_int_equal(requests(IORING_OP_SENDMSG), 1);
    close_pair(pair);
}

static void each_kind_of_operation_is_its_own_request(void **state) {
    (void)state;
    struct pair pair = open_pair(); // one CONNECT, one ACCEPT
    assert_int_equal(requests(IORING_OP_CONNECT), 1);
    assert_int_equal(requests(IORING_OP_ACCEPT), 1);
    uint64_t polls = requests(IORING_OP_POLL_ADD);
    char first, second;
    struct call call;
    prepare_io(&call, WEFT__OP_READ, pair.server, &first, 1);
    call.iov[1] = (struct iovec){.iov_base = &second, .iov_len = 1};
    call.op.count = 2;
    submit(&call);
    assert_int_equal(write_text(pair.client, "xy"), 2);
    await_done(&call);
    assert_int_equal(call.op.result, 2);
    assert_int_equal(requests(IORING_OP_RECVMSG), 1);
    prepare(&call, WEFT__OP_READY, pair.server);
    call.op.events = WEFT__READABLE;
    submit(&call);
    assert_int_equal(cancel(&call), -ECANCELED);
    assert_int_equal(requests(IORING_OP_POLL_ADD), polls + 1);
    assert_int_equal(requests(IORING_OP_ASYNC_CANCEL), 1);
    close_pair(pair);
}

static void an_old_mark_of_truncation_is_taken_away(void **state) {
    (void)state;
    weft_addr to;
    struct sock receiver = open_bound(WEFT__DATAGRAM, &to);
    struct sock sender = open_socket(WEFT__DATAGRAM);
    assert_int_equal(ctl(WEFT__CTL_CONNECT, sender, 0, &to), 0);
    char buf[8];
    struct call call;
    prepare_io(&call, WEFT__OP_RECVMSG, receiver, buf, sizeof buf);
    call.op.flags = WEFT__OP_TRUNCATED;
    submit(&call);
    assert_int_equal(write_text(sender, "fits"), 4);
    await_done(&call);
    assert_int_equal(call.op.flags, 0);
    close_pair((struct pair){sender, receiver});
}

// Not even on a connected socket, where a datagram without an address has somewhere to go.
static void a_datagram_to_no_address_is_refused(void **state) {
    (void)state;
    weft_addr to;
    struct sock receiver = open_bound(WEFT__DATAGRAM, &to);
    struct sock sender = open_socket(WEFT__DATAGRAM);
    assert_int_equal(ctl(WEFT__CTL_CONNECT, sender, 0, &to), 0);
    struct call call;
    prepare_io(&call, WEFT__OP_SENDMSG, sender, "x", 1);
    call.op.peer = &call.peer;
    submit(&call);
    await_done(&call);
    assert_int_equal(call.op.result, -EINVAL);
    close_pair((struct pair){sender, receiver});
}

// ---- Answers that mean "not now" ----

// Gives an operation a slot as if its request were in the ring, and answers that.
static void submit_and_answer(struct call *call, int res) {
    struct weft__uring_slot *slot = weft__uring_slot_take(uring(), &call->op);
    assert_non_null(slot);
    weft__op_begin(d, &call->op);
    slot->phase = WEFT__URING_REQUEST;
    weft__uring_complete(uring(), &(struct io_uring_cqe){.user_data = call->op.slot, .res = res});
}

static void an_interrupted_read_is_asked_for_again(void **state) {
    (void)state;
    struct pair pair = open_pair();
    static const int answers[] = {-EINTR, -EAGAIN, -ECANCELED};
    for (size_t i = 0; i < 3; i++) {
        char byte = 0;
        struct call call;
        prepare_io(&call, WEFT__OP_READ, pair.server, &byte, 1);
        submit_and_answer(&call, answers[i]);
        assert_int_equal(call.done_count, 0);
        assert_int_equal(requests(IORING_OP_RECV), i + 1);
        assert_int_equal(write_text(pair.client, "x"), 1);
        await_done(&call);
        assert_int_equal(byte, 'x');
    }
    close_pair(pair);
}

static void an_interrupted_read_that_was_cancelled_is_cancelled(void **state) {
    (void)state;
    struct pair pair = open_pair();
    char byte = 0;
    struct call call;
    prepare_io(&call, WEFT__OP_READ, pair.server, &byte, 1);
    submit(&call);
    d->class->wait(d, 0);
    d->class->cancel(d, &call.op);
    d->class->cancel(d, &call.op); // once is enough
    assert_int_equal(requests(IORING_OP_ASYNC_CANCEL), 1);
    weft__uring_complete(uring(), &(struct io_uring_cqe){.user_data = call.op.slot, .res = -EINTR});
    assert_int_equal(call.done_count, 1);
    assert_int_equal(call.op.result, -ECANCELED);
    d->class->wait(d, 0); // the request's own answer is a stray now
    assert_int_equal(uring()->strays, 1);
    close_pair(pair);
}

static void an_accept_that_does_not_wait_is_finished_by_a_poll(void **state) {
    (void)state;
    weft_addr addr;
    struct sock listener = open_listener(8, &addr);
    struct call call, connecting;
    prepare(&call, WEFT__OP_ACCEPT, listener);
    call.op.peer = &call.peer;
    submit_and_answer(&call, -EAGAIN);
    d->class->wait(d, 0);
    assert_int_equal(call.done_count, 0);
    assert_int_equal(requests(IORING_OP_ACCEPT), 0);
    struct sock client = open_socket(WEFT__STREAM);
    prepare_connect(&connecting, client, &addr);
    assert_int_equal(run(&connecting), 0);
    await_done(&call);
    weft_addr local;
    assert_int_equal(ctl(WEFT__CTL_LOCAL, client, 0, &local), 0);
    assert_memory_equal(&call.peer, &local, sizeof local);
    close_pair((struct pair){client, sock_of(call.op.result)});
    close_socket(listener);
}

// What the request did before it was interrupted: it began the connection, or got as far as a
// connect(2) that told how it went, which no later one does.
static void begin_connection(struct sock client, const weft_addr *addr, bool is_told) {
    struct call begun;
    prepare_connect(&begun, client, addr);
    while (weft__socket_try(&begun.op) == -EAGAIN && is_told)
        continue;
}

static void an_interrupted_connect_is_finished_by_a_poll(void **state) {
    (void)state;
    weft_addr addr;
    for (int round = 0; round < 3; round++) {
        bool is_refused = round == 2;
        struct sock server = open_bound(WEFT__STREAM, &addr);
        if (!is_refused)
            assert_int_equal(ctl(WEFT__CTL_LISTEN, server, 8, NULL), 0);
        struct sock client = open_socket(WEFT__STREAM);
        begin_connection(client, &addr, round == 1);
        struct call call;
        prepare_connect(&call, client, &addr);
        submit_and_answer(&call, -EINTR);
        await_done(&call);
        assert_int_equal(call.op.result, is_refused ? -ECONNREFUSED : 0);
        close_pair((struct pair){client, server});
    }
    assert_int_equal(requests(IORING_OP_CONNECT), 0);
}

static void a_connect_short_of_ports_says_so(void **state) {
    (void)state;
    weft_addr nobody = loopback(1);
    struct call call;
    struct sock client = open_socket(WEFT__STREAM);
    prepare_connect(&call, client, &nobody);
    submit_and_answer(&call, -EAGAIN);
    assert_int_equal(call.done_count, 1);
    assert_int_equal(call.op.result, -EAGAIN);
    close_socket(client);
}

static void a_poll_that_is_spurious_is_made_again(void **state) {
    (void)state;
    weft_addr addr;
    struct sock listener = open_listener(8, &addr);
    struct call call;
    prepare(&call, WEFT__OP_ACCEPT, listener);
    struct weft__uring_slot *slot = weft__uring_slot_take(uring(), &call.op);
    weft__op_begin(d, &call.op);
    slot->phase = WEFT__URING_POLL;
    uint64_t polls = requests(IORING_OP_POLL_ADD);
    weft__uring_complete(uring(), &(struct io_uring_cqe){.user_data = call.op.slot, .res = 1});
    assert_int_equal(call.done_count, 0);
    assert_int_equal(requests(IORING_OP_POLL_ADD), polls + 1);
    assert_int_equal(cancel(&call), -ECANCELED);
    close_socket(listener);
}

// The attempt behind a poll must not lose the name by which a cancel finds the operation. A backlog
// of 1 holds two connections (listen(2)); the last of these is under way.
static void a_connect_that_is_polled_for_again_can_still_be_cancelled(void **state) {
    (void)state;
    enum { CLIENTS = 6 };
    weft_addr addr;
    struct sock listener = open_listener(1, &addr), clients[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = open_socket(WEFT__STREAM);
        begin_connection(clients[i], &addr, false);
    }
    struct call call;
    prepare_connect(&call, clients[CLIENTS - 1], &addr);
    struct weft__uring_slot *slot = weft__uring_slot_take(uring(), &call.op);
    weft__op_begin(d, &call.op);
    slot->phase = WEFT__URING_POLL;
    weft__uring_complete(uring(), &(struct io_uring_cqe){.user_data = slot->name, .res = 1});
    assert_int_equal(call.done_count, 0);
    assert_true(call.op.slot == slot->name);
    assert_int_equal(cancel(&call), -ECANCELED);
    for (int i = 0; i < CLIENTS; i++)
        close_socket(clients[i]);
    close_socket(listener);
}

// ---- Hints ----

static void a_try_is_made_only_when_more_is_known_to_be_there(void **state) {
    (void)state;
    struct pair pair = open_pair();
    char buf[16];
    assert_int_equal(write_text(pair.client, "x"), 1);
    assert_int_equal(try_read(pair.server, buf, sizeof buf), -EAGAIN); // nothing is known
    assert_reads(pair.server, "x");
    read_all_but(pair, 6);
    assert_int_equal(try_read(pair.server, buf, 2), 2); // full: there may be more
    assert_int_equal(try_read(pair.server, buf, sizeof buf), 4);
    assert_int_equal(write_text(pair.client, "y"), 1);
    assert_int_equal(try_read(pair.server, buf, sizeof buf), -EAGAIN); // known to be empty
    assert_reads(pair.server, "y");
    read_all_but(pair, 0);
    assert_int_equal(try_read(pair.server, buf, sizeof buf), -EAGAIN);
    close_pair(pair);
}

static void a_try_that_insists_is_made_and_its_answer_remembered(void **state) {
    (void)state;
    struct pair pair = open_pair();
    char buf[16];
    struct call call;
    prepare_io(&call, WEFT__OP_READ, pair.server, buf, sizeof buf);
    call.op.flags = WEFT__OP_INSIST;
    assert_int_equal(d->class->try(d, &call.op), -EAGAIN);
    assert_int_equal(weft__uring_hint(uring(), &call.op), WEFT__URING_EMPTY);
    assert_int_equal(write_text(pair.client, "x"), 1);
    assert_int_equal(d->class->try(d, &call.op), 1);
    close_pair(pair);
}

static void a_peek_leaves_the_hint_that_more_is_there(void **state) {
    (void)state;
    struct pair pair = open_pair();
    char buf[16];
    read_all_but(pair, 6);
    struct call call;
    prepare_io(&call, WEFT__OP_READ, pair.server, buf, sizeof buf);
    call.op.flags = WEFT__OP_PEEK;
    assert_int_equal(d->class->try(d, &call.op), 6);
    assert_int_equal(try_read(pair.server, buf, sizeof buf), 6);
    close_pair(pair);
}

static void a_hint_does_not_outlive_its_handle(void **state) {
    (void)state;
    struct pair old = open_pair();
    char byte = 0;
    read_all_but(old, 6); // more is there
    close_pair(old);
    struct pair young = open_pair();
    assert_true(young.server.fd == old.server.fd); // the number comes back
    assert_int_equal(try_read(young.server, &byte, 1), -EAGAIN);
    read_all_but(young, 0); // empty
    close_pair(young);
    young = open_pair();
    assert_true(young.server.fd == old.server.fd);
    struct call call;
    prepare_io(&call, WEFT__OP_READ, young.server, &byte, 1);
    assert_int_equal(weft__uring_hint(uring(), &call.op), WEFT__URING_UNKNOWN);
    assert_int_equal(write_text(young.client, "z"), 1);
    assert_int_equal(run(&call), 1);
    assert_int_equal(byte, 'z');
    close_pair(young);
}

// A datagram that is shorter than the buffer says nothing about the next.
static void a_short_datagram_does_not_hide_the_next(void **state) {
    (void)state;
    weft_addr to;
    struct sock receiver = open_bound(WEFT__DATAGRAM, &to);
    struct sock sender = open_socket(WEFT__DATAGRAM);
    assert_int_equal(ctl(WEFT__CTL_CONNECT, sender, 0, &to), 0);
    char buf[8];
    struct call call;
    prepare_io(&call, WEFT__OP_RECVMSG, receiver, buf, sizeof buf);
    weft__uring_set_hint(uring(), &call.op, WEFT__URING_MORE);
    assert_int_equal(write_text(sender, "one"), 3);
    assert_int_equal(write_text(sender, "two"), 3);
    assert_int_equal(d->class->try(d, &call.op), 3);
    assert_int_equal(d->class->try(d, &call.op), 3);
    assert_int_equal(d->class->try(d, &call.op), -EAGAIN); // that was all
    assert_int_equal(weft__uring_hint(uring(), &call.op), WEFT__URING_EMPTY);
    close_pair((struct pair){sender, receiver});
}

// ---- What a request says to the kernel ----

// Prepares an operation's request, as if the ring were about to get it.
static struct io_uring_sqe prepared(struct call *call, bool is_tried_before) {
    struct io_uring_sqe sqe;
    memset(&sqe, 0, sizeof sqe);
    struct weft__uring_slot *slot = weft__uring_slot_take(uring(), &call->op);
    assert_non_null(slot);
    slot->poll_first = is_tried_before;
    weft__uring_prepare(uring(), slot, &sqe);
    assert_int_equal(slot->phase,
                     call->op.kind == WEFT__OP_READY ? WEFT__URING_POLL : WEFT__URING_REQUEST);
    assert_true(sqe.user_data == slot->name);
    weft__uring_slot_free(uring(), slot);
    return sqe;
}

static void a_receive_waits_first_only_when_nothing_is_known_to_be_there(void **state) {
    (void)state;
    struct call call;
    char byte = 0;
    prepare_io(&call, WEFT__OP_READ, (struct sock){.fd = 5, .serial = 1}, &byte, 1);
    assert_int_equal(prepared(&call, false).ioprio & IORING_RECVSEND_POLL_FIRST, 0);
    assert_int_not_equal(prepared(&call, true).ioprio & IORING_RECVSEND_POLL_FIRST, 0);
    weft__uring_set_hint(uring(), &call.op, WEFT__URING_EMPTY);
    assert_int_not_equal(prepared(&call, false).ioprio & IORING_RECVSEND_POLL_FIRST, 0);
    weft__uring_set_hint(uring(), &call.op, WEFT__URING_MORE);
    assert_int_equal(prepared(&call, false).ioprio & IORING_RECVSEND_POLL_FIRST, 0);
}

static void a_send_waits_first_and_raises_no_signal(void **state) {
    (void)state;
    static const enum weft__op_kind kinds[] = {WEFT__OP_WRITE, WEFT__OP_SENDMSG};
    for (size_t i = 0; i < 2; i++) {
        struct call call;
        prepare_io(&call, kinds[i], (struct sock){.fd = 5, .serial = 1}, "x", 1);
        struct io_uring_sqe sqe = prepared(&call, false);
        assert_int_not_equal(sqe.ioprio & IORING_RECVSEND_POLL_FIRST, 0);
        assert_int_equal(sqe.msg_flags, MSG_NOSIGNAL);
    }
}

static void a_request_moves_at_most_a_gibibyte(void **state) {
    (void)state;
    static const enum weft__op_kind kinds[] = {WEFT__OP_READ, WEFT__OP_WRITE};
    for (size_t i = 0; i < 2; i++) {
        struct call call;
        char byte = 0;
        prepare_io(&call, kinds[i], (struct sock){.fd = 5, .serial = 1}, &byte, SIZE_MAX);
        assert_int_equal(prepared(&call, false).len, 1 << 30);
        call.iov[0].iov_len = ((size_t)1 << 30) - 1;
        assert_int_equal(prepared(&call, false).len, (1 << 30) - 1);
    }
}

static void a_peek_is_asked_for_as_one(void **state) {
    (void)state;
    struct call call;
    char byte = 0;
    prepare_io(&call, WEFT__OP_READ, (struct sock){.fd = 5, .serial = 1}, &byte, 1);
    assert_int_equal(prepared(&call, false).msg_flags, 0);
    call.op.flags = WEFT__OP_PEEK;
    assert_int_equal(prepared(&call, false).msg_flags, MSG_PEEK);
    call.op.count = 2;
    assert_int_equal(prepared(&call, false).opcode, IORING_OP_RECVMSG);
    assert_int_equal(prepared(&call, false).msg_flags, MSG_PEEK);
}

static void a_connection_that_comes_in_is_nonblocking_and_close_on_exec(void **state) {
    (void)state;
    struct call call;
    prepare(&call, WEFT__OP_ACCEPT, (struct sock){.fd = 5, .serial = 1});
    struct io_uring_sqe sqe = prepared(&call, false);
    assert_int_equal(sqe.accept_flags, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_int_equal(sqe.addr2, 0); // nobody asks who it is
    call.op.peer = &call.peer;
    assert_int_not_equal(prepared(&call, false).addr2, 0);
}

int main(void) {
    if (skip_without_uring() != 0)
        return 77;
    const struct CMUnitTest cases[] = {
        CASE(a_thousand_echoes_that_wait_are_two_thousand_recvs_and_no_poll),
        CASE(a_write_that_has_to_wait_is_a_send),
        CASE(each_kind_of_operation_is_its_own_request),
        CASE(an_old_mark_of_truncation_is_taken_away),
        CASE(a_datagram_to_no_address_is_refused),
        CASE(an_interrupted_read_is_asked_for_again),
        CASE(an_interrupted_read_that_was_cancelled_is_cancelled),
        CASE(an_accept_that_does_not_wait_is_finished_by_a_poll),
        CASE(an_interrupted_connect_is_finished_by_a_poll),
        CASE(a_connect_short_of_ports_says_so),
        CASE(a_poll_that_is_spurious_is_made_again),
        CASE(a_connect_that_is_polled_for_again_can_still_be_cancelled),
        CASE(a_try_is_made_only_when_more_is_known_to_be_there),
        CASE(a_try_that_insists_is_made_and_its_answer_remembered),
        CASE(a_peek_leaves_the_hint_that_more_is_there),
        CASE(a_hint_does_not_outlive_its_handle),
        CASE(a_short_datagram_does_not_hide_the_next),
        CASE(a_receive_waits_first_only_when_nothing_is_known_to_be_there),
        CASE(a_send_waits_first_and_raises_no_signal),
        CASE(a_request_moves_at_most_a_gibibyte),
        CASE(a_peek_is_asked_for_as_one),
        CASE(a_connection_that_comes_in_is_nonblocking_and_close_on_exec),
    };
    return cmocka_run_group_tests_name("requests of io_uring", cases, NULL, NULL);
}
