// SPDX-License-Identifier: MIT
// Unit tests of io/close.c: closing, aborting and shutting down, on a fake driver for what is asked
// of it, and on real connections for what the peer sees.
#define UNIT_WORKERS "2"
#include "fake_driver.h"

#include "io/call.h"

// ---- What is asked of the driver ------------------------------------------------------------

static struct weft__ctl asked[16];
static size_t asked_count;

static int64_t note_ctl(struct fake *f, struct weft__ctl *ctl) {
    (void)f;
    if (asked_count < 16)
        asked[asked_count++] = *ctl;
    return 0;
}

static int ctl_begin(void **state) {
    fake_begin(state);
    fake.on_ctl = note_ctl;
    asked_count = 0;
    return 0;
}

#define CASE_OF_CTL(fn) cmocka_unit_test_setup_teardown(fn, ctl_begin, fake_end)

static void a_close_closes_the_descriptor_once(void **state) {
    (void)state;
    int h = fake_handle(WEFT__KIND_STREAM), fd = fake.next_fd - 1;
    expect(weft_close(h), 0);
    expect(weft_close(h), -EBADF);
    assert_int_equal(asked_count, 1);
    assert_int_equal(asked[0].kind, WEFT__CTL_CLOSE);
    assert_int_equal(asked[0].fd, fd);
}

static void an_abort_asks_for_a_reset_first(void **state) {
    (void)state;
    int h = fake_handle(WEFT__KIND_STREAM);
    expect(weft_abort(h), 0);
    assert_int_equal(asked_count, 2);
    assert_int_equal(asked[0].option, WEFT__OPT_LINGER_ZERO);
    assert_int_equal(asked[1].kind, WEFT__CTL_CLOSE);
    expect(weft_abort(h), -EBADF);
    assert_int_equal(asked_count, 2);
}

static void an_abort_of_another_kind_is_a_close(void **state) {
    (void)state;
    expect(weft_abort(fake_handle(WEFT__KIND_DATAGRAM)), 0);
    expect(weft_abort(fake_handle(WEFT__KIND_LISTENER)), 0);
    assert_int_equal(asked_count, 2);
    assert_int_equal(asked[0].kind, WEFT__CTL_CLOSE);
    assert_int_equal(asked[1].kind, WEFT__CTL_CLOSE);
}

static void an_abort_whose_reset_is_refused_closes_all_the_same(void **state) {
    (void)state;
    int h = fake_handle(WEFT__KIND_STREAM);
    fault_nth("ctl", 1, -EINVAL);
    expect(weft_abort(h), 0);
    assert_int_equal(fake.fds_open, 0);
}

static void a_shutdown_asks_for_what_was_said(void **state) {
    (void)state;
    int h = fake_handle(WEFT__KIND_STREAM);
    for (int how = WEFT_READ; how <= (WEFT_READ | WEFT_WRITE); how++) {
        expect(weft_shutdown(h, how), 0);
        assert_int_equal(asked[how - 1].kind, WEFT__CTL_SHUTDOWN);
        assert_int_equal(asked[how - 1].value, how);
    }
    expect(weft_shutdown(h, 0), -EINVAL);
    expect(weft_shutdown(h, 4), -EINVAL);
    expect(weft_shutdown(h, -1), -EINVAL);
    assert_int_equal(asked_count, 3);
    fault_nth("ctl", 1, -ENOTCONN);
    expect(weft_shutdown(h, WEFT_WRITE), -ENOTCONN);
    expect_explained("shutdown");
    expect(weft_close(h), 0);
    int listener = fake_handle(WEFT__KIND_LISTENER), sock = fake_handle(WEFT__KIND_DATAGRAM);
    expect(weft_shutdown(listener, WEFT_READ), -ENOTSUP);
    expect(weft_shutdown(sock, WEFT_READ), -ENOTSUP);
    expect(weft_close(listener), 0);
    expect(weft_close(sock), 0);
}

static int64_t always_data(struct fake *f, struct weft__op *op) {
    (void)f;
    (void)op;
    return 1;
}

static void after_a_shutdown_of_reading_every_read_returns_zero(void **state) {
    (void)state;
    char buf[4];
    int h = fake_handle(WEFT__KIND_STREAM);
    fake.on_try = always_data;
    expect(weft_shutdown(h, WEFT_WRITE), 0);
    expect(weft_read(h, buf, 4), 1);
    fault_nth("ctl", 1, -ENOTCONN);
    expect(weft_shutdown(h, WEFT_READ), -ENOTCONN); // then nothing was shut
    expect(weft_read(h, buf, 4), 1);
    expect(weft_shutdown(h, WEFT_READ), 0);
    expect(weft_read(h, buf, 4), 0);
    expect(weft_peek(h, buf, 4), 0);
    expect(weft_read_exact(h, buf, 4), 0);
    expect(weft_read(h, buf, 0), -EINVAL);
    expect(weft_close(h), 0);
}

// ---- Never refused --------------------------------------------------------------------------

static int close_all(void *arg) {
    int *handles = arg;
    expect(weft_check(), -ECANCELED);
    weft_within(0);
    expect(weft_shutdown(handles[0], WEFT_WRITE), 0);
    expect(weft_close(handles[0]), 0);
    expect(weft_abort(handles[1]), 0);
    return 0;
}

static void neither_a_cancel_nor_a_deadline_refuses_a_close(void **state) {
    (void)state;
    weft_scope scope = {0};
    int handles[] = {fake_handle(WEFT__KIND_STREAM), fake_handle(WEFT__KIND_STREAM)};
    weft_cancel(&scope);
    expect(weft_go(&scope, close_all, handles), 0);
    expect(weft_join(&scope), 0);
    assert_int_equal(fake.fds_open, 0);
}

static int close_it(void *arg) {
    weft_within(0);
    return weft_close(*(int *)arg);
}

// A close that has to wait goes on waiting, whatever comes.
static void neither_a_cancel_nor_a_deadline_cuts_a_close_short(void **state) {
    (void)state;
    struct weft__turn turn;
    weft_scope scope = {0};
    int h = fake_handle(WEFT__KIND_STREAM);
    expect(weft__turn_begin(&turn, weft__self(), h, WEFT__SIDE_NONE, WEFT__KIND_ANY), 0);
    expect(weft_go(&scope, close_it, &h), 0);
    expect(weft_sleep(WEFT_SECOND), 0);
    weft_cancel(&scope);
    expect(weft_sleep(WEFT_SECOND), 0);
    assert_int_equal(fake.fds_open, 1);
    weft__turn_end(&turn);
    expect(weft_join(&scope), 0);
    assert_int_equal(fake.fds_open, 0);
}

static void autoclose_closes_at_the_end_of_the_block(void **state) {
    (void)state;
    int h;
    {
        weft_autoclose int conn = fake_handle(WEFT__KIND_STREAM);
        weft_autoclose int failed = -ECONNREFUSED;
        h = conn;
        assert_int_equal(fake.fds_open, 1);
        (void)failed;
    }
    assert_int_equal(fake.fds_open, 0);
    expect(weft_close(h), -EBADF);
}

// ---- What the peer sees ---------------------------------------------------------------------

static void the_peer_sees_an_end_after_a_close_and_a_reset_after_an_abort(void **state) {
    (void)state;
    char buf[8];
    struct tcp_pair pair = tcp_pair_open();
    expect(weft_write(pair.client, "last", 4), 4);
    expect(weft_close(pair.client), 0);
    expect(weft_read_exact(pair.server, buf, 4), 4);
    expect(weft_read(pair.server, buf, 4), 0);
    expect(weft_close(pair.server), 0);

    pair = tcp_pair_open();
    expect(weft_abort(pair.client), 0);
    expect(weft_read(pair.server, buf, 4), -ECONNRESET);
    expect(weft_read(pair.server, buf, 4), -ECONNRESET);
    expect(weft_close(pair.server), 0);

    pair = tcp_pair_open();
    expect(weft_shutdown(pair.client, WEFT_WRITE), 0);
    expect(weft_read(pair.server, buf, 4), 0);
    expect(weft_write(pair.client, "x", 1), -EPIPE);
    expect(weft_write(pair.server, "yes", 3), 3); // the other direction is open
    expect(weft_read_exact(pair.client, buf, 3), 3);
    tcp_pair_close(&pair);
}

int main(void) {
    const struct CMUnitTest cases[] = {
        CASE_OF_CTL(a_close_closes_the_descriptor_once),
        CASE_OF_CTL(an_abort_asks_for_a_reset_first),
        CASE_OF_CTL(an_abort_of_another_kind_is_a_close),
        CASE_OF_CTL(an_abort_whose_reset_is_refused_closes_all_the_same),
        CASE_OF_CTL(a_shutdown_asks_for_what_was_said),
        CASE_ON_FAKE(after_a_shutdown_of_reading_every_read_returns_zero),
        CASE_ON_FAKE(neither_a_cancel_nor_a_deadline_refuses_a_close),
        CASE_ON_FAKE(neither_a_cancel_nor_a_deadline_cuts_a_close_short),
        CASE_ON_FAKE(autoclose_closes_at_the_end_of_the_block),
        CASE(the_peer_sees_an_end_after_a_close_and_a_reset_after_an_abort),
        CASE_IN_TASK(the_peer_sees_an_end_after_a_close_and_a_reset_after_an_abort),
    };
    return RUN(cases);
}
