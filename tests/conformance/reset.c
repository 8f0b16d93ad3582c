// SPDX-License-Identifier: MIT
// Connections that break. "A stream's fatal error is sticky: every later write returns it; reads
// first deliver what the kernel still holds, then return it for ever, never end-of-stream."
#include "case.h"
#include "fault.h"

#include <string.h>

static void expect_broken(int conn, int error) {
    char buf[8];
    for (int i = 0; i < 3; i++) {
        expect(weft_read(conn, buf, sizeof buf), error);
        expect(weft_timed_out(), 0);
        expect(weft_peek(conn, buf, sizeof buf), error);
        expect(weft_read_exact(conn, buf, sizeof buf), error);
        expect(weft_write(conn, "x", 1), error);
        expect(weft_write_all(conn, "x", 1), error);
    }
}

CASE(a_reset_is_answered_for_ever_and_never_becomes_an_end_of_stream) {
    struct tcp_pair pair = tcp_pair_open();
    expect(weft_abort(pair.client), 0);
    await_reset(pair.server);
    expect_broken(pair.server, -ECONNRESET);
    expect(weft_close(pair.server), 0);
}

// recv(2) would answer 0 after the first ECONNRESET.
CASE(a_reset_comes_after_the_data_that_had_arrived) {
    struct tcp_pair pair = tcp_pair_open();
    char buf[8];
    expect(weft_write(pair.client, "unread", 6), 6);
    expect(weft_ready(pair.server, WEFT_READ), WEFT_READ);
    expect(weft_abort(pair.client), 0);
    expect(weft_read(pair.server, buf, 4), 4);
    expect(weft_read(pair.server, buf + 4, 4), 2);
    assert_memory_equal(buf, "unread", 6);
    expect_broken(pair.server, -ECONNRESET);
    expect(weft_close(pair.server), 0);
}

// The same, but the reset is met by a write first.
CASE(a_write_that_meets_the_reset_leaves_the_data_readable) {
    struct tcp_pair pair = tcp_pair_open();
    char buf[8];
    expect(weft_write(pair.client, "unread", 6), 6);
    expect(weft_ready(pair.server, WEFT_READ), WEFT_READ);
    expect(weft_abort(pair.client), 0);
    expect(write_until_error(pair.server), -ECONNRESET);
    expect(weft_write(pair.server, "x", 1), -ECONNRESET);
    expect(weft_read(pair.server, buf, 8), 6);
    assert_memory_equal(buf, "unread", 6);
    expect_broken(pair.server, -ECONNRESET);
    expect(weft_close(pair.server), 0);
}

struct waiter {
    int conn;
    ssize_t result;
};

static void read_once(void *context) {
    struct waiter *waiter = context;
    char byte;
    waiter->result = weft_read(waiter->conn, &byte, 1);
}

CASE(a_waiting_read_answers_the_reset) {
    struct tcp_pair pair = tcp_pair_open();
    struct waiter waiter = {pair.server, 0};
    struct parties parties = {0};
    party_start(&parties, "reader", read_once, &waiter);
    await_waiting(pair.server, WEFT_READ, 1);
    expect(weft_abort(pair.client), 0);
    parties_join(&parties);
    expect(waiter.result, -ECONNRESET);
    expect_broken(pair.server, -ECONNRESET);
    expect(weft_close(pair.server), 0);
}

// All that wait hear of it, not only the first.
CASE(every_waiting_reader_answers_the_reset) {
    struct tcp_pair pair = tcp_pair_open();
    struct waiter waiters[4];
    struct parties parties = {0};
    for (int i = 0; i < 4; i++) {
        waiters[i] = (struct waiter){pair.server, 0};
        party_start(&parties, "reader", read_once, &waiters[i]);
    }
    await_waiting(pair.server, WEFT_READ, 4);
    expect(weft_abort(pair.client), 0);
    parties_join(&parties);
    for (int i = 0; i < 4; i++)
        expect(waiters[i].result, -ECONNRESET);
    expect(weft_close(pair.server), 0);
}

static void write_until_it_fails(void *context) {
    static const char zeros[65536];
    struct waiter *waiter = context;
    while ((waiter->result = weft_write(waiter->conn, zeros, sizeof zeros)) > 0)
        continue;
}

CASE(a_waiting_write_answers_the_reset) {
    struct tcp_pair pair = tcp_pair_open_small();
    struct waiter waiter = {pair.client, 0};
    struct parties parties = {0};
    party_start(&parties, "writer", write_until_it_fails, &waiter);
    await_waiting(pair.client, WEFT_WRITE, 1);
    expect(weft_abort(pair.server), 0);
    parties_join(&parties);
    expect(waiter.result, -ECONNRESET);
    expect_broken(pair.client, -ECONNRESET);
    expect(weft_close(pair.client), 0);
}

// "Data that was not read makes the kernel send a reset (RFC 9293, 3.6.1)."
CASE(closing_with_unread_data_resets_the_peer) {
    struct tcp_pair pair = tcp_pair_open();
    expect(weft_write(pair.client, "never read", 10), 10);
    expect(weft_ready(pair.server, WEFT_READ), WEFT_READ);
    expect(weft_close(pair.server), 0);
    await_reset(pair.client);
    expect_broken(pair.client, -ECONNRESET);
    expect(weft_close(pair.client), 0);
}

// "weft_abort closes a connection with a reset: unsent data is dropped."
CASE(abort_drops_what_was_not_sent) {
    struct tcp_pair pair = tcp_pair_open_small();
    static char buf[1 << 20];
    size_t written = fill_with_bytes(pair.client), got = 0;
    expect(weft_abort(pair.client), 0);
    ssize_t n;
    while ((n = weft_read(pair.server, buf, sizeof buf)) > 0)
        got += (size_t)n;
    expect(n, -ECONNRESET);
    expect_that(got < written);
    expect(weft_close(pair.server), 0);
}

// A connection whose end was read already cannot be reset any more: its end of stream stays true.
CASE(an_end_of_stream_that_was_read_stays_one) {
    struct tcp_pair pair = tcp_pair_open();
    char buf[8];
    expect(weft_shutdown(pair.client, WEFT_WRITE), 0);
    expect(weft_read(pair.server, buf, 8), 0);
    expect(weft_close(pair.client), 0);
    expect(write_until_error(pair.server), -EPIPE);
    expect(weft_read(pair.server, buf, 8), 0);
    expect(weft_close(pair.server), 0);
}

// "-ECONNRESET and the network's -ETIMEDOUT, -EHOSTUNREACH, -ENETDOWN: every later write returns
// it; reads first deliver what the kernel still holds, then return it for ever."
static void break_a_write(int error) {
    struct tcp_pair pair = tcp_pair_open();
    char buf[16];
    expect(weft_write(pair.client, "still held", 10), 10);
    expect(weft_ready(pair.server, WEFT_READ), WEFT_READ);
    fault_nth("write", 1, error);
    expect(weft_write(pair.server, "x", 1), error);
    expect(weft_timed_out(), 0);
    fault_none();
    expect(weft_write(pair.server, "x", 1), error);
    expect(weft_read(pair.server, buf, 6), 6);
    expect(weft_read(pair.server, buf + 6, 8), 4);
    assert_memory_equal(buf, "still held", 10);
    expect_broken(pair.server, error);
    expect(weft_close(pair.client), 0); // an end of stream in the kernel changes nothing
    expect_broken(pair.server, error);
    expect(weft_close(pair.server), 0);
}

CASE(a_connection_reset_by_the_network_stays_so) {
    break_a_write(-ECONNRESET);
}
CASE(a_timeout_of_the_network_is_sticky_and_no_deadline) {
    break_a_write(-ETIMEDOUT);
}
CASE(an_unreachable_host_is_sticky) {
    break_a_write(-EHOSTUNREACH);
}
CASE(a_network_that_is_down_is_sticky) {
    break_a_write(-ENETDOWN);
}

// The same when a read meets it.
CASE(a_read_that_meets_the_networks_timeout_makes_it_sticky) {
    struct tcp_pair pair = tcp_pair_open();
    char buf[8];
    fault_nth("read", 1, -ETIMEDOUT);
    expect(weft_read(pair.server, buf, 8), -ETIMEDOUT);
    expect(weft_timed_out(), 0);
    fault_none();
    expect_broken(pair.server, -ETIMEDOUT);
    tcp_pair_close(&pair);
}

// "-EPIPE sticks to writes only."
CASE(epipe_of_one_write_leaves_the_reads_alone) {
    struct tcp_pair pair = tcp_pair_open();
    char buf[8];
    fault_nth("write", 1, -EPIPE);
    expect(weft_write(pair.client, "x", 1), -EPIPE);
    fault_none();
    expect(weft_write(pair.client, "x", 1), -EPIPE);
    expect(weft_write(pair.server, "in", 2), 2);
    expect(weft_read(pair.client, buf, 8), 2);
    expect(weft_close(pair.server), 0);
    expect(weft_read(pair.client, buf, 8), 0);
    expect(weft_close(pair.client), 0);
}
