// SPDX-License-Identifier: MIT
// Handles to test with. Only public calls, so that they are the first conformance test themselves.
#include "peers.h"

#include "await.h"
#include "check.h"
#include "world.h"

#include <stdio.h>
#include <string.h>

int listen_anywhere(weft_addr *ret_addr) {
    int listener = opened(weft_tcp_listen("127.0.0.1:0"));
    expect(weft_local_addr(listener, ret_addr), 0);
    return listener;
}

weft_addr unused_address(void) {
    weft_addr addr;
    expect(weft_close(listen_anywhere(&addr)), 0);
    return addr;
}

static struct tcp_pair open_pair(const char *where, const weft_tcp_options *options) {
    weft_addr addr;
    expect(weft_addr_parse(where, &addr), 0);
    int listener = opened(weft_tcp_listen_with(&addr, options));
    expect(weft_local_addr(listener, &addr), 0);
    struct tcp_pair pair;
    pair.client = opened(weft_tcp_connect_with(&addr, options));
    pair.server = opened(weft_accept(listener));
    expect(weft_close(listener), 0);
    return pair;
}

struct tcp_pair tcp_pair_open(void) {
    return open_pair("127.0.0.1:0", NULL);
}

struct tcp_pair tcp_pair_open_at(const char *where) {
    return open_pair(where, NULL);
}

struct tcp_pair tcp_pair_open_small(void) {
    weft_tcp_options small = {.send_buffer_size = 16384, .receive_buffer_size = 16384};
    return open_pair("127.0.0.1:0", &small);
}

void tcp_pair_close(struct tcp_pair *pair) {
    expect(weft_close(pair->client), 0);
    expect(weft_close(pair->server), 0);
    pair->client = pair->server = -EBADF;
}

int udp_anywhere(weft_addr *ret_addr) {
    int sock = opened(weft_udp_bind("127.0.0.1:0"));
    expect(weft_local_addr(sock, ret_addr), 0);
    return sock;
}

int udp_connect_to(const weft_addr *peer) {
    char where[WEFT_ADDR_TEXT_SIZE];
    return opened(weft_udp_connect(weft_addr_text(peer, where)));
}

// A receiver may acknowledge up to 200 ms late (RFC 1122, 4.2.3.2), and each acknowledgement makes
// room again; only after more than that is full really full.
size_t fill_with_bytes(int conn) {
    static const char zeros[65536];
    for (size_t total = 0;;) {
        weft_within(300 * (int64_t)test_slowness() * WEFT_MILLISECOND);
        ssize_t n = weft_write(conn, zeros, sizeof zeros);
        if (n == -ETIMEDOUT && weft_timed_out())
            return total;
        expect_that(n > 0);
        total += (size_t)n;
    }
}

// On Linux a full backlog drops what asks to connect, which is tried again after a second.
void full_listener_open(struct full_listener *full) {
    *full = (struct full_listener){0};
    weft_addr addr = weft_addr_ipv4(127, 0, 0, 1, 0);
    full->listener = opened(weft_tcp_listen_with(&addr, &(weft_tcp_options){.backlog = 1}));
    expect(weft_local_addr(full->listener, &full->addr), 0);
    for (;;) {
        weft_within(300 * WEFT_MILLISECOND);
        int conn = weft_tcp_connect_with(&full->addr, NULL);
        if (conn == -ETIMEDOUT && weft_timed_out())
            return;
        expect_that(full->count < 16);
        full->waiting[full->count++] = opened(conn);
    }
}

void full_listener_close(struct full_listener *full) {
    for (int i = 0; i < full->count; i++)
        expect(weft_close(full->waiting[i]), 0);
    expect(weft_close(full->listener), 0);
}

// A multiplicative hash: neighbours differ, and no short period hides a shifted stream.
unsigned char byte_at(uint64_t i) {
    return (unsigned char)((i * 2654435761u) >> 13);
}

void bytes_fill(void *buf, size_t size, uint64_t from) {
    unsigned char *bytes = buf;
    for (size_t i = 0; i < size; i++)
        bytes[i] = byte_at(from + i);
}

bool bytes_are_right(const void *buf, size_t size, uint64_t from) {
    const unsigned char *bytes = buf;
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != byte_at(from + i))
            return false;
    return true;
}

void await_reset(int conn) {
    char byte;
    weft_within(25 * WEFT_SECOND);
    expect(weft_read(conn, &byte, 1), -ECONNRESET);
}

ssize_t write_until_error(int conn) {
    for (struct await await = {0};;) {
        ssize_t n = weft_write(conn, "x", 1);
        if (n < 0)
            return n;
        expect(n, 1);
        await_pause(&await, "a write that fails");
    }
}

// splitmix64 (Steele, Lea, Flood 2014).
uint64_t dice_roll(struct dice *dice, uint64_t sides) {
    uint64_t x = dice->state += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (x ^ (x >> 31)) % sides;
}

bool ipv6_is_here(void) {
    int listener = weft_tcp_listen("[::1]:0");
    weft_close(listener);
    return listener > 0;
}
