// SPDX-License-Identifier: MIT
// Races between completion and its end by a cancellation, a deadline or a close, by the ten
// thousand: "No byte is lost to a cancel", and none is doubled. Each race is one operation; the
// dice decide who comes when. Numbers are for all runs of a case together, divided by ten under
// tools that are slow.
#include "case.h"

// On the simulator a case runs ten times: five seeds, twice.
static int races(int count) {
    return count / (world_is("sim") ? 10 : 1) / (int)test_slowness() * (int)test_scale();
}

static void let_others_run(struct dice *dice, uint64_t at_most) {
    for (uint64_t i = dice_roll(dice, at_most + 1); i > 0; i--)
        expect(weft_yield(), 0);
}

// An unstarted task has its turn after up to 8 ready ones (docs/architecture.md, "The scheduler"),
// so this leaves it unstarted, or just started and not yet known to the kernel, or waiting there.
static void let_it_begin(struct dice *dice) {
    if (dice_roll(dice, 4) == 0)
        expect(weft_sleep(WEFT_MICROSECOND), 0);
    else
        let_others_run(dice, 20);
}

struct race {
    int handle;
    size_t size;
    ssize_t result;
    size_t moved;
    unsigned char bytes[8192];
    weft_addr peer;
};

// What has gone into a stream and come out of it, in bytes.
struct ledger {
    uint64_t in, out;
};

static int read_some(void *context) {
    struct race *race = context;
    race->result = weft_read(race->handle, race->bytes, race->size);
    return 0;
}

static void take_out(struct ledger *ledger, const struct race *race) {
    if (race->result < 0) {
        expect(race->result, -ECANCELED);
        return;
    }
    expect_that(race->result > 0);
    expect_that(bytes_are_right(race->bytes, (size_t)race->result, ledger->out));
    ledger->out += (uint64_t)race->result;
}

static void put_in(struct ledger *ledger, int conn, size_t size) {
    unsigned char bytes[16];
    bytes_fill(bytes, size, ledger->in);
    expect(weft_write_all(conn, bytes, size), size);
    ledger->in += size;
}

// What nobody took is all there, and nothing else.
static void settle(struct ledger *ledger, int conn) {
    unsigned char bytes[16384];
    while (ledger->out < ledger->in) {
        size_t rest = (size_t)(ledger->in - ledger->out);
        ssize_t n = weft_read(conn, bytes, rest < sizeof bytes ? rest : sizeof bytes);
        expect_that(n > 0);
        expect_that(bytes_are_right(bytes, (size_t)n, ledger->out));
        ledger->out += (uint64_t)n;
    }
}

CASE(a_cancelled_read_loses_and_doubles_nothing) {
    struct tcp_pair pair = tcp_pair_open();
    struct dice dice = {world_seed()};
    struct ledger ledger = {0, 0};
    static struct race race;
    for (int i = races(50000); i > 0; i--) {
        weft_scope scope = {0};
        race.handle = pair.server;
        race.size = 1 + dice_roll(&dice, 64);
        expect(weft_go(&scope, read_some, (void *)&race), 0);
        let_it_begin(&dice);
        bool cancels_first = dice_roll(&dice, 2);
        if (cancels_first)
            weft_cancel(&scope);
        put_in(&ledger, pair.client, 1 + dice_roll(&dice, 8));
        let_others_run(&dice, 1);
        weft_cancel(&scope);
        expect(weft_join(&scope), 0);
        take_out(&ledger, &race);
        if (ledger.in - ledger.out > 4096)
            settle(&ledger, pair.server);
    }
    settle(&ledger, pair.server);
    expect_waits(weft_read(pair.server, race.bytes, 1));
    tcp_pair_close(&pair);
}
CASE_NEEDS_SCOPE(a_cancelled_read_loses_and_doubles_nothing)

static int write_some(void *context) {
    struct race *race = context;
    race->result = weft_write_all(race->handle, race->bytes, race->size);
    race->moved = race->result < 0 ? weft_moved() : (size_t)race->result;
    return 0;
}

// The peer must find exactly what weft_moved() says, each time.
CASE(a_cancelled_write_moves_what_it_says) {
    struct tcp_pair pair = tcp_pair_open_small();
    struct dice dice = {world_seed()};
    struct ledger ledger = {0, 0};
    static struct race race;
    for (int i = races(30000); i > 0; i--) {
        weft_scope scope = {0};
        race.handle = pair.client;
        race.size = 1 + dice_roll(&dice, sizeof race.bytes);
        bytes_fill(race.bytes, race.size, ledger.in);
        expect(weft_go(&scope, write_some, (void *)&race), 0);
        let_it_begin(&dice);
        weft_cancel(&scope);
        expect(weft_join(&scope), 0);
        if (race.result < 0)
            expect(race.result, -ECANCELED);
        ledger.in += race.moved;
        if (dice_roll(&dice, 8) == 0)
            settle(&ledger, pair.server);
    }
    settle(&ledger, pair.server);
    expect_waits(weft_read(pair.server, race.bytes, 1));
    tcp_pair_close(&pair);
}
CASE_NEEDS_SCOPE(a_cancelled_write_moves_what_it_says)

static int receive_one(void *context) {
    struct race *race = context;
    race->result = weft_recv_from(race->handle, race->bytes, sizeof race->bytes, NULL);
    return 0;
}

// Datagrams are numbered; each comes out once, in order.
CASE(a_cancelled_receive_loses_and_doubles_no_datagram) {
    weft_addr addr;
    int server = udp_anywhere(&addr), client = udp_connect_to(&addr);
    struct dice dice = {world_seed()};
    static struct race race;
    uint32_t sent = 0, received = 0;
    for (int i = races(20000); i > 0; i--) {
        weft_scope scope = {0};
        race.handle = server;
        expect(weft_go(&scope, receive_one, (void *)&race), 0);
        let_it_begin(&dice);
        if (sent - received < 16) { // as many as any buffer holds
            expect(weft_write(client, &sent, sizeof sent), sizeof sent);
            sent++;
        }
        let_others_run(&dice, 1);
        weft_cancel(&scope);
        expect(weft_join(&scope), 0);
        if (race.result < 0) {
            expect(race.result, -ECANCELED);
            continue;
        }
        expect(race.result, sizeof sent);
        assert_memory_equal(race.bytes, &received, sizeof received);
        received++;
    }
    for (; received < sent; received++) {
        expect(weft_read(server, race.bytes, sizeof race.bytes), sizeof received);
        assert_memory_equal(race.bytes, &received, sizeof received);
    }
    expect(weft_close(server), 0);
    expect(weft_close(client), 0);
}
CASE_NEEDS_SCOPE(a_cancelled_receive_loses_and_doubles_no_datagram)

static int accept_one(void *context) {
    struct race *race = context;
    race->result = weft_accept_from(race->handle, &race->peer);
    return 0;
}

// A connection is accepted or still waits to be: never lost between the two.
CASE(a_cancelled_accept_loses_no_connection) {
    weft_addr addr, mine;
    int listener = listen_anywhere(&addr);
    struct dice dice = {world_seed()};
    static struct race race;
    for (int i = races(3000); i > 0; i--) {
        weft_scope scope = {0};
        race.handle = listener;
        expect(weft_go(&scope, accept_one, (void *)&race), 0);
        let_it_begin(&dice);
        int client = opened(weft_tcp_connect_with(&addr, NULL));
        let_others_run(&dice, 1);
        weft_cancel(&scope);
        expect(weft_join(&scope), 0);
        if (race.result == -ECANCELED)
            race.result = weft_accept_from(listener, &race.peer);
        opened((int)race.result);
        expect(weft_local_addr(client, &mine), 0);
        expect_that(weft_addr_equal(&mine, &race.peer));
        expect(weft_abort(client), 0); // leaves no TIME_WAIT, so ports do not run out
        expect(weft_close((int)race.result), 0);
    }
    expect(weft_close(listener), 0);
}
CASE_NEEDS_SCOPE(a_cancelled_accept_loses_no_connection)

struct feeder {
    int conn;
    uint64_t seed;
    struct ledger ledger;
    struct flag stop;
};

// Writes now and then, until it is told to stop.
static void feed(void *context) {
    struct feeder *feeder = context;
    struct dice dice = {feeder->seed + 1000};
    while (flag_value(&feeder->stop) == 0) {
        put_in(&feeder->ledger, feeder->conn, 1 + dice_roll(&dice, 8));
        expect(weft_sleep((int64_t)dice_roll(&dice, 40) * WEFT_MICROSECOND), 0);
    }
    expect(weft_shutdown(feeder->conn, WEFT_WRITE), 0);
}

static ssize_t read_within(int conn, void *buf, size_t size, int64_t ns) {
    weft_within(ns);
    return weft_read(conn, buf, size);
}

// Deadlines instead of cancellations: for plain threads, too.
CASE(a_read_cut_by_its_deadline_loses_and_doubles_nothing) {
    struct tcp_pair pair = tcp_pair_open();
    struct dice dice = {world_seed()};
    struct feeder feeder = {.conn = pair.client, .seed = world_seed()};
    struct parties parties = {0};
    unsigned char bytes[64];
    uint64_t out = 0;
    int cut = 0;
    party_start(&parties, "feeder", feed, &feeder);
    for (int i = races(20000); i > 0; i--) {
        int64_t ns = (int64_t)dice_roll(&dice, 40) * WEFT_MICROSECOND;
        ssize_t n = read_within(pair.server, bytes, 1 + dice_roll(&dice, 64), ns);
        cut += n == -ETIMEDOUT;
        if (n == -ETIMEDOUT)
            continue;
        expect_that(n > 0);
        expect_that(bytes_are_right(bytes, (size_t)n, out));
        out += (uint64_t)n;
    }
    flag_raise(&feeder.stop);
    for (ssize_t n; (n = weft_read(pair.server, bytes, sizeof bytes)) != 0; out += (uint64_t)n) {
        expect_that(n > 0);
        expect_that(bytes_are_right(bytes, (size_t)n, out));
    }
    parties_join(&parties);
    expect(out, feeder.ledger.in);
    expect_that(cut > 0);
    tcp_pair_close(&pair);
}

static void read_until_closed(void *context) {
    struct race *race = context;
    do {
        race->result = weft_read(race->handle, race->bytes, 1);
        if (race->result > 0)
            race->moved += (size_t)race->result;
    } while (race->result > 0);
}

// A close against reads and writes: the reader gets bytes or -EBADF, and then only that.
CASE(a_close_against_a_reader_is_clean) {
    struct dice dice = {world_seed()};
    static struct race race[2];
    int count = world_has_tasks() ? 2000 : 500; // sched_yield(2) gives a busy machine away for long
    for (int i = races(count); i > 0; i--) {
        struct tcp_pair pair = tcp_pair_open();
        struct parties parties = {0};
        for (int r = 0; r < 2; r++) {
            race[r].handle = pair.server;
            race[r].moved = 0;
            party_start(&parties, "reader", read_until_closed, &race[r]);
        }
        if (dice_roll(&dice, 2))
            expect(weft_write(pair.client, "12", 2), 2);
        let_others_run(&dice, 3);
        expect(weft_close(pair.server), 0);
        parties_join(&parties);
        for (int r = 0; r < 2; r++)
            expect(race[r].result, -EBADF);
        expect_that(race[0].moved + race[1].moved <= 2);
        expect(weft_abort(pair.client), 0);
    }
}
