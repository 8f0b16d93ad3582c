// SPDX-License-Identifier: MIT
// Unit tests of driver/sim_port.c and driver/sim_address.c: who may bind beside whom, which ports
// are given out, TIME_WAIT; as on Linux (see sim_tools.h).
#include "sim_tools.h"

enum { REUSEADDR = 1, REUSEPORT = 2, V6ONLY = 4 };

static struct sock open_with(int type, const weft_addr *addr, int options) {
    struct sock s = open_in(weft__address_family(addr), type);
    if (options & REUSEADDR)
        assert_int_equal(set_option(s, WEFT__OPT_REUSEADDR, 1), 0);
    if (options & REUSEPORT)
        assert_int_equal(set_option(s, WEFT__OPT_REUSEPORT, 1), 0);
    if (options & V6ONLY)
        assert_int_equal(set_option(s, WEFT__OPT_V6ONLY, 1), 0);
    return s;
}

// Binds and closes again. Returns the result of bind(2).
static int64_t can_bind(int type, weft_addr addr, int options) {
    struct sock s = open_with(type, &addr, options);
    int64_t result = bind_to(s, addr);
    close_socket(s);
    return result;
}

static int64_t can_bind_tcp(weft_addr addr, int options) {
    return can_bind(WEFT__STREAM, addr, options);
}

static int64_t can_bind_udp(weft_addr addr, int options) {
    return can_bind(WEFT__DATAGRAM, addr, options);
}

// ---- bind(2) ----

static void a_bound_name_is_taken_wherever_it_overlaps(void **state) {
    (void)state;
    for (int type = WEFT__STREAM; type <= WEFT__DATAGRAM; type++) {
        struct sock s = open_socket(type);
        assert_int_equal(bind_to(s, loopback(0)), 0);
        uint16_t port = port_of(s);
        assert_int_equal(bind_to(s, loopback(0)), -EINVAL);
        assert_int_equal(can_bind(type, loopback(port), 0), -EADDRINUSE);
        assert_int_equal(can_bind(type, loopback(port), REUSEADDR), -EADDRINUSE);
        assert_int_equal(can_bind(type, loopback(port), REUSEPORT), -EADDRINUSE);
        assert_int_equal(can_bind(type, any4(port), 0), -EADDRINUSE);
        assert_int_equal(can_bind(type, any6(port), 0), -EADDRINUSE);
        assert_int_equal(can_bind(type, mapped(port), 0), -EADDRINUSE);
        assert_int_equal(can_bind(type, v4(2, port), 0), 0);
        assert_int_equal(can_bind(type, any6(port), V6ONLY), 0);
        assert_int_equal(can_bind(type, loopback6(port), 0), 0);
        int other = WEFT__STREAM + WEFT__DATAGRAM - type;
        assert_int_equal(can_bind(other, loopback(port), 0), 0);
        close_socket(s);
        assert_int_equal(can_bind(type, loopback(port), 0), 0);
    }
}

static void a_wildcard_takes_the_port_on_every_address(void **state) {
    (void)state;
    struct sock s = open_in(WEFT_IPV6, WEFT__STREAM);
    assert_int_equal(bind_to(s, any6(0)), 0);
    uint16_t port = port_of(s);
    assert_int_equal(can_bind_tcp(v4(7, port), 0), -EADDRINUSE);
    assert_int_equal(can_bind_tcp(loopback6(port), 0), -EADDRINUSE);
    assert_int_equal(can_bind_tcp(any4(port), 0), -EADDRINUSE);
    close_socket(s);
}

static void reuseaddr_of_both_shares_a_name_until_one_listens(void **state) {
    (void)state;
    weft_addr addr = loopback(0);
    struct sock a = open_with(WEFT__STREAM, &addr, REUSEADDR);
    assert_int_equal(bind_to(a, addr), 0);
    addr = loopback(port_of(a));
    struct sock b = open_with(WEFT__STREAM, &addr, REUSEADDR);
    assert_int_equal(bind_to(b, addr), 0);
    assert_int_equal(ctl(WEFT__CTL_LISTEN, a, 1, NULL), 0);
    assert_int_equal(ctl(WEFT__CTL_LISTEN, b, 1, NULL), -EADDRINUSE);
    assert_int_equal(can_bind_tcp(addr, REUSEADDR), -EADDRINUSE);
    assert_int_equal(can_bind_tcp(any4(port_of(a)), REUSEADDR), -EADDRINUSE);
    close_socket(a);
    assert_int_equal(ctl(WEFT__CTL_LISTEN, b, 1, NULL), 0);
    close_socket(b);
}

static void reuseport_of_both_shares_a_listener(void **state) {
    (void)state;
    enum { SHARERS = 3, CLIENTS = 60 };
    weft_addr addr = loopback(0);
    struct sock listeners[SHARERS];
    for (int i = 0; i < SHARERS; i++) {
        listeners[i] = open_with(WEFT__STREAM, &addr, REUSEPORT);
        assert_int_equal(bind_to(listeners[i], addr), 0);
        assert_int_equal(ctl(WEFT__CTL_LISTEN, listeners[i], CLIENTS, NULL), 0);
        addr = loopback(port_of(listeners[i]));
    }
    assert_int_equal(can_bind_tcp(addr, 0), -EADDRINUSE);
    assert_int_equal(can_bind_tcp(addr, REUSEADDR), -EADDRINUSE);
    struct sock clients[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = open_socket(WEFT__STREAM);
        assert_int_equal(connect_to(clients[i], addr), 0);
    }
    settle();
    int total = 0;
    for (int i = 0; i < SHARERS; i++) {
        int count = 0;
        for (int64_t fd; (fd = try_accept(listeners[i])) >= 0; count++)
            close_socket(sock_of(fd));
        assert_in_range(count, 1, CLIENTS - 1); // each gets its share
        total += count;
        close_socket(listeners[i]);
    }
    assert_int_equal(total, CLIENTS);
    for (int i = 0; i < CLIENTS; i++)
        close_socket(clients[i]);
}

static void addresses_elsewhere_and_of_another_family_are_refused(void **state) {
    (void)state;
    const uint8_t ip[] = {198, 51, 100, 1};
    struct sock s = open_socket(WEFT__STREAM), six = open_in(WEFT_IPV6, WEFT__STREAM);
    assert_int_equal(bind_to(s, weft__address_make(WEFT_IPV4, ip, 0, 0)), -EADDRNOTAVAIL);
    assert_int_equal(bind_to(s, loopback6(0)), -EAFNOSUPPORT);
    assert_int_equal(bind_to(six, loopback(0)), -EINVAL);
    assert_int_equal(bind_to(s, (weft_addr){0}), -EINVAL);
    assert_int_equal(set_option(six, WEFT__OPT_V6ONLY, 1), 0);
    assert_int_equal(bind_to(six, mapped(0)), -EINVAL);
    assert_int_equal(bind_to(six, loopback6(0)), 0);
    close_socket(six);
    close_socket(s);
}

static void privileged_ports_may_be_bound(void **state) {
    (void)state;
    only_sim(); // who may is the business of a real machine
    assert_int_equal(can_bind_tcp(loopback(80), 0), 0);
    assert_int_equal(can_bind_udp(loopback(53), 0), 0);
}

// ---- Ephemeral ports ----

static void ports_that_nobody_chose_are_ephemeral_and_differ(void **state) {
    (void)state;
    enum { COUNT = 200 };
    struct sock socks[COUNT];
    static uint8_t is_used[65536];
    memset(is_used, 0, sizeof is_used);
    for (int i = 0; i < COUNT; i++) {
        socks[i] = open_socket(WEFT__DATAGRAM);
        assert_int_equal(bind_to(socks[i], loopback(0)), 0);
        uint16_t port = port_of(socks[i]);
        assert_in_range(port, 32768, 60999);
        assert_int_equal(is_used[port]++, 0);
    }
    for (int i = 0; i < COUNT; i++)
        close_socket(socks[i]);
}

static void there_are_as_many_ephemeral_ports_as_there_are(void **state) {
    (void)state;
    only_sim(); // more descriptors than a process may have
    if (sim_seed > 1)
        skip(); // it is the longest of all
    enum { COUNT = 60999 - 32768 + 1 };
    static struct sock socks[COUNT];
    for (int i = 0; i < COUNT; i++) {
        socks[i] = open_socket(WEFT__STREAM);
        assert_int_equal(bind_to(socks[i], loopback(0)), 0);
    }
    assert_int_equal(can_bind_tcp(loopback(0), 0), -EADDRINUSE);
    assert_int_equal(can_bind_tcp(v4(2, 0), 0), 0); // another address has ports of its own
    struct sock client = open_socket(WEFT__STREAM);
    assert_int_equal(try_connect(client, loopback(80)), -EADDRNOTAVAIL);
    close_socket(socks[COUNT / 2]);
    assert_int_equal(try_connect(client, loopback(80)), -EAGAIN);
    close_socket(client);
    for (int i = 0; i < COUNT; i++)
        if (i != COUNT / 2)
            close_socket(socks[i]);
}

static void one_pair_of_names_is_one_connection(void **state) {
    (void)state;
    weft_addr to, from = loopback(0);
    struct sock listener = open_listener(8, &to);
    struct sock a = open_with(WEFT__STREAM, &from, REUSEADDR);
    assert_int_equal(bind_to(a, from), 0);
    from = loopback(port_of(a));
    struct sock b = open_with(WEFT__STREAM, &from, REUSEADDR);
    assert_int_equal(bind_to(b, from), 0);
    assert_int_equal(connect_to(a, to), 0);
    assert_int_equal(try_connect(b, to), -EADDRNOTAVAIL);
    close_socket(a);
    close_socket(b);
    close_socket(listener);
}

// ---- What a connection leaves behind ----

// A listener's port after the listener is closed, while a connection of its lives on.
static void a_connection_keeps_its_listeners_port(void **state) {
    (void)state;
    for (int options = 0; options <= REUSEPORT; options++) {
        int refused_reuse = options == REUSEADDR ? 0 : -EADDRINUSE;
        int refused_share = options == REUSEPORT ? 0 : -EADDRINUSE;
        weft_addr addr = loopback(0);
        struct sock listener = open_with(WEFT__STREAM, &addr, options);
        assert_int_equal(bind_to(listener, addr), 0);
        assert_int_equal(ctl(WEFT__CTL_LISTEN, listener, 8, NULL), 0);
        addr = loopback(port_of(listener));
        struct pair pair = open_pair_at(listener, &addr);
        close_socket(listener);
        assert_int_equal(can_bind_tcp(addr, 0), -EADDRINUSE);
        assert_int_equal(can_bind_tcp(addr, REUSEADDR), refused_reuse);
        assert_int_equal(can_bind_tcp(addr, REUSEPORT), refused_share);
        close_socket(pair.server); // first: the TIME_WAIT is its own
        settle();
        close_socket(pair.client);
        settle();
        assert_int_equal(can_bind_tcp(addr, 0), -EADDRINUSE);
        assert_int_equal(can_bind_tcp(addr, REUSEADDR), refused_reuse);
        assert_int_equal(can_bind_tcp(addr, REUSEPORT), refused_share);
        if (contract->is_real)
            continue;
        wait_until(now_ns() + INT64_C(59900000000));
        assert_int_equal(can_bind_tcp(addr, 0), -EADDRINUSE);
        wait_until(now_ns() + INT64_C(200000000));
        assert_int_equal(can_bind_tcp(addr, 0), 0);
    }
}

static void who_closes_second_has_no_time_wait(void **state) {
    (void)state;
    weft_addr addr;
    struct sock listener = open_listener(8, &addr);
    struct pair pair = open_pair_at(listener, &addr);
    weft_addr client = name_of(pair.client, WEFT__CTL_LOCAL);
    close_socket(listener);
    close_socket(pair.client);
    settle();
    close_socket(pair.server);
    settle();
    assert_int_equal(can_bind_tcp(addr, 0), 0);
    assert_int_equal(can_bind_tcp(client, 0), -EADDRINUSE);
    assert_int_equal(can_bind_tcp(client, REUSEADDR), -EADDRINUSE); // it had not said so itself
}

static void a_reset_connection_has_no_time_wait(void **state) {
    (void)state;
    weft_addr addr;
    struct sock listener = open_listener(8, &addr);
    struct pair pair = open_pair_at(listener, &addr);
    weft_addr client = name_of(pair.client, WEFT__CTL_LOCAL);
    assert_int_equal(set_option(pair.server, WEFT__OPT_LINGER_ZERO, 1), 0);
    close_socket(pair.server);
    settle();
    assert_int_equal(can_bind_tcp(client, 0), 0); // though the client is still open
    close_socket(pair.client);
    close_socket(listener);
    assert_int_equal(can_bind_tcp(addr, 0), 0);
}

static void a_connection_may_take_the_names_of_one_in_time_wait(void **state) {
    (void)state;
    only_sim(); // a second later
    weft_addr to, from = loopback(0);
    struct sock listener = open_listener(8, &to);
    for (int i = 0; i < 3; i++) {
        struct sock client = open_with(WEFT__STREAM, &from, REUSEADDR);
        assert_int_equal(bind_to(client, from), 0);
        from = name_of(client, WEFT__CTL_LOCAL);
        assert_int_equal(connect_to(client, to), 0);
        settle();
        if (i == 2)
            assert_int_equal(set_option(client, WEFT__OPT_LINGER_ZERO, 1), 0);
        close_socket(client); // first
        settle();
        close_socket(sock_of(try_accept(listener)));
        settle();
        assert_int_equal(can_bind_tcp(from, 0), i == 2 ? 0 : -EADDRINUSE);
    }
    close_socket(listener);
}

// The peer never says goodbye: half a minute later the port is still taken, after a minute it is
// not.
static void an_orphan_gives_up_after_a_minute(void **state) {
    (void)state;
    only_sim();
    weft_addr addr;
    struct sock listener = open_listener(8, &addr);
    struct pair pair = open_pair_at(listener, &addr);
    close_socket(listener);
    close_socket(pair.server);
    wait_until(now_ns() + INT64_C(59000000000));
    assert_int_equal(can_bind_tcp(addr, 0), -EADDRINUSE);
    wait_until(now_ns() + INT64_C(2000000000));
    assert_int_equal(can_bind_tcp(addr, 0), 0);
    assert_int_equal(write_text(pair.client, "anyone?"), 7);
    settle();
    assert_int_equal(try_write(pair.client), -EPIPE);
    close_socket(pair.client);
}

// More connections in a minute than there are ports.
static void time_wait_does_not_exhaust_the_ports(void **state) {
    (void)state;
    only_sim(); // a port is reused only a second later
    weft_addr addr;
    struct sock listener = open_listener(8, &addr);
    int64_t start_ns = now_ns();
    for (int i = 0; i < 40000; i++) {
        struct pair pair = open_pair_at(listener, &addr);
        close_socket(pair.client);
        close_socket(pair.server);
    }
    assert_true(now_ns() - start_ns < INT64_C(60000000000));
    close_socket(listener);
}

static const struct CMUnitTest cases[] = {
    CASE(a_bound_name_is_taken_wherever_it_overlaps),
    CASE(a_wildcard_takes_the_port_on_every_address),
    CASE(reuseaddr_of_both_shares_a_name_until_one_listens),
    CASE(reuseport_of_both_shares_a_listener),
    CASE(addresses_elsewhere_and_of_another_family_are_refused),
    CASE(privileged_ports_may_be_bound),
    CASE(ports_that_nobody_chose_are_ephemeral_and_differ),
    CASE(there_are_as_many_ephemeral_ports_as_there_are),
    CASE(one_pair_of_names_is_one_connection),
    CASE(a_connection_keeps_its_listeners_port),
    CASE(who_closes_second_has_no_time_wait),
    CASE(a_reset_connection_has_no_time_wait),
    CASE(a_connection_may_take_the_names_of_one_in_time_wait),
    CASE(an_orphan_gives_up_after_a_minute),
    CASE(time_wait_does_not_exhaust_the_ports),
};

int main(int argc, char **argv) {
    return sim_main(argc, argv, cases);
}
