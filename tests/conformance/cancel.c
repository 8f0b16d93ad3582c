// SPDX-License-Identifier: MIT
// Cancellation at every kind of wait and on entry of every call. "A single operation that returns
// -ECANCELED had no effect." What a cancellation reaches is in scope_cancel.c.
#include "calls.h"
#include "waits.h"

struct attempt {
    const struct wait *wait;
    struct scene scene;
    ssize_t result, second;
    int check, timed_out;
};

// "Level-triggered: every later call answers the same until the scope ends."
static void wait_there(void *context) {
    struct attempt *attempt = context;
    attempt->result = attempt->wait->call(&attempt->scene);
    attempt->timed_out = weft_timed_out();
    attempt->second = attempt->wait->call(&attempt->scene);
    attempt->check = weft_check();
}

static void cancel_at(const struct wait *wait) {
    struct attempt attempt = {.wait = wait};
    struct parties parties = {0};
    wait->begin(&attempt.scene);
    party_start(&parties, "waits", wait_there, &attempt);
    if (attempt.scene.direction != 0)
        await_waiting(attempt.scene.handle, attempt.scene.direction,
                      (int)attempt.scene.others.count + 1);
    else
        await_parked_tasks(1);
    parties_cancel(&parties);
    parties_join(&parties);
    expect(attempt.result, -ECANCELED);
    expect(attempt.timed_out, 0);
    expect(attempt.second, -ECANCELED);
    expect(attempt.check, -ECANCELED);
    wait->end(&attempt.scene);
}

CASE(cancel_ends_a_read) {
    cancel_at(&wait_read);
}
CASE_NEEDS_SCOPE(cancel_ends_a_read)
CASE(cancel_ends_a_peek) {
    cancel_at(&wait_peek);
}
CASE_NEEDS_SCOPE(cancel_ends_a_peek)
CASE(cancel_ends_a_read_exact) {
    cancel_at(&wait_read_exact);
}
CASE_NEEDS_SCOPE(cancel_ends_a_read_exact)
CASE(cancel_ends_a_readv) {
    cancel_at(&wait_readv);
}
CASE_NEEDS_SCOPE(cancel_ends_a_readv)
CASE(cancel_ends_a_write) {
    cancel_at(&wait_write);
}
CASE_NEEDS_SCOPE(cancel_ends_a_write)
CASE(cancel_ends_a_write_all) {
    cancel_at(&wait_write_all);
}
CASE_NEEDS_SCOPE(cancel_ends_a_write_all)
CASE(cancel_ends_an_accept) {
    cancel_at(&wait_accept);
}
CASE_NEEDS_SCOPE(cancel_ends_an_accept)
CASE(cancel_ends_a_connect) {
    cancel_at(&wait_connect);
}
CASE_NEEDS_SCOPE(cancel_ends_a_connect)
CASE(cancel_ends_a_recv_from) {
    cancel_at(&wait_recv_from);
}
CASE_NEEDS_SCOPE(cancel_ends_a_recv_from)
CASE(cancel_ends_a_recv_with) {
    cancel_at(&wait_recv_with);
}
CASE_NEEDS_SCOPE(cancel_ends_a_recv_with)
CASE(cancel_ends_a_read_of_datagrams) {
    cancel_at(&wait_datagram_read);
}
CASE_NEEDS_SCOPE(cancel_ends_a_read_of_datagrams)
CASE(cancel_ends_a_ready) {
    cancel_at(&wait_ready);
}
CASE_NEEDS_SCOPE(cancel_ends_a_ready)
CASE(cancel_ends_a_sleep) {
    cancel_at(&wait_sleep);
}
CASE_NEEDS_SCOPE(cancel_ends_a_sleep)
CASE(cancel_ends_a_read_queued_behind_another) {
    cancel_at(&wait_queued_read);
}
CASE_NEEDS_SCOPE(cancel_ends_a_read_queued_behind_another)
CASE(cancel_ends_an_accept_queued_behind_another) {
    cancel_at(&wait_queued_accept);
}
CASE_NEEDS_SCOPE(cancel_ends_an_accept_queued_behind_another)
CASE(cancel_ends_a_join_after_its_tasks) {
    cancel_at(&wait_join);
}
CASE_NEEDS_SCOPE(cancel_ends_a_join_after_its_tasks)

// A task that only yields never parks, so nobody waits for that.
CASE(cancel_ends_a_loop_of_yields) {
    struct attempt attempt = {.wait = &wait_yield};
    struct parties parties = {0};
    party_start(&parties, "yields", wait_there, &attempt);
    for (int i = 0; i < 10; i++)
        expect(weft_yield(), 0);
    parties_cancel(&parties);
    parties_join(&parties);
    expect(attempt.result, -ECANCELED);
    expect(attempt.second, -ECANCELED);
}
CASE_NEEDS_SCOPE(cancel_ends_a_loop_of_yields)

// ---- On entry ---------------------------------------------------------------------------------

// Everything could succeed at once: data, room, a connection, a datagram are there.
struct plenty {
    struct tcp_pair pair;
    int listener, client, sock;
    weft_addr listen_addr, sock_addr;
};

static void plenty_begin(struct plenty *plenty) {
    plenty->pair = tcp_pair_open();
    plenty->listener = listen_anywhere(&plenty->listen_addr);
    plenty->client = opened(weft_tcp_connect_with(&plenty->listen_addr, NULL));
    plenty->sock = udp_anywhere(&plenty->sock_addr);
    expect(weft_write(plenty->pair.client, "0123456789abcdef", 16), 16);
    expect(weft_send_to(plenty->sock, "datagram", 8, &plenty->sock_addr), 8);
    expect(weft_ready(plenty->pair.server, WEFT_READ), WEFT_READ);
    expect(weft_ready(plenty->listener, WEFT_READ), WEFT_READ);
    expect(weft_ready(plenty->sock, WEFT_READ), WEFT_READ);
}

// Every call that may wait, on every handle it works on, is refused; then the others.
static void expect_refused(struct plenty *plenty, int error) {
    weft_addr list[2];
    for (size_t i = 0; i < call_count; i++) {
        int handle = calls[i].kinds & STREAM     ? plenty->pair.server
                     : calls[i].kinds & LISTENER ? plenty->listener
                                                 : plenty->sock;
        if (calls[i].may_wait)
            check_result(calls[i].make(handle), error, calls[i].name, __FILE__, __LINE__);
        if (calls[i].may_wait && calls[i].kinds & DATAGRAM)
            check_result(calls[i].make(plenty->sock), error, calls[i].name, __FILE__, __LINE__);
    }
    expect(weft_tcp_connect_with(&plenty->listen_addr, NULL), error);
    expect(weft_resolve("127.0.0.1:1", list, 2), error);
    expect(weft_sleep(0), error);
    expect(weft_sleep(-1), error);
    expect(weft_sleep(1), error);
    expect(weft_yield(), error);
    expect(weft_check(), error);
}

// Nothing was consumed, nothing was sent, nobody was accepted.
static void plenty_end(struct plenty *plenty) {
    char buf[32];
    expect(weft_read(plenty->pair.server, buf, sizeof buf), 16);
    assert_memory_equal(buf, "0123456789abcdef", 16);
    expect_waits(weft_read(plenty->pair.client, buf, 1));
    expect(weft_recv_from(plenty->sock, buf, sizeof buf, NULL), 8);
    expect_waits(weft_recv_from(plenty->sock, buf, sizeof buf, NULL));
    expect(weft_close(opened(weft_accept(plenty->listener))), 0);
    expect_waits(weft_accept(plenty->listener));
    expect(weft_close(plenty->client), 0);
    expect(weft_close(plenty->listener), 0);
    expect(weft_close(plenty->sock), 0);
    tcp_pair_close(&plenty->pair);
}

// Another worker may have started it before it is cancelled.
static void try_everything_cancelled(void *context) {
    expect(weft_sleep(WEFT_HOUR), -ECANCELED);
    expect_refused(context, -ECANCELED);
}

// "Every call that may wait looks at cancellation and deadline on entry, before any effect, even if
// it could succeed at once."
CASE(a_cancelled_task_is_refused_on_entry_of_every_call) {
    struct plenty plenty;
    struct parties parties = {0};
    plenty_begin(&plenty);
    party_start(&parties, "cancelled", try_everything_cancelled, &plenty);
    parties_cancel(&parties);
    parties_join(&parties);
    plenty_end(&plenty);
}
CASE_NEEDS_SCOPE(a_cancelled_task_is_refused_on_entry_of_every_call)

CASE(after_its_deadline_every_call_is_refused_on_entry) {
    struct plenty plenty;
    plenty_begin(&plenty);
    {
        weft_within(0);
        expect_refused(&plenty, -ETIMEDOUT);
        expect(weft_timed_out(), 1);
    }
    plenty_end(&plenty);
}

// ---- No byte is lost --------------------------------------------------------------------------

struct cut {
    int conn;
    ssize_t result;
    size_t moved;
};

static void write_a_lot(void *context) {
    static unsigned char bytes[1 << 20];
    struct cut *cut = context;
    bytes_fill(bytes, sizeof bytes, 0);
    cut->result = weft_write_all(cut->conn, bytes, sizeof bytes);
    cut->moved = weft_moved();
}

CASE(a_write_all_cut_by_a_cancel_tells_what_the_peer_received) {
    struct tcp_pair pair = tcp_pair_open_small();
    static unsigned char got[1 << 20];
    struct cut cut = {.conn = pair.client};
    struct parties parties = {0};
    party_start(&parties, "writer", write_a_lot, &cut);
    await_waiting(pair.client, WEFT_WRITE, 1);
    parties_cancel(&parties);
    parties_join(&parties);
    expect(cut.result, -ECANCELED);
    expect_that(cut.moved > 0 && cut.moved < sizeof got);
    expect(weft_read_exact(pair.server, got, cut.moved), cut.moved);
    expect_that(bytes_are_right(got, cut.moved, 0));
    expect_waits(weft_read(pair.server, got, 1));
    tcp_pair_close(&pair);
}
CASE_NEEDS_SCOPE(a_write_all_cut_by_a_cancel_tells_what_the_peer_received)

static void read_a_lot(void *context) {
    char buf[10];
    struct cut *cut = context;
    cut->result = weft_read_exact(cut->conn, buf, sizeof buf);
    cut->moved = weft_moved();
}

CASE(a_read_exact_cut_by_a_cancel_tells_what_it_has) {
    struct tcp_pair pair = tcp_pair_open();
    struct cut cut = {.conn = pair.server};
    struct parties parties = {0};
    char buf[8];
    expect(weft_write(pair.client, "1234", 4), 4);
    party_start(&parties, "reader", read_a_lot, &cut);
    await_waiting(pair.server, WEFT_READ, 1);
    parties_cancel(&parties);
    parties_join(&parties);
    expect(cut.result, -ECANCELED);
    expect(cut.moved, 4);
    expect(weft_write(pair.client, "56", 2), 2); // what comes later is nobody's yet
    expect(weft_read(pair.server, buf, 8), 2);
    assert_memory_equal(buf, "56", 2);
    tcp_pair_close(&pair);
}
CASE_NEEDS_SCOPE(a_read_exact_cut_by_a_cancel_tells_what_it_has)
