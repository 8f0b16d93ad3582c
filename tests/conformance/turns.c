// SPDX-License-Identifier: MIT
// Several parties at one handle: "each single operation is atomic, waiters of one direction are
// served in order, composite writes of two tasks may interleave." And weft_ready, which takes no
// turn.
#include "case.h"

#include <string.h>

struct user {
    int conn;
    char byte;
    ssize_t result;
    int timed_out;
    struct flag done;
};

static void read_byte(void *context) {
    struct user *user = context;
    user->result = weft_read(user->conn, &user->byte, 1);
    flag_raise(&user->done);
}

CASE(waiting_readers_are_served_in_order) {
    enum { READERS = 6 };
    struct tcp_pair pair = tcp_pair_open();
    struct user users[READERS];
    struct parties parties = {0};
    for (int i = 0; i < READERS; i++) {
        users[i] = (struct user){.conn = pair.server};
        party_start(&parties, "reader", read_byte, &users[i]);
        await_waiting(pair.server, WEFT_READ, i + 1);
    }
    expect(weft_write_all(pair.client, "abcdef", READERS), READERS);
    parties_join(&parties);
    for (int i = 0; i < READERS; i++) {
        expect(users[i].result, 1);
        expect(users[i].byte, "abcdef"[i]);
    }
    tcp_pair_close(&pair);
}

// One byte at a time: the others go on waiting.
CASE(a_byte_goes_to_the_reader_that_waited_longest) {
    struct tcp_pair pair = tcp_pair_open();
    struct user users[3];
    struct parties parties = {0};
    for (int i = 0; i < 3; i++) {
        users[i] = (struct user){.conn = pair.server};
        party_start(&parties, "reader", read_byte, &users[i]);
        await_waiting(pair.server, WEFT_READ, i + 1);
    }
    for (int i = 0; i < 3; i++) {
        expect(weft_write(pair.client, &"xyz"[i], 1), 1);
        await_flag(&users[i].done, 1);
        expect(users[i].byte, "xyz"[i]);
        for (int later = i + 1; later < 3; later++)
            expect(flag_value(&users[later].done), 0);
    }
    parties_join(&parties);
    tcp_pair_close(&pair);
}

// Who comes when others wait already comes after them, also in the moment when a turn changes
// hands.
CASE(a_newcomer_does_not_overtake_those_that_wait) {
    struct tcp_pair pair = tcp_pair_open();
    for (int round = 0; round < 100; round++) {
        struct user users[2];
        struct parties parties = {0};
        char byte;
        for (int i = 0; i < 2; i++) {
            users[i] = (struct user){.conn = pair.server};
            party_start(&parties, "reader", read_byte, &users[i]);
            await_waiting(pair.server, WEFT_READ, i + 1);
        }
        expect(weft_write(pair.client, "1", 1), 1);
        if (round % 2)
            await_flag(&users[0].done, 1); // the second has the turn now, or is about to
        expect(weft_write(pair.client, "23", 2), 2);
        expect(weft_read(pair.server, &byte, 1), 1);
        expect(byte, '3');
        parties_join(&parties);
        expect(users[0].byte, '1');
        expect(users[1].byte, '2');
    }
    tcp_pair_close(&pair);
}

static void read_byte_briefly(void *context) {
    struct user *user = context;
    weft_within(50 * WEFT_MILLISECOND);
    user->result = weft_read(user->conn, &user->byte, 1);
    user->timed_out = weft_timed_out();
    flag_raise(&user->done);
}

// A deadline takes one out of the middle of the queue, and the order of the others stays.
CASE(a_reader_that_gives_up_does_not_disturb_the_queue) {
    struct tcp_pair pair = tcp_pair_open();
    struct user users[3];
    struct parties parties = {0};
    for (int i = 0; i < 3; i++)
        users[i] = (struct user){.conn = pair.server};
    party_start(&parties, "first", read_byte, &users[0]);
    await_waiting(pair.server, WEFT_READ, 1);
    party_start(&parties, "gives up", read_byte_briefly, &users[1]);
    party_start(&parties, "last", read_byte, &users[2]);
    await_flag(&users[1].done, 1);
    expect(users[1].result, -ETIMEDOUT);
    expect(users[1].timed_out, 1);
    await_waiting(pair.server, WEFT_READ, 2);
    expect(weft_write(pair.client, "12", 2), 2);
    parties_join(&parties);
    expect(users[0].byte, '1');
    expect(users[2].byte, '2');
    tcp_pair_close(&pair);
}

// The first in the queue gives up: the next one must take over what it was waiting for.
CASE(when_the_first_reader_gives_up_the_next_one_is_served) {
    struct tcp_pair pair = tcp_pair_open();
    struct user first = {.conn = pair.server}, second = {.conn = pair.server};
    struct parties parties = {0};
    party_start(&parties, "gives up", read_byte_briefly, &first);
    await_waiting(pair.server, WEFT_READ, 1);
    party_start(&parties, "second", read_byte, &second);
    await_flag(&first.done, 1);
    expect(first.result, -ETIMEDOUT);
    expect(weft_write(pair.client, "s", 1), 1);
    parties_join(&parties);
    expect(second.result, 1);
    expect(second.byte, 's');
    tcp_pair_close(&pair);
}

enum { WRITERS = 8, TIMES = 500 };

static void write_bytes(void *context) {
    struct user *user = context;
    for (int i = 0; i < TIMES; i++)
        expect(weft_write(user->conn, &user->byte, 1), 1);
}

CASE(many_writers_lose_and_double_nothing) {
    struct tcp_pair pair = tcp_pair_open_small();
    struct user users[WRITERS];
    struct parties parties = {0};
    static char all[WRITERS * TIMES];
    int count[WRITERS] = {0};
    for (int i = 0; i < WRITERS; i++) {
        users[i] = (struct user){.conn = pair.client, .byte = (char)('a' + i)};
        party_start(&parties, "writer", write_bytes, &users[i]);
    }
    expect(weft_read_exact(pair.server, all, sizeof all), sizeof all);
    parties_join(&parties);
    for (size_t i = 0; i < sizeof all; i++) {
        expect_that(all[i] >= 'a' && all[i] < 'a' + WRITERS);
        count[all[i] - 'a']++;
    }
    for (int i = 0; i < WRITERS; i++)
        expect(count[i], TIMES);
    expect_waits(weft_read(pair.server, all, 1));
    tcp_pair_close(&pair);
}

enum { READERS = 4, TOTAL = 20000 };

struct share {
    int conn;
    size_t got;
    uint64_t sum;
};

static void read_a_share(void *context) {
    struct share *share = context;
    unsigned char buf[37];
    for (ssize_t n; (n = weft_read(share->conn, buf, sizeof buf)) != 0; share->got += (size_t)n) {
        expect_that(n > 0);
        for (ssize_t i = 0; i < n; i++)
            share->sum += buf[i];
    }
}

CASE(many_readers_share_a_stream_without_loss) {
    struct tcp_pair pair = tcp_pair_open();
    struct share shares[READERS];
    struct parties parties = {0};
    static unsigned char all[TOTAL];
    uint64_t got = 0, sum = 0, expected = 0;
    for (int i = 0; i < READERS; i++) {
        shares[i] = (struct share){.conn = pair.server};
        party_start(&parties, "reader", read_a_share, &shares[i]);
    }
    bytes_fill(all, sizeof all, 0);
    for (size_t i = 0; i < TOTAL; i += 100)
        expect(weft_write_all(pair.client, all + i, 100), 100);
    expect(weft_shutdown(pair.client, WEFT_WRITE), 0);
    parties_join(&parties);
    for (int i = 0; i < READERS; i++) {
        got += shares[i].got;
        sum += shares[i].sum;
    }
    for (size_t i = 0; i < TOTAL; i++)
        expected += all[i];
    expect(got, TOTAL);
    expect(sum, expected);
    tcp_pair_close(&pair);
}

static void write_one(void *context) {
    struct user *user = context;
    static const char zeros[100];
    user->result = weft_write(user->conn, zeros, sizeof zeros);
    flag_raise(&user->done);
}

// The directions do not wait for each other.
CASE(a_reader_and_a_writer_wait_at_one_handle_independently) {
    struct tcp_pair pair = tcp_pair_open_small();
    struct user reads = {.conn = pair.client}, writes = {.conn = pair.client};
    struct parties parties = {0};
    size_t filled = fill_with_bytes(pair.client);
    party_start(&parties, "reader", read_byte, &reads);
    party_start(&parties, "writer", write_one, &writes);
    await_waiting(pair.client, WEFT_READ, 1);
    await_waiting(pair.client, WEFT_WRITE, 1);
    expect(weft_write(pair.server, "r", 1), 1);
    await_flag(&reads.done, 1);
    expect(flag_value(&writes.done), 0);
    static char buf[1 << 20];
    expect(weft_read_exact(pair.server, buf, filled), filled);
    parties_join(&parties);
    expect_that(writes.result > 0 && writes.result <= 100);
    tcp_pair_close(&pair);
}
