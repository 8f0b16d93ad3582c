// SPDX-License-Identifier: MIT
// Datagrams: sending, receiving, sizes, truncation, peeking. "A datagram longer than the buffer:
// -EMSGSIZE, the buffer filled, the datagram consumed, the peer set; weft_recv_with gives flags
// instead." Not the errors of sending (udp_errors.c).
#include "case.h"

#include <string.h>

// A server socket and a client connected to it.
struct exchange {
    int server, client;
    weft_addr server_addr, client_addr;
};

static struct exchange exchange_open(void) {
    struct exchange ex;
    ex.server = udp_anywhere(&ex.server_addr);
    ex.client = udp_connect_to(&ex.server_addr);
    expect(weft_local_addr(ex.client, &ex.client_addr), 0);
    return ex;
}

static void exchange_close(struct exchange *ex) {
    expect(weft_close(ex->server), 0);
    expect(weft_close(ex->client), 0);
}

CASE(a_datagram_arrives_with_the_address_of_its_sender) {
    struct exchange ex = exchange_open();
    weft_addr peer;
    char buf[64];
    expect(weft_write(ex.client, "Hello, UDP server!", 18), 18);
    expect(weft_recv_from(ex.server, buf, sizeof buf, &peer), 18);
    assert_memory_equal(buf, "Hello, UDP server!", 18);
    expect_that(weft_addr_equal(&peer, &ex.client_addr));
    expect(weft_send_to(ex.server, buf, 18, &peer), 18);
    expect(weft_read(ex.client, buf, sizeof buf), 18);
    exchange_close(&ex);
}

CASE(datagrams_keep_their_boundaries_and_their_order) {
    struct exchange ex = exchange_open();
    unsigned char buf[256];
    for (size_t size = 0; size < 100; size++) {
        bytes_fill(buf, size, size);
        expect(weft_write(ex.client, buf, size), size);
    }
    for (size_t size = 0; size < 100; size++) {
        expect(weft_recv_from(ex.server, buf, sizeof buf, NULL), size);
        expect_that(bytes_are_right(buf, size, size));
    }
    exchange_close(&ex);
}

// "On datagram sockets 0 from a read is an empty datagram, a write of 0 sends one", both ways.
CASE(empty_datagrams_travel_both_ways) {
    struct exchange ex = exchange_open();
    char buf[8];
    weft_addr peer = {{0}};
    expect(weft_write(ex.client, NULL, 0), 0);
    expect(weft_recv_from(ex.server, buf, sizeof buf, &peer), 0);
    expect_that(weft_addr_equal(&peer, &ex.client_addr));
    expect(weft_send_to(ex.server, NULL, 0, &peer), 0);
    expect(weft_read(ex.client, buf, sizeof buf), 0);
    expect(weft_writev(ex.client, NULL, 0), 0);
    expect(weft_read(ex.server, buf, sizeof buf), 0);
    expect(weft_write(ex.client, "end", 3), 3); // an empty one is not the end of anything
    expect(weft_read(ex.server, buf, sizeof buf), 3);
    exchange_close(&ex);
}

CASE(a_datagram_longer_than_the_buffer_is_emsgsize_and_consumed) {
    struct exchange ex = exchange_open();
    weft_addr peer = {{0}};
    char buf[8] = "........";
    expect(weft_write(ex.client, "0123456789", 10), 10);
    expect(weft_write(ex.client, "next", 4), 4);
    expect(weft_recv_from(ex.server, buf, 6, &peer), -EMSGSIZE);
    assert_memory_equal(buf, "012345..", 8);
    expect_that(weft_addr_equal(&peer, &ex.client_addr));
    expect(weft_recv_from(ex.server, buf, 8, NULL), 4);
    assert_memory_equal(buf, "next", 4);
    exchange_close(&ex);
}

CASE(read_and_readv_truncate_as_recv_from_does) {
    struct exchange ex = exchange_open();
    char a[2], b[2];
    struct iovec parts[] = {{a, 2}, {b, 2}};
    expect(weft_write(ex.client, "12345", 5), 5);
    expect(weft_read(ex.server, a, 2), -EMSGSIZE);
    assert_memory_equal(a, "12", 2);
    expect(weft_write(ex.client, "abcde", 5), 5);
    expect(weft_readv(ex.server, parts, 2), -EMSGSIZE);
    assert_memory_equal(a, "ab", 2);
    assert_memory_equal(b, "cd", 2);
    expect(weft_write(ex.client, "fits", 4), 4);
    expect(weft_readv(ex.server, parts, 2), 4);
    exchange_close(&ex);
}

// "A read of size 0 follows the truncation rule."
CASE(a_receive_of_size_zero_follows_the_truncation_rule) {
    struct exchange ex = exchange_open();
    char buf[8];
    expect(weft_write(ex.client, "lost", 4), 4);
    expect(weft_recv_from(ex.server, buf, 0, NULL), -EMSGSIZE);
    expect(weft_write(ex.client, "lost", 4), 4);
    expect(weft_read(ex.server, buf, 0), -EMSGSIZE);
    expect(weft_write(ex.client, "", 0), 0);
    expect(weft_read(ex.server, buf, 0), 0); // an empty one fits
    expect(weft_write(ex.client, "kept", 4), 4);
    expect(weft_read(ex.server, buf, 8), 4);
    exchange_close(&ex);
}

// "weft_recv_with gives flags instead."
CASE(recv_with_tells_of_truncation_by_a_flag) {
    struct exchange ex = exchange_open();
    char buf[8];
    int truncated = -1;
    weft_addr peer = {{0}};
    weft_recv_options options = {.ret_peer = &peer, .ret_truncated = &truncated};
    expect(weft_write(ex.client, "0123456789", 10), 10);
    expect(weft_recv_with(ex.server, buf, 4, &options), 4);
    expect(truncated, 1);
    expect_that(weft_addr_equal(&peer, &ex.client_addr));
    expect(weft_write(ex.client, "0123", 4), 4);
    expect(weft_recv_with(ex.server, buf, 4, &options), 4);
    expect(truncated, 0);
    expect(weft_write(ex.client, "0123456789", 10), 10);
    expect(weft_recv_with(ex.server, buf, 0, &options), 0);
    expect(truncated, 1);
    expect(weft_write(ex.client, "plain", 5), 5);
    expect(weft_recv_with(ex.server, buf, 8, NULL), 5);
    exchange_close(&ex);
}

CASE(recv_with_can_leave_the_datagram_where_it_is) {
    struct exchange ex = exchange_open();
    char buf[8];
    int truncated = -1;
    weft_addr peer = {{0}};
    weft_recv_options options = {.peek = 1, .ret_peer = &peer, .ret_truncated = &truncated};
    expect(weft_write(ex.client, "peeked", 6), 6);
    expect(weft_recv_with(ex.server, buf, 4, &options), 4);
    expect(truncated, 1);
    expect_that(weft_addr_equal(&peer, &ex.client_addr));
    expect(weft_recv_with(ex.server, buf, 8, &options), 6);
    expect(truncated, 0);
    expect(weft_recv_from(ex.server, buf, 8, NULL), 6);
    assert_memory_equal(buf, "peeked", 6);
    expect_waits(weft_recv_with(ex.server, buf, 8, &options));
    exchange_close(&ex);
}

// weft_peek: "leaves the bytes (or the datagram) where they are", otherwise as weft_read.
CASE(peek_leaves_the_datagram_where_it_is) {
    struct exchange ex = exchange_open();
    char buf[8];
    expect(weft_write(ex.client, "peeked", 6), 6);
    expect(weft_peek(ex.server, buf, 8), 6);
    expect(weft_peek(ex.server, buf, 4), -EMSGSIZE);
    assert_memory_equal(buf, "peek", 4);
    expect(weft_read(ex.server, buf, 8), 6);
    expect(weft_write(ex.client, "", 0), 0);
    expect(weft_peek(ex.server, buf, 8), 0);
    expect(weft_read(ex.server, buf, 8), 0);
    expect_waits(weft_peek(ex.server, buf, 8));
    exchange_close(&ex);
}

CASE(one_datagram_is_gathered_from_and_scattered_to_several_buffers) {
    struct exchange ex = exchange_open();
    char a[3], b[64];
    struct iovec out[] = {{"one", 3}, {" ", 1}, {"datagram", 8}}, in[] = {{a, 3}, {b, 64}};
    expect(weft_writev(ex.client, out, 3), 12);
    expect(weft_readv(ex.server, in, 2), 12);
    assert_memory_equal(a, "one", 3);
    assert_memory_equal(b, " datagram", 9);
    exchange_close(&ex);
}

// "At most 64 are used by one call, which is ... -EMSGSIZE on a datagram socket."
CASE(more_than_64_buffers_are_emsgsize_on_a_datagram_socket) {
    struct exchange ex = exchange_open();
    static char bytes[65];
    struct iovec parts[65];
    for (int i = 0; i < 65; i++)
        parts[i] = (struct iovec){&bytes[i], 1};
    expect(weft_writev(ex.client, parts, 65), -EMSGSIZE);
    expect(weft_writev(ex.client, parts, 64), 64);
    expect(weft_readv(ex.server, parts, 64), 64);
    exchange_close(&ex);
}

struct receiver {
    int sock;
    char byte;
    weft_addr peer;
    ssize_t result;
};

static void receive_one(void *context) {
    struct receiver *receiver = context;
    receiver->result = weft_recv_from(receiver->sock, &receiver->byte, 1, &receiver->peer);
}

CASE(waiting_receivers_get_one_datagram_each_in_order) {
    enum { RECEIVERS = 4 };
    struct exchange ex = exchange_open();
    struct receiver receivers[RECEIVERS];
    struct parties parties = {0};
    for (int i = 0; i < RECEIVERS; i++) {
        receivers[i] = (struct receiver){.sock = ex.server};
        party_start(&parties, "receiver", receive_one, &receivers[i]);
        await_waiting(ex.server, WEFT_READ, i + 1);
    }
    for (int i = 0; i < RECEIVERS; i++)
        expect(weft_write(ex.client, &"1234"[i], 1), 1);
    parties_join(&parties);
    for (int i = 0; i < RECEIVERS; i++) {
        expect(receivers[i].result, 1);
        expect(receivers[i].byte, "1234"[i]);
        expect_that(weft_addr_equal(&receivers[i].peer, &ex.client_addr));
    }
    exchange_close(&ex);
}

// weft_udp_connect: "datagrams of others are not received."
CASE(a_connected_socket_hears_only_its_peer) {
    struct exchange ex = exchange_open();
    weft_addr addr;
    char buf[16];
    int stranger = udp_anywhere(&addr);
    expect(weft_send_to(stranger, "stranger", 8, &ex.client_addr), 8);
    expect(weft_send_to(ex.server, "peer", 4, &ex.client_addr), 4);
    expect(weft_read(ex.client, buf, sizeof buf), 4);
    expect_waits(weft_read(ex.client, buf, sizeof buf));
    expect(weft_close(stranger), 0);
    exchange_close(&ex);
}

CASE(the_largest_datagram_arrives_whole) {
    static unsigned char out[65507], in[65507];
    struct exchange ex = exchange_open();
    bytes_fill(out, sizeof out, 0);
    expect(weft_write(ex.client, out, sizeof out), sizeof out);
    expect(weft_recv_from(ex.server, in, sizeof in, NULL), sizeof in);
    expect_that(bytes_are_right(in, sizeof in, 0));
    exchange_close(&ex);
}

CASE(a_datagram_socket_knows_its_addresses) {
    struct exchange ex = exchange_open();
    weft_addr addr;
    expect(weft_peer_addr(ex.client, &addr), 0);
    expect_that(weft_addr_equal(&addr, &ex.server_addr));
    expect(weft_peer_addr(ex.server, &addr), -ENOTCONN);
    expect_that(weft_addr_port(&ex.client_addr) != 0);
    exchange_close(&ex);
}

// weft_udp_bind_with: connected to a peer and bound at once.
CASE(a_bound_socket_may_be_connected_by_option) {
    weft_addr server_addr, addr = weft_addr_ipv4(127, 0, 0, 3, 0), peer;
    char buf[8];
    int server = udp_anywhere(&server_addr);
    int client = opened(weft_udp_bind_with(&addr, &(weft_udp_options){.peer = &server_addr}));
    expect(weft_write(client, "x", 1), 1);
    expect(weft_recv_from(server, buf, sizeof buf, &peer), 1);
    addr = weft_addr_with_port(&addr, weft_addr_port(&peer));
    expect_that(weft_addr_equal(&peer, &addr));
    expect(weft_close(server), 0);
    expect(weft_close(client), 0);
}
