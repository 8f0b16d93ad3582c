// SPDX-License-Identifier: MIT
// Writing to a connection: partial writes, all of it, much of it both ways, formatted text. Not
// vectors (vectors.c) and not connections that break (reset.c).
#include "case.h"

#include <string.h>

enum { BIG = 10 << 20 };

// "Writes some of the bytes": no more than the connection takes.
CASE(write_takes_a_part_when_the_peer_does_not_read) {
    struct tcp_pair pair = tcp_pair_open_small();
    static const char zeros[BIG];
    ssize_t n = weft_write(pair.client, zeros, sizeof zeros);
    expect_that(n >= 1 && n < BIG);
    static char buf[BIG];
    expect(weft_read_exact(pair.server, buf, (size_t)n), n);
    expect_waits(weft_read(pair.server, buf, 1)); // nor less than it says
    tcp_pair_close(&pair);
}

struct transfer {
    int conn;
    size_t size;
    uint64_t from;
    ssize_t result;
    size_t moved;
};

static void write_much(void *context) {
    static char chunk[2][65536];
    struct transfer *transfer = context;
    char *bytes = chunk[transfer->from != 0]; // each direction has its own
    for (size_t done = 0; done < transfer->size; done += sizeof chunk[0]) {
        bytes_fill(bytes, sizeof chunk[0], transfer->from + done);
        expect(weft_write_all(transfer->conn, bytes, sizeof chunk[0]), sizeof chunk[0]);
    }
    expect(weft_shutdown(transfer->conn, WEFT_WRITE), 0);
}

static void read_much(void *context) {
    static char chunk[2][50000];
    struct transfer *transfer = context;
    char *bytes = chunk[transfer->from != 0];
    size_t done = 0;
    for (ssize_t n; (n = weft_read(transfer->conn, bytes, sizeof chunk[0])) != 0;) {
        expect_that(n > 0);
        expect_that(bytes_are_right(bytes, (size_t)n, transfer->from + done));
        done += (size_t)n;
    }
    expect(done, transfer->size);
}

static void transfer_both_ways(size_t size) {
    struct tcp_pair pair = tcp_pair_open();
    struct transfer there = {.conn = pair.client, .size = size, .from = 0};
    struct transfer received_there = {.conn = pair.server, .size = size, .from = 0};
    struct transfer back = {.conn = pair.server, .size = size, .from = 1u << 30};
    struct transfer received_back = {.conn = pair.client, .size = size, .from = 1u << 30};
    struct parties parties = {0};
    party_start(&parties, "writes there", write_much, &there);
    party_start(&parties, "reads there", read_much, &received_there);
    party_start(&parties, "writes back", write_much, &back);
    party_start(&parties, "reads back", read_much, &received_back);
    parties_join(&parties);
    tcp_pair_close(&pair);
}

CASE(ten_mebibytes_pass_both_ways_at_once, .sim_seeds = 2) {
    transfer_both_ways(BIG);
}

static void write_all_at_once(void *context) {
    static char bytes[1 << 20];
    struct transfer *transfer = context;
    bytes_fill(bytes, sizeof bytes, 0);
    transfer->result = weft_write_all(transfer->conn, bytes, sizeof bytes);
    transfer->moved = weft_moved();
    weft_shutdown(transfer->conn, WEFT_WRITE);
}

// "Size or an error, nothing in between": also through buffers much smaller than what is written.
CASE(write_all_writes_all_through_small_buffers) {
    struct tcp_pair pair = tcp_pair_open_small();
    struct transfer writes = {.conn = pair.client};
    struct transfer reads = {.conn = pair.server, .size = 1 << 20};
    struct parties parties = {0};
    party_start(&parties, "writer", write_all_at_once, &writes);
    party_start(&parties, "reader", read_much, &reads);
    parties_join(&parties);
    expect(writes.result, 1 << 20);
    tcp_pair_close(&pair);
}

// A write waits when nothing fits, and goes on when the peer has read.
CASE(a_full_connection_takes_more_when_the_peer_reads) {
    struct tcp_pair pair = tcp_pair_open_small();
    struct transfer writes = {.conn = pair.client};
    struct transfer reads = {.conn = pair.server, .size = 1 << 20};
    struct parties parties = {0};
    party_start(&parties, "writer", write_all_at_once, &writes);
    await_waiting(pair.client, WEFT_WRITE, 1);
    party_start(&parties, "reader", read_much, &reads);
    parties_join(&parties);
    expect(writes.result, 1 << 20);
    tcp_pair_close(&pair);
}

// "Composite calls report what moved before an error through weft_moved()": the peer got that much.
CASE(write_all_reports_what_moved_before_a_deadline) {
    struct tcp_pair pair = tcp_pair_open_small();
    static char bytes[1 << 20], got[1 << 20];
    bytes_fill(bytes, sizeof bytes, 0);
    {
        weft_within(100 * WEFT_MILLISECOND);
        expect(weft_write_all(pair.client, bytes, sizeof bytes), -ETIMEDOUT);
    }
    expect(weft_timed_out(), 1);
    size_t moved = weft_moved();
    expect_that(moved > 0 && moved < sizeof bytes);
    expect(weft_read_exact(pair.server, got, moved), moved);
    expect_that(bytes_are_right(got, moved, 0));
    expect_waits(weft_read(pair.server, got, 1));
    tcp_pair_close(&pair);
}

// The same when the peer goes away in the middle.
CASE(write_all_reports_what_moved_before_the_peer_went_away) {
    struct tcp_pair pair = tcp_pair_open_small();
    struct transfer writes = {.conn = pair.client};
    struct parties parties = {0};
    party_start(&parties, "writer", write_all_at_once, &writes);
    await_waiting(pair.client, WEFT_WRITE, 1);
    expect(weft_abort(pair.server), 0);
    parties_join(&parties);
    expect(writes.result, -ECONNRESET);
    expect_that(writes.moved > 0 && writes.moved < 1 << 20);
    expect(weft_close(pair.client), 0);
}

// "Never waits for the peer: what was written is still sent."
CASE(what_was_written_before_close_is_still_sent) {
    struct tcp_pair pair = tcp_pair_open();
    static char bytes[100000], got[100000];
    bytes_fill(bytes, sizeof bytes, 0);
    expect(weft_write_all(pair.client, bytes, sizeof bytes), sizeof bytes);
    expect(weft_close(pair.client), 0);
    expect(weft_read_exact(pair.server, got, sizeof got), sizeof got);
    expect_that(bytes_are_right(got, sizeof got, 0));
    expect(weft_read(pair.server, got, 1), 0);
    expect(weft_close(pair.server), 0);
}

// "Formats as printf(3) and writes it all. Returns the bytes written."
CASE(printf_writes_formatted_text) {
    struct tcp_pair pair = tcp_pair_open();
    char buf[64];
    expect(weft_printf(pair.client, "%d %s %c\n", 42, "answers", '!'), 13);
    expect(weft_read_exact(pair.server, buf, 13), 13);
    assert_memory_equal(buf, "42 answers !\n", 13);
    expect(weft_printf(pair.client, "%s", ""), 0);
    expect_waits(weft_read(pair.server, buf, 1));
    tcp_pair_close(&pair);
}

// "Text beyond 1 KiB is formatted in allocated memory", just below, at and beyond it.
CASE(printf_writes_texts_of_every_length) {
    static const int sizes[] = {1022, 1023, 1024, 1025, 5000};
    static char buf[5000], expected[5000];
    memset(expected, ' ', sizeof expected);
    struct tcp_pair pair = tcp_pair_open();
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t size = (size_t)sizes[i];
        expect(weft_printf(pair.client, "%*s", sizes[i], "x"), sizes[i]);
        expect(weft_read_exact(pair.server, buf, size), size);
        assert_memory_equal(buf, expected, size - 1);
        expect(buf[size - 1], 'x');
    }
    tcp_pair_close(&pair);
}

// "weft_read: size, 1 .. SSIZE_MAX; -EINVAL for size above SSIZE_MAX."
CASE(a_read_of_more_than_ssize_max_is_einval) {
    struct tcp_pair pair = tcp_pair_open();
    char byte;
    volatile size_t too_much = SIZE_MAX / 2 + 1; // volatile: gcc would rightly warn
    expect(weft_read(pair.client, &byte, too_much), -EINVAL);
    tcp_pair_close(&pair);
}
