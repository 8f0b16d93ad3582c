// SPDX-License-Identifier: MIT
// Unit tests of driver/uring.c, uring_request.c and uring_table.c: the driver contract, that data
// moves by requests, the names of operations, hints, many operations at once, and races.
// What an unwilling kernel does is in test_uring_kernel.c.
#include <sys/socket.h>

#include "driver/op.h"
#include "driver/socket.h"
#include "driver/uring.h"
#include "driver_contract.h"

static int start_uring(struct weft__driver **ret_driver) {
    return weft__uring_start(ret_driver, NULL);
}

static const struct contract uring_contract = {
    .name = "uring", .start = start_uring, .is_real = true};

static struct weft__uring *uring(void) {
    return WEFT__CONTAINER(d, struct weft__uring, driver);
}

static uint64_t requests(uint8_t opcode) {
    return d->stats.sqe[opcode];
}

static uint64_t requests_of_all_kinds(void) {
    uint64_t sum = 0;
    for (size_t i = 0; i < 256; i++)
        sum += d->stats.sqe[i];
    return sum;
}

static int64_t try_read(struct sock s, void *buf, size_t size) {
    struct call call;
    prepare_io(&call, WEFT__OP_READ, s, buf, size);
    return d->class->try(d, &call.op);
}

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

// ---- Names ----

// A completion that the driver did not ask for, as a late one of an old operation would be.
static void inject(uint64_t name) {
    struct io_uring_sqe *sqe = weft__uring_sqe(uring());
    io_uring_prep_nop(sqe);
    io_uring_sqe_set_data64(sqe, name);
}

static void a_late_completion_does_not_reach_the_next_user_of_its_slot(void **state) {
    (void)state;
    struct pair pair = open_pair();
    char byte = 0;
    struct call old, young;
    prepare_io(&old, WEFT__OP_READ, pair.server, &byte, 1);
    submit(&old);
    uint64_t old_name = old.op.slot;
    assert_int_equal(cancel(&old), -ECANCELED);
    prepare_io(&young, WEFT__OP_READ, pair.server, &byte, 1);
    submit(&young);
    assert_int_equal((uint32_t)young.op.slot, (uint32_t)old_name); // the same slot
    assert_true(young.op.slot != old_name);                        // another generation
    inject(old_name);
    d->class->wait(d, 0);
    assert_int_equal(young.done_count, 0);
    assert_int_equal(uring()->strays, 1);
    assert_int_equal(write_text(pair.client, "y"), 1);
    await_done(&young);
    assert_int_equal(byte, 'y');
    close_pair(pair);
}

static void completions_of_nobody_are_ignored_and_counted(void **state) {
    (void)state;
    struct call call;
    struct pair pair = open_pair();
    char byte;
    prepare_io(&call, WEFT__OP_READ, pair.server, &byte, 1);
    submit(&call);
    uint64_t name = call.op.slot;
    assert_int_equal(cancel(&call), -ECANCELED);
    inject(name);                        // its slot is free
    inject(name + ((uint64_t)7 << 32));  // a generation to come
    inject((uint64_t)1 << 32 | 5000000); // no such slot
    d->class->wait(d, 0);
    assert_int_equal(uring()->strays, 3);
    assert_int_equal(call.done_count, 1);
    close_pair(pair);
}

static void a_generation_is_never_zero(void **state) {
    (void)state;
    struct pair pair = open_pair();
    char byte;
    struct call call;
    prepare_io(&call, WEFT__OP_READ, pair.server, &byte, 1);
    submit(&call);
    struct weft__uring_slot *slot = weft__uring_slot_find(uring(), call.op.slot);
    assert_int_equal(cancel(&call), -ECANCELED);
    slot->name |= (uint64_t)UINT32_MAX << 32; // the last one
    prepare_io(&call, WEFT__OP_READ, pair.server, &byte, 1);
    submit(&call);
    assert_int_equal(call.op.slot >> 32, 1);
    assert_int_equal(cancel(&call), -ECANCELED);
    close_pair(pair);
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
    char byte;
    struct call call;
    prepare_io(&call, WEFT__OP_READ, pair.server, &byte, 1);
    submit(&call);
    d->class->wait(d, 0);
    d->class->cancel(d, &call.op);
    d->class->cancel(d, &call.op); // once is enough
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

static void an_interrupted_connect_is_finished_by_a_poll(void **state) {
    (void)state;
    weft_addr addr;
    for (int refused = 0; refused < 2; refused++) {
        struct sock server = open_bound(WEFT__STREAM, &addr);
        if (!refused)
            assert_int_equal(ctl(WEFT__CTL_LISTEN, server, 8, NULL), 0);
        struct sock client = open_socket(WEFT__STREAM);
        struct call begun, call;
        prepare_connect(&begun, client, &addr);
        (void)weft__socket_try(&begun.op); // what the request did before it was interrupted
        prepare_connect(&call, client, &addr);
        submit_and_answer(&call, -EINTR);
        await_done(&call);
        assert_int_equal(call.op.result, refused ? -ECONNREFUSED : 0);
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

// ---- Hints ----

// Leaves `left` of the bytes "0123456789" in the connection, the last read having been a request.
static void read_all_but(struct pair pair, size_t left) {
    char buf[10];
    assert_int_equal(write_text(pair.client, "0123456789"), 10);
    struct call call;
    prepare_io(&call, WEFT__OP_READ, pair.server, buf, 10 - left);
    submit(&call);
    await_done(&call);
    assert_int_equal(call.op.result, 10 - left);
}

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

static void without_memory_there_are_no_hints_and_no_harm(void **state) {
    (void)state;
    struct pair pair = open_pair();
    pair.server = move_far(pair.server);
    weft__fail_arm(WEFT__FAIL_ALLOC, 1, 1, -ENOMEM);
    read_all_but(pair, 6);
    weft__fail_disarm();
    char byte;
    assert_int_equal(try_read(pair.server, &byte, 1), -EAGAIN);
    assert_reads(pair.server, "456789");
    close_pair(pair);
}

int main(void) {
    int failed = contract_run(&uring_contract);
    if (failed == 77)
        return failed;
    const struct CMUnitTest cases[] = {
        CASE(a_thousand_echoes_that_wait_are_two_thousand_recvs_and_no_poll),
        CASE(a_write_that_has_to_wait_is_a_send),
        CASE(each_kind_of_operation_is_its_own_request),
        CASE(a_late_completion_does_not_reach_the_next_user_of_its_slot),
        CASE(completions_of_nobody_are_ignored_and_counted),
        CASE(a_generation_is_never_zero),
        CASE(an_interrupted_read_is_asked_for_again),
        CASE(an_interrupted_read_that_was_cancelled_is_cancelled),
        CASE(an_accept_that_does_not_wait_is_finished_by_a_poll),
        CASE(an_interrupted_connect_is_finished_by_a_poll),
        CASE(a_connect_short_of_ports_says_so),
        CASE(a_poll_that_is_spurious_is_made_again),
        CASE(a_try_is_made_only_when_more_is_known_to_be_there),
        CASE(a_peek_leaves_the_hint_that_more_is_there),
        CASE(a_hint_does_not_outlive_its_handle),
        CASE(without_memory_there_are_no_hints_and_no_harm),
    };
    return failed + cmocka_run_group_tests_name("the uring driver", cases, NULL, NULL);
}
