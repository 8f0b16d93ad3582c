// SPDX-License-Identifier: MIT
// Accepting: waiting for a connection, connections that died before, and errors that are passed
// over. Not shortages of descriptors or memory (shortage.c).
#include "case.h"
#include "fault.h"

#include <stdio.h>
#include <string.h>

struct acceptor {
    int listener;
    int conn;
    weft_addr peer;
    struct flag done;
};

static void accept_once(void *context) {
    struct acceptor *acceptor = context;
    acceptor->conn = weft_accept_from(acceptor->listener, &acceptor->peer);
    flag_raise(&acceptor->done);
}

CASE(accept_waits_for_a_connection) {
    weft_addr addr, client_addr;
    struct acceptor acceptor = {.listener = listen_anywhere(&addr)};
    struct parties parties = {0};
    party_start(&parties, "acceptor", accept_once, &acceptor);
    await_waiting(acceptor.listener, WEFT_READ, 1);
    int client = opened(weft_tcp_connect_with(&addr, NULL));
    parties_join(&parties);
    opened(acceptor.conn);
    expect(weft_local_addr(client, &client_addr), 0);
    expect_that(weft_addr_equal(&acceptor.peer, &client_addr));
    expect(weft_close(client), 0);
    expect(weft_close(acceptor.conn), 0);
    expect(weft_close(acceptor.listener), 0);
}

// "Waiters of one direction are served in order."
CASE(waiting_acceptors_are_served_in_order) {
    weft_addr addr, expected;
    int listener = listen_anywhere(&addr), clients[4];
    struct acceptor acceptors[4];
    struct parties parties = {0};
    for (int i = 0; i < 4; i++) {
        acceptors[i] = (struct acceptor){.listener = listener};
        party_start(&parties, "acceptor", accept_once, &acceptors[i]);
        await_waiting(listener, WEFT_READ, i + 1);
    }
    for (int i = 0; i < 4; i++)
        clients[i] = opened(weft_tcp_connect_with(&addr, NULL));
    parties_join(&parties);
    for (int i = 0; i < 4; i++) {
        opened(acceptors[i].conn);
        expect(weft_local_addr(clients[i], &expected), 0);
        expect_that(weft_addr_equal(&acceptors[i].peer, &expected));
        expect(weft_close(clients[i]), 0);
        expect(weft_close(acceptors[i].conn), 0);
    }
    expect(weft_close(listener), 0);
}

CASE(connections_are_accepted_in_the_order_they_were_made) {
    enum { COUNT = 20 };
    weft_addr addr, expected, peer;
    int listener = listen_anywhere(&addr), clients[COUNT];
    for (int i = 0; i < COUNT; i++)
        clients[i] = opened(weft_tcp_connect_with(&addr, NULL));
    for (int i = 0; i < COUNT; i++) {
        int conn = opened(weft_accept_from(listener, &peer));
        expect(weft_local_addr(clients[i], &expected), 0);
        expect_that(weft_addr_equal(&peer, &expected));
        expect(weft_close(conn), 0);
        expect(weft_close(clients[i]), 0);
    }
    expect(weft_close(listener), 0);
}

// accept(2) on Linux still hands out a connection that was reset in the backlog; its first read
// tells.
CASE(a_connection_reset_before_it_was_accepted_is_accepted_and_broken) {
    weft_addr addr;
    char buf[8];
    int listener = listen_anywhere(&addr);
    int client = opened(weft_tcp_connect_with(&addr, NULL));
    expect(weft_ready(listener, WEFT_READ), WEFT_READ);
    expect(weft_abort(client), 0);
    int server = opened(weft_accept(listener));
    expect(weft_read(server, buf, 8), -ECONNRESET);
    expect(weft_read(server, buf, 8), -ECONNRESET);
    expect(weft_close(server), 0);
    client = opened(weft_tcp_connect_with(&addr, NULL)); // and the next one is a good one
    server = opened(weft_accept(listener));
    expect(weft_write(client, "fine", 4), 4);
    expect(weft_read_exact(server, buf, 4), 4);
    expect(weft_close(client), 0);
    expect(weft_close(server), 0);
    expect(weft_close(listener), 0);
}

CASE(a_connection_closed_before_it_was_accepted_delivers_its_data) {
    weft_addr addr;
    char buf[8];
    int listener = listen_anywhere(&addr);
    int client = opened(weft_tcp_connect_with(&addr, NULL));
    expect(weft_write(client, "bye", 3), 3);
    expect(weft_close(client), 0);
    int server = opened(weft_accept(listener));
    expect(weft_read_exact(server, buf, 3), 3);
    expect(weft_read(server, buf, 8), 0);
    expect(weft_close(server), 0);
    expect(weft_close(listener), 0);
}

// "It retries ECONNABORTED, EPROTO and the network errors that accept(2) lists."
CASE(errors_of_a_connection_itself_are_passed_over_by_accept) {
    static const int errors[] = {ECONNABORTED, EPROTO,       ENETDOWN,   ENOPROTOOPT, EHOSTDOWN,
                                 ENONET,       EHOSTUNREACH, EOPNOTSUPP, ENETUNREACH};
    weft_addr addr;
    int listener = listen_anywhere(&addr);
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        int client = opened(weft_tcp_connect_with(&addr, NULL));
        fault_nth("accept", 1, -errors[i]);
        expect(weft_close(opened(weft_accept(listener))), 0);
        fault_none();
        expect(weft_close(client), 0);
    }
    expect(weft_close(listener), 0);
}

// RFC 9293, 3.10.4: the end of a listener is the end of what waits in its backlog.
CASE(closing_a_listener_resets_what_was_not_accepted) {
    weft_addr addr;
    int listener = listen_anywhere(&addr);
    int client = opened(weft_tcp_connect_with(&addr, NULL));
    expect(weft_ready(listener, WEFT_READ), WEFT_READ);
    expect(weft_close(listener), 0);
    await_reset(client);
    expect(weft_close(client), 0);
}

static int serve_one(int conn) {
    char byte;
    while (weft_read(conn, &byte, 1) == 1)
        expect(weft_write(conn, &byte, 1), 1);
    return weft_close(conn);
}

struct server {
    int listener;
    int result;
};

// The accept loop: "a negative one starts nothing and is returned, so that a loop of weft_accept
// and weft_go ends by itself."
static void accept_loop(void *context) {
    struct server *server = context;
    weft_scope clients = {0};
    do
        server->result = weft_go(&clients, serve_one, weft_accept(server->listener));
    while (server->result >= 0);
    expect(weft_join(&clients), 0);
}

CASE(an_accept_loop_ends_by_itself_when_its_listener_is_closed) {
    weft_addr addr;
    char byte;
    struct server server = {.listener = listen_anywhere(&addr)};
    struct parties parties = {0};
    party_start(&parties, "server", accept_loop, &server);
    for (int i = 0; i < 10; i++) {
        int client = opened(weft_tcp_connect_with(&addr, NULL));
        expect(weft_write(client, "e", 1), 1);
        expect(weft_read(client, &byte, 1), 1);
        expect(weft_close(client), 0);
    }
    await_waiting(server.listener, WEFT_READ, 1);
    expect(weft_close(server.listener), 0);
    parties_join(&parties);
    expect(server.result, -EBADF);
}
CASE_NEEDS_TASKS(an_accept_loop_ends_by_itself_when_its_listener_is_closed)
