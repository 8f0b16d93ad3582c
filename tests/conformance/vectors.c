// SPDX-License-Identifier: MIT
// Reads and writes over several buffers, and their limits.
#include "case.h"

#include <string.h>

CASE(writev_gathers_and_readv_scatters) {
    struct tcp_pair pair = tcp_pair_open();
    char a[3], b[4], c[8];
    struct iovec out[] = {{"one", 3}, {"", 0}, {"two", 3}, {"three", 5}};
    struct iovec in[] = {{a, 3}, {b, 4}, {c, 8}};
    expect(weft_writev(pair.client, out, 4), 11);
    expect(weft_readv(pair.server, in, 3), 11);
    assert_memory_equal(a, "one", 3);
    assert_memory_equal(b, "twot", 4);
    assert_memory_equal(c, "hree", 4);
    tcp_pair_close(&pair);
}

static unsigned char bytes[1025], got[1025];
static struct iovec out[1025], in[1025];

// 1,025 buffers of one byte each.
static void prepare(void) {
    bytes_fill(bytes, sizeof bytes, 0);
    for (int i = 0; i < 1025; i++) {
        out[i] = (struct iovec){&bytes[i], 1};
        in[i] = (struct iovec){&got[i], 1};
    }
}

// "At most 64 are used by one call, which is an ordinary short read or write on a stream."
CASE(one_call_uses_at_most_64_buffers) {
    struct tcp_pair pair = tcp_pair_open();
    prepare();
    expect(weft_writev(pair.client, out, 100), 64);
    expect(weft_writev(pair.client, out + 64, 36), 36);
    expect(weft_ready(pair.server, WEFT_READ), WEFT_READ);
    for (struct await await = {0}; weft_peek(pair.server, got, sizeof got) < 100;)
        await_pause(&await, "100 bytes arrived");
    expect(weft_readv(pair.server, in, 100), 64);
    expect(weft_readv(pair.server, in + 64, 36), 36);
    expect_that(bytes_are_right(got, 100, 0));
    tcp_pair_close(&pair);
}

CASE(composite_vectors_use_all_their_buffers) {
    struct tcp_pair pair = tcp_pair_open();
    prepare();
    expect(weft_writev_all(pair.client, out, 1024), 1024);
    expect(weft_readv_exact(pair.server, in, 1024), 1024);
    expect_that(bytes_are_right(got, 1024, 0));
    tcp_pair_close(&pair);
}

// "count 0 .. 1024, else -EINVAL."
CASE(more_than_1024_buffers_or_less_than_none_are_einval) {
    static const int counts[] = {1025, 100000, -1, INT32_MIN};
    struct tcp_pair pair = tcp_pair_open();
    prepare();
    for (int i = 0; i < 4; i++) {
        expect(weft_writev(pair.client, out, counts[i]), -EINVAL);
        expect(weft_readv(pair.server, in, counts[i]), -EINVAL);
        expect(weft_writev_all(pair.client, out, counts[i]), -EINVAL);
        expect(weft_readv_exact(pair.server, in, counts[i]), -EINVAL);
    }
    char byte;
    expect_waits(weft_read(pair.server, &byte, 1)); // nothing was sent
    tcp_pair_close(&pair);
}

// A vector that ends inside a buffer: the composite calls go on in the middle of it.
CASE(readv_exact_goes_on_inside_a_buffer) {
    struct tcp_pair pair = tcp_pair_open();
    char a[4], b[6];
    struct iovec parts[] = {{a, 4}, {b, 6}};
    for (int i = 0; i < 3; i++)
        expect(weft_write(pair.client, &"0123456789"[3 * i], 3), 3);
    expect(weft_shutdown(pair.client, WEFT_WRITE), 0);
    expect(weft_readv_exact(pair.server, parts, 2), -ENODATA);
    expect(weft_moved(), 9);
    assert_memory_equal(a, "0123", 4);
    assert_memory_equal(b, "45678", 5);
    expect(weft_readv_exact(pair.server, parts, 2), 0);
    tcp_pair_close(&pair);
}

struct sender {
    int conn;
    ssize_t result;
};

static void write_big_vector(void *context) {
    static char big[4][100001];
    struct sender *sender = context;
    struct iovec parts[4];
    for (size_t i = 0; i < 4; i++) {
        bytes_fill(big[i], sizeof big[i], i * sizeof big[i]);
        parts[i] = (struct iovec){big[i], sizeof big[i]};
    }
    sender->result = weft_writev_all(sender->conn, parts, 4);
}

CASE(writev_all_goes_on_inside_a_buffer) {
    struct tcp_pair pair = tcp_pair_open_small();
    static char all[400004];
    struct sender sender = {.conn = pair.client};
    struct parties parties = {0};
    party_start(&parties, "writer", write_big_vector, &sender);
    expect(weft_read_exact(pair.server, all, sizeof all), sizeof all);
    parties_join(&parties);
    expect(sender.result, sizeof all);
    expect_that(bytes_are_right(all, sizeof all, 0));
    tcp_pair_close(&pair);
}
