// SPDX-License-Identifier: MIT
// Unit tests of driver/uring.c on a kernel that offers little or refuses at times: the driver
// contract on the barest ring, and operations that have to wait for a place. How such a ring is
// found is in test_uring_probe.c.
#include "driver_contract.h"
#include "fake_kernel.h"

// ---- A kernel that refuses at times ----

enum { MANY = 600 }; // more than two queues full

static struct call calls[MANY];

static void submit_many(struct sock s, enum weft__op_kind kind, uint32_t events) {
    for (int i = 0; i < MANY; i++) {
        prepare(&calls[i], kind, s);
        calls[i].op.events = events;
        submit(&calls[i]);
    }
}

static void submit_enters_only_when_the_queue_is_full(void **state) {
    (void)state;
    struct sock udp = open_socket(WEFT__DATAGRAM);
    kernel.enters = 0;
    submit_many(udp, WEFT__OP_READY, WEFT__WRITABLE);
    assert_int_equal(kernel.enters, (MANY - 1) / 256);
    for (int i = 0; i < MANY; i++)
        await_done(&calls[i]);
    close_socket(udp);
}

static void operations_wait_while_the_kernel_takes_none(void **state) {
    (void)state;
    struct sock udp = open_socket(WEFT__DATAGRAM);
    static const int errors[] = {-EAGAIN, -EBUSY, -ENOMEM, -EINTR};
    for (size_t i = 0; i < 4; i++) {
        kernel.full_error = errors[i];
        kernel.enters = 0;
        submit_many(udp, WEFT__OP_READY, WEFT__WRITABLE);
        assert_int_equal(kernel.enters, 1); // refused once, it is not asked for each
        assert_false(weft__list_is_empty(&uring()->backlog));
        assert_int_equal(d->pending, MANY);
        for (int k = 0; k < MANY; k++) {
            await_done(&calls[k]);
            assert_int_equal(calls[k].op.result, WEFT__WRITABLE);
        }
        assert_true(weft__list_is_empty(&uring()->backlog));
    }
    close_socket(udp);
}

static void operations_that_wait_for_the_kernel_can_be_cancelled(void **state) {
    (void)state;
    struct sock udp = open_bound(WEFT__DATAGRAM, &(weft_addr){0});
    kernel.full_error = -EAGAIN;
    submit_many(udp, WEFT__OP_READY, WEFT__READABLE);
    d->class->cancel(d, &calls[MANY - 1].op); // the kernel does not know of it
    assert_int_equal(calls[MANY - 1].done_count, 1);
    for (int i = 0; i < MANY - 1; i++)
        d->class->cancel(d, &calls[i].op); // for the first 256, cancels stand in the backlog
    for (int i = 0; i < MANY; i++) {
        await_done(&calls[i]);
        assert_int_equal(calls[i].op.result, -ECANCELED);
    }
    assert_int_equal(uring()->strays, 0);
    close_socket(udp);
}

// ---- The whole contract on the barest ring ----

static int start_bare(struct weft__driver **ret_driver) {
    memset(&kernel, 0, sizeof kernel);
    kernel.ring_fd_error = -EMFILE;
    kernel.missing_features = IORING_FEAT_NO_IOWAIT;
    kernel.refused_setup_flags = IORING_SETUP_SUBMIT_ALL | IORING_SETUP_TASKRUN_FLAG;
    kernel.refused_enter_flags = IORING_ENTER_ABS_TIMER;
    kernel.small_setups = 1;
    return weft__uring_start(ret_driver, NULL);
}

int main(void) {
    static const struct contract bare = {.name = "uring", .start = start_bare, .is_real = true};
    int failed = contract_run(&bare);
    if (failed == 77)
        return failed;
    contract = &uring_contract;
    const struct CMUnitTest cases[] = {
        KERNEL_CASE(submit_enters_only_when_the_queue_is_full),
        KERNEL_CASE(operations_wait_while_the_kernel_takes_none),
        KERNEL_CASE(operations_that_wait_for_the_kernel_can_be_cancelled),
    };
    return failed +
           cmocka_run_group_tests_name("the uring driver and its kernel", cases, NULL, NULL);
}
