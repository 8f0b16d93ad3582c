// SPDX-License-Identifier: MIT
// Unit tests of driver/sim_udp.c: datagrams whole and cut, who gets them, what is dropped and what
// is told; as on Linux (see sim_tools.h).
#include <stdlib.h>

#include "sim_tools.h"

static int64_t send_size(struct sock s, size_t size, const weft_addr *to) {
    static char bytes[70000];
    struct call call;
    prepare_io(&call, WEFT__OP_SENDMSG, s, bytes, size);
    if (to != NULL)
        call.peer = *to;
    call.op.peer = to != NULL ? &call.peer : NULL;
    return d->class->try(d, &call.op);
}

static int64_t send_text(struct sock s, const char *text, weft_addr to) {
    struct call call;
    prepare_io(&call, WEFT__OP_SENDMSG, s, text, strlen(text));
    call.peer = to;
    call.op.peer = &call.peer;
    return d->class->try(d, &call.op);
}

// Receives into a buffer of `size` bytes; the flags out and, in `call`, the peer.
static int64_t receive(struct call *call, struct sock s, char *buf, size_t size, uint32_t flags) {
    prepare_io(call, WEFT__OP_RECVMSG, s, buf, size);
    call->op.peer = &call->peer;
    call->op.flags = flags;
    return run(call);
}

static struct sock open_udp(weft_addr *ret_addr) {
    return open_bound(WEFT__DATAGRAM, ret_addr);
}

// udp(7) on Linux: port 0 is nobody's, so there is no name to tell, but the socket is connected.
static void a_socket_may_be_connected_to_port_0(void **state) {
    (void)state;
    struct sock s = open_socket(WEFT__DATAGRAM);
    weft_addr nobody = loopback(0);
    assert_int_equal(ctl(WEFT__CTL_CONNECT, s, 0, &nobody), 0);
    assert_int_equal(peer_of(s), -ENOTCONN);
    assert_int_equal(try_write(s), 1);
    assert_int_equal(shut(s, WEFT__SHUT_BOTH), 0);
    close_socket(s);
}

static int64_t connect_udp(struct sock s, weft_addr to) {
    return ctl(WEFT__CTL_CONNECT, s, 0, &to);
}

// bind(2) to an address of IPv6 leaves IPv6 alone; connect(2) does not, but a mapped one does.
static void an_ipv6_socket_stays_in_the_world_of_its_address(void **state) {
    (void)state;
    struct sock six = open_in(WEFT_IPV6, WEFT__DATAGRAM);
    assert_int_equal(bind_to(six, loopback6(0)), 0);
    assert_int_equal(get_option(six, WEFT__OPT_V6ONLY), 1);
    assert_int_equal(connect_udp(six, mapped(9)), -ENETUNREACH);
    close_socket(six);
    struct sock four = open_in(WEFT_IPV6, WEFT__DATAGRAM);
    assert_int_equal(connect_udp(four, mapped(9)), 0);
    assert_int_equal(connect_udp(four, loopback6(9)), -EAFNOSUPPORT);
    assert_int_equal(connect_udp(four, any6(9)), 0);
    assert_true(same(name_of(four, WEFT__CTL_PEER), mapped(9)));
    close_socket(four);
    struct sock both = open_in(WEFT_IPV6, WEFT__DATAGRAM);
    assert_int_equal(connect_udp(both, loopback6(9)), 0);
    weft_addr local = name_of(both, WEFT__CTL_LOCAL);
    assert_int_equal(connect_udp(both, mapped(9)), 0);
    assert_true(same(name_of(both, WEFT__CTL_LOCAL), local));
    close_socket(both);
}

static void a_mapped_peer_without_a_port_cannot_be_written_to(void **state) {
    (void)state;
    struct sock s = open_in(WEFT_IPV6, WEFT__DATAGRAM);
    assert_int_equal(connect_udp(s, mapped(0)), 0);
    assert_int_equal(try_write(s), -EINVAL);
    assert_int_equal(connect_udp(s, any6(0)), 0);
    assert_int_equal(try_write(s), -EINVAL); // which is mapped as well by now
    close_socket(s);
    struct sock alone = open_in(WEFT_IPV6, WEFT__DATAGRAM);
    assert_int_equal(set_option(alone, WEFT__OPT_V6ONLY, 1), 0);
    assert_int_equal(send_text(alone, "", mapped(0)), -ENETUNREACH); // which is noticed first
    close_socket(alone);
}

static void the_wildcard_is_the_address_that_a_socket_is_bound_to(void **state) {
    (void)state;
    struct sock s = open_socket(WEFT__DATAGRAM);
    assert_int_equal(bind_to(s, v4(7, 0)), 0);
    weft_addr anywhere = any4(9);
    assert_int_equal(ctl(WEFT__CTL_CONNECT, s, 0, &anywhere), 0);
    assert_true(same(name_of(s, WEFT__CTL_PEER), v4(7, 9)));
    close_socket(s);
}

// A port where nobody is, but where somebody was a moment ago.
static weft_addr dead_port(void) {
    weft_addr addr;
    close_socket(open_udp(&addr));
    return addr;
}

// ---- Sending ----

static void a_fresh_socket_has_nobody_to_send_to(void **state) {
    (void)state;
    struct sock s = open_socket(WEFT__DATAGRAM);
    assert_int_equal(port_of(s), 0);
    assert_int_equal(try_write(s), -EDESTADDRREQ);
    assert_int_not_equal(port_of(s), 0); // bound all the same
    assert_int_equal(try_read(s), -EAGAIN);
    assert_int_equal(peer_of(s), -ENOTCONN);
    assert_int_equal(ready(s), WEFT__WRITABLE);
    assert_int_equal(ctl(WEFT__CTL_LISTEN, s, 1, NULL), -EOPNOTSUPP);
    assert_int_equal(try_accept(s), -EOPNOTSUPP);
    assert_int_equal(send_text(s, "x", loopback(0)), -EINVAL);
    assert_int_equal(send_text(s, "x", loopback6(1)), -EAFNOSUPPORT);
    assert_int_equal(try_connect(s, loopback6(1)), -EAFNOSUPPORT);
    close_socket(s);
    s = open_socket(WEFT__DATAGRAM);
    assert_int_equal(try_connect(s, loopback6(1)), -EAFNOSUPPORT);
    assert_int_not_equal(port_of(s), 0); // as by a send
    close_socket(s);
}

static void datagrams_have_a_largest_size(void **state) {
    (void)state;
    weft_addr addr;
    struct sock receiver = open_udp(&addr), sender = open_socket(WEFT__DATAGRAM);
    assert_int_equal(send_size(sender, 65507, &addr), 65507);
    assert_int_equal(send_size(sender, 65508, &addr), -EMSGSIZE);
    static char buf[70000];
    struct call call;
    assert_int_equal(receive(&call, receiver, buf, sizeof buf, 0), 65507);
    close_socket(receiver);
    close_socket(sender);

    receiver = open_in(WEFT_IPV6, WEFT__DATAGRAM);
    sender = open_in(WEFT_IPV6, WEFT__DATAGRAM);
    assert_int_equal(bind_to(receiver, loopback6(0)), 0);
    addr = loopback6(port_of(receiver));
    assert_int_equal(send_size(sender, 65527, &addr), 65527);
    assert_int_equal(send_size(sender, 65528, &addr), -EMSGSIZE);
    close_socket(receiver);
    close_socket(sender);
}

static void an_empty_datagram_is_a_datagram(void **state) {
    (void)state;
    weft_addr addr;
    struct sock receiver = open_udp(&addr), sender = open_socket(WEFT__DATAGRAM);
    assert_int_equal(send_size(sender, 0, &addr), 0);
    char buf[8];
    struct call call;
    assert_int_equal(receive(&call, receiver, buf, sizeof buf, WEFT__OP_TRUNCATED), 0);
    assert_int_equal(call.op.flags, 0);
    assert_int_equal(weft__address_port(&call.peer), port_of(sender));
    assert_int_equal(try_read(receiver), -EAGAIN);
    close_socket(receiver);
    close_socket(sender);
}

// ---- Receiving ----

static void what_does_not_fit_is_cut_and_lost(void **state) {
    (void)state;
    weft_addr addr;
    struct sock receiver = open_udp(&addr), sender = open_socket(WEFT__DATAGRAM);
    assert_int_equal(send_text(sender, "abcdef", addr), 6);
    assert_int_equal(send_text(sender, "next", addr), 4);
    char buf[8] = {0};
    struct call call;
    assert_int_equal(receive(&call, receiver, buf, 3, WEFT__OP_PEEK), 3);
    assert_int_equal(call.op.flags, WEFT__OP_PEEK | WEFT__OP_TRUNCATED);
    assert_int_equal(receive(&call, receiver, buf, 3, 0), 3);
    assert_int_equal(call.op.flags, WEFT__OP_TRUNCATED);
    assert_string_equal(buf, "abc");
    assert_int_equal(receive(&call, receiver, buf, 0, 0), 0); // "next", cut to nothing
    assert_int_equal(call.op.flags, WEFT__OP_TRUNCATED);
    assert_int_equal(try_read(receiver), -EAGAIN);
    close_socket(receiver);
    close_socket(sender);
}

static void a_senders_datagrams_arrive_in_order(void **state) {
    (void)state;
    enum { COUNT = 100 };
    weft_addr addr;
    struct sock receiver = open_udp(&addr), sender = open_socket(WEFT__DATAGRAM);
    for (int i = 0; i < COUNT; i++) {
        char text[] = {(char)('0' + i / 10), (char)('0' + i % 10), 0};
        assert_int_equal(send_text(sender, text, addr), 2);
    }
    for (int i = 0; i < COUNT; i++) {
        char buf[8] = {0};
        struct call call;
        assert_int_equal(receive(&call, receiver, buf, sizeof buf, 0), 2);
        assert_int_equal(strtol(buf, NULL, 10), i);
    }
    close_socket(receiver);
    close_socket(sender);
}

// The counts are those of Linux with the default buffer, 212,992 bytes.
static void a_full_buffer_drops_without_a_word(void **state) {
    (void)state;
    const struct {
        int buffer, size, kept;
    } rows[] = {{0, 0, 256},   {0, 100, 256}, {0, 500, 166},  {0, 1000, 92},
                {0, 4000, 25}, {0, 9000, 12}, {0, 65507, 3},  {1, 1, 2},
                {1, 5000, 1},  {4096, 1, 9},  {4096, 1000, 3}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        weft_addr addr;
        struct sock receiver = open_udp(&addr), sender = open_socket(WEFT__DATAGRAM);
        if (rows[i].buffer > 0)
            assert_int_equal(set_option(receiver, WEFT__OPT_RECEIVE_BUFFER, rows[i].buffer), 0);
        for (int n = 0; n < 300; n++)
            assert_int_equal(send_size(sender, (size_t)rows[i].size, &addr), rows[i].size);
        settle();
        int kept = 0;
        while (try_read(receiver) >= 0)
            kept++;
        assert_int_equal(kept, rows[i].kept);
        assert_int_equal(send_size(sender, (size_t)rows[i].size, &addr), rows[i].size);
        settle();
        assert_true(try_read(receiver) >= 0); // there is room again
        close_socket(receiver);
        close_socket(sender);
    }
}

// ---- Connected sockets ----

static void a_connected_socket_hears_its_peer_alone(void **state) {
    (void)state;
    weft_addr a_addr, b_addr, addr;
    struct sock a = open_udp(&a_addr), b = open_udp(&b_addr), s = open_udp(&addr);
    assert_int_equal(send_text(b, "early", addr), 5);
    settle();
    assert_int_equal(connect_to(s, a_addr), 0);
    assert_true(same(name_of(s, WEFT__CTL_PEER), a_addr));
    assert_int_equal(send_text(b, "late", addr), 4);
    assert_int_equal(send_text(a, "peer", addr), 4);
    settle();
    assert_reads(s, "early"); // what was there before stays
    assert_reads(s, "peer");
    assert_int_equal(try_read(s), -EAGAIN);
    assert_int_equal(ctl(WEFT__CTL_CONNECT, s, 0, &b_addr), 0);
    assert_int_equal(try_write(s), 1);
    assert_reads(b, "x");
    assert_int_equal(send_text(s, "others too", a_addr), 10);
    assert_reads(a, "others too");
    close_socket(a);
    close_socket(b);
    close_socket(s);
}

static void connecting_names_the_local_address(void **state) {
    (void)state;
    struct sock s = open_socket(WEFT__DATAGRAM);
    assert_int_equal(bind_to(s, any4(0)), 0);
    uint16_t port = port_of(s);
    assert_int_equal(connect_to(s, v4(9, 9)), 0);
    assert_true(same(name_of(s, WEFT__CTL_LOCAL), loopback(port)));
    assert_int_equal(bind_to(s, loopback(0)), -EINVAL);
    assert_int_equal(connect_to(s, loopback(0)), 0);
    assert_int_equal(peer_of(s), -ENOTCONN);
    close_socket(s);
}

static void an_error_is_told_once_and_before_data(void **state) {
    (void)state;
    weft_addr addr, other;
    struct sock s = open_udp(&addr), peer = open_udp(&other);
    assert_int_equal(connect_to(s, other), 0);
    assert_int_equal(send_text(peer, "q", addr), 1);
    settle();
    close_socket(peer);
    assert_int_equal(try_write(s), 1);
    settle();
    assert_int_equal(ready(s), WEFT__READABLE | WEFT__WRITABLE);
    assert_int_equal(try_read(s), -ECONNREFUSED);
    assert_reads(s, "q");
    assert_int_equal(try_read(s), -EAGAIN);
    assert_int_equal(try_write(s), 1);
    settle();
    assert_int_equal(try_write(s), -ECONNREFUSED); // this one was not sent
    settle();
    assert_int_equal(try_read(s), -EAGAIN);
    assert_int_equal(try_write(s), 1);
    settle();
    assert_int_equal(get_option(s, WEFT__OPT_ERROR), ECONNREFUSED);
    assert_int_equal(try_read(s), -EAGAIN);
    close_socket(s);
}

static void a_waiting_receive_is_told_of_a_refusal(void **state) {
    (void)state;
    struct sock s = open_socket(WEFT__DATAGRAM);
    assert_int_equal(connect_to(s, dead_port()), 0);
    char byte;
    struct call call;
    prepare_io(&call, WEFT__OP_RECVMSG, s, &byte, 1);
    submit(&call);
    assert_int_equal(try_write(s), 1);
    await_done(&call);
    assert_int_equal(call.op.result, -ECONNREFUSED);
    close_socket(s);
}

static void an_unconnected_sender_is_told_nothing(void **state) {
    (void)state;
    struct sock s = open_socket(WEFT__DATAGRAM);
    weft_addr nobody = dead_port();
    for (int i = 0; i < 3; i++) {
        assert_int_equal(send_text(s, "anyone?", nobody), 7);
        settle();
        assert_int_equal(try_read(s), -EAGAIN);
        assert_int_equal(get_option(s, WEFT__OPT_ERROR), 0);
    }
    close_socket(s);
}

// ---- Who gets it ----

static void the_most_specific_and_then_the_newest_socket_gets_it(void **state) {
    (void)state;
    struct sock socks[4];
    weft_addr addr = loopback(0), names[4];
    for (int i = 0; i < 3; i++) {
        socks[i] = open_socket(WEFT__DATAGRAM);
        assert_int_equal(set_option(socks[i], WEFT__OPT_REUSEADDR, 1), 0);
        names[i] = i == 2 ? any4(weft__address_port(&addr)) : addr; // the wildcard is the newest
        assert_int_equal(bind_to(socks[i], names[i]), 0);
        addr = loopback(port_of(socks[0]));
    }
    struct sock sender = open_socket(WEFT__DATAGRAM);
    assert_int_equal(send_text(sender, "1", addr), 1);
    settle();
    assert_int_equal(try_read(socks[0]), -EAGAIN);
    assert_int_equal(try_read(socks[2]), -EAGAIN);
    assert_reads(socks[1], "1");
    assert_int_equal(send_text(sender, "2", v4(8, weft__address_port(&addr))), 1);
    assert_reads(socks[2], "2");
    assert_int_equal(connect_to(socks[0], loopback(port_of(sender))), 0);
    assert_int_equal(send_text(sender, "0", addr), 1); // connected goes before that
    assert_reads(socks[0], "0");
    close_socket(sender);
    for (int i = 0; i < 3; i++)
        close_socket(socks[i]);
}

static void an_ipv6_socket_speaks_ipv4_by_mapped_addresses(void **state) {
    (void)state;
    weft_addr addr;
    struct sock four = open_udp(&addr), six = open_in(WEFT_IPV6, WEFT__DATAGRAM);
    assert_int_equal(send_text(six, "to four", mapped(weft__address_port(&addr))), 7);
    char buf[16] = {0};
    struct call call;
    assert_int_equal(receive(&call, four, buf, sizeof buf, 0), 7);
    assert_true(same(call.peer, loopback(port_of(six))));
    assert_int_equal(send_text(four, "to six", call.peer), 6);
    assert_int_equal(receive(&call, six, buf, sizeof buf, 0), 6);
    assert_true(same(call.peer, mapped(weft__address_port(&addr))));
    assert_int_equal(send_text(six, "plain", addr), 5); // sendto(2) takes an IPv4 address, too
    assert_reads(four, "plain");
    close_socket(four);
    close_socket(six);
    six = open_in(WEFT_IPV6, WEFT__DATAGRAM);
    assert_int_equal(set_option(six, WEFT__OPT_V6ONLY, 1), 0);
    assert_int_equal(send_text(six, "x", mapped(1)), -ENETUNREACH);
    close_socket(six);
}

static void shutdown_needs_a_peer_and_refuses_sends(void **state) {
    (void)state;
    weft_addr addr;
    struct sock s = open_socket(WEFT__DATAGRAM), receiver = open_udp(&addr);
    assert_int_equal(shut(s, WEFT__SHUT_READ), -ENOTCONN);
    assert_int_equal(connect_to(s, addr), 0);
    assert_int_equal(shut(s, WEFT__SHUT_WRITE), 0);
    assert_int_equal(try_write(s), -EPIPE);
    assert_int_equal(shut(s, WEFT__SHUT_READ), 0);
    assert_int_equal(ready(s), WEFT__READABLE | WEFT__WRITABLE);
    assert_int_equal(try_read(s), -EAGAIN); // and a blocking recv(2) alone would answer 0
    close_socket(s);
    close_socket(receiver);
}

static void closing_drops_what_nobody_read(void **state) {
    (void)state;
    weft_addr addr;
    struct sock receiver = open_udp(&addr), sender = open_socket(WEFT__DATAGRAM);
    assert_int_equal(send_text(sender, "received", addr), 8);
    settle();
    assert_int_equal(send_text(sender, "in flight", addr), 9);
    close_socket(sender);
    close_socket(receiver);
}

static const struct CMUnitTest cases[] = {
    CASE(an_ipv6_socket_stays_in_the_world_of_its_address),
    CASE(a_mapped_peer_without_a_port_cannot_be_written_to),
    CASE(a_fresh_socket_has_nobody_to_send_to),
    CASE(a_socket_may_be_connected_to_port_0),
    CASE(the_wildcard_is_the_address_that_a_socket_is_bound_to),
    CASE(datagrams_have_a_largest_size),
    CASE(an_empty_datagram_is_a_datagram),
    CASE(what_does_not_fit_is_cut_and_lost),
    CASE(a_senders_datagrams_arrive_in_order),
    CASE(a_full_buffer_drops_without_a_word),
    CASE(a_connected_socket_hears_its_peer_alone),
    CASE(connecting_names_the_local_address),
    CASE(an_error_is_told_once_and_before_data),
    CASE(a_waiting_receive_is_told_of_a_refusal),
    CASE(an_unconnected_sender_is_told_nothing),
    CASE(the_most_specific_and_then_the_newest_socket_gets_it),
    CASE(an_ipv6_socket_speaks_ipv4_by_mapped_addresses),
    CASE(shutdown_needs_a_peer_and_refuses_sends),
    CASE(closing_drops_what_nobody_read),
};

int main(int argc, char **argv) {
    return sim_main(argc, argv, cases);
}
