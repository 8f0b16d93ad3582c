// SPDX-License-Identifier: MIT
// Unit tests of driver/socket.c: attempts on real sockets, without a driver that waits. What the
// drivers make of them is in driver_contract.h; controls are in test_socket_ctl.c.
#include <poll.h>

#include "driver/socket.h"
#include "driver_tools.h"

// ---- Attempts ----

static void each_kind_waits_for_its_direction(void **state) {
    (void)state;
    static const struct {
        enum weft__op_kind kind;
        uint32_t events, expected;
    } kinds[] = {
        {WEFT__OP_READ, 0, POLLIN},
        {WEFT__OP_RECVMSG, 0, POLLIN},
        {WEFT__OP_ACCEPT, 0, POLLIN},
        {WEFT__OP_WRITE, 0, POLLOUT},
        {WEFT__OP_SENDMSG, 0, POLLOUT},
        {WEFT__OP_CONNECT, 0, POLLOUT},
        {WEFT__OP_READY, WEFT__READABLE, POLLIN},
        {WEFT__OP_READY, WEFT__WRITABLE, POLLOUT},
        {WEFT__OP_READY, WEFT__READABLE | WEFT__WRITABLE, POLLIN | POLLOUT},
        {WEFT__OP_RESOLVE, 0, 0},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct weft__op op = {.kind = kinds[i].kind, .events = kinds[i].events};
        assert_int_equal(weft__op_events(&op), kinds[i].expected);
    }
}

static void the_size_of_an_op_is_the_sum_of_its_buffers(void **state) {
    (void)state;
    struct call call;
    prepare_io(&call, WEFT__OP_READ, (struct sock){0}, NULL, 7);
    assert_int_equal(weft__op_size(&call.op), 7);
    call.iov[1].iov_len = 5;
    call.op.count = 2;
    assert_int_equal(weft__op_size(&call.op), 12);
    call.op.count = 0;
    assert_int_equal(weft__op_size(&call.op), 0);
}

static void attempts_on_a_closed_descriptor_are_ebadf(void **state) {
    (void)state;
    static const enum weft__op_kind kinds[] = {WEFT__OP_READ,    WEFT__OP_WRITE,  WEFT__OP_RECVMSG,
                                               WEFT__OP_SENDMSG, WEFT__OP_ACCEPT, WEFT__OP_CONNECT,
                                               WEFT__OP_READY};
    struct sock closed = open_socket(WEFT__STREAM);
    close_socket(closed);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct call call;
        char byte = 0;
        prepare_io(&call, kinds[i], closed, &byte, 1);
        call.peer = loopback(1);
        call.op.peer = &call.peer;
        call.op.events = WEFT__READABLE;
        assert_int_equal(weft__socket_try(&call.op), -EBADF);
    }
}

static void an_attempt_to_no_address_is_refused(void **state) {
    (void)state;
    struct sock tcp = open_socket(WEFT__STREAM), udp = open_socket(WEFT__DATAGRAM);
    weft_addr none = {{0}};
    struct call call;
    prepare_connect(&call, tcp, &none);
    assert_int_equal(weft__socket_try(&call.op), -EINVAL);
    prepare_io(&call, WEFT__OP_SENDMSG, udp, "x", 1);
    call.op.peer = &none;
    assert_int_equal(weft__socket_try(&call.op), -EINVAL);
    close_pair((struct pair){tcp, udp});
}

// Attempts go on until the connection stands, and each of them answers for itself.
static void a_connection_is_begun_once_and_then_asked_about(void **state) {
    (void)state;
    weft_addr addr;
    struct sock listener = open_listener(1, &addr), client = open_socket(WEFT__STREAM);
    struct call call, another;
    prepare_connect(&call, client, &addr);
    assert_int_equal(weft__socket_begin(&call.op), -EAGAIN);
    assert_int_not_equal(call.op.slot, 0);
    assert_int_equal(weft__socket_begin(&call.op), -EAGAIN); // it has been begun
    int64_t result;
    while ((result = weft__socket_try(&call.op)) == -EAGAIN)
        weft__os_yield();
    assert_int_equal(result, 0);
    assert_int_equal(weft__socket_try(&call.op), 0); // its own connection
    prepare_connect(&another, client, &addr);
    assert_int_equal(weft__socket_try(&another.op), -EISCONN); // somebody else's
    close_socket(client);
    close_socket(listener);
}

static void a_failed_connection_tells_why_to_the_attempt(void **state) {
    (void)state;
    weft_addr addr;
    struct sock taken = open_bound(WEFT__STREAM, &addr), client = open_socket(WEFT__STREAM);
    struct call call;
    prepare_connect(&call, client, &addr);
    int64_t result;
    while ((result = weft__socket_try(&call.op)) == -EAGAIN)
        weft__os_yield();
    assert_int_equal(result, -ECONNREFUSED);
    close_pair((struct pair){taken, client});
}

// A backlog of 1 holds two connections here (listen(2)); the last of these waits.
static void a_connection_under_way_is_asked_about_again_and_again(void **state) {
    (void)state;
    enum { COUNT = 6 };
    weft_addr addr;
    struct sock listener = open_listener(1, &addr), clients[COUNT];
    struct call call;
    for (int i = 0; i < COUNT; i++) {
        clients[i] = open_socket(WEFT__STREAM);
        prepare_connect(&call, clients[i], &addr);
        int64_t result = weft__socket_try(&call.op);
        assert_true(result == -EAGAIN || result == 0);
    }
    for (int i = 0; i < 3; i++)
        assert_int_equal(weft__socket_try(&call.op), -EAGAIN);
    for (int i = 0; i < COUNT; i++)
        close_socket(clients[i]);
    close_socket(listener);
}

static void truncation_is_told_of_each_datagram_anew(void **state) {
    (void)state;
    weft_addr to;
    struct sock receiver = open_bound(WEFT__DATAGRAM, &to), sender = open_socket(WEFT__DATAGRAM);
    assert_int_equal(ctl(WEFT__CTL_CONNECT, sender, 0, &to), 0);
    assert_int_equal(run_io(WEFT__OP_SENDMSG, sender, "long", 4), 4);
    assert_int_equal(run_io(WEFT__OP_SENDMSG, sender, "s", 1), 1);
    char buf[2];
    struct call call;
    prepare_io(&call, WEFT__OP_RECVMSG, receiver, buf, sizeof buf);
    assert_int_equal(weft__socket_try(&call.op), 2);
    assert_int_equal(call.op.flags, WEFT__OP_TRUNCATED);
    assert_int_equal(weft__socket_try(&call.op), 1);
    assert_int_equal(call.op.flags, 0);
    close_pair((struct pair){sender, receiver});
}

static void other_kinds_have_nothing_to_begin(void **state) {
    (void)state;
    struct pair pair = open_pair();
    assert_int_equal(write_text(pair.client, "x"), 1);
    char byte = 0;
    struct call call;
    prepare_io(&call, WEFT__OP_READ, pair.server, &byte, 1);
    assert_int_equal(weft__socket_begin(&call.op), -EAGAIN);
    assert_int_equal(byte, 0);
    prepare(&call, WEFT__OP_RESOLVE, pair.server);
    assert_int_equal(weft__socket_try(&call.op), -EAGAIN);
    close_pair(pair);
}

static void broken_connections_are_ready_in_both_directions(void **state) {
    (void)state;
    struct pair pair = open_pair();
    struct weft__ctl linger = {
        .kind = WEFT__CTL_SET, .fd = pair.client.fd, .option = WEFT__OPT_LINGER_ZERO};
    assert_int_equal(weft__socket_ctl(&linger), 0);
    close_socket(pair.client);
    static const uint32_t directions[] = {WEFT__READABLE | WEFT__WRITABLE, WEFT__READABLE,
                                          WEFT__WRITABLE};
    for (size_t i = 0; i < 3; i++) {
        struct call call;
        prepare(&call, WEFT__OP_READY, pair.server);
        call.op.events = directions[i];
        assert_int_equal(run(&call), directions[i]); // of those asked for
    }
    close_socket(pair.server);
}

// poll(2) reports a hang-up and no data there; a read would say that there is no connection.
static void a_socket_without_a_connection_is_readable(void **state) {
    (void)state;
    struct sock s = open_socket(WEFT__STREAM);
    struct call call;
    prepare(&call, WEFT__OP_READY, s);
    call.op.events = WEFT__READABLE;
    assert_int_equal(run(&call), WEFT__READABLE);
    close_socket(s);
}

static int start_thread(struct weft__driver **ret_driver) {
    return weft__thread_start(ret_driver, NULL);
}

// The helpers need a driver to make connections with; the simplest will do.
int main(void) {
    static const struct contract helper = {
        .name = "thread", .start = start_thread, .is_real = true};
    contract = &helper;
    const struct CMUnitTest cases[] = {
        CASE(each_kind_waits_for_its_direction),
        CASE(the_size_of_an_op_is_the_sum_of_its_buffers),
        CASE(attempts_on_a_closed_descriptor_are_ebadf),
        CASE(an_attempt_to_no_address_is_refused),
        CASE(a_connection_is_begun_once_and_then_asked_about),
        CASE(a_failed_connection_tells_why_to_the_attempt),
        CASE(a_connection_under_way_is_asked_about_again_and_again),
        CASE(truncation_is_told_of_each_datagram_anew),
        CASE(other_kinds_have_nothing_to_begin),
        CASE(broken_connections_are_ready_in_both_directions),
        CASE(a_socket_without_a_connection_is_readable),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
