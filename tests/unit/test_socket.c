// SPDX-License-Identifier: MIT
// Unit tests of driver/socket.c and driver/socket_ctl.c: attempts and controls on real sockets,
// without a driver that waits. What the drivers make of them is in driver_contract.h.
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "driver/socket.h"
#include "driver_tools.h"

static int64_t ctl_option(enum weft__ctl_kind kind, struct sock s, enum weft__option option,
                          int value) {
    return weft__socket_ctl(
        &(struct weft__ctl){.kind = kind, .fd = s.fd, .option = option, .value = value});
}

static int64_t get(struct sock s, enum weft__option option) {
    return ctl_option(WEFT__CTL_GET, s, option, 0);
}

static int64_t set(struct sock s, enum weft__option option, int value) {
    return ctl_option(WEFT__CTL_SET, s, option, value);
}

// Some containers have no IPv6 at all; then the case is skipped.
static struct sock open_ipv6(int type) {
    struct weft__ctl make = {.kind = WEFT__CTL_SOCKET, .family = WEFT_IPV6, .type = type};
    int64_t fd = weft__socket_ctl(&make);
    if (fd == -EAFNOSUPPORT) {
        print_message("this machine has no IPv6\n");
        skip();
    }
    return sock_of(fd);
}

// ---- Options ----

static void options_read_back_as_they_were_set(void **state) {
    (void)state;
    static const struct {
        enum weft__option option;
        int first, second;
    } options[] = {
        {WEFT__OPT_REUSEADDR, 1, 0},
        {WEFT__OPT_REUSEPORT, 1, 0},
        {WEFT__OPT_NODELAY, 1, 0},
        {WEFT__OPT_KEEPALIVE, 1, 0},
        {WEFT__OPT_KEEPALIVE_IDLE_S, 11, 12},
        {WEFT__OPT_KEEPALIVE_INTERVAL_S, 13, 14},
        {WEFT__OPT_KEEPALIVE_COUNT, 5, 6},
        {WEFT__OPT_TTL, 33, 34},
    };
    struct sock ipv6 = open_ipv6(WEFT__STREAM);
    struct sock socks[] = {open_socket(WEFT__STREAM), ipv6};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        for (size_t k = 0; k < 2; k++) {
            assert_int_equal(set(socks[k], options[i].option, options[i].first), 0);
            assert_int_equal(get(socks[k], options[i].option), options[i].first);
            assert_int_equal(set(socks[k], options[i].option, options[i].second), 0);
            assert_int_equal(get(socks[k], options[i].option), options[i].second);
        }
    }
    close_socket(socks[0]);
    close_socket(socks[1]);
}

static void options_of_their_own_kind_of_socket_read_back(void **state) {
    (void)state;
    struct sock ipv6 = open_ipv6(WEFT__STREAM), udp = open_socket(WEFT__DATAGRAM);
    assert_int_equal(set(udp, WEFT__OPT_BROADCAST, 1), 0);
    assert_int_equal(get(udp, WEFT__OPT_BROADCAST), 1);
    assert_int_equal(set(ipv6, WEFT__OPT_V6ONLY, 1), 0);
    assert_int_equal(get(ipv6, WEFT__OPT_V6ONLY), 1);
    assert_int_equal(set(ipv6, WEFT__OPT_V6ONLY, 0), 0);
    assert_int_equal(get(ipv6, WEFT__OPT_V6ONLY), 0);
    assert_int_equal(set(ipv6, WEFT__OPT_TTL, 44), 0); // for IPv4-mapped peers as well
    int ttl = 0;
    socklen_t length = sizeof ttl;
    assert_int_equal(getsockopt(ipv6.fd, IPPROTO_IP, IP_TTL, &ttl, &length), 0);
    assert_int_equal(ttl, 44);
    close_socket(udp);
    close_socket(ipv6);
}

// socket(7): the kernel doubles what is asked.
static void buffers_are_at_least_as_large_as_asked(void **state) {
    (void)state;
    struct sock s = open_socket(WEFT__STREAM);
    assert_int_equal(set(s, WEFT__OPT_SEND_BUFFER, 20000), 0);
    assert_true(get(s, WEFT__OPT_SEND_BUFFER) >= 20000);
    assert_int_equal(set(s, WEFT__OPT_RECEIVE_BUFFER, 30000), 0);
    assert_true(get(s, WEFT__OPT_RECEIVE_BUFFER) >= 30000);
    close_socket(s);
}

static void what_an_option_cannot_do_is_an_error(void **state) {
    (void)state;
    struct sock s = open_socket(WEFT__STREAM);
    assert_int_equal(get(s, WEFT__OPT_LINGER_ZERO), -EINVAL);
    assert_int_equal(set(s, WEFT__OPT_ERROR, 1), -EINVAL);
    assert_int_equal(get(s, WEFT__OPT_ERROR), 0);
    assert_int_equal(set(s, WEFT__OPT_KEEPALIVE_IDLE_S, -1), -EINVAL);
    close_socket(s);
    assert_int_equal(set(s, WEFT__OPT_NODELAY, 1), -EBADF);
    assert_int_equal(get(s, WEFT__OPT_NODELAY), -EBADF);
    assert_int_equal(get(s, WEFT__OPT_TTL), -EBADF);
}

static void linger_zero_makes_close_a_reset(void **state) {
    (void)state;
    struct pair pair = open_pair();
    assert_int_equal(set(pair.client, WEFT__OPT_LINGER_ZERO, 0), 0);
    close_socket(pair.client);
    char byte;
    assert_int_equal(run_io(WEFT__OP_READ, pair.server, &byte, 1), -ECONNRESET);
    close_socket(pair.server);
}

// ---- Names ----

static void addresses_are_bound_and_told(void **state) {
    (void)state;
    weft_addr addr, other;
    struct sock first = open_listener(1, &addr), second = open_socket(WEFT__STREAM);
    assert_true(weft__address_port(&addr) != 0);
    assert_int_equal(ctl(WEFT__CTL_BIND, second, 0, &addr), -EADDRINUSE);
    assert_int_equal(ctl(WEFT__CTL_PEER, second, 0, &other), -ENOTCONN);
    assert_int_equal(ctl(WEFT__CTL_SHUTDOWN, second, WEFT__SHUT_BOTH, NULL), -ENOTCONN);
    weft_addr none = {{0}};
    assert_int_equal(ctl(WEFT__CTL_BIND, second, 0, &none), -EINVAL);
    assert_int_equal(ctl(WEFT__CTL_CONNECT, second, 0, &none), -EINVAL);
    close_socket(first);
    close_socket(second);
    assert_int_equal(ctl(WEFT__CTL_LOCAL, first, 0, &other), -EBADF);
    assert_int_equal(ctl(WEFT__CTL_CLOSE, first, 0, NULL), 0); // result 0 always
}

static void ipv6_addresses_are_bound_and_told(void **state) {
    (void)state;
    const uint8_t ip[16] = {[15] = 1};
    weft_addr addr = weft__address_make(WEFT_IPV6, ip, 0, 0), local;
    struct sock s = open_ipv6(WEFT__DATAGRAM);
    if (ctl(WEFT__CTL_BIND, s, 0, &addr) == -EADDRNOTAVAIL) {
        close_socket(s);
        print_message("this machine has no ::1\n");
        skip();
    }
    assert_int_equal(ctl(WEFT__CTL_LOCAL, s, 0, &local), 0);
    weft_addr expected = weft__address_make(WEFT_IPV6, ip, weft__address_port(&local), 0);
    assert_memory_equal(&local, &expected, sizeof local);
    close_socket(s);
}

static void shutdown_ends_the_directions_named(void **state) {
    (void)state;
    struct pair pair = open_pair();
    char byte;
    assert_int_equal(ctl(WEFT__CTL_SHUTDOWN, pair.client, WEFT__SHUT_READ, NULL), 0);
    assert_int_equal(run_io(WEFT__OP_READ, pair.client, &byte, 1), 0);
    assert_int_equal(write_text(pair.client, "x"), 1);
    assert_int_equal(ctl(WEFT__CTL_SHUTDOWN, pair.client, WEFT__SHUT_BOTH, NULL), 0);
    assert_int_equal(write_text(pair.client, "x"), -EPIPE);
    assert_reads(pair.server, "x");
    assert_reads(pair.server, "");
    close_pair(pair);
}

// The chance that a right one fails is 2^-800.
static void random_bytes_fill_the_whole_buffer(void **state) {
    (void)state;
    enum { SIZE = 1000 }; // more than getrandom(2) is bound to give at once
    static unsigned char buf[SIZE + 1];
    struct weft__ctl random = {.kind = WEFT__CTL_RANDOM, .data = buf, .size = SIZE};
    bool seen[SIZE] = {false};
    for (int round = 0; round < 100; round++) {
        assert_int_equal(weft__socket_ctl(&random), 0);
        for (int i = 0; i < SIZE; i++)
            seen[i] = seen[i] || buf[i] != 0;
    }
    for (int i = 0; i < SIZE; i++)
        assert_true(seen[i]);
    assert_int_equal(buf[SIZE], 0);
    random.size = 0;
    assert_int_equal(weft__socket_ctl(&random), 0);
}

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
    assert_int_equal(set(pair.client, WEFT__OPT_LINGER_ZERO, 0), 0);
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
        CASE(options_read_back_as_they_were_set),
        CASE(options_of_their_own_kind_of_socket_read_back),
        CASE(buffers_are_at_least_as_large_as_asked),
        CASE(what_an_option_cannot_do_is_an_error),
        CASE(linger_zero_makes_close_a_reset),
        CASE(addresses_are_bound_and_told),
        CASE(ipv6_addresses_are_bound_and_told),
        CASE(shutdown_ends_the_directions_named),
        CASE(random_bytes_fill_the_whole_buffer),
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
