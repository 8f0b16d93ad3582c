// SPDX-License-Identifier: MIT
// Ending one direction of a connection: half-close both ways, -EPIPE and what it does not touch.
#include "case.h"

#include <string.h>

// "WRITE: the peer reads what was written, then end of stream." Its answer is read to its end:
// "-EPIPE sticks to writes only: the peer's answer stays readable and its end of stream is true."
CASE(after_own_shutdown_of_writing_the_answer_is_read_to_its_end) {
    struct tcp_pair pair = tcp_pair_open();
    char buf[32];
    expect(weft_write_all(pair.client, "question", 8), 8);
    expect(weft_shutdown(pair.client, WEFT_WRITE), 0);
    expect(weft_read_exact(pair.server, buf, 8), 8);
    expect(weft_read(pair.server, buf, 8), 0);
    expect(weft_write_all(pair.server, "answer", 6), 6);
    expect(weft_close(pair.server), 0);
    expect(weft_read_exact(pair.client, buf, 6), 6);
    assert_memory_equal(buf, "answer", 6);
    expect(weft_read(pair.client, buf, 8), 0);
    expect(weft_close(pair.client), 0);
}

CASE(both_ends_may_half_close_in_turn) {
    struct tcp_pair pair = tcp_pair_open();
    char buf[32];
    expect(weft_shutdown(pair.server, WEFT_WRITE), 0);
    expect(weft_read(pair.client, buf, 8), 0);
    for (int i = 0; i < 100; i++) { // the other direction is as good as ever
        expect(weft_write_all(pair.client, "still here", 10), 10);
        expect(weft_read_exact(pair.server, buf, 10), 10);
    }
    expect(weft_shutdown(pair.client, WEFT_WRITE), 0);
    expect(weft_read(pair.server, buf, 8), 0);
    expect(weft_read(pair.client, buf, 8), 0);
    tcp_pair_close(&pair);
}

// "-EPIPE (... or our own shutdown of writing) sticks to writes only."
CASE(writing_after_own_shutdown_is_epipe_for_ever) {
    struct tcp_pair pair = tcp_pair_open();
    char buf[8];
    expect(weft_shutdown(pair.client, WEFT_WRITE), 0);
    for (int i = 0; i < 5; i++)
        expect(weft_write(pair.client, "x", 1), -EPIPE);
    expect(weft_write_all(pair.client, "x", 1), -EPIPE);
    expect(weft_moved(), 0);
    expect(weft_write(pair.server, "in", 2), 2);
    expect(weft_read(pair.client, buf, 8), 2);
    expect(weft_write(pair.client, "x", 1), -EPIPE);
    tcp_pair_close(&pair);
}

// The peer is gone: the first write still goes out, and its reset makes the later ones -EPIPE.
CASE(writing_after_the_peer_closed_becomes_epipe) {
    struct tcp_pair pair = tcp_pair_open();
    char buf[8];
    expect(weft_close(pair.server), 0);
    expect(weft_read(pair.client, buf, 8), 0);
    expect(write_until_error(pair.client), -EPIPE);
    for (int i = 0; i < 5; i++)
        expect(weft_write(pair.client, "x", 1), -EPIPE);
    expect(weft_close(pair.client), 0);
}

// "The peer's answer stays readable and its end of stream is true."
CASE(epipe_leaves_the_answer_and_the_end_of_stream) {
    struct tcp_pair pair = tcp_pair_open();
    char buf[16];
    expect(weft_write_all(pair.server, "goodbye", 7), 7);
    expect(weft_close(pair.server), 0);
    expect(weft_ready(pair.client, WEFT_READ), WEFT_READ);
    expect(write_until_error(pair.client), -EPIPE);
    expect(weft_read_exact(pair.client, buf, 7), 7);
    assert_memory_equal(buf, "goodbye", 7);
    for (int i = 0; i < 3; i++) {
        expect(weft_read(pair.client, buf, 8), 0);
        expect(weft_write(pair.client, "x", 1), -EPIPE);
    }
    expect(weft_close(pair.client), 0);
}

// "After weft_shutdown of reading every read returns 0", also when bytes had arrived.
CASE(after_shutdown_of_reading_every_read_returns_zero) {
    struct tcp_pair pair = tcp_pair_open();
    char buf[8];
    expect(weft_write(pair.client, "unread", 6), 6);
    expect(weft_ready(pair.server, WEFT_READ), WEFT_READ);
    expect(weft_shutdown(pair.server, WEFT_READ), 0);
    for (int i = 0; i < 3; i++)
        expect(weft_read(pair.server, buf, 8), 0);
    expect(weft_peek(pair.server, buf, 8), 0);
    expect(weft_read_exact(pair.server, buf, 8), 0);
    expect(weft_write(pair.server, "out", 3), 3); // the other direction stays
    expect(weft_read(pair.client, buf, 8), 3);
    tcp_pair_close(&pair);
}

struct reader {
    int conn;
    ssize_t result;
};

static void read_once(void *context) {
    struct reader *reader = context;
    char byte;
    reader->result = weft_read(reader->conn, &byte, 1);
}

CASE(a_waiting_read_returns_zero_when_reading_is_shut_down) {
    struct tcp_pair pair = tcp_pair_open();
    struct reader readers[] = {{pair.server, -1}, {pair.server, -1}};
    struct parties parties = {0};
    party_start(&parties, "first reader", read_once, &readers[0]);
    party_start(&parties, "second reader", read_once, &readers[1]);
    await_waiting(pair.server, WEFT_READ, 2);
    expect(weft_shutdown(pair.server, WEFT_READ), 0);
    parties_join(&parties);
    expect(readers[0].result, 0);
    expect(readers[1].result, 0);
    tcp_pair_close(&pair);
}

static void write_forever(void *context) {
    static const char zeros[65536];
    struct reader *writer = context;
    while ((writer->result = weft_write(writer->conn, zeros, sizeof zeros)) > 0)
        continue;
}

CASE(a_waiting_write_is_epipe_when_writing_is_shut_down) {
    struct tcp_pair pair = tcp_pair_open_small();
    struct reader writer = {pair.client, 0};
    struct parties parties = {0};
    party_start(&parties, "writer", write_forever, &writer);
    await_waiting(pair.client, WEFT_WRITE, 1);
    expect(weft_shutdown(pair.client, WEFT_WRITE), 0);
    parties_join(&parties);
    expect(writer.result, -EPIPE);
    tcp_pair_close(&pair);
}

CASE(shutdown_of_both_directions_ends_both) {
    struct tcp_pair pair = tcp_pair_open();
    char buf[8];
    expect(weft_shutdown(pair.client, WEFT_READ | WEFT_WRITE), 0);
    expect(weft_read(pair.client, buf, 8), 0);
    expect(weft_write(pair.client, "x", 1), -EPIPE);
    expect(weft_read(pair.server, buf, 8), 0);
    tcp_pair_close(&pair);
}

// "-EINVAL": only WEFT_READ, WEFT_WRITE or both.
CASE(shutdown_refuses_other_directions) {
    static const int wrong[] = {0, 4, 7, -1, INT32_MAX, INT32_MIN};
    struct tcp_pair pair = tcp_pair_open();
    char buf[8];
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        expect(weft_shutdown(pair.client, wrong[i]), -EINVAL);
    expect(weft_write(pair.client, "fine", 4), 4); // nothing was shut down
    expect(weft_read(pair.server, buf, 8), 4);
    tcp_pair_close(&pair);
}
