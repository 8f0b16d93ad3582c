// SPDX-License-Identifier: MIT
// Unit tests of driver/uring_ring.c: its two queues, when there is a system call, until when it
// waits, and which of its answers a ring survives.
#include "fake_kernel.h"
#include "in_child.h"

#include <sys/prctl.h>

// ---- System calls ----

static void a_look_with_nothing_to_do_is_no_system_call(void **state) {
    (void)state;
    d->class->wait(d, 0); // submits the poll for wakes
    struct pair pair = open_pair();
    kernel.enters = 0;
    for (int i = 0; i < 100; i++)
        d->class->wait(d, 0);
    assert_int_equal(kernel.enters, 0);
    char byte;
    struct call call;
    prepare_io(&call, WEFT__OP_READ, pair.server, &byte, 1);
    submit(&call);
    assert_int_equal(kernel.enters, 0);
    d->class->wait(d, 0);
    assert_int_equal(kernel.enters, 1); // it submits
    for (int i = 0; i < 100; i++)
        d->class->wait(d, 0);
    assert_int_equal(kernel.enters, 1);
    assert_int_equal(write_text(pair.client, "x"), 1);
    await_done(&call);
    assert_int_equal(kernel.enters, 2); // it completes
    close_pair(pair);
}

static void submitting_and_waiting_are_one_system_call(void **state) {
    (void)state;
    struct pair pair = open_pair();
    assert_int_equal(write_text(pair.client, "x"), 1);
    kernel.enters = 0;
    char byte;
    struct call call;
    prepare_io(&call, WEFT__OP_READ, pair.server, &byte, 1);
    submit(&call);
    d->class->wait(d, INT64_MAX);
    assert_int_equal(call.done_count, 1);
    assert_int_equal(kernel.enters, 1);
    close_pair(pair);
}

// ---- The queues ----

enum { QUEUE = 256 };

static void queue_nop(uint64_t name) {
    struct io_uring_sqe *sqe = weft__uring_sqe(uring());
    assert_non_null(sqe);
    io_uring_prep_nop(sqe);
    io_uring_sqe_set_data64(sqe, name);
}

// Names of operations that nobody has; the driver would count them as strays.
enum { FIRST_NAME = 1000 };

static void completions_come_in_order_and_give_their_places_back(void **state) {
    (void)state;
    struct io_uring_cqe cqe;
    assert_false(weft__uring_next(uring(), &cqe));
    for (uint64_t i = 0; i < 3; i++)
        queue_nop(FIRST_NAME + i);
    assert_false(weft__uring_next(uring(), &cqe)); // the kernel has not looked yet
    assert_true(weft__uring_enter(uring(), 0) >= 0);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(io_uring_cq_ready(&uring()->ring), 3 - i);
        assert_true(weft__uring_next(uring(), &cqe));
        assert_int_equal(cqe.user_data, FIRST_NAME + i);
        assert_int_equal(cqe.res, 0);
    }
    assert_int_equal(io_uring_cq_ready(&uring()->ring), 0);
    assert_false(weft__uring_next(uring(), &cqe));
}

static void a_full_queue_is_emptied_to_make_room(void **state) {
    (void)state;
    struct io_uring_cqe cqe;
    kernel.enters = 0;
    for (uint64_t i = 0; i < QUEUE; i++)
        queue_nop(FIRST_NAME + i);
    assert_int_equal(kernel.enters, 0);
    queue_nop(FIRST_NAME + QUEUE);
    assert_int_equal(kernel.enters, 1);
    assert_true(weft__uring_enter(uring(), 0) >= 0);
    for (uint64_t i = 0; i <= QUEUE; i++) {
        assert_true(weft__uring_next(uring(), &cqe));
        assert_int_equal(cqe.user_data, FIRST_NAME + i);
    }
}

static void there_is_no_place_while_the_kernel_takes_none(void **state) {
    (void)state;
    struct io_uring_cqe cqe;
    for (uint64_t i = 0; i < QUEUE; i++)
        queue_nop(FIRST_NAME + i);
    kernel.full_error = -EBUSY;
    assert_null(weft__uring_sqe(uring()));
    kernel.full_error = 0;
    queue_nop(FIRST_NAME + QUEUE);
    assert_true(weft__uring_enter(uring(), 0) >= 0);
    uint64_t count = 0;
    while (weft__uring_next(uring(), &cqe))
        assert_int_equal(cqe.user_data, FIRST_NAME + count++);
    assert_int_equal(count, QUEUE + 1);
}

// ---- Until when ----

// As a moment and, where the kernel does not take that, as a span.
static void a_wait_for_nothing_ends_at_its_deadline_and_not_before(void **state) {
    (void)state;
    for (int round = 0; round < 2; round++) {
        int64_t until = now_ns() + 2000000;
        int result = weft__uring_enter(uring(), until);
        assert_int_equal(result, -ETIME);
        assert_true(now_ns() >= until);
        assert_int_equal(weft__uring_enter(uring(), 1), -ETIME); // long past
        uring()->timer_flags = 0;
    }
}

static void a_wait_is_late_by_the_slack_of_its_thread(void **state) {
    (void)state;
    enum { SLACK_NS = 3000000 };
    struct weft__driver *other;
    assert_int_equal(uring()->slack_ns, prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0));
    assert_int_equal(prctl(PR_SET_TIMERSLACK, SLACK_NS, 0, 0, 0), 0);
    assert_int_equal(weft__uring_start(&other, NULL), 0);
    int64_t until = now_ns() + 1;
    other->class->wait(other, until);
    assert_true(now_ns() >= until + SLACK_NS);
    other->class->stop(other);
    assert_int_equal(prctl(PR_SET_TIMERSLACK, 0, 0, 0, 0), 0); // back to the thread's first one
}

static void a_wait_ends_with_the_first_completion(void **state) {
    (void)state;
    struct io_uring_cqe cqe;
    static const int64_t ends[] = {0, 1, INT64_MAX}; // the second is long past
    for (size_t i = 0; i < 3; i++) {
        queue_nop(FIRST_NAME + i);
        assert_true(weft__uring_enter(uring(), ends[i]) >= 0);
        assert_true(weft__uring_next(uring(), &cqe));
        assert_int_equal(cqe.user_data, FIRST_NAME + i);
    }
}

// It comes a millisecond later, by itself. What the kernel has to do for the thread meanwhile may
// end a wait early, but not one after the other.
static void a_wait_without_a_deadline_lasts_until_something_completes(void **state) {
    (void)state;
    struct io_uring_cqe cqe;
    struct __kernel_timespec span = {.tv_nsec = 1000000};
    struct io_uring_sqe *sqe = weft__uring_sqe(uring());
    io_uring_prep_timeout(sqe, &span, 0, 0);
    io_uring_sqe_set_data64(sqe, FIRST_NAME);
    int waits = 0;
    do
        weft__uring_check(weft__uring_enter(uring(), INT64_MAX));
    while (!weft__uring_next(uring(), &cqe) && ++waits < 10);
    assert_true(waits < 10);
    assert_int_equal(cqe.user_data, FIRST_NAME);
    assert_int_equal(cqe.res, -ETIME);
}

// Without the flag nobody says whether the kernel has work, so each look enters it.
static void without_the_flag_of_work_inside_each_look_enters(void **state) {
    (void)state;
    kernel.enters = 0;
    assert_int_equal(weft__uring_enter(uring(), 0), 0);
    assert_int_equal(kernel.enters, 0);
    uring()->has_task_flag = false;
    assert_int_equal(weft__uring_enter(uring(), 0), 0);
    assert_int_equal(kernel.enters, 1);
}

// ---- What a ring survives ----

static void a_wait_that_fails_in_passing_is_made_again(void **state) {
    (void)state;
    static const int errors[] = {-EAGAIN, -EBUSY, -ENOMEM, -EINTR, -ETIME};
    struct pair pair = open_pair();
    for (size_t i = 0; i < 5; i++) {
        char byte;
        struct call call;
        prepare_io(&call, WEFT__OP_READ, pair.server, &byte, 1);
        submit(&call);
        kernel.enter_error = errors[i];
        kernel.failing_enter = kernel.enters + 1;
        d->class->wait(d, INT64_MAX);
        assert_int_equal(call.done_count, 0);
        kernel.enter_error = 0;
        assert_int_equal(write_text(pair.client, "x"), 1);
        await_done(&call);
        assert_int_equal(call.op.result, 1);
    }
    close_pair(pair);
}

static void lose_the_ring(void *arg) {
    (void)arg;
    struct weft__driver *own;
    if (weft__uring_start(&own, NULL) != 0)
        return;
    kernel.enter_error = -EPERM;
    own->class->wait(own, INT64_MAX);
}

static void a_ring_that_is_gone_ends_the_process(void **state) {
    (void)state;
    assert_int_equal(signal_that_ends_child(lose_the_ring, NULL), SIGABRT);
}

static void check_answer(void *arg) {
    weft__uring_check(*(const int *)arg);
}

static void any_other_answer_ends_the_process(void **state) {
    (void)state;
    static int fatal[] = {-EPERM, -EBADF, -EINVAL, -EFAULT, -ENXIO};
    static int passing[] = {0, 1, -EINTR, -ETIME, -EAGAIN, -EBUSY, -ENOMEM};
    for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++)
        assert_int_equal(signal_that_ends_child(check_answer, &fatal[i]), SIGABRT);
    for (size_t i = 0; i < sizeof passing / sizeof *passing; i++)
        weft__uring_check(passing[i]);
}

int main(void) {
    if (skip_without_uring() != 0)
        return 77;
    const struct CMUnitTest cases[] = {
        KERNEL_CASE(a_look_with_nothing_to_do_is_no_system_call),
        KERNEL_CASE(submitting_and_waiting_are_one_system_call),
        KERNEL_CASE(completions_come_in_order_and_give_their_places_back),
        KERNEL_CASE(a_full_queue_is_emptied_to_make_room),
        KERNEL_CASE(there_is_no_place_while_the_kernel_takes_none),
        KERNEL_CASE(a_wait_for_nothing_ends_at_its_deadline_and_not_before),
        KERNEL_CASE(a_wait_is_late_by_the_slack_of_its_thread),
        KERNEL_CASE(a_wait_ends_with_the_first_completion),
        KERNEL_CASE(a_wait_without_a_deadline_lasts_until_something_completes),
        KERNEL_CASE(without_the_flag_of_work_inside_each_look_enters),
        KERNEL_CASE(a_wait_that_fails_in_passing_is_made_again),
        KERNEL_CASE(a_ring_that_is_gone_ends_the_process),
        KERNEL_CASE(any_other_answer_ends_the_process),
    };
    return cmocka_run_group_tests_name("the ring of io_uring", cases, NULL, NULL);
}
