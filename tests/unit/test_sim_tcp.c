// SPDX-License-Identifier: MIT
// Unit tests of driver/sim_tcp.c and driver/sim_stream.c: what an established connection answers,
// how it ends, and what its buffers hold; each as on Linux (see sim_tools.h).
#include "sim_tools.h"

// ---- Reading, writing, shutting ----

static void shutdown_of_reading_leaves_what_arrives_readable(void **state) {
    (void)state;
    struct pair pair = open_pair();
    assert_int_equal(write_text(pair.client, "abc"), 3);
    settle();
    assert_int_equal(shut(pair.server, WEFT__SHUT_READ), 0);
    assert_int_equal(try_read(pair.server), 3);
    assert_int_equal(try_read(pair.server), 0);
    assert_int_equal(ready(pair.server), WEFT__READABLE | WEFT__WRITABLE);
    assert_int_equal(write_text(pair.client, "later"), 5);
    settle();
    assert_int_equal(try_read(pair.server), 5);
    assert_int_equal(try_read(pair.server), 0);
    close_pair(pair);
}

static void shutdown_of_reading_ends_a_waiting_read(void **state) {
    (void)state;
    struct pair pair = open_pair();
    char byte;
    struct call call;
    prepare_io(&call, WEFT__OP_READ, pair.server, &byte, 1);
    submit(&call);
    assert_int_equal(shut(pair.server, WEFT__SHUT_READ), 0);
    await_done(&call);
    assert_int_equal(call.op.result, 0);
    close_pair(pair);
}

static void shutdown_of_writing_leaves_the_peers_answer_readable(void **state) {
    (void)state;
    struct pair pair = open_pair();
    assert_int_equal(write_text(pair.client, "question"), 8);
    assert_int_equal(shut(pair.client, WEFT__SHUT_WRITE), 0);
    assert_int_equal(shut(pair.client, WEFT__SHUT_WRITE), 0);
    assert_int_equal(try_write(pair.client), -EPIPE);
    assert_reads(pair.server, "question");
    assert_reads(pair.server, "");
    assert_int_equal(write_text(pair.server, "answer"), 6);
    assert_reads(pair.client, "answer");
    assert_int_equal(try_read(pair.client), -EAGAIN);
    close_socket(pair.server);
    assert_reads(pair.client, "");
    close_socket(pair.client);
}

static void the_end_of_the_stream_comes_behind_its_last_byte(void **state) {
    (void)state;
    struct pair pair = open_pair();
    size_t written = fill(pair.client);
    close_socket(pair.client);
    drain(pair.server, written);
    assert_reads(pair.server, "");
    assert_reads(pair.server, "");
    close_socket(pair.server);
}

static void a_connection_that_both_have_ended_has_no_peer(void **state) {
    (void)state;
    struct pair pair = open_pair();
    assert_int_equal(shut(pair.client, WEFT__SHUT_WRITE), 0);
    assert_reads(pair.server, "");
    assert_int_equal(peer_of(pair.server), 0);
    assert_int_equal(shut(pair.server, WEFT__SHUT_WRITE), 0);
    settle();
    struct sock ends[] = {pair.client, pair.server};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(peer_of(ends[i]), -ENOTCONN);
        assert_int_equal(shut(ends[i], WEFT__SHUT_WRITE), -ENOTCONN);
        assert_int_equal(try_read(ends[i]), 0);
        assert_int_equal(try_write(ends[i]), -EPIPE);
        assert_int_equal(try_connect(ends[i], loopback(1)), -EISCONN);
        assert_int_equal(get_option(ends[i], WEFT__OPT_ERROR), 0);
        assert_int_not_equal(port_of(ends[i]), 0);
    }
    close_pair(pair);
}

static void two_ends_that_close_at_once_both_read_the_end(void **state) {
    (void)state;
    struct pair pair = open_pair();
    assert_int_equal(shut(pair.client, WEFT__SHUT_WRITE), 0);
    assert_int_equal(shut(pair.server, WEFT__SHUT_WRITE), 0);
    assert_reads(pair.client, "");
    assert_reads(pair.server, "");
    close_pair(pair);
}

// ---- Resets ----

static void expect_reset_told(struct sock s) {
    assert_int_equal(try_read(s), 0);
    assert_int_equal(try_write(s), -EPIPE);
    assert_int_equal(peer_of(s), -ENOTCONN);
    assert_int_equal(shut(s, WEFT__SHUT_WRITE), -ENOTCONN);
    assert_int_equal(ready(s), WEFT__READABLE | WEFT__WRITABLE);
    assert_int_equal(get_option(s, WEFT__OPT_ERROR), 0);
}

static void close_with_data_unread_resets_the_peer(void **state) {
    (void)state;
    struct pair pair = open_pair();
    assert_int_equal(write_text(pair.client, "unread"), 6);
    assert_int_equal(write_text(pair.server, "world"), 5);
    settle();
    close_socket(pair.server);
    settle();
    assert_int_equal(ready(pair.client), WEFT__READABLE | WEFT__WRITABLE);
    char buf[3];
    assert_int_equal(try_io(WEFT__OP_READ, pair.client, buf, sizeof buf), 3);
    assert_reads(pair.client, "ld"); // what has arrived goes first
    assert_int_equal(try_read(pair.client), -ECONNRESET);
    expect_reset_told(pair.client);
    close_socket(pair.client);
}

static void a_reset_is_told_once_by_a_write(void **state) {
    (void)state;
    struct pair pair = open_pair();
    assert_int_equal(write_text(pair.client, "unread"), 6);
    settle();
    close_socket(pair.server);
    settle();
    assert_int_equal(shut(pair.client, WEFT__SHUT_WRITE), -ENOTCONN);
    assert_int_equal(try_write(pair.client), -ECONNRESET);
    expect_reset_told(pair.client);
    close_socket(pair.client);
}

static void a_reset_is_told_once_by_so_error(void **state) {
    (void)state;
    struct pair pair = open_pair();
    assert_int_equal(write_text(pair.client, "unread"), 6);
    settle();
    close_socket(pair.server);
    settle();
    assert_int_equal(get_option(pair.client, WEFT__OPT_ERROR), ECONNRESET);
    expect_reset_told(pair.client);
    close_socket(pair.client);
}

static void a_write_to_a_closed_peer_is_answered_with_a_reset(void **state) {
    (void)state;
    for (int way = 0; way < 2; way++) {
        struct pair pair = open_pair();
        assert_int_equal(write_text(pair.server, "bye"), 3);
        close_socket(pair.server);
        settle();
        assert_int_equal(try_write(pair.client), 1); // the peer has not said no yet
        settle();
        assert_reads(pair.client, "bye");
        assert_int_equal(try_read(pair.client), 0); // the end came before the reset
        if (way == 0)
            assert_int_equal(try_write(pair.client), -EPIPE);
        else
            assert_int_equal(get_option(pair.client, WEFT__OPT_ERROR), EPIPE);
        expect_reset_told(pair.client);
        close_socket(pair.client);
    }
}

static void a_reset_after_our_own_end_is_a_reset(void **state) {
    (void)state;
    struct pair pair = open_pair();
    assert_int_equal(write_text(pair.client, "unread"), 6);
    assert_int_equal(shut(pair.client, WEFT__SHUT_WRITE), 0);
    settle();
    close_socket(pair.server);
    settle();
    assert_int_equal(try_read(pair.client), -ECONNRESET);
    expect_reset_told(pair.client);
    close_socket(pair.client);
}

static void data_for_a_socket_that_is_shut_both_ways_resets_both(void **state) {
    (void)state;
    struct pair pair = open_pair();
    assert_int_equal(shut(pair.server, WEFT__SHUT_BOTH), 0);
    settle();
    assert_int_equal(try_read(pair.client), 0);
    assert_int_equal(try_write(pair.client), 1);
    settle();
    assert_int_equal(try_write(pair.client), -EPIPE);
    assert_int_equal(try_read(pair.server), -ECONNRESET); // and not the data
    expect_reset_told(pair.client);
    expect_reset_told(pair.server);
    close_pair(pair);
}

static void linger_zero_resets_and_forgets_what_was_not_sent(void **state) {
    (void)state;
    struct pair pair = open_pair();
    size_t written = fill(pair.client);
    settle();
    assert_int_equal(set_option(pair.client, WEFT__OPT_LINGER_ZERO, 1), 0);
    close_socket(pair.client);
    settle();
    size_t arrived = 0;
    static char buf[65536];
    int64_t n;
    while ((n = try_io(WEFT__OP_READ, pair.server, buf, sizeof buf)) > 0)
        arrived += (size_t)n;
    assert_int_equal(n, -ECONNRESET);
    assert_true(arrived > 0 && arrived < written);
    close_socket(pair.server);
}

static void an_end_that_crosses_a_reset_changes_nothing(void **state) {
    (void)state;
    struct pair pair = open_pair();
    assert_int_equal(set_option(pair.client, WEFT__OPT_LINGER_ZERO, 1), 0);
    assert_int_equal(set_option(pair.server, WEFT__OPT_LINGER_ZERO, 1), 0);
    close_socket(pair.client);
    (void)shut(pair.server, WEFT__SHUT_WRITE); // on loopback it knows already
    settle();
    assert_int_equal(try_read(pair.server), -ECONNRESET);
    expect_reset_told(pair.server);
    close_socket(pair.server);
}

static void two_resets_that_cross_are_one(void **state) {
    (void)state;
    only_sim(); // on loopback nothing is ever under way
    struct pair pair = open_pair();
    assert_int_equal(shut(pair.server, WEFT__SHUT_BOTH), 0);
    assert_int_equal(write_text(pair.client, "x"), 1);
    while (try_io(WEFT__OP_WRITE, pair.server, "", 0) != -ECONNRESET)
        d->class->wait(d, now_ns() + 100); // until it has refused the data
    assert_int_equal(set_option(pair.client, WEFT__OPT_LINGER_ZERO, 1), 0);
    close_socket(pair.client);
    settle();
    expect_reset_told(pair.server);
    close_socket(pair.server);
}

static void a_reset_wakes_every_wait(void **state) {
    (void)state;
    struct pair pair = open_pair();
    size_t written = fill(pair.client);
    settle();
    written += fill(pair.client);
    assert_true(written > 0);
    char byte;
    struct call reader, writer, watcher;
    prepare_io(&reader, WEFT__OP_READ, pair.client, &byte, 1);
    prepare_io(&writer, WEFT__OP_WRITE, pair.client, "x", 1);
    prepare(&watcher, WEFT__OP_READY, pair.client);
    watcher.op.events = WEFT__READABLE;
    submit(&reader);
    submit(&writer);
    submit(&watcher);
    close_socket(pair.server); // all unread
    await_done(&reader);
    await_done(&writer);
    await_done(&watcher);
    int64_t told = reader.op.result + writer.op.result; // one of them gets the error
    assert_true(told == -ECONNRESET - EPIPE || told == -ECONNRESET + 0);
    assert_int_equal(watcher.op.result, WEFT__READABLE);
    close_socket(pair.client);
}

static void an_orphan_answers_data_with_a_reset(void **state) {
    (void)state;
    struct pair pair = open_pair();
    size_t written = fill(pair.client);
    close_socket(pair.client); // and still has most of that to send
    assert_int_equal(write_text(pair.server, "anyone?"), 7);
    settle();
    size_t arrived = 0;
    static char buf[65536];
    int64_t n;
    while ((n = try_io(WEFT__OP_READ, pair.server, buf, sizeof buf)) > 0)
        arrived += (size_t)n;
    assert_int_equal(n, -ECONNRESET);
    assert_true(arrived < written);
    close_socket(pair.server);
}

// ---- Buffers ----

static void a_write_beyond_the_buffer_is_partial_then_waits(void **state) {
    (void)state;
    only_sim(); // Linux may take the whole of it while the peer's buffer grows
    struct pair pair = open_pair();
    static char bytes[4 << 20];
    struct call call;
    prepare_io(&call, WEFT__OP_WRITE, pair.client, bytes, sizeof bytes);
    int64_t n = d->class->try(d, &call.op);
    assert_true(n > 0 && n < (int64_t)sizeof bytes);
    assert_int_equal(try_write(pair.client), -EAGAIN);
    assert_int_equal(ready(pair.client), 0);
    close_pair(pair);
}

static void small_buffers_hold_little(void **state) {
    (void)state;
    weft_addr addr;
    struct sock listener = open_listener(8, &addr);
    assert_int_equal(set_option(listener, WEFT__OPT_RECEIVE_BUFFER, 4096), 0);
    struct pair pair = {.client = open_socket(WEFT__STREAM)};
    assert_int_equal(set_option(pair.client, WEFT__OPT_SEND_BUFFER, 4096), 0);
    assert_int_equal(connect_to(pair.client, addr), 0);
    struct call accept_call;
    prepare(&accept_call, WEFT__OP_ACCEPT, listener);
    pair.server = sock_of(run(&accept_call));
    assert_int_equal(get_option(pair.server, WEFT__OPT_RECEIVE_BUFFER), 8192); // inherited
    size_t written = 0;
    for (int i = 0; i < 3; i++) {
        written += fill(pair.client);
        settle();
    }
    assert_true(written >= 8192 && written <= 16384);
    drain(pair.server, written);
    close_socket(listener);
    close_pair(pair);
}

// Fills the client's side of a stream whose server has a small receive buffer, 20,000 bytes of it.
static struct pair open_full_pair(void) {
    weft_addr addr;
    struct sock listener = open_listener(8, &addr);
    assert_int_equal(set_option(listener, WEFT__OPT_RECEIVE_BUFFER, 10000), 0);
    struct pair pair = open_pair_at(listener, &addr);
    close_socket(listener);
    assert_int_equal(set_option(pair.client, WEFT__OPT_SEND_BUFFER, 6000), 0);
    (void)fill(pair.client);
    settle();
    return pair;
}

static size_t read_all(struct sock s) {
    static char buf[65536];
    int64_t n = try_io(WEFT__OP_READ, s, buf, sizeof buf);
    return n > 0 ? (size_t)n : 0;
}

static void a_receive_buffer_admits_from_half_of_its_size_to_all_of_it(void **state) {
    (void)state;
    size_t least = SIZE_MAX, most = 0;
    for (int i = 0; i < 40; i++) {
        struct pair pair = open_full_pair();
        (void)fill(pair.client);
        settle();
        size_t admitted = read_all(pair.server);
        least = admitted < least ? admitted : least;
        most = admitted > most ? admitted : most;
        close_pair(pair);
    }
    assert_true(least >= 10000 && most <= 20000);
    if (!contract->is_real)
        assert_true(least < 12000 && most > 18000);
}

// The peer, who has said goodbye, closes without having read. Has our goodbye got into its buffer
// behind all those bytes, then the connection had ended, and else its reset ends it.
static void a_goodbye_behind_much_data_may_have_arrived_or_not(void **state) {
    (void)state;
    int resets = 0, ends = 0;
    for (int i = 0; i < 40; i++) {
        struct pair pair = open_full_pair();
        assert_int_equal(shut(pair.server, WEFT__SHUT_WRITE), 0);
        settle();
        assert_int_equal(shut(pair.client, WEFT__SHUT_WRITE), 0);
        settle();
        close_socket(pair.server);
        settle();
        int64_t result = try_write(pair.client);
        assert_true(result == -ECONNRESET || result == -EPIPE);
        resets += result == -ECONNRESET;
        ends += result == -EPIPE;
        assert_int_equal(try_write(pair.client), -EPIPE);
        close_socket(pair.client);
    }
    if (!contract->is_real)
        assert_true(resets > 0 && ends > 0);
}

static void a_full_stream_is_writable_when_a_third_is_free(void **state) {
    (void)state;
    only_sim(); // Linux moves its thresholds with the traffic
    struct pair pair = open_pair();
    assert_int_equal(set_option(pair.client, WEFT__OPT_SEND_BUFFER, 65536), 0);
    for (int i = 0; i < 2; i++) {
        (void)fill(pair.client);
        settle();
    }
    assert_int_equal(ready(pair.client), 0);
    struct call call;
    prepare_io(&call, WEFT__OP_WRITE, pair.client, "x", 1);
    submit(&call);
    size_t read = 0;
    for (; ready(pair.client) == 0; read += 1024) {
        assert_true(call.op.is_pending);
        drain(pair.server, 1024);
        settle();
    }
    assert_true(read >= 131072 / 3 && read <= 131072 / 3 + 1024);
    await_done(&call);
    close_pair(pair);
}

static void a_larger_receive_buffer_opens_the_window(void **state) {
    (void)state;
    only_sim(); // Linux opens it only when the reader reads
    struct pair pair = open_pair();
    (void)fill(pair.client);
    settle();
    (void)fill(pair.client);
    assert_int_equal(set_option(pair.server, WEFT__OPT_RECEIVE_BUFFER, 200000), 0);
    settle();
    assert_true(fill(pair.client) >= 100000);
    close_pair(pair);
}

static void a_write_of_nothing_is_zero(void **state) {
    (void)state;
    struct pair pair = open_pair();
    assert_int_equal(try_io(WEFT__OP_WRITE, pair.client, "", 0), 0);
    settle();
    assert_int_equal(try_read(pair.server), -EAGAIN);
    close_pair(pair);
}

static void recvmsg_of_a_stream_names_no_peer(void **state) {
    (void)state;
    struct pair pair = open_pair();
    assert_int_equal(write_text(pair.client, "abc"), 3);
    char buf[2];
    struct call call;
    prepare_io(&call, WEFT__OP_RECVMSG, pair.server, buf, sizeof buf);
    call.peer = loopback(1);
    call.op.peer = &call.peer;
    call.op.flags = WEFT__OP_TRUNCATED;
    assert_int_equal(run(&call), 2);
    assert_true(same(call.peer, (weft_addr){0}));
    assert_int_equal(call.op.flags, 0);
    close_pair(pair);
}

// inet_bind() in Linux: script 1291 of tests/differential found it.
static void a_bind_that_fails_takes_the_address_of_what_was_reset(void **state) {
    (void)state;
    weft_addr addr;
    struct sock listener = open_listener(1, &addr);
    struct pair pair = open_pair_at(listener, &addr);
    assert_int_equal(set_option(pair.server, WEFT__OPT_LINGER_ZERO, 1), 0);
    close_socket(pair.server);
    settle();
    uint16_t port = port_of(pair.client);
    assert_true(same(name_of(pair.client, WEFT__CTL_LOCAL), loopback(port)));
    assert_int_equal(bind_to(pair.client, addr), -EADDRINUSE);
    assert_true(same(name_of(pair.client, WEFT__CTL_LOCAL), any4(port)));
    close_socket(pair.client);
    close_socket(listener);
}

static const struct CMUnitTest cases[] = {
    CASE(a_bind_that_fails_takes_the_address_of_what_was_reset),
    CASE(shutdown_of_reading_leaves_what_arrives_readable),
    CASE(shutdown_of_reading_ends_a_waiting_read),
    CASE(shutdown_of_writing_leaves_the_peers_answer_readable),
    CASE(the_end_of_the_stream_comes_behind_its_last_byte),
    CASE(a_connection_that_both_have_ended_has_no_peer),
    CASE(two_ends_that_close_at_once_both_read_the_end),
    CASE(close_with_data_unread_resets_the_peer),
    CASE(a_reset_is_told_once_by_a_write),
    CASE(a_reset_is_told_once_by_so_error),
    CASE(a_write_to_a_closed_peer_is_answered_with_a_reset),
    CASE(a_reset_after_our_own_end_is_a_reset),
    CASE(data_for_a_socket_that_is_shut_both_ways_resets_both),
    CASE(linger_zero_resets_and_forgets_what_was_not_sent),
    CASE(an_end_that_crosses_a_reset_changes_nothing),
    CASE(two_resets_that_cross_are_one),
    CASE(a_reset_wakes_every_wait),
    CASE(an_orphan_answers_data_with_a_reset),
    CASE(a_write_beyond_the_buffer_is_partial_then_waits),
    CASE(small_buffers_hold_little),
    CASE(a_receive_buffer_admits_from_half_of_its_size_to_all_of_it),
    CASE(a_goodbye_behind_much_data_may_have_arrived_or_not),
    CASE(a_full_stream_is_writable_when_a_third_is_free),
    CASE(a_larger_receive_buffer_opens_the_window),
    CASE(a_write_of_nothing_is_zero),
    CASE(recvmsg_of_a_stream_names_no_peer),
};

int main(int argc, char **argv) {
    return sim_main(argc, argv, cases);
}
