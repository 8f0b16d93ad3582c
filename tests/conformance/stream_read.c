// SPDX-License-Identifier: MIT
// Reading from a connection: partial reads, ends, exact reads, peeks, sizes of zero. Not what
// happens when the connection breaks (reset.c) or when several read at once (turns.c).
#include "case.h"

#include <string.h>

// A party that reads once.
struct reader {
    int conn;
    char buf[64];
    size_t size;
    ssize_t result;
};

static void read_once(void *context) {
    struct reader *reader = context;
    reader->result = weft_read(reader->conn, reader->buf, reader->size);
}

// "Reads what has arrived, at most `size` bytes": it does not wait for the rest of the buffer.
CASE(read_returns_what_has_arrived) {
    struct tcp_pair pair = tcp_pair_open();
    char buf[64];
    expect(weft_write(pair.client, "hello", 5), 5);
    expect(weft_read(pair.server, buf, sizeof buf), 5);
    assert_memory_equal(buf, "hello", 5);
    tcp_pair_close(&pair);
}

// "... waits until there is something."
CASE(read_waits_until_something_arrives) {
    struct tcp_pair pair = tcp_pair_open();
    struct reader reader = {.conn = pair.server, .size = 64};
    struct parties parties = {0};
    party_start(&parties, "reader", read_once, &reader);
    await_waiting(pair.server, WEFT_READ, 1);
    expect(weft_write(pair.client, "late", 4), 4);
    parties_join(&parties);
    expect(reader.result, 4);
    assert_memory_equal(reader.buf, "late", 4);
    tcp_pair_close(&pair);
}

// Partial reads: what does not fit stays for the next one.
CASE(a_short_buffer_leaves_the_rest_for_the_next_read) {
    struct tcp_pair pair = tcp_pair_open();
    char buf[8];
    expect(weft_write(pair.client, "abcdefgh", 8), 8);
    expect(weft_read(pair.server, buf, 3), 3);
    expect(weft_read(pair.server, buf + 3, 1), 1);
    expect(weft_read(pair.server, buf + 4, 4), 4);
    assert_memory_equal(buf, "abcdefgh", 8);
    tcp_pair_close(&pair);
}

CASE(read_returns_zero_after_peer_closes) {
    struct tcp_pair pair = tcp_pair_open();
    char buf[8];
    expect(weft_close(pair.client), 0);
    expect(weft_read(pair.server, buf, sizeof buf), 0);
    expect(weft_close(pair.server), 0);
}

CASE(end_of_stream_is_answered_again_and_again) {
    struct tcp_pair pair = tcp_pair_open();
    char buf[8];
    expect(weft_close(pair.client), 0);
    for (int i = 0; i < 10; i++)
        expect(weft_read(pair.server, buf, sizeof buf), 0);
    expect(weft_peek(pair.server, buf, sizeof buf), 0);
    expect(weft_close(pair.server), 0);
}

// The end comes after everything that was written before it.
CASE(data_arrives_before_the_end_of_stream) {
    struct tcp_pair pair = tcp_pair_open();
    char buf[16];
    expect(weft_write(pair.client, "last words", 10), 10);
    expect(weft_close(pair.client), 0);
    expect(weft_read(pair.server, buf, 4), 4);
    expect(weft_read(pair.server, buf + 4, 12), 6);
    assert_memory_equal(buf, "last words", 10);
    expect(weft_read(pair.server, buf, sizeof buf), 0);
    expect(weft_close(pair.server), 0);
}

CASE(a_waiting_read_returns_zero_when_the_peer_closes) {
    struct tcp_pair pair = tcp_pair_open();
    struct reader reader = {.conn = pair.server, .size = 8, .result = -1};
    struct parties parties = {0};
    party_start(&parties, "reader", read_once, &reader);
    await_waiting(pair.server, WEFT_READ, 1);
    expect(weft_close(pair.client), 0);
    parties_join(&parties);
    expect(reader.result, 0);
    expect(weft_close(pair.server), 0);
}

static void write_single_bytes(void *context) {
    const int *conn = context;
    for (uint64_t i = 0; i < 2000; i++) {
        unsigned char byte = byte_at(i);
        expect(weft_write(*conn, &byte, 1), 1);
    }
    expect(weft_shutdown(*conn, WEFT_WRITE), 0);
}

CASE(one_byte_writes_arrive_in_order) {
    struct tcp_pair pair = tcp_pair_open();
    struct parties parties = {0};
    party_start(&parties, "writer", write_single_bytes, &pair.client);
    char buf[128];
    uint64_t total = 0;
    for (ssize_t n; (n = weft_read(pair.server, buf, sizeof buf)) != 0; total += (uint64_t)n) {
        expect_that(n > 0);
        expect_that(bytes_are_right(buf, (size_t)n, total));
    }
    expect(total, 2000);
    parties_join(&parties);
    tcp_pair_close(&pair);
}

// One byte at a time on both sides.
CASE(one_byte_reads_see_every_byte) {
    struct tcp_pair pair = tcp_pair_open();
    struct parties parties = {0};
    party_start(&parties, "writer", write_single_bytes, &pair.client);
    unsigned char byte;
    for (uint64_t i = 0; i < 2000; i++) {
        expect(weft_read(pair.server, &byte, 1), 1);
        expect(byte, byte_at(i));
    }
    expect(weft_read(pair.server, &byte, 1), 0);
    parties_join(&parties);
    tcp_pair_close(&pair);
}

CASE(read_exact_returns_size_over_many_pieces) {
    struct tcp_pair pair = tcp_pair_open();
    struct parties parties = {0};
    static char buf[2000];
    party_start(&parties, "writer", write_single_bytes, &pair.client);
    expect(weft_read_exact(pair.server, buf, sizeof buf), sizeof buf);
    expect_that(bytes_are_right(buf, sizeof buf, 0));
    parties_join(&parties);
    tcp_pair_close(&pair);
}

// "weft_read_exact: size, 0 at a clean end, or an error."
CASE(read_exact_returns_zero_at_a_clean_end) {
    struct tcp_pair pair = tcp_pair_open();
    char buf[8];
    expect(weft_write(pair.client, "12345678", 8), 8);
    expect(weft_close(pair.client), 0);
    expect(weft_read_exact(pair.server, buf, 8), 8);
    expect(weft_read_exact(pair.server, buf, 8), 0);
    expect(weft_read_exact(pair.server, buf, 8), 0);
    expect(weft_close(pair.server), 0);
}

// "End of stream inside weft_read_exact is -ENODATA", and weft_moved() tells what moved before.
CASE(read_exact_answers_enodata_when_the_stream_ends_inside) {
    struct tcp_pair pair = tcp_pair_open();
    char buf[8];
    expect(weft_write(pair.client, "12345", 5), 5);
    expect(weft_close(pair.client), 0);
    expect(weft_read_exact(pair.server, buf, 8), -ENODATA);
    expect(weft_moved(), 5);
    expect(weft_timed_out(), 0);
    assert_memory_equal(buf, "12345", 5);
    expect(weft_close(pair.server), 0);
}

// "Size 0: weft_read and weft_peek on a stream answer -EINVAL (0 means end of stream)."
CASE(read_and_peek_of_size_zero_are_einval) {
    struct tcp_pair pair = tcp_pair_open();
    char buf[4] = "abc";
    expect(weft_write(pair.client, "x", 1), 1);
    expect(weft_read(pair.server, buf, 0), -EINVAL);
    expect(weft_peek(pair.server, buf, 0), -EINVAL);
    expect(weft_readv(pair.server, NULL, 0), -EINVAL);
    assert_memory_equal(buf, "abc", 4);
    expect(weft_read(pair.server, buf, 4), 1);
    tcp_pair_close(&pair);
}

// "weft_read_exact, weft_write, weft_write_all return 0 and touch nothing."
CASE(exact_reads_and_writes_of_size_zero_touch_nothing) {
    struct tcp_pair pair = tcp_pair_open();
    char buf[4] = "abc";
    expect(weft_read_exact(pair.server, buf, 0), 0);
    expect(weft_readv_exact(pair.server, NULL, 0), 0);
    expect(weft_write(pair.client, buf, 0), 0);
    expect(weft_writev(pair.client, NULL, 0), 0);
    expect(weft_write_all(pair.client, buf, 0), 0);
    expect(weft_writev_all(pair.client, NULL, 0), 0);
    assert_memory_equal(buf, "abc", 4);
    expect_waits(weft_read(pair.server, buf, 4)); // nothing was sent
    tcp_pair_close(&pair);
}

// "As weft_read, but leaves the bytes where they are."
CASE(peek_leaves_the_bytes_where_they_are) {
    struct tcp_pair pair = tcp_pair_open();
    char buf[8];
    expect(weft_write(pair.client, "peek", 4), 4);
    for (int i = 0; i < 3; i++) {
        memset(buf, 0, sizeof buf);
        expect(weft_peek(pair.server, buf, sizeof buf), 4);
        assert_memory_equal(buf, "peek", 4);
    }
    expect(weft_peek(pair.server, buf, 2), 2);
    expect(weft_read(pair.server, buf, sizeof buf), 4);
    assert_memory_equal(buf, "peek", 4);
    expect_waits(weft_peek(pair.server, buf, sizeof buf));
    tcp_pair_close(&pair);
}

static void peek_once(void *context) {
    struct reader *reader = context;
    reader->result = weft_peek(reader->conn, reader->buf, reader->size);
}

CASE(peek_waits_until_something_arrives) {
    struct tcp_pair pair = tcp_pair_open();
    struct reader reader = {.conn = pair.server, .size = 64};
    struct parties parties = {0};
    party_start(&parties, "reader", peek_once, &reader);
    await_waiting(pair.server, WEFT_READ, 1);
    expect(weft_write(pair.client, "late", 4), 4);
    parties_join(&parties);
    expect(reader.result, 4);
    expect(weft_read(pair.server, reader.buf, 64), 4);
    assert_memory_equal(reader.buf, "late", 4);
    tcp_pair_close(&pair);
}
