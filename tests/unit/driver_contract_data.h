// SPDX-License-Identifier: MIT
// The cases of the driver contract about connections: reading, writing, accepting, connecting.
// Included by driver_contract.h.
#ifndef TESTS_UNIT_DRIVER_CONTRACT_DATA_H
#define TESTS_UNIT_DRIVER_CONTRACT_DATA_H

#include <fcntl.h>

#include "driver_tools.h"

// ---- Streams ----

static void try_of_a_read_that_would_wait_answers_eagain(void **state) {
    (void)state;
    struct pair pair = open_pair();
    char byte;
    struct call call;
    prepare_io(&call, WEFT__OP_READ, pair.server, &byte, 1);
    assert_int_equal(d->class->try(d, &call.op), -EAGAIN);
    assert_false(call.op.is_pending);
    close_pair(pair);
}

static void a_read_completes_when_data_arrives(void **state) {
    (void)state;
    struct pair pair = open_pair();
    char buf[16] = {0};
    struct call call;
    prepare_io(&call, WEFT__OP_READ, pair.server, buf, sizeof buf);
    submit(&call);
    d->class->wait(d, 0);
    assert_int_equal(call.done_count, 0);
    assert_int_equal(write_text(pair.client, "hello"), 5);
    await_done(&call);
    assert_int_equal(call.op.result, 5);
    assert_string_equal(buf, "hello");
    close_pair(pair);
}

static void a_read_of_what_is_there_completes_in_wait(void **state) {
    (void)state;
    struct pair pair = open_pair();
    assert_int_equal(write_text(pair.client, "hello"), 5);
    char buf[16] = {0};
    struct call call;
    prepare_io(&call, WEFT__OP_READ, pair.server, buf, sizeof buf);
    submit(&call);
    await_done(&call);
    assert_int_equal(call.op.result, 5);
    assert_string_equal(buf, "hello");
    close_pair(pair);
}

static void small_reads_take_the_stream_in_order(void **state) {
    (void)state;
    struct pair pair = open_pair();
    assert_int_equal(write_text(pair.client, "abcdefghij"), 10);
    for (int i = 0; i < 10; i++) {
        char byte = 0;
        assert_int_equal(run_io(WEFT__OP_READ, pair.server, &byte, 1), 1);
        assert_int_equal(byte, 'a' + i);
    }
    assert_int_equal(write_text(pair.client, "k"), 1);
    assert_reads(pair.server, "k");
    close_pair(pair);
}

static void peek_leaves_the_bytes_where_they_are(void **state) {
    (void)state;
    struct pair pair = open_pair();
    for (int i = 0; i < 2; i++) {
        char buf[16] = {0};
        struct call call;
        prepare_io(&call, WEFT__OP_READ, pair.server, buf, sizeof buf);
        call.op.flags = WEFT__OP_PEEK;
        submit(&call);
        if (i == 0)
            assert_int_equal(write_text(pair.client, "peek"), 4);
        await_done(&call);
        assert_int_equal(call.op.result, 4);
        assert_string_equal(buf, "peek");
    }
    assert_reads(pair.server, "peek");
    close_pair(pair);
}

static void vectors_are_gathered_and_scattered(void **state) {
    (void)state;
    struct pair pair = open_pair();
    struct call call;
    prepare_io(&call, WEFT__OP_WRITE, pair.client, "ab", 2);
    call.iov[1] = (struct iovec){.iov_base = "cde", .iov_len = 3};
    call.iov[2] = (struct iovec){.iov_base = "f", .iov_len = 1};
    call.op.count = 3;
    assert_int_equal(run(&call), 6);
    char first[4] = {0}, second[8] = {0};
    prepare_io(&call, WEFT__OP_READ, pair.server, first, 3);
    call.iov[1] = (struct iovec){.iov_base = second, .iov_len = 7};
    call.op.count = 2;
    assert_int_equal(run(&call), 6);
    assert_string_equal(first, "abc");
    assert_string_equal(second, "def");
    close_pair(pair);
}

static void a_write_completes_when_there_is_room_again(void **state) {
    (void)state;
    struct pair pair = open_pair();
    size_t written = fill(pair.client);
    static const char bytes[65536];
    struct call call;
    prepare_io(&call, WEFT__OP_WRITE, pair.client, bytes, sizeof bytes);
    submit(&call);
    drain(pair.server, written);
    await_done(&call);
    assert_true(call.op.result > 0);
    drain(pair.server, (size_t)call.op.result);
    close_pair(pair);
}

static void every_byte_of_a_large_stream_arrives_in_order(void **state) {
    (void)state;
    struct pair pair = open_pair();
    static unsigned char out[70001], in[50021];
    size_t sent = 0, received = 0, total = 4 << 20;
    struct call writer, reader;
    writer.op.is_pending = reader.op.is_pending = false;
    while (received < total) {
        if (!writer.op.is_pending && sent < total) {
            for (size_t i = 0; i < sizeof out; i++)
                out[i] = (unsigned char)((sent + i) % 251);
            size_t left = total - sent;
            prepare_io(&writer, WEFT__OP_WRITE, pair.client, out,
                       left < sizeof out ? left : sizeof out);
            submit(&writer);
        }
        if (!reader.op.is_pending) {
            prepare_io(&reader, WEFT__OP_READ, pair.server, in, sizeof in);
            submit(&reader);
        }
        d->class->wait(d, now_ns() + PATIENCE_NS);
        if (!reader.op.is_pending) {
            assert_true(reader.op.result > 0);
            for (int64_t i = 0; i < reader.op.result; i++)
                assert_int_equal(in[i], (received + (size_t)i) % 251);
            received += (size_t)reader.op.result;
        }
        if (!writer.op.is_pending && writer.done_count == 1) {
            assert_true(writer.op.result > 0);
            sent += (size_t)writer.op.result;
            writer.done_count = 0;
        }
    }
    assert_false(writer.op.is_pending);
    close_pair(pair);
}

static void a_read_after_the_last_byte_is_zero(void **state) {
    (void)state;
    struct pair pair = open_pair();
    assert_int_equal(write_text(pair.client, "last"), 4);
    assert_int_equal(ctl(WEFT__CTL_SHUTDOWN, pair.client, WEFT__SHUT_WRITE, NULL), 0);
    assert_reads(pair.server, "last");
    assert_reads(pair.server, "");
    assert_reads(pair.server, "");
    assert_int_equal(write_text(pair.server, "answer"), 6); // the other direction lives
    assert_reads(pair.client, "answer");
    close_pair(pair);
}

static void a_waiting_read_sees_the_end_of_the_stream(void **state) {
    (void)state;
    struct pair pair = open_pair();
    char byte;
    struct call call;
    prepare_io(&call, WEFT__OP_READ, pair.server, &byte, 1);
    submit(&call);
    close_socket(pair.client);
    await_done(&call);
    assert_int_equal(call.op.result, 0);
    close_socket(pair.server);
}

static void a_reset_ends_a_waiting_read(void **state) {
    (void)state;
    struct pair pair = open_pair();
    char byte;
    struct call call;
    prepare_io(&call, WEFT__OP_READ, pair.server, &byte, 1);
    submit(&call);
    struct weft__ctl abort_on_close = {
        .kind = WEFT__CTL_SET, .fd = pair.client.fd, .option = WEFT__OPT_LINGER_ZERO};
    assert_int_equal(d->class->ctl(d, &abort_on_close), 0);
    close_socket(pair.client);
    await_done(&call);
    assert_int_equal(call.op.result, -ECONNRESET);
    close_socket(pair.server);
}

static void a_write_after_the_end_is_epipe_and_no_signal(void **state) {
    (void)state;
    struct pair pair = open_pair();
    assert_int_equal(ctl(WEFT__CTL_SHUTDOWN, pair.client, WEFT__SHUT_WRITE, NULL), 0);
    assert_int_equal(write_text(pair.client, "x"), -EPIPE);
    struct call call;
    prepare_io(&call, WEFT__OP_WRITE, pair.client, "ab", 1);
    call.iov[1] = (struct iovec){.iov_base = "c", .iov_len = 1};
    call.op.count = 2;
    assert_int_equal(run(&call), -EPIPE);
    close_pair(pair);
}

static void both_directions_of_a_connection_wait_at_once(void **state) {
    (void)state;
    struct pair pair = open_pair();
    size_t written = fill(pair.client);
    char buf[8] = {0};
    struct call reader, writer;
    prepare_io(&reader, WEFT__OP_READ, pair.client, buf, sizeof buf);
    prepare_io(&writer, WEFT__OP_WRITE, pair.client, "x", 1);
    submit(&reader);
    submit(&writer);
    assert_int_equal(write_text(pair.server, "in"), 2);
    await_done(&reader);
    assert_int_equal(reader.op.result, 2);
    assert_string_equal(buf, "in");
    drain(pair.server, written);
    await_done(&writer);
    assert_int_equal(writer.op.result, 1);
    assert_reads(pair.server, "x");
    close_pair(pair);
}

// ---- Accept and connect ----

static void accept_completes_with_a_connection_and_its_peer(void **state) {
    (void)state;
    weft_addr addr, local, remote;
    struct sock listener = open_listener(8, &addr);
    struct call call;
    prepare(&call, WEFT__OP_ACCEPT, listener);
    call.op.peer = &call.peer;
    submit(&call);
    d->class->wait(d, 0);
    assert_int_equal(call.done_count, 0);
    struct sock client = open_socket(WEFT__STREAM);
    struct call connecting;
    prepare_connect(&connecting, client, &addr);
    submit(&connecting); // never tried: submit begins it
    await_done(&connecting);
    assert_int_equal(connecting.op.result, 0);
    await_done(&call);
    struct sock server = sock_of(call.op.result);
    assert_int_equal(ctl(WEFT__CTL_LOCAL, client, 0, &local), 0);
    assert_memory_equal(&call.peer, &local, sizeof local);
    assert_int_equal(ctl(WEFT__CTL_PEER, server, 0, &remote), 0);
    assert_memory_equal(&remote, &local, sizeof local);
    assert_int_equal(write_text(client, "hi"), 2);
    assert_reads(server, "hi");
    close_pair((struct pair){client, server});
    close_socket(listener);
}

static void accept_takes_every_connection_of_a_burst(void **state) {
    (void)state;
    enum { BURST = 20 };
    weft_addr addr;
    struct sock listener = open_listener(64, &addr);
    struct sock clients[BURST];
    struct call call;
    for (int i = 0; i < BURST; i++) {
        clients[i] = open_socket(WEFT__STREAM);
        prepare_connect(&call, clients[i], &addr);
        assert_int_equal(run(&call), 0);
    }
    for (int i = 0; i < BURST; i++) {
        prepare(&call, WEFT__OP_ACCEPT, listener);
        close_socket(sock_of(run(&call)));
        close_socket(clients[i]);
    }
    prepare(&call, WEFT__OP_ACCEPT, listener);
    assert_int_equal(d->class->try(d, &call.op), -EAGAIN);
    close_socket(listener);
}

static void connect_to_nobody_is_refused(void **state) {
    (void)state;
    weft_addr addr;
    struct sock taken = open_bound(WEFT__STREAM, &addr); // bound, but it does not listen
    for (int tried = 0; tried < 2; tried++) {
        struct sock client = open_socket(WEFT__STREAM);
        struct call call;
        prepare_connect(&call, client, &addr);
        if (!tried) {
            submit(&call);
            await_done(&call);
        }
        assert_int_equal(tried ? run(&call) : call.op.result, -ECONNREFUSED);
        close_socket(client);
    }
    close_socket(taken);
}

static void descriptors_are_nonblocking_and_close_on_exec(void **state) {
    (void)state;
    only_real();
    struct pair pair = open_pair();
    struct sock udp = open_socket(WEFT__DATAGRAM);
    const int fds[] = {pair.client.fd, pair.server.fd, udp.fd};
    for (size_t i = 0; i < 3; i++) {
        assert_true(fcntl(fds[i], F_GETFL) & O_NONBLOCK);
        assert_true(fcntl(fds[i], F_GETFD) & FD_CLOEXEC);
    }
    close_socket(udp);
    close_pair(pair);
}

#endif
