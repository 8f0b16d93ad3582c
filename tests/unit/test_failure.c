// SPDX-License-Identifier: MIT
// Unit tests of task/failure.c: the record of the last failure, who has one and who leaves it as it
// is. The sentence made of it: test_explain.c.
#include "fake_driver.h"

static void each_failure_overwrites_all_of_the_last(void **state) {
    (void)state;
    struct weft__waiter *self = weft__self();
    struct weft__failure *failure = self->failure;
    weft_addr addr = weft_addr_ipv4(10, 0, 0, 1, 80);
    expect(weft__failed_text(self, "listen", "nowhere", "because", -EINVAL), -EINVAL);
    failure->moved = 5;
    failure->is_deadline = true;
    expect(weft__failed_addr(self, "connect", &addr, -ECONNREFUSED), -ECONNREFUSED);
    assert_string_equal(failure->call, "connect");
    assert_int_equal(failure->code, -ECONNREFUSED);
    assert_true(failure->has_addr && weft_addr_equal(&failure->addr, &addr));
    assert_string_equal(failure->text, "");
    assert_null(failure->detail);
    expect(weft_moved(), 0);
    expect(weft_timed_out(), 0);
    expect(weft__failed(self, "read", 1234, -EIO), -EIO);
    assert_false(failure->has_addr);
    assert_int_equal(failure->handle, 1234);
    expect(weft__failed_text(self, "listen", "", NULL, -EINVAL), -EINVAL);
    assert_int_equal(failure->handle, 0);
}

static void a_text_is_cut_and_not_left_open(void **state) {
    (void)state;
    struct weft__waiter *self = weft__self();
    char text[2 * WEFT__SUBJECT_SIZE];
    memset(text, 'a', sizeof text);
    text[sizeof text - 1] = '\0';
    for (size_t length = WEFT__SUBJECT_SIZE - 2; length < sizeof text; length++) {
        size_t kept = length < WEFT__SUBJECT_SIZE - 1 ? length : WEFT__SUBJECT_SIZE - 1;
        (void)weft__failed_text(self, "resolve", text + sizeof text - 1 - length, NULL, -EINVAL);
        assert_int_equal(strlen(self->failure->text), kept);
    }
}

// ---- Who leaves it as it is -----------------------------------------------------------------

static void fail_with(int64_t code) {
    (void)weft__failed(weft__self(), "probe", 0, code);
    weft__self()->failure->moved = 42;
    weft__self()->failure->is_deadline = true;
}

static void expect_untouched(void) {
    expect_explained("probe");
    expect(weft_moved(), 42);
    expect(weft_timed_out(), 1);
}

static void a_call_that_passes_a_negative_handle_on_leaves_the_record(void **state) {
    (void)state;
    char byte;
    weft_addr addr;
    struct iovec iov = {&byte, 1};
    fail_with(-ETIMEDOUT);
    expect(weft_read(-EIO, &byte, 1), -EIO);
    expect(weft_peek(-EIO, &byte, 1), -EIO);
    expect(weft_write(-EIO, &byte, 1), -EIO);
    expect(weft_readv(-EIO, &iov, 1), -EIO);
    expect(weft_writev(-EIO, &iov, 1), -EIO);
    expect(weft_ready(-EIO, WEFT_READ), -EIO);
    expect(weft_read_exact(-EIO, &byte, 1), -EIO);
    expect(weft_write_all(-EIO, &byte, 1), -EIO);
    expect(weft_readv_exact(-EIO, &iov, 1), -EIO);
    expect(weft_writev_all(-EIO, &iov, 1), -EIO);
    expect(weft_printf(-EIO, "x"), -EIO);
    expect(weft_shutdown(-EIO, WEFT_READ), -EIO);
    expect(weft_close(-EIO), -EIO);
    expect(weft_abort(-EIO), -EIO);
    expect(weft_accept(-EIO), -EIO);
    expect(weft_accept_from(-EIO, &addr), -EIO);
    expect(weft_tcp_nodelay(-EIO, 1), -EIO);
    expect(weft_tcp_keepalive(-EIO, 1, 1, 1), -EIO);
    expect(weft_recv_from(-EIO, &byte, 1, &addr), -EIO);
    expect(weft_recv_with(-EIO, &byte, 1, NULL), -EIO);
    expect(weft_send_to(-EIO, &byte, 1, &addr), -EIO);
    expect(weft_local_addr(-EIO, &addr), -EIO);
    expect(weft_peer_addr(-EIO, &addr), -EIO);
    expect_untouched();
}

static void a_close_leaves_the_record_also_when_it_fails(void **state) {
    (void)state;
    int h = fake_handle(WEFT__KIND_STREAM);
    fail_with(-ETIMEDOUT);
    expect(weft_close(h), 0);
    expect(weft_close(h), -EBADF);
    expect(weft_abort(h), -EBADF);
    expect(weft_close(0), -EBADF);
    expect(weft_close(INT32_MAX), -EBADF);
    expect_untouched();
}

static int64_t nothing_wrong(struct fake *f, struct weft__op *op) {
    (void)f;
    return op->kind == WEFT__OP_WRITE ? (int64_t)op->iov[0].iov_len : 1;
}

static void a_call_that_succeeds_leaves_the_record(void **state) {
    (void)state;
    char byte;
    int h = fake_handle(WEFT__KIND_STREAM);
    fake.on_try = nothing_wrong;
    fail_with(-ETIMEDOUT);
    expect(weft_read(h, &byte, 1), 1);
    expect(weft_write_all(h, "abc", 3), 3);
    expect(weft_sleep(1), 0);
    expect(weft_check(), 0);
    expect_untouched();
    expect(weft_close(h), 0);
}

// ---- Who has one ----------------------------------------------------------------------------

static int fail_for_itself(void *arg) {
    int mine = (int)(intptr_t)arg;
    for (int i = 0; i < 10; i++) {
        (void)weft__failed(weft__self(), "probe", 0, -mine);
        weft__self()->failure->moved = (size_t)mine;
        expect(weft_yield(), 0);
        assert_int_equal(weft__self()->failure->code, -mine);
        expect(weft_moved(), mine);
    }
    return 0;
}

static void each_task_has_a_record_of_its_own(void **state) {
    (void)state;
    weft_scope scope = {0};
    fail_with(-ETIMEDOUT);
    for (int i = 1; i <= 20; i++)
        expect(weft_go(&scope, fail_for_itself, (void *)(intptr_t)i), 0);
    expect(weft_join(&scope), 0);
    expect_untouched();
}

int main(void) {
    const struct CMUnitTest cases[] = {
        CASE(each_failure_overwrites_all_of_the_last),
        CASE(a_text_is_cut_and_not_left_open),
        CASE_ON_FAKE(a_call_that_passes_a_negative_handle_on_leaves_the_record),
        CASE_ON_FAKE(a_close_leaves_the_record_also_when_it_fails),
        CASE_ON_FAKE(a_call_that_succeeds_leaves_the_record),
        CASE_ON_FAKE(each_task_has_a_record_of_its_own),
    };
    return RUN(cases);
}
