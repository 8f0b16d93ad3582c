// SPDX-License-Identifier: MIT
// Unit tests of driver/sim_handshake.c: connecting, listening, accepting, and what each answers at
// the wrong time; as on Linux (see sim_tools.h).
#include "sim_tools.h"

static const int64_t SECOND_NS = 1000000000;

// ---- Sockets in the wrong state ----

static void a_fresh_socket_is_not_connected(void **state) {
    (void)state;
    struct sock s = open_socket(WEFT__STREAM);
    assert_int_equal(try_read(s), -ENOTCONN);
    assert_int_equal(try_write(s), -EPIPE);
    assert_int_equal(try_accept(s), -EINVAL);
    assert_int_equal(shut(s, WEFT__SHUT_BOTH), -ENOTCONN);
    assert_int_equal(peer_of(s), -ENOTCONN);
    assert_int_equal(ready(s), WEFT__READABLE | WEFT__WRITABLE); // POLLHUP
    assert_true(same(name_of(s, WEFT__CTL_LOCAL), any4(0)));
    close_socket(s);
}

static void a_listener_only_listens(void **state) {
    (void)state;
    weft_addr addr;
    struct sock s = open_listener(1, &addr);
    assert_int_equal(try_read(s), -ENOTCONN);
    assert_int_equal(try_write(s), -EPIPE);
    assert_int_equal(try_connect(s, addr), -EISCONN);
    assert_int_equal(peer_of(s), -ENOTCONN);
    assert_int_equal(bind_to(s, loopback(0)), -EINVAL);
    assert_int_equal(ready(s), 0);
    assert_int_equal(shut(s, WEFT__SHUT_WRITE), 0);
    assert_int_equal(try_accept(s), -EAGAIN);
    assert_int_equal(ctl(WEFT__CTL_LISTEN, s, 7, NULL), 0);
    close_socket(s);
}

static void shutdown_of_reading_ends_listening_until_the_next_listen(void **state) {
    (void)state;
    weft_addr addr;
    struct sock s = open_listener(1, &addr);
    struct call call;
    prepare(&call, WEFT__OP_ACCEPT, s);
    submit(&call);
    assert_int_equal(shut(s, WEFT__SHUT_READ), 0);
    await_done(&call);
    assert_int_equal(call.op.result, -EINVAL);
    struct sock client = open_socket(WEFT__STREAM);
    assert_int_equal(connect_to(client, addr), -ECONNREFUSED);
    assert_int_equal(ctl(WEFT__CTL_LISTEN, s, 1, NULL), 0); // on a new port
    assert_int_equal(connect_to(client, name_of(s, WEFT__CTL_LOCAL)), 0);
    close_socket(client);
    close_socket(s);
}

static void a_connected_socket_neither_connects_nor_listens(void **state) {
    (void)state;
    struct pair pair = open_pair();
    assert_int_equal(try_connect(pair.client, loopback(1)), -EISCONN);
    assert_int_equal(ctl(WEFT__CTL_LISTEN, pair.client, 1, NULL), -EINVAL);
    assert_int_equal(bind_to(pair.client, loopback(0)), -EINVAL);
    assert_int_equal(try_accept(pair.client), -EINVAL);
    assert_int_equal(ready(pair.client), WEFT__WRITABLE);
    close_pair(pair);
}

static void listening_unbound_takes_a_port_on_every_address(void **state) {
    (void)state;
    struct sock s = open_socket(WEFT__STREAM);
    assert_int_equal(ctl(WEFT__CTL_LISTEN, s, 1, NULL), 0);
    weft_addr local = name_of(s, WEFT__CTL_LOCAL);
    assert_true(same(local, any4(weft__address_port(&local))));
    assert_in_range(weft__address_port(&local), 32768, 60999);
    struct sock client = open_socket(WEFT__STREAM);
    assert_int_equal(connect_to(client, v4(99, weft__address_port(&local))), 0);
    close_socket(client);
    close_socket(s);
}

// ---- Connecting ----

static void connect_completes_before_anybody_accepts(void **state) {
    (void)state;
    weft_addr addr, peer = {0};
    struct sock listener = open_listener(1, &addr);
    struct sock client = open_socket(WEFT__STREAM);
    assert_int_equal(connect_to(client, addr), 0);
    assert_true(same(name_of(client, WEFT__CTL_PEER), addr));
    assert_int_equal(write_text(client, "early"), 5);
    struct call call;
    prepare(&call, WEFT__OP_ACCEPT, listener);
    call.op.peer = &peer;
    struct sock server = sock_of(run(&call));
    assert_true(same(peer, name_of(client, WEFT__CTL_LOCAL)));
    assert_true(same(peer, name_of(server, WEFT__CTL_PEER)));
    assert_true(same(addr, name_of(server, WEFT__CTL_LOCAL)));
    assert_reads(server, "early");
    close_socket(client);
    close_socket(server);
    close_socket(listener);
}

static void a_refused_socket_may_connect_again(void **state) {
    (void)state;
    weft_addr addr;
    struct sock listener = open_listener(1, &addr);
    struct sock client = open_socket(WEFT__STREAM);
    assert_int_equal(connect_to(client, loopback(1)), -ECONNREFUSED);
    assert_int_equal(peer_of(client), -ENOTCONN);
    assert_int_equal(get_option(client, WEFT__OPT_ERROR), 0);
    weft_addr local = name_of(client, WEFT__CTL_LOCAL);
    assert_true(same(local, any4(weft__address_port(&local))));
    assert_int_not_equal(weft__address_port(&local), 0); // what it had, though it is free again
    assert_int_equal(try_read(client), -ENOTCONN);
    assert_int_equal(connect_to(client, addr), 0);
    close_socket(client);
    client = open_socket(WEFT__STREAM);
    assert_int_equal(bind_to(client, v4(3, 0)), 0);
    assert_int_equal(connect_to(client, loopback(1)), -ECONNREFUSED);
    assert_int_equal(bind_to(client, v4(4, 0)), 0); // a port that it had not asked for by number
    assert_int_equal(connect_to(client, addr), 0);
    assert_true(same(name_of(client, WEFT__CTL_LOCAL), v4(4, port_of(client))));
    close_socket(client);
    close_socket(listener);
}

static void shutdown_of_a_fresh_socket_is_refused_and_remembered(void **state) {
    (void)state;
    weft_addr addr;
    struct sock listener = open_listener(1, &addr), s = open_socket(WEFT__STREAM);
    assert_int_equal(shut(s, WEFT__SHUT_BOTH), -ENOTCONN);
    assert_int_equal(try_read(s), 0);
    assert_int_equal(connect_to(s, addr), 0);
    assert_int_equal(try_read(s), 0);
    assert_int_equal(try_write(s), -EPIPE);
    close_socket(s); // and still says goodbye
    struct call call;
    prepare(&call, WEFT__OP_ACCEPT, listener);
    struct sock server = sock_of(run(&call));
    assert_reads(server, "");
    close_socket(server);
    close_socket(listener);
}

static void addresses_that_lead_nowhere_are_refused(void **state) {
    (void)state;
    struct sock s = open_socket(WEFT__STREAM), six = open_in(WEFT_IPV6, WEFT__STREAM);
    assert_int_equal(try_connect(s, loopback6(1)), -EAFNOSUPPORT);
    assert_int_equal(try_connect(six, loopback(1)), -EINVAL);
    assert_int_equal(try_connect(s, (weft_addr){0}), -EINVAL);
    assert_int_equal(set_option(six, WEFT__OPT_V6ONLY, 1), 0);
    assert_int_equal(try_connect(six, mapped(1)), -ENETUNREACH);
    if (!contract->is_real) { // 198.51.100.1 (RFC 5737) is not on this machine
        const uint8_t ip[] = {198, 51, 100, 1};
        weft_addr elsewhere = weft__address_make(WEFT_IPV4, ip, 1, 0);
        assert_int_equal(try_connect(s, elsewhere), -ENETUNREACH);
    }
    close_socket(s);
    close_socket(six);
}

static void every_address_of_loopback_and_the_wildcard_lead_here(void **state) {
    (void)state;
    struct sock listener = open_in(WEFT_IPV6, WEFT__STREAM);
    assert_int_equal(bind_to(listener, any6(0)), 0);
    assert_int_equal(ctl(WEFT__CTL_LISTEN, listener, 8, NULL), 0);
    uint16_t port = port_of(listener);
    const struct {
        weft_addr to, peer, local; // the last as the listener's side shows it
    } ways[] = {
        {v4(5, port), v4(5, port),
         weft__address_make(
             WEFT_IPV6, &(uint8_t[16]){[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 5}, port, 0)},
        {any4(port), loopback(port), mapped(port)},
        {any6(port), loopback6(port), loopback6(port)},
        {mapped(port), mapped(port), mapped(port)},
    };
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        struct sock client = open_in(weft__address_family(&ways[i].to), WEFT__STREAM);
        assert_int_equal(connect_to(client, ways[i].to), 0);
        assert_true(same(name_of(client, WEFT__CTL_PEER), ways[i].peer));
        struct call call;
        prepare(&call, WEFT__OP_ACCEPT, listener);
        struct sock server = sock_of(run(&call));
        assert_true(same(name_of(server, WEFT__CTL_LOCAL), ways[i].local));
        weft_addr peer = name_of(server, WEFT__CTL_PEER);
        assert_int_equal(port_of(client), weft__address_port(&peer));
        close_socket(client);
        close_socket(server);
    }
    close_socket(listener);
}

static void shutdown_gives_a_connect_up(void **state) {
    (void)state;
    only_sim(); // on loopback no connect is ever under way
    weft_addr addr;
    struct sock listener = open_listener(1, &addr);
    struct sock client = open_socket(WEFT__STREAM);
    struct call call;
    prepare_connect(&call, client, &addr);
    submit(&call);
    assert_int_equal(shut(client, WEFT__SHUT_WRITE), 0);
    await_done(&call);
    assert_int_equal(call.op.result, -ECONNRESET);
    settle();
    assert_int_equal(try_accept(listener), -EAGAIN);
    close_socket(client);
    close_socket(listener);
}

// As in the kernel, what was begun goes on; whoever asks next learns how it went.
static void a_cancelled_connect_may_be_asked_for_again(void **state) {
    (void)state;
    only_sim();
    weft_addr addr;
    struct sock listener = open_listener(1, &addr);
    struct sock client = open_socket(WEFT__STREAM);
    struct call call;
    prepare_connect(&call, client, &addr);
    submit(&call);
    assert_int_equal(cancel(&call), -ECANCELED);
    assert_int_equal(connect_to(client, addr), 0);
    assert_int_equal(connect_to(client, addr), -EISCONN);
    close_socket(client);
    close_socket(listener);
}

static void closing_in_the_middle_of_a_handshake_leaves_nothing(void **state) {
    (void)state;
    only_sim();
    for (int64_t after_ns = 0; after_ns < 60000; after_ns += 1000) {
        weft_addr addr;
        struct sock listener = open_listener(1, &addr);
        struct sock client = open_socket(WEFT__STREAM);
        assert_int_equal(try_connect(client, addr), -EAGAIN);
        wait_until(now_ns() + after_ns);
        close_socket(after_ns / 1000 % 2 == 0 ? client : listener);
        settle();
        close_socket(after_ns / 1000 % 2 == 0 ? listener : client);
    }
}

static void a_connect_that_was_given_up_leaves_its_place_to_others(void **state) {
    (void)state;
    only_sim();
    weft_addr addr;
    struct sock listener = open_listener(0, &addr);
    for (int64_t after_ns = 0; after_ns < 60000; after_ns += 1000) {
        struct sock client = open_socket(WEFT__STREAM);
        assert_int_equal(try_connect(client, addr), -EAGAIN);
        wait_until(now_ns() + after_ns);
        assert_int_equal(set_option(client, WEFT__OPT_LINGER_ZERO, 1), 0);
        close_socket(client);
        settle();
        int64_t fd = try_accept(listener);
        if (fd >= 0)
            close_socket(sock_of(fd));
        client = open_socket(WEFT__STREAM);
        int64_t start_ns = now_ns();
        assert_int_equal(connect_to(client, addr), 0);
        assert_true(now_ns() - start_ns < SECOND_NS);
        settle();
        close_socket(sock_of(try_accept(listener)));
        close_socket(client);
    }
    close_socket(listener);
}

// ---- The backlog ----

static void a_backlog_of_n_holds_n_plus_one(void **state) {
    (void)state;
    for (int backlog = 0; backlog < 3; backlog++) {
        weft_addr addr;
        struct sock listener = open_listener(backlog, &addr), clients[4];
        for (int i = 0; i < backlog + 1; i++) {
            clients[i] = open_socket(WEFT__STREAM);
            assert_int_equal(connect_to(clients[i], addr), 0);
        }
        struct sock late = open_socket(WEFT__STREAM);
        assert_int_equal(try_connect(late, addr), -EAGAIN);
        settle();
        assert_int_equal(ready(late), 0);
        for (int i = 0; i < backlog + 1; i++) {
            close_socket(sock_of(try_accept(listener)));
            close_socket(clients[i]);
        }
        assert_int_equal(try_accept(listener), -EAGAIN);
        close_socket(late);
        close_socket(listener);
    }
}

static void a_negative_backlog_is_a_large_one(void **state) {
    (void)state;
    weft_addr addr;
    struct sock listener = open_listener(-1, &addr), clients[20];
    for (int i = 0; i < 20; i++) {
        clients[i] = open_socket(WEFT__STREAM);
        assert_int_equal(connect_to(clients[i], addr), 0);
    }
    for (int i = 0; i < 20; i++)
        close_socket(clients[i]);
    close_socket(listener);
}

// The connect's SYNs, and when it ends: `room_at_ns` after it began somebody accepts.
static int64_t connect_to_a_full_listener(int64_t room_at_ns, int64_t *ret_after_ns) {
    weft_addr addr;
    struct sock listener = open_listener(0, &addr);
    struct sock first = open_socket(WEFT__STREAM), second = open_socket(WEFT__STREAM);
    assert_int_equal(connect_to(first, addr), 0);
    settle();
    int64_t start_ns = now_ns();
    struct call call;
    prepare_connect(&call, second, &addr);
    submit(&call);
    if (room_at_ns > 0) {
        wait_until(start_ns + room_at_ns);
        assert_true(call.op.is_pending);
        close_socket(sock_of(try_accept(listener)));
    }
    while (call.op.is_pending)
        d->class->wait(d, INT64_MAX);
    *ret_after_ns = now_ns() - start_ns;
    close_socket(first);
    close_socket(second);
    close_socket(listener);
    return call.op.result;
}

static void a_dropped_syn_comes_again_after_one_and_three_and_seven_seconds(void **state) {
    (void)state;
    only_sim(); // seconds
    const int64_t rooms[] = {500, 1500, 3500, 15500, 62000}, ends[] = {1, 3, 7, 31, 63};
    for (int i = 0; i < 5; i++) {
        int64_t after_ns;
        assert_int_equal(connect_to_a_full_listener(rooms[i] * 1000000, &after_ns), 0);
        assert_in_range(after_ns, ends[i] * SECOND_NS, ends[i] * SECOND_NS + 1000000);
    }
}

static void a_connect_that_nobody_hears_times_out(void **state) {
    (void)state;
    only_sim(); // two minutes
    int64_t after_ns;
    assert_int_equal(connect_to_a_full_listener(0, &after_ns), -ETIMEDOUT);
    assert_int_equal(after_ns, 127 * SECOND_NS);
}

// ---- Accepting ----

static void a_closed_listener_resets_what_nobody_accepted(void **state) {
    (void)state;
    weft_addr addr;
    struct sock listener = open_listener(3, &addr), clients[2];
    for (int i = 0; i < 2; i++) {
        clients[i] = open_socket(WEFT__STREAM);
        assert_int_equal(connect_to(clients[i], addr), 0);
    }
    settle();
    close_socket(listener);
    settle();
    for (int i = 0; i < 2; i++) {
        assert_int_equal(try_read(clients[i]), -ECONNRESET);
        assert_int_equal(try_read(clients[i]), 0);
        close_socket(clients[i]);
    }
}

static void a_connection_that_was_reset_is_still_accepted(void **state) {
    (void)state;
    weft_addr addr, peer = {0};
    struct sock listener = open_listener(3, &addr), client = open_socket(WEFT__STREAM);
    assert_int_equal(connect_to(client, addr), 0);
    weft_addr local = name_of(client, WEFT__CTL_LOCAL);
    assert_int_equal(write_text(client, "last words"), 10);
    settle();
    assert_int_equal(set_option(client, WEFT__OPT_LINGER_ZERO, 1), 0);
    close_socket(client);
    settle();
    struct call call;
    prepare(&call, WEFT__OP_ACCEPT, listener);
    call.op.peer = &peer;
    struct sock server = sock_of(run(&call));
    assert_true(same(peer, local));
    assert_reads(server, "last words");
    assert_int_equal(peer_of(server), -ENOTCONN);
    assert_int_equal(try_read(server), -ECONNRESET);
    assert_int_equal(try_read(server), 0);
    close_socket(server);
    close_socket(listener);
}

static void accepted_connections_have_the_listeners_options(void **state) {
    (void)state;
    weft_addr addr;
    struct sock listener = open_listener(3, &addr);
    assert_int_equal(set_option(listener, WEFT__OPT_NODELAY, 1), 0);
    assert_int_equal(set_option(listener, WEFT__OPT_KEEPALIVE, 1), 0);
    assert_int_equal(set_option(listener, WEFT__OPT_KEEPALIVE_IDLE_S, 11), 0);
    assert_int_equal(set_option(listener, WEFT__OPT_SEND_BUFFER, 6000), 0);
    assert_int_equal(set_option(listener, WEFT__OPT_TTL, 33), 0);
    struct pair pair = open_pair_at(listener, &addr);
    assert_int_equal(get_option(pair.server, WEFT__OPT_NODELAY), 1);
    assert_int_equal(get_option(pair.server, WEFT__OPT_KEEPALIVE), 1);
    assert_int_equal(get_option(pair.server, WEFT__OPT_KEEPALIVE_IDLE_S), 11);
    assert_int_equal(get_option(pair.server, WEFT__OPT_SEND_BUFFER), 12000);
    assert_int_equal(get_option(pair.server, WEFT__OPT_TTL), 33);
    assert_int_equal(get_option(pair.client, WEFT__OPT_NODELAY), 0);
    close_pair(pair);
    close_socket(listener);
}

static void an_accept_without_memory_leaves_the_connection_where_it_is(void **state) {
    (void)state;
    only_sim();
    enum { COUNT = 14 }; // with two more the table of descriptors is full, and has to grow
    weft_addr addr;
    struct sock listener = open_listener(1, &addr), client = open_socket(WEFT__STREAM);
    struct sock more[COUNT];
    for (int i = 0; i < COUNT; i++)
        more[i] = open_socket(WEFT__DATAGRAM);
    assert_int_equal(connect_to(client, addr), 0);
    settle();
    weft__fail_arm(WEFT__FAIL_ALLOC, 1, 1, -ENOMEM);
    int64_t result = try_accept(listener);
    weft__fail_disarm();
    assert_int_equal(result, -ENOMEM);
    assert_int_equal(ready(listener), WEFT__READABLE);
    close_socket(sock_of(try_accept(listener)));
    for (int i = 0; i < COUNT; i++)
        close_socket(more[i]);
    close_socket(client);
    close_socket(listener);
}

// shutdown(2) says ENOTCONN and takes note all the same; a child has its listener's notes.
static void a_shutdown_before_listen_is_that_of_what_is_accepted(void **state) {
    (void)state;
    for (int how = WEFT__SHUT_READ; how <= WEFT__SHUT_BOTH; how++) {
        weft_addr addr = loopback(0);
        struct sock listener = open_bound(WEFT__STREAM, &addr);
        assert_int_equal(shut(listener, how), -ENOTCONN);
        assert_int_equal(ctl(WEFT__CTL_LISTEN, listener, 8, NULL), 0);
        struct pair pair = open_pair_at(listener, &addr);
        settle();
        bool is_read_shut = how != WEFT__SHUT_WRITE, is_write_shut = how != WEFT__SHUT_READ;
        assert_int_equal(try_read(pair.client), is_write_shut ? 0 : -EAGAIN);
        assert_int_equal(try_read(pair.server), is_read_shut ? 0 : -EAGAIN);
        assert_int_equal(try_write(pair.server), is_write_shut ? -EPIPE : 1);
        close_pair(pair);
        close_socket(listener);
    }
}

static const struct CMUnitTest cases[] = {
    CASE(a_shutdown_before_listen_is_that_of_what_is_accepted),
    CASE(a_fresh_socket_is_not_connected),
    CASE(a_listener_only_listens),
    CASE(shutdown_of_reading_ends_listening_until_the_next_listen),
    CASE(a_connected_socket_neither_connects_nor_listens),
    CASE(listening_unbound_takes_a_port_on_every_address),
    CASE(connect_completes_before_anybody_accepts),
    CASE(a_refused_socket_may_connect_again),
    CASE(shutdown_of_a_fresh_socket_is_refused_and_remembered),
    CASE(addresses_that_lead_nowhere_are_refused),
    CASE(every_address_of_loopback_and_the_wildcard_lead_here),
    CASE(shutdown_gives_a_connect_up),
    CASE(a_cancelled_connect_may_be_asked_for_again),
    CASE(closing_in_the_middle_of_a_handshake_leaves_nothing),
    CASE(a_connect_that_was_given_up_leaves_its_place_to_others),
    CASE(a_backlog_of_n_holds_n_plus_one),
    CASE(a_negative_backlog_is_a_large_one),
    CASE(a_dropped_syn_comes_again_after_one_and_three_and_seven_seconds),
    CASE(a_connect_that_nobody_hears_times_out),
    CASE(a_closed_listener_resets_what_nobody_accepted),
    CASE(a_connection_that_was_reset_is_still_accepted),
    CASE(an_accept_without_memory_leaves_the_connection_where_it_is),
    CASE(accepted_connections_have_the_listeners_options),
};

int main(int argc, char **argv) {
    return sim_main(argc, argv, cases);
}
