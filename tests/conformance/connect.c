// SPDX-License-Identifier: MIT
// Making connections: refused, never answered, from an address of our choice; listening; addresses
// that are none. Not names (names.c).
#include "case.h"

#include <stdio.h>

CASE(connecting_where_nobody_listens_is_refused) {
    weft_addr addr = unused_address();
    for (int i = 0; i < 3; i++)
        expect(weft_tcp_connect_with(&addr, NULL), -ECONNREFUSED);
    expect(weft_timed_out(), 0);
}

CASE(connecting_by_text_reaches_the_listener) {
    weft_addr addr;
    char where[WEFT_ADDR_TEXT_SIZE], byte;
    int listener = listen_anywhere(&addr);
    int client = opened(weft_tcp_connect(weft_addr_text(&addr, where)));
    int server = opened(weft_accept(listener));
    expect(weft_write(client, "x", 1), 1);
    expect(weft_read(server, &byte, 1), 1);
    expect(weft_close(client), 0);
    expect(weft_close(server), 0);
    expect(weft_close(listener), 0);
}

// A connection is made before it is accepted: the backlog holds it, with what was written to it.
CASE(a_connection_is_usable_before_it_is_accepted) {
    weft_addr addr;
    char buf[8];
    int listener = listen_anywhere(&addr);
    int client = opened(weft_tcp_connect_with(&addr, NULL));
    expect(weft_write(client, "early", 5), 5);
    int server = opened(weft_accept(listener));
    expect(weft_read_exact(server, buf, 5), 5);
    assert_memory_equal(buf, "early", 5);
    expect(weft_close(client), 0);
    expect(weft_close(server), 0);
    expect(weft_close(listener), 0);
}

// Nobody answers: only the deadline ends it, and weft_timed_out() tells.
CASE(a_connect_that_is_not_answered_ends_with_the_deadline) {
    struct full_listener full;
    full_listener_open(&full);
    expect_waits(weft_tcp_connect_with(&full.addr, NULL));
    full_listener_close(&full);
}

CASE(both_ends_know_both_addresses) {
    weft_addr where, mine, theirs, peer;
    int listener = listen_anywhere(&where);
    int client = opened(weft_tcp_connect_with(&where, NULL));
    int server = opened(weft_accept_from(listener, &peer));
    expect(weft_local_addr(client, &mine), 0);
    expect_that(weft_addr_equal(&peer, &mine)); // "weft_accept_from also gives the peer"
    expect(weft_peer_addr(server, &theirs), 0);
    expect_that(weft_addr_equal(&theirs, &mine));
    expect(weft_peer_addr(client, &theirs), 0);
    expect_that(weft_addr_equal(&theirs, &where));
    expect(weft_local_addr(server, &mine), 0);
    expect_that(weft_addr_equal(&mine, &where));
    expect(weft_close(client), 0);
    expect(weft_close(server), 0);
    expect(weft_close(listener), 0);
}

// weft_tcp_options.local: "connect: from this address".
CASE(a_connection_may_come_from_an_address_of_our_choice) {
    weft_addr where, peer, from = weft_addr_ipv4(127, 0, 0, 2, 0);
    int listener = listen_anywhere(&where);
    int client = opened(weft_tcp_connect_with(&where, &(weft_tcp_options){.local = &from}));
    int server = opened(weft_accept_from(listener, &peer));
    from = weft_addr_with_port(&from, weft_addr_port(&peer));
    expect_that(weft_addr_equal(&peer, &from));
    expect(weft_close(client), 0);
    expect(weft_close(server), 0);
    expect(weft_close(listener), 0);
}

CASE(two_listeners_cannot_have_one_address) {
    weft_addr addr;
    int listener = listen_anywhere(&addr);
    expect(weft_tcp_listen_with(&addr, NULL), -EADDRINUSE);
    expect(weft_close(listener), 0);
    listener = opened(weft_tcp_listen_with(&addr, NULL)); // now it is free
    expect(weft_close(listener), 0);
}

CASE(listeners_that_share_a_port_by_option_may) {
    weft_tcp_options shared = {.reuse_port = 1};
    weft_addr addr = weft_addr_ipv4(127, 0, 0, 1, 0);
    int first = opened(weft_tcp_listen_with(&addr, &shared));
    expect(weft_local_addr(first, &addr), 0);
    int second = opened(weft_tcp_listen_with(&addr, &shared));
    expect(weft_tcp_listen_with(&addr, NULL), -EADDRINUSE);
    expect(weft_close(first), 0);
    expect(weft_close(second), 0);
}

// "SO_REUSEADDR is set": a port whose connections are still dying can be listened on again.
CASE(a_port_can_be_listened_on_again_at_once) {
    weft_addr addr;
    char byte;
    int listener = listen_anywhere(&addr);
    int client = opened(weft_tcp_connect_with(&addr, NULL));
    int server = opened(weft_accept(listener));
    expect(weft_close(server), 0); // it closes first, so it keeps the port in TIME_WAIT
    expect(weft_read(client, &byte, 1), 0);
    expect(weft_close(client), 0);
    expect(weft_close(listener), 0);
    listener = opened(weft_tcp_listen_with(&addr, NULL));
    expect(weft_close(listener), 0);
}

CASE(port_zero_gives_every_listener_its_own_port) {
    weft_addr a, b;
    int first = listen_anywhere(&a), second = listen_anywhere(&b);
    expect_that(weft_addr_port(&a) != 0 && weft_addr_port(&b) != 0);
    expect_that(weft_addr_port(&a) != weft_addr_port(&b));
    expect(weft_close(first), 0);
    expect(weft_close(second), 0);
}

// "WEFT_EADDRESS (negative): it cannot be parsed; weft_explain() says what is wrong with it."
CASE(texts_that_are_no_addresses_are_refused_by_every_call) {
    static const char *const texts[] = {
        "",      "127.0.0.1", "127.0.0.1:",     "127.0.0.1:65536", "127.0.0.1:-1",
        "[::1]", "[::1:80",   "127.0.0.1:8o",   "127.0.0.1: 80",   ":",
        "[]:80", "::1:80",    "127.0.0.1:80:1", "[127.0.0.1]:80",  "127.0.0.1:999999999999",
    };
    weft_addr list[4];
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        expect(weft_tcp_listen(texts[i]), -WEFT_EADDRESS);
        expect(weft_tcp_connect(texts[i]), -WEFT_EADDRESS);
        expect(weft_udp_bind(texts[i]), -WEFT_EADDRESS);
        expect(weft_udp_connect(texts[i]), -WEFT_EADDRESS);
        expect(weft_resolve(texts[i], list, 4), -WEFT_EADDRESS);
        expect_explained("resolve");
    }
    expect(weft_tcp_connect(NULL), -WEFT_EADDRESS);
}

// Options of every kind are taken; what they do is the kernel's.
CASE(options_of_connections_are_accepted) {
    weft_tcp_options options = {
        .backlog = 3,
        .nodelay = 1,
        .keepalive_idle_s = 60,
        .keepalive_interval_s = 5,
        .keepalive_count = 4,
        .send_buffer_size = 100000,
        .receive_buffer_size = 100000,
    };
    weft_addr addr = weft_addr_ipv4(127, 0, 0, 1, 0);
    int listener = opened(weft_tcp_listen_with(&addr, &options));
    expect(weft_local_addr(listener, &addr), 0);
    int client = opened(weft_tcp_connect_with(&addr, &options));
    int server = opened(weft_accept(listener));
    expect(weft_tcp_nodelay(client, 1), 0);
    expect(weft_tcp_nodelay(client, 0), 0);
    expect(weft_tcp_keepalive(client, 60, 5, 4), 0);
    expect(weft_tcp_keepalive(client, 60, 0, 0), 0);
    expect(weft_tcp_keepalive(client, 0, 0, 0), 0);
    expect(weft_tcp_keepalive(client, -1, 0, 0), -EINVAL);
    expect(weft_tcp_keepalive(client, 10000000, 1, 1), -EINVAL);
    expect(weft_close(client), 0);
    expect(weft_close(server), 0);
    expect(weft_close(listener), 0);
}
