// SPDX-License-Identifier: MIT
// Unit tests of io/stream.c: single reads and writes, readiness; what is refused, which errors
// stick. On a driver whose answers are a list.
#include "fake_driver.h"

#include <sys/uio.h>

// ---- A driver that answers from a list ------------------------------------------------------

enum { ANSWERS = 32 };
static int64_t answers[ANSWERS];
static struct weft__op asked[ANSWERS];
static size_t answer_count, asked_count;
static int conn;
static char buf[64];

static int64_t answer(struct fake *f, struct weft__op *op) {
    (void)f;
    assert_true(asked_count < ANSWERS);
    asked[asked_count] = *op;
    return asked_count < answer_count ? answers[asked_count++] : -EAGAIN;
}

#define answer_with(...)                                                                           \
    do {                                                                                           \
        const int64_t list_[] = {__VA_ARGS__};                                                     \
        memcpy(answers, list_, sizeof list_);                                                      \
        answer_count = sizeof list_ / sizeof list_[0];                                             \
        asked_count = 0;                                                                           \
    } while (0)

static int stream_begin(void **state) {
    fake_begin(state);
    fake.on_try = answer;
    answer_count = asked_count = 0;
    conn = fake_handle(WEFT__KIND_STREAM);
    return 0;
}

static int stream_end(void **state) {
    (void)weft_close(conn);
    return fake_end(state);
}

#define CASE_OF_STREAM(fn) cmocka_unit_test_setup_teardown(fn, stream_begin, stream_end)

// ---- What is refused ------------------------------------------------------------------------

static void sizes_and_counts_that_make_no_sense_are_refused(void **state) {
    (void)state;
    struct iovec one = {buf, 8}, huge[2] = {{buf, SIZE_MAX / 2}, {buf, SIZE_MAX / 2}};
    expect(weft_read(conn, buf, 0), -EINVAL);
    expect(weft_peek(conn, buf, 0), -EINVAL);
    expect(weft_read(conn, buf, (size_t)INT64_MAX + 1), -EINVAL);
    expect(weft_write(conn, buf, SIZE_MAX), -EINVAL);
    expect(weft_readv(conn, huge, 2), -EINVAL);
    expect(weft_writev(conn, huge, 2), -EINVAL);
    expect(weft_readv(conn, &one, -1), -EINVAL);
    expect(weft_readv(conn, &one, 1025), -EINVAL);
    expect(weft_writev(conn, &one, INT32_MIN), -EINVAL);
    expect(weft_readv(conn, NULL, 0), -EINVAL);
    expect(weft_readv(conn, NULL, 1), -EINVAL);
    expect(weft_writev(conn, NULL, 1), -EINVAL);
    expect(weft_ready(conn, 0), -EINVAL);
    expect(weft_ready(conn, 4), -EINVAL);
    expect(weft_ready(conn, -1), -EINVAL);
    expect_explained("ready");
    assert_int_equal(asked_count, 0);
}

static void a_write_of_nothing_touches_nothing(void **state) {
    (void)state;
    expect(weft_write(conn, NULL, 0), 0);
    expect(weft_writev(conn, NULL, 0), 0);
    expect(weft_writev(conn, (struct iovec[]){{buf, 0}, {buf, 0}}, 2), 0);
    assert_int_equal(asked_count, 0);
}

static int64_t never(struct fake *f, struct weft__op *op) {
    (void)f;
    (void)op;
    return -EAGAIN;
}

static int read_one(void *arg) {
    (void)arg;
    return (int)weft_read(conn, buf, 1);
}

static int write_one(void *arg) {
    (void)arg;
    return (int)weft_write(conn, buf, 1);
}

static void what_moves_nothing_waits_for_no_turn(void **state) {
    (void)state;
    weft_scope scope = {0};
    fake.on_try = never;
    expect(weft_go(&scope, read_one, NULL), 0);
    expect(weft_go(&scope, write_one, NULL), 0);
    expect(weft_sleep(1), 0);
    expect(weft_write(conn, "", 0), 0);
    expect(weft_read(conn, buf, 0), -EINVAL);
    expect(weft_readv(conn, NULL, -1), -EINVAL);
    weft_cancel(&scope);
    expect(weft_join(&scope), -ECANCELED);
}

static void other_kinds_are_refused(void **state) {
    (void)state;
    int listener = fake_handle(WEFT__KIND_LISTENER);
    expect(weft_read(listener, buf, 1), -ENOTSUP);
    expect(weft_write(listener, buf, 1), -ENOTSUP);
    expect(weft_peek(listener, buf, 1), -ENOTSUP);
    answer_with(WEFT_READ);
    expect(weft_ready(listener, WEFT_READ), WEFT_READ);
    expect(weft_close(listener), 0);
}

static void a_vector_is_cut_to_64_pieces(void **state) {
    (void)state;
    static struct iovec iov[1024];
    for (int i = 0; i < 1024; i++)
        iov[i] = (struct iovec){buf, i % 3 == 0 ? 0 : 1};
    for (int count = 1; count <= 1024; count *= 2) {
        size_t used = count < 64 ? (size_t)count : 64;
        answer_with(1, 1);
        expect(weft_readv(conn, iov + 1, count - (count == 1024)), 1);
        expect(weft_writev(conn, iov + 1, count - (count == 1024)), 1);
        assert_int_equal(asked[0].count, used);
        assert_int_equal(asked[1].count, used);
        assert_ptr_equal(asked[0].iov, iov + 1);
    }
}

// Empty pieces in front of the first 64 bytes must not make it a call that moves nothing.
static void a_vector_that_begins_with_64_empty_pieces_moves_what_follows(void **state) {
    (void)state;
    static struct iovec iov[100];
    for (int i = 0; i < 100; i++)
        iov[i] = (struct iovec){buf, i < 80 ? 0 : 1};
    answer_with(1, 1);
    expect(weft_readv(conn, iov, 100), 1);
    expect(weft_writev(conn, iov, 100), 1);
    for (int i = 0; i < 2; i++) {
        size_t size = 0;
        for (size_t k = 0; k < asked[i].count; k++)
            size += asked[i].iov[k].iov_len;
        assert_true(size > 0);
    }
}

static void a_peek_asks_for_a_peek(void **state) {
    (void)state;
    answer_with(3, 3);
    expect(weft_peek(conn, buf, 8), 3);
    expect(weft_read(conn, buf, 8), 3);
    assert_true(asked[0].flags & WEFT__OP_PEEK);
    assert_false(asked[1].flags & WEFT__OP_PEEK);
}

// ---- Errors that stick ----------------------------------------------------------------------

static const int64_t fatal[] = {-ECONNRESET, -ETIMEDOUT, -EHOSTUNREACH, -ENETDOWN};

static void a_fatal_error_of_a_read_sticks_to_both_directions(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof fatal / sizeof fatal[0]; i++) {
        int h = fake_handle(WEFT__KIND_STREAM);
        answer_with(fatal[i], 5, 0, 0);
        expect(weft_read(h, buf, 8), fatal[i]);
        expect(weft_timed_out(), 0);
        expect(weft_write(h, buf, 8), fatal[i]); // without asking the driver
        assert_int_equal(asked_count, 1);
        expect(weft_read(h, buf, 8), 5); // what the kernel still holds comes first
        expect(weft_read(h, buf, 8), fatal[i]);
        expect(weft_read(h, buf, 8), fatal[i]); // for ever, never an end of stream
        expect(weft_peek(h, buf, 8), fatal[i]);
        expect(weft_write_all(h, buf, 8), fatal[i]);
        expect(weft_timed_out(), 0);
        expect(weft_close(h), 0);
    }
}

static void a_fatal_error_of_a_write_sticks_to_both_directions(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof fatal / sizeof fatal[0]; i++) {
        int h = fake_handle(WEFT__KIND_STREAM);
        answer_with(8, fatal[i], 3, 0);
        expect(weft_write(h, buf, 8), 8);
        expect(weft_write(h, buf, 8), fatal[i]);
        expect(weft_write(h, buf, 8), fatal[i]);
        assert_int_equal(asked_count, 2);
        expect(weft_read(h, buf, 8), 3);
        expect(weft_read(h, buf, 8), fatal[i]);
        expect(weft_close(h), 0);
    }
}

static void injected_errors_stick_as_real_ones_do(void **state) {
    (void)state;
    fault_nth("read", 1, -ECONNRESET);
    answer_with(2, 0);
    expect(weft_read(conn, buf, 8), -ECONNRESET);
    expect(weft_write(conn, buf, 8), -ECONNRESET);
    expect(weft_read(conn, buf, 8), 2);
    expect(weft_read(conn, buf, 8), -ECONNRESET);
    expect(weft_read(conn, buf, 8), -ECONNRESET);
}

static void a_broken_connection_is_not_waited_for(void **state) {
    (void)state;
    answer_with(-ECONNRESET);
    expect(weft_read(conn, buf, 8), -ECONNRESET);
    expect(weft_read(conn, buf, 8), -ECONNRESET); // the driver would say: wait
    assert_int_equal(fake.driver.stats.submits, 0);
}

static struct weft__op *reading, *writing;

static void note_op(struct fake *f, struct weft__op *op) {
    (void)f;
    *(op->kind == WEFT__OP_READ ? &reading : &writing) = op;
}

static uint32_t choose_last(struct fake *f, enum weft__choice what, uint32_t n) {
    (void)f;
    return what == WEFT__PICK_READY ? n - 1 : 0;
}

static int expect_reset(void *arg) {
    (void)arg;
    expect(weft_read(conn, buf, 1), -ECONNRESET);
    return 0;
}

// The kernel tells the write of the reset, and a read that waits at the same time finds an end.
static void a_reset_that_a_write_was_told_of_is_no_end_for_a_read(void **state) {
    (void)state;
    weft_scope scope = {0};
    fake.on_try = never;
    fake.on_submit = note_op;
    fake.on_choose = choose_last; // so that the reader goes on first
    expect(weft_go(&scope, write_one, NULL), 0);
    expect(weft_go(&scope, expect_reset, NULL), 0);
    expect(weft_sleep(1), 0);
    fake_complete(&fake, writing, -ECONNRESET);
    fake_complete(&fake, reading, 0);
    expect(weft_join(&scope), -ECONNRESET);
}

static void a_reset_that_a_read_was_told_of_is_no_epipe_for_a_write(void **state) {
    (void)state;
    weft_scope scope = {0};
    fake.on_try = never;
    fake.on_submit = note_op;
    expect(weft_go(&scope, write_one, NULL), 0);
    expect(weft_go(&scope, expect_reset, NULL), 0);
    expect(weft_sleep(1), 0);
    fake_complete(&fake, reading, -ECONNRESET);
    fake_complete(&fake, writing, -EPIPE);
    expect(weft_join(&scope), -ECONNRESET);
}

static void epipe_sticks_to_writes_only(void **state) {
    (void)state;
    answer_with(-EPIPE, 4, 0, 0);
    expect(weft_write(conn, buf, 8), -EPIPE);
    expect(weft_write(conn, buf, 8), -EPIPE);
    assert_int_equal(asked_count, 1);
    expect(weft_read(conn, buf, 8), 4); // the peer's answer, and its true end
    expect(weft_read(conn, buf, 8), 0);
    expect(weft_read(conn, buf, 8), 0);
    expect(weft_write(conn, buf, 8), -EPIPE);
}

static void an_epipe_that_a_read_meets_is_the_writes(void **state) {
    (void)state;
    answer_with(-EPIPE, 6, -EPIPE, 0);
    expect(weft_read(conn, buf, 8), 6);
    expect(weft_read(conn, buf, 8), 0);
    expect(weft_write(conn, buf, 8), -EPIPE);
    assert_int_equal(asked_count, 4);
}

static void other_errors_do_not_stick(void **state) {
    (void)state;
    answer_with(-ENOMEM, 1, -ENOBUFS, 8);
    expect(weft_read(conn, buf, 8), -ENOMEM);
    expect(weft_read(conn, buf, 8), 1);
    expect(weft_write(conn, buf, 8), -ENOBUFS);
    expect(weft_write(conn, buf, 8), 8);
}

static void an_interruption_does_not_stick(void **state) {
    (void)state;
    {
        weft_within(WEFT_SECOND);
        expect(weft_read(conn, buf, 8), -ETIMEDOUT);
        expect(weft_write(conn, buf, 8), -ETIMEDOUT);
    }
    answer_with(1, 8);
    expect(weft_read(conn, buf, 8), 1);
    expect(weft_write(conn, buf, 8), 8);
}

// ---- Datagram sockets -----------------------------------------------------------------------

static int64_t truncate_it(struct fake *f, struct weft__op *op) {
    (void)f;
    assert_int_equal(op->kind, WEFT__OP_RECVMSG);
    op->flags |= WEFT__OP_TRUNCATED;
    return 8;
}

static void on_datagram_sockets_nothing_sticks_and_nothing_is_empty(void **state) {
    (void)state;
    int sock = fake_handle(WEFT__KIND_DATAGRAM);
    static struct iovec many[65];
    answer_with(-ECONNREFUSED, 5, 0, 0, -ECONNREFUSED, 8);
    expect(weft_read(sock, buf, 8), -ECONNREFUSED);
    expect(weft_read(sock, buf, 8), 5);
    expect(weft_read(sock, buf, 8), 0); // an empty datagram
    expect(weft_read(sock, buf, 0), 0);
    expect(weft_write(sock, buf, 8), -ECONNREFUSED);
    expect(weft_write(sock, buf, 8), 8);
    assert_int_equal(asked[0].kind, WEFT__OP_RECVMSG);
    assert_int_equal(asked[5].kind, WEFT__OP_SENDMSG);
    answer_with(0);
    expect(weft_write(sock, buf, 0), 0); // sends an empty one
    assert_int_equal(asked_count, 1);
    expect(weft_writev(sock, many, 65), -EMSGSIZE);
    expect(weft_readv(sock, many, 65), -EMSGSIZE);
    fake.on_try = truncate_it;
    expect(weft_read(sock, buf, 8), -EMSGSIZE);
    expect(weft_read_exact(sock, buf, 8), -ENOTSUP);
    expect(weft_write_all(sock, buf, 8), -ENOTSUP);
    expect(weft_read_exact(sock, buf, 0), -ENOTSUP);
    expect(weft_printf(sock, "x"), -ENOTSUP);
    expect(weft_close(sock), 0);
}

int main(void) {
    const struct CMUnitTest cases[] = {
        CASE_OF_STREAM(sizes_and_counts_that_make_no_sense_are_refused),
        CASE_OF_STREAM(a_write_of_nothing_touches_nothing),
        CASE_OF_STREAM(what_moves_nothing_waits_for_no_turn),
        CASE_OF_STREAM(other_kinds_are_refused),
        CASE_OF_STREAM(a_vector_is_cut_to_64_pieces),
        CASE_OF_STREAM(a_vector_that_begins_with_64_empty_pieces_moves_what_follows),
        CASE_OF_STREAM(a_peek_asks_for_a_peek),
        CASE_OF_STREAM(a_fatal_error_of_a_read_sticks_to_both_directions),
        CASE_OF_STREAM(a_fatal_error_of_a_write_sticks_to_both_directions),
        CASE_OF_STREAM(injected_errors_stick_as_real_ones_do),
        CASE_OF_STREAM(a_broken_connection_is_not_waited_for),
        CASE_OF_STREAM(a_reset_that_a_write_was_told_of_is_no_end_for_a_read),
        CASE_OF_STREAM(a_reset_that_a_read_was_told_of_is_no_epipe_for_a_write),
        CASE_OF_STREAM(epipe_sticks_to_writes_only),
        CASE_OF_STREAM(an_epipe_that_a_read_meets_is_the_writes),
        CASE_OF_STREAM(other_errors_do_not_stick),
        CASE_OF_STREAM(an_interruption_does_not_stick),
        CASE_OF_STREAM(on_datagram_sockets_nothing_sticks_and_nothing_is_empty),
    };
    return RUN(cases);
}
