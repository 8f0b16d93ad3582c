// SPDX-License-Identifier: MIT
// Closing: what becomes of operations in flight, of the peer, and of later uses of the handle.
#include "case.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

CASE(a_handle_closes_once) {
    struct tcp_pair pair = tcp_pair_open();
    char byte;
    expect(weft_close(pair.client), 0);
    expect(weft_close(pair.client), -EBADF);
    expect(weft_read(pair.client, &byte, 1), -EBADF);
    expect(weft_write(pair.client, "x", 1), -EBADF);
    expect(weft_abort(pair.client), -EBADF);
    expect(weft_close(pair.server), 0);
}

// "So a plain file descriptor is never mistaken for a handle and 0 is none": and is not closed
// either.
CASE(close_of_a_descriptor_is_ebadf_and_leaves_it_open) {
    for (int fd = 0; fd < 3; fd++) {
        expect(weft_close(fd), -EBADF);
        expect(weft_abort(fd), -EBADF);
        expect_that(fcntl(fd, F_GETFD) >= 0);
    }
}

// One operation of a kind, waiting at a handle.
struct operation {
    ssize_t (*call)(int h);
    int handle;
    ssize_t result;
};

static void operate(void *context) {
    struct operation *operation = context;
    operation->result = operation->call(operation->handle);
}

static char scratch[64];

static ssize_t call_read(int h) {
    return weft_read(h, scratch, sizeof scratch);
}
static ssize_t call_peek(int h) {
    return weft_peek(h, scratch, sizeof scratch);
}
static ssize_t call_read_exact(int h) {
    return weft_read_exact(h, scratch, sizeof scratch);
}
static ssize_t call_accept(int h) {
    return weft_accept(h);
}
static ssize_t call_recv_from(int h) {
    return weft_recv_from(h, scratch, sizeof scratch, NULL);
}
static char zeros[1 << 20];

// Only whole writes: one that moved bytes would rightly report them.
static ssize_t call_write_all(int h) {
    ssize_t n = weft_write_all(h, zeros, sizeof zeros);
    return n == -EBADF && weft_moved() > 0 ? -EBADF : -EPROTO;
}

// Starts it, waits until it waits, closes the handle: "from now on every use is -EBADF; each
// operation in flight returns -EBADF unless it had moved bytes".
static void close_under(int handle, ssize_t (*call)(int), int direction) {
    struct operation operation = {call, handle, 0};
    struct parties parties = {0};
    party_start(&parties, "waits", operate, &operation);
    await_waiting(handle, direction, 1);
    expect(weft_close(handle), 0);
    parties_join(&parties);
    expect(operation.result, -EBADF);
}

static void close_under_reader(ssize_t (*call)(int)) {
    struct tcp_pair pair = tcp_pair_open();
    close_under(pair.server, call, WEFT_READ);
    char byte;
    expect(weft_read(pair.client, &byte, 1), 0); // the peer hears of it although a read was waiting
    expect(weft_close(pair.client), 0);
}

CASE(close_ends_a_waiting_read_and_the_peer_sees_the_end) {
    close_under_reader(call_read);
}
CASE(close_ends_a_waiting_peek) {
    close_under_reader(call_peek);
}
CASE(close_ends_a_waiting_read_exact) {
    close_under_reader(call_read_exact);
}

static struct flag begun;

static ssize_t call_ready(int h) {
    flag_raise(&begun);
    return weft_ready(h, WEFT_READ);
}

// weft_ready takes no turn, so it is not counted at the handle. Whether it waits already or only
// begins, -EBADF is the one answer.
CASE(close_ends_a_waiting_ready) {
    struct tcp_pair pair = tcp_pair_open();
    struct operation operation = {call_ready, pair.server, 0};
    struct parties parties = {0};
    party_start(&parties, "waits", operate, &operation);
    await_flag(&begun, 1);
    if (world_has_tasks())
        await_parked_tasks(1);
    expect(weft_close(pair.server), 0);
    parties_join(&parties);
    expect(operation.result, -EBADF);
    expect(weft_close(pair.client), 0);
}

CASE(close_ends_a_waiting_accept) {
    weft_addr addr;
    int listener = listen_anywhere(&addr);
    close_under(listener, call_accept, WEFT_READ);
    expect(weft_tcp_connect_with(&addr, NULL), -ECONNREFUSED);
}

CASE(close_ends_a_waiting_recv_from) {
    weft_addr addr;
    close_under(udp_anywhere(&addr), call_recv_from, WEFT_READ);
}

CASE(close_ends_a_waiting_read_of_a_datagram_socket) {
    weft_addr addr;
    close_under(udp_anywhere(&addr), call_read, WEFT_READ);
}

CASE(close_ends_a_waiting_write_and_moved_tells_how_far_it_came) {
    struct tcp_pair pair = tcp_pair_open_small();
    close_under(pair.client, call_write_all, WEFT_WRITE);
    expect(weft_close(pair.server), 0);
}

struct writer {
    int conn;
    ssize_t result;
};

static void write_once(void *context) {
    struct writer *writer = context;
    writer->result = weft_write(writer->conn, zeros, sizeof zeros);
}

static void read_into_scratch(void *context) {
    struct writer *reader = context;
    char buf[8];
    reader->result = weft_read(reader->conn, buf, sizeof buf);
}

// Several at once, queued behind each other.
CASE(close_ends_both_directions_with_several_waiting_in_each) {
    enum { EACH = 3 };
    struct tcp_pair pair = tcp_pair_open_small();
    struct writer readers[EACH], writers[EACH];
    struct parties parties = {0};
    fill_with_bytes(pair.client);
    for (int i = 0; i < EACH; i++) {
        readers[i] = writers[i] = (struct writer){pair.client, 0};
        party_start(&parties, "reader", read_into_scratch, &readers[i]);
        party_start(&parties, "writer", write_once, &writers[i]);
    }
    await_waiting(pair.client, WEFT_READ, EACH);
    await_waiting(pair.client, WEFT_WRITE, EACH);
    expect(weft_close(pair.client), 0);
    parties_join(&parties);
    for (int i = 0; i < EACH; i++) {
        expect(readers[i].result, -EBADF);
        expect(writers[i].result, -EBADF);
    }
    expect(weft_close(pair.server), 0);
}

// "It never waits for the peer", though much is on its way that nobody reads.
CASE(close_does_not_wait_for_the_peer) {
    struct tcp_pair pair = tcp_pair_open_small();
    fill_with_bytes(pair.client);
    int64_t before = weft_now();
    expect(weft_close(pair.client), 0);
    expect_that(weft_now() - before < 10 * WEFT_SECOND); // it would be minutes
    expect(weft_close(pair.server), 0);
}

// What one party closes another party may not use, but a new handle has nothing to do with it.
CASE(a_handle_opened_after_a_close_is_another_one) {
    weft_addr addr;
    int first = udp_anywhere(&addr);
    expect(weft_close(first), 0);
    for (int i = 0; i < 100; i++) {
        int later = udp_anywhere(&addr);
        expect_that(later != first);
        expect(weft_close(first), -EBADF);
        expect(weft_close(later), 0);
    }
}

static int close_by_leaving(int conn, int way) {
    for (int i = 0; i < 2; i++) {
        weft_autoclose int c = i == 0 ? conn : -ECONNREFUSED;
        if (way == 0)
            return c;
        if (way == 1)
            break;
    }
    return conn;
}

// "closes at the end of the block"; "every close accepts negative handles".
CASE(autoclose_closes_at_the_end_of_its_block) {
    for (int way = 0; way < 3; way++) {
        weft_addr addr;
        int sock = udp_anywhere(&addr);
        expect(close_by_leaving(sock, way), sock);
        expect(weft_close(sock), -EBADF);
    }
}

// "weft_abort: otherwise as weft_close; on other kinds it is weft_close."
CASE(abort_ends_a_waiting_read_and_resets_the_peer) {
    struct tcp_pair pair = tcp_pair_open();
    struct operation operation = {call_read, pair.server, 0};
    struct parties parties = {0};
    party_start(&parties, "reader", operate, &operation);
    await_waiting(pair.server, WEFT_READ, 1);
    expect(weft_abort(pair.server), 0);
    parties_join(&parties);
    expect(operation.result, -EBADF);
    await_reset(pair.client);
    expect(weft_close(pair.client), 0);
}

CASE(abort_closes_listeners_and_datagram_sockets) {
    weft_addr addr;
    int listener = listen_anywhere(&addr), sock = udp_anywhere(&addr);
    expect(weft_abort(listener), 0);
    expect(weft_abort(sock), 0);
    expect(weft_close(listener), -EBADF);
    expect(weft_close(sock), -EBADF);
}

struct closer {
    int handle;
    int result;
};

static void close_it(void *context) {
    struct closer *closer = context;
    closer->result = weft_close(closer->handle);
}

// "Of many closers one succeeds."
CASE(of_many_closers_exactly_one_succeeds) {
    enum { CLOSERS = 8 };
    for (int round = 0; round < 50; round++) {
        struct parties parties = {0};
        struct closer closers[CLOSERS];
        weft_addr addr;
        int sock = udp_anywhere(&addr), succeeded = 0;
        for (int i = 0; i < CLOSERS; i++) {
            closers[i] = (struct closer){sock, 0};
            party_start(&parties, "closer", close_it, &closers[i]);
        }
        parties_join(&parties);
        for (int i = 0; i < CLOSERS; i++) {
            expect_either(closers[i].result, 0, -EBADF);
            succeeded += closers[i].result == 0;
        }
        expect(succeeded, 1);
    }
}
