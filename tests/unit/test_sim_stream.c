// SPDX-License-Identifier: MIT
// Unit tests of driver/sim_stream.c: whatever the sizes of writes, reads, peeks and buffers, each
// byte arrives once and in order, and nothing else.
#include "base/rng.h"
#include "sim_tools.h"

enum { BUF_SIZE = 150000, TOTAL = 1000000 };

static unsigned char pattern(size_t offset) {
    return (unsigned char)(offset * 31 + offset / 251);
}

// One direction of a connection under test.
struct flow {
    struct sock from, to;
    size_t sent, received;
};

static size_t random_size(struct weft__rng *rng) {
    return (size_t)1 << weft__rng_below(rng, 17) | weft__rng_below(rng, 1000);
}

static void send_some(struct flow *flow, struct weft__rng *rng) {
    static unsigned char buf[BUF_SIZE];
    size_t size = random_size(rng), half = weft__rng_below(rng, size + 1);
    for (size_t i = 0; i < size; i++)
        buf[i] = pattern(flow->sent + i);
    struct call call;
    prepare_io(&call, WEFT__OP_WRITE, flow->from, buf, half);
    call.iov[1] = (struct iovec){NULL, 0};
    call.iov[2] = (struct iovec){buf + half, size - half};
    call.op.count = 3;
    int64_t n = d->class->try(d, &call.op);
    assert_true(n == -EAGAIN || (n > 0 && n <= (int64_t)size));
    flow->sent += n > 0 ? (size_t)n : 0;
}

static void receive_some(struct flow *flow, struct weft__rng *rng) {
    static unsigned char buf[BUF_SIZE];
    size_t size = random_size(rng);
    bool is_peek = weft__rng_below(rng, 3) == 0;
    struct call call;
    prepare_io(&call, WEFT__OP_READ, flow->to, buf, size);
    call.op.flags = is_peek ? WEFT__OP_PEEK : 0;
    int64_t n = d->class->try(d, &call.op);
    assert_true(n == -EAGAIN || (n > 0 && n <= (int64_t)size));
    for (int64_t i = 0; i < n; i++)
        assert_int_equal(buf[i], pattern(flow->received + (size_t)i));
    flow->received += n > 0 && !is_peek ? (size_t)n : 0;
    assert_true(flow->received <= flow->sent);
}

static void exchange(struct flow flows[2], struct weft__rng *rng) {
    for (int way = 0; way < 2; way++) {
        uint64_t what = weft__rng_below(rng, 4);
        if (what < 2 && flows[way].sent < TOTAL)
            send_some(&flows[way], rng);
        else if (what < 3)
            receive_some(&flows[way], rng);
        else
            d->class->wait(d, now_ns() + (int64_t)weft__rng_below(rng, 30000));
    }
}

static struct pair open_random_pair(struct weft__rng *rng) {
    weft_addr addr;
    struct sock listener = open_listener(1, &addr);
    if (weft__rng_below(rng, 2) == 0) {
        (void)set_option(listener, WEFT__OPT_RECEIVE_BUFFER, (int)random_size(rng));
        (void)set_option(listener, WEFT__OPT_SEND_BUFFER, (int)random_size(rng));
    }
    struct pair pair = open_pair_at(listener, &addr);
    close_socket(listener);
    return pair;
}

static void every_byte_arrives_once_and_in_order(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 10; seed++) {
        struct weft__rng rng;
        weft__rng_seed(&rng, seed);
        struct pair pair = open_random_pair(&rng);
        struct flow flows[2] = {{.from = pair.client, .to = pair.server},
                                {.from = pair.server, .to = pair.client}};
        while (flows[0].sent < TOTAL || flows[1].sent < TOTAL)
            exchange(flows, &rng);
        for (int way = 0; way < 2; way++)
            assert_int_equal(shut(flows[way].from, WEFT__SHUT_WRITE), 0);
        for (int way = 0; way < 2; way++) {
            while (flows[way].received < flows[way].sent) {
                receive_some(&flows[way], &rng);
                d->class->wait(d, now_ns() + 1000);
            }
            assert_reads(flows[way].to, "");
        }
        close_pair(pair);
    }
}

// A reset may lose what had not arrived, but never a byte in the middle.
static void what_arrives_before_a_reset_is_a_beginning(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct weft__rng rng;
        weft__rng_seed(&rng, seed);
        struct pair pair = open_random_pair(&rng);
        struct flow flows[2] = {{.from = pair.client, .to = pair.server},
                                {.from = pair.server, .to = pair.client}};
        for (uint64_t steps = weft__rng_below(&rng, 100); steps > 0; steps--)
            exchange(flows, &rng);
        assert_int_equal(set_option(pair.client, WEFT__OPT_LINGER_ZERO, 1), 0);
        close_socket(pair.client);
        settle();
        static char buf[BUF_SIZE];
        int64_t n;
        while ((n = try_io(WEFT__OP_READ, pair.server, buf, sizeof buf)) > 0) {
            for (int64_t i = 0; i < n; i++)
                assert_int_equal((unsigned char)buf[i], pattern(flows[0].received + (size_t)i));
            flows[0].received += (size_t)n;
            settle();
        }
        assert_int_equal(n, -ECONNRESET);
        assert_true(flows[0].received <= flows[0].sent);
        close_socket(pair.server);
    }
}

static void a_write_without_memory_moves_nothing(void **state) {
    (void)state;
    struct pair pair = open_pair();
    weft__fail_arm(WEFT__FAIL_ALLOC, 1, 1, -ENOMEM);
    int64_t n = try_write(pair.client);
    weft__fail_disarm();
    assert_int_equal(n, -ENOMEM);
    static char bytes[200000];
    weft__fail_arm(WEFT__FAIL_ALLOC, 2, 1, -ENOMEM);
    n = try_io(WEFT__OP_WRITE, pair.client, bytes, sizeof bytes);
    weft__fail_disarm();
    assert_true(n > 0 && n < (int64_t)sizeof bytes); // as far as there was memory
    drain(pair.server, (size_t)n);
    settle();
    assert_int_equal(try_read(pair.server), -EAGAIN);
    close_pair(pair);
}

static const struct CMUnitTest cases[] = {
    CASE(every_byte_arrives_once_and_in_order),
    CASE(what_arrives_before_a_reset_is_a_beginning),
    CASE(a_write_without_memory_moves_nothing),
};

int main(void) {
    return sim_main(0, NULL, cases);
}
