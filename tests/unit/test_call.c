// SPDX-License-Identifier: MIT
// Unit tests of io/call.c: from the entry of a call to its result, on a driver whose every answer
// is the test's: inline or waiting, interrupted, closed, out of memory.
#include "fake_driver.h"

static weft_scope scope;
static int conn;
static char buf[16];
static struct weft__op *waiting; // the operation submitted last

static void note_submit(struct fake *f, struct weft__op *op) {
    (void)f;
    waiting = op;
}

static int call_begin(void **state) {
    fake_begin(state);
    conn = fake_handle(WEFT__KIND_STREAM);
    fake.on_submit = note_submit;
    waiting = NULL;
    return 0;
}

static int call_end(void **state) {
    (void)weft_close(conn);
    return fake_end(state);
}

#define CASE_OF_CALL(fn) cmocka_unit_test_setup_teardown(fn, call_begin, call_end)

static int64_t three_bytes(struct fake *f, struct weft__op *op) {
    (void)f;
    assert_int_equal(op->kind, WEFT__OP_READ);
    return 3;
}

// ---- Inline or waiting ----------------------------------------------------------------------

static void what_succeeds_inline_is_not_submitted(void **state) {
    (void)state;
    fake.on_try = three_bytes;
    expect(weft_read(conn, buf, sizeof buf), 3);
    assert_int_equal(fake.driver.stats.tries, 1);
    assert_int_equal(fake.driver.stats.submits, 0);
}

static void complete_in_a_second(struct fake *f, struct weft__op *op) {
    fake_at(f, op, f->now + WEFT_SECOND, 7);
}

static void what_would_wait_is_submitted_and_its_result_is_the_calls(void **state) {
    (void)state;
    int64_t begun = weft_now();
    fake.on_submit = complete_in_a_second;
    expect(weft_read(conn, buf, sizeof buf), 7);
    assert_int_equal(weft_now(), begun + WEFT_SECOND);
    assert_int_equal(fake.driver.stats.tries, 1);
    assert_int_equal(fake.driver.stats.submits, 1);
    assert_int_equal(fake.cancels, 0);
}

static uint32_t suspend_always(struct fake *f, enum weft__choice what, uint32_t n) {
    (void)f;
    return what == WEFT__PICK_INLINE && n > 1;
}

static void the_driver_may_choose_not_to_try(void **state) {
    (void)state;
    fake.on_try = three_bytes;
    fake.on_submit = complete_in_a_second;
    fake.on_choose = suspend_always;
    expect(weft_read(conn, buf, sizeof buf), 7);
    assert_int_equal(fake.driver.stats.tries, 0);
}

static uint32_t yield_always(struct fake *f, enum weft__choice what, uint32_t n) {
    (void)f;
    return what == WEFT__PICK_YIELD && n > 1;
}

static int count_up(void *arg) {
    ++*(int *)arg;
    return 0;
}

static void the_driver_may_choose_to_yield_first(void **state) {
    (void)state;
    int count = 0;
    fake.on_try = three_bytes;
    fake.on_choose = yield_always;
    expect(weft_go(&scope, count_up, &count), 0);
    for (int i = 0; i < 20 && count == 0; i++)
        expect(weft_read(conn, buf, sizeof buf), 3);
    assert_int_equal(count, 1);
    expect(weft_join(&scope), 0);
}

static void a_driver_without_memory_is_the_calls_failure(void **state) {
    (void)state;
    fake.submit_error = -ENOMEM;
    expect(weft_read(conn, buf, sizeof buf), -ENOMEM);
    expect_explained("read");
    fake.submit_error = 0;
    fake.on_try = three_bytes;
    expect(weft_read(conn, buf, sizeof buf), 3); // the turn was given back
}

static void an_injected_failure_reaches_no_driver(void **state) {
    (void)state;
    fake.on_try = three_bytes;
    fault_nth("read", 2, -EIO);
    expect(weft_read(conn, buf, sizeof buf), 3);
    expect(weft_read(conn, buf, sizeof buf), -EIO);
    expect(weft_read(conn, buf, sizeof buf), 3);
    assert_int_equal(fake.driver.stats.tries, 2);
    fault_nth("ctl", 1, -EIO);
    expect(weft_tcp_nodelay(conn, 1), -EIO);
    expect(weft_tcp_nodelay(conn, 1), 0);
}

static void a_spurious_wake_ends_no_operation(void **state) {
    (void)state;
    struct weft__waiter *self = weft__self();
    fake.on_submit = complete_in_a_second;
    for (int i = 0; i < 3; i++) {
        weft__unpark(self);
        expect(weft_read(conn, buf, sizeof buf), 7);
    }
}

// ---- Interruptions --------------------------------------------------------------------------

static int read_once(void *arg) {
    ssize_t n = weft_read(conn, buf, sizeof buf);
    *(bool *)arg = weft_timed_out();
    return (int)n;
}

static void on_entry_an_interruption_goes_before_any_effect(void **state) {
    (void)state;
    bool timed_out;
    fake.on_try = three_bytes;
    {
        weft_within(0);
        expect(weft_read(conn, buf, sizeof buf), -ETIMEDOUT);
        expect(weft_timed_out(), 1);
    }
    weft_cancel(&scope);
    expect(weft_go(&scope, read_once, &timed_out), 0);
    expect(weft_join(&scope), -ECANCELED);
    assert_false(timed_out);
    assert_int_equal(fake.driver.stats.tries + fake.driver.stats.submits, 0);
}

static void a_deadline_asks_the_driver_once_to_cancel(void **state) {
    (void)state;
    int64_t begun = weft_now();
    {
        weft_within(5 * WEFT_SECOND);
        expect(weft_read(conn, buf, sizeof buf), -ETIMEDOUT);
        expect(weft_timed_out(), 1);
        expect(weft_read(conn, buf, sizeof buf), -ETIMEDOUT); // again, until the block ends
    }
    assert_int_equal(weft_now(), begun + 5 * WEFT_SECOND);
    assert_int_equal(fake.cancels, 1);
}

static void a_cancel_asks_the_driver_once_to_cancel(void **state) {
    (void)state;
    bool timed_out;
    expect(weft_go(&scope, read_once, &timed_out), 0);
    expect(weft_sleep(1), 0);
    assert_non_null(waiting);
    weft_cancel(&scope);
    weft_cancel(&scope);
    expect(weft_join(&scope), -ECANCELED);
    assert_int_equal(fake.cancels, 1);
    assert_false(timed_out);
}

static void complete_while_cancelling(struct fake *f, struct weft__op *op) {
    fake_complete(f, op, 5);
}

static void once_begun_the_operations_own_result_wins(void **state) {
    (void)state;
    bool timed_out;
    fake.on_cancel = complete_while_cancelling;
    expect(weft_go(&scope, read_once, &timed_out), 0);
    expect(weft_sleep(1), 0);
    weft_cancel(&scope);
    expect(weft_join(&scope), 0); // five bytes are no error
    {
        weft_within(WEFT_SECOND);
        expect(weft_read(conn, buf, sizeof buf), 5);
        expect(weft_read(conn, buf, sizeof buf), -ETIMEDOUT); // the next call says so
    }
}

static void let_go_in_an_hour(struct fake *f, struct weft__op *op) {
    fake_at(f, op, f->now + WEFT_HOUR, -ECANCELED);
}

static void the_buffer_is_the_drivers_until_the_completion(void **state) {
    (void)state;
    int64_t begun = weft_now();
    fake.on_cancel = let_go_in_an_hour;
    {
        weft_within(WEFT_SECOND);
        expect(weft_read(conn, buf, sizeof buf), -ETIMEDOUT);
    }
    assert_int_equal(weft_now(), begun + WEFT_SECOND + WEFT_HOUR);
    assert_int_equal(fake.cancels, 1);
}

static void the_networks_timeout_is_no_deadline(void **state) {
    (void)state;
    fault_nth("read", 1, -ETIMEDOUT);
    expect(weft_read(conn, buf, sizeof buf), -ETIMEDOUT);
    expect(weft_timed_out(), 0);
}

// ---- Closing --------------------------------------------------------------------------------

static int close_conn(void *arg) {
    (void)arg;
    return weft_close(conn);
}

static void a_close_ends_the_operation_in_flight(void **state) {
    (void)state;
    expect(weft_go(&scope, close_conn, NULL), 0);
    expect(weft_read(conn, buf, sizeof buf), -EBADF);
    expect(weft_join(&scope), 0);
    assert_int_equal(fake.cancels, 1);
    assert_int_equal(fake.fds_open, 0);
}

static void a_close_waits_for_what_the_driver_still_does(void **state) {
    (void)state;
    int64_t begun = weft_now();
    bool timed_out;
    weft_scope reader = {0};
    fake.on_cancel = let_go_in_an_hour;
    expect(weft_go(&reader, read_once, &timed_out), 0);
    expect(weft_sleep(1), 0);
    expect(weft_close(conn), 0);
    assert_true(weft_now() >= begun + WEFT_HOUR);
    expect(weft_join(&reader), -EBADF);
}

static void bytes_that_moved_before_a_close_are_reported(void **state) {
    (void)state;
    fake.on_cancel = complete_while_cancelling;
    expect(weft_go(&scope, close_conn, NULL), 0);
    expect(weft_read(conn, buf, sizeof buf), 5);
    expect(weft_join(&scope), 0);
    expect(weft_read(conn, buf, sizeof buf), -EBADF);
}

static int watch(void *arg) {
    (void)arg;
    return weft_ready(conn, WEFT_READ | WEFT_WRITE);
}

static void a_close_ends_all_who_watch(void **state) {
    (void)state;
    for (int i = 0; i < 10; i++)
        expect(weft_go(&scope, watch, NULL), 0);
    expect(weft_sleep(1), 0);
    expect(weft_close(conn), 0);
    expect(weft_join(&scope), -EBADF);
    assert_int_equal(fake.cancels, 10);
}

int main(void) {
    const struct CMUnitTest cases[] = {
        CASE_OF_CALL(what_succeeds_inline_is_not_submitted),
        CASE_OF_CALL(what_would_wait_is_submitted_and_its_result_is_the_calls),
        CASE_OF_CALL(the_driver_may_choose_not_to_try),
        CASE_OF_CALL(the_driver_may_choose_to_yield_first),
        CASE_OF_CALL(a_driver_without_memory_is_the_calls_failure),
        CASE_OF_CALL(an_injected_failure_reaches_no_driver),
        CASE_OF_CALL(a_spurious_wake_ends_no_operation),
        CASE_OF_CALL(on_entry_an_interruption_goes_before_any_effect),
        CASE_OF_CALL(a_deadline_asks_the_driver_once_to_cancel),
        CASE_OF_CALL(a_cancel_asks_the_driver_once_to_cancel),
        CASE_OF_CALL(once_begun_the_operations_own_result_wins),
        CASE_OF_CALL(the_buffer_is_the_drivers_until_the_completion),
        CASE_OF_CALL(the_networks_timeout_is_no_deadline),
        CASE_OF_CALL(a_close_ends_the_operation_in_flight),
        CASE_OF_CALL(a_close_waits_for_what_the_driver_still_does),
        CASE_OF_CALL(bytes_that_moved_before_a_close_are_reported),
        CASE_OF_CALL(a_close_ends_all_who_watch),
    };
    return RUN(cases);
}
