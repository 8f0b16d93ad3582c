// SPDX-License-Identifier: MIT
// Unit tests of driver/uring_probe.c: what each unwilling answer of the kernel leads to. Each
// refusal names its step and leaves nothing behind.
#include "fake_kernel.h"

// Restarts the case's driver on the kernel as it is described now. The refusal's step, or NULL.
static const char *restart(int *ret_error) {
    const char *why = NULL;
    if (d != NULL)
        d->class->stop(d);
    d = NULL;
    size_t fds = count_fds(), blocks = weft__alloc_living();
    *ret_error = weft__uring_start(&d, &why);
    if (*ret_error != 0) {
        assert_null(d); // ret_ stays untouched
        assert_non_null(why);
        assert_int_equal(count_fds(), fds);
        assert_int_equal(weft__alloc_living(), blocks);
    }
    return why;
}

static void assert_refused(int expected_error, const char *expected_why) {
    int error;
    const char *why = restart(&error);
    assert_int_equal(error, expected_error);
    assert_string_equal(why, expected_why);
}

// ---- The ladder ----

static void optional_flags_are_dropped_one_by_one(void **state) {
    (void)state;
    static const unsigned flags[] = {IORING_SETUP_SUBMIT_ALL, IORING_SETUP_TASKRUN_FLAG,
                                     IORING_SETUP_SUBMIT_ALL | IORING_SETUP_TASKRUN_FLAG};
    const unsigned all = IORING_SETUP_SUBMIT_ALL | IORING_SETUP_TASKRUN_FLAG;
    for (size_t i = 0; i < 3; i++) {
        int error;
        kernel.refused_setup_flags = flags[i];
        (void)restart(&error);
        assert_int_equal(error, 0);
        assert_int_equal(uring()->ring.flags & all, all & ~flags[i]);
        assert_int_equal(uring()->has_task_flag, (flags[i] & IORING_SETUP_TASKRUN_FLAG) == 0);
        assert_works();
    }
}

static void no_deferral_is_a_refusal_with_that_cause(void **state) {
    (void)state;
    kernel.refused_setup_flags = IORING_SETUP_DEFER_TASKRUN;
    assert_refused(-EOPNOTSUPP, "no IORING_SETUP_DEFER_TASKRUN");
    kernel.plain_error = -EPERM; // not the flag's fault
    assert_refused(-EINVAL, "io_uring_setup");
}

static void whatever_setup_answers_is_the_refusal(void **state) {
    (void)state;
    static const int errors[] = {EPERM, ENOSYS, EACCES, EINVAL, ENOMEM, EMFILE, 4000};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        kernel.setup_error = kernel.plain_error = -errors[i];
        assert_refused(-errors[i], "io_uring_setup");
    }
}

static void short_of_memory_the_queues_are_halved_once(void **state) {
    (void)state;
    int error;
    assert_int_equal(uring()->ring.sq.ring_entries, 256);
    assert_int_equal(uring()->ring.cq.ring_entries, 4096);
    kernel.small_setups = 1;
    (void)restart(&error);
    assert_int_equal(error, 0);
    assert_int_equal(uring()->ring.sq.ring_entries, 128);
    assert_int_equal(uring()->ring.cq.ring_entries, 2048);
    assert_works();
    kernel.setups = 0;
    kernel.setup_error = kernel.plain_error = -ENOMEM;
    assert_refused(-ENOMEM, "io_uring_setup");
    assert_int_equal(kernel.setups, 5); // each set of flags, and once more for the halving
}

static void each_missing_opcode_is_named(void **state) {
    (void)state;
    static const struct {
        int opcode;
        const char *why;
    } expected[] = {
        {IORING_OP_POLL_ADD, "no IORING_OP_POLL_ADD"},
        {IORING_OP_RECV, "no IORING_OP_RECV"},
        {IORING_OP_SEND, "no IORING_OP_SEND"},
        {IORING_OP_RECVMSG, "no IORING_OP_RECVMSG"},
        {IORING_OP_SENDMSG, "no IORING_OP_SENDMSG"},
        {IORING_OP_ACCEPT, "no IORING_OP_ACCEPT"},
        {IORING_OP_CONNECT, "no IORING_OP_CONNECT"},
        {IORING_OP_ASYNC_CANCEL, "no IORING_OP_ASYNC_CANCEL"},
    };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        kernel.missing_opcode = expected[i].opcode;
        assert_refused(-EOPNOTSUPP, expected[i].why);
    }
    kernel.probe_error = -EACCES;
    assert_refused(-EACCES, "io_uring_register (list of opcodes)");
}

static void a_missing_feature_is_a_refusal(void **state) {
    (void)state;
    static const unsigned features[] = {IORING_FEAT_NODROP, IORING_FEAT_EXT_ARG,
                                        IORING_FEAT_FAST_POLL, IORING_FEAT_CQE_SKIP};
    for (size_t i = 0; i < 4; i++) {
        kernel.missing_features = features[i];
        assert_refused(-EOPNOTSUPP, "no NODROP, EXT_ARG, FAST_POLL or CQE_SKIP");
    }
}

// The n-th call of the functional test fails, whichever that is.
static void every_failing_step_of_the_test_is_a_refusal(void **state) {
    (void)state;
    int error;
    uint64_t total;
    kernel.enters = 0;
    (void)restart(&error);
    assert_int_equal(error, 0);
    total = kernel.enters;
    assert_true(total >= 5);
    for (kernel.failing_enter = 1; kernel.failing_enter < total; kernel.failing_enter++) {
        kernel.enters = 0;
        kernel.enter_error = -EACCES;
        const char *why = restart(&error);
        assert_int_equal(error, -EACCES);
        assert_non_null(strstr(why, "test of "));
    }
    kernel.enters = 0; // the last call only asks for something better
    (void)restart(&error);
    assert_int_equal(error, 0);
    assert_int_equal(uring()->timer_flags, 0);
}

static void a_ring_that_does_nothing_fails_its_test(void **state) {
    (void)state;
    kernel.is_asleep = true;
    assert_refused(-ETIME, "io_uring_enter (test of NOP)");
}

static void a_ring_that_delivers_other_bytes_fails_its_test(void **state) {
    (void)state;
    kernel.is_garbling = true;
    assert_refused(-EIO, "test of RECV");
}

static void without_what_is_optional_it_works(void **state) {
    (void)state;
    int error;
    kernel.ring_fd_error = -EMFILE;
    kernel.missing_features = IORING_FEAT_NO_IOWAIT;
    kernel.refused_enter_flags = IORING_ENTER_ABS_TIMER | IORING_ENTER_REGISTERED_RING;
    (void)restart(&error);
    assert_int_equal(error, 0);
    assert_int_equal(uring()->enter_flags, 0);
    assert_int_equal(uring()->timer_flags, 0);
    assert_works();
}

int main(void) {
    if (skip_without_uring() != 0)
        return 77;
    const struct CMUnitTest cases[] = {
        KERNEL_CASE(optional_flags_are_dropped_one_by_one),
        KERNEL_CASE(no_deferral_is_a_refusal_with_that_cause),
        KERNEL_CASE(whatever_setup_answers_is_the_refusal),
        KERNEL_CASE(short_of_memory_the_queues_are_halved_once),
        KERNEL_CASE(each_missing_opcode_is_named),
        KERNEL_CASE(a_missing_feature_is_a_refusal),
        KERNEL_CASE(every_failing_step_of_the_test_is_a_refusal),
        KERNEL_CASE(a_ring_that_does_nothing_fails_its_test),
        KERNEL_CASE(a_ring_that_delivers_other_bytes_fails_its_test),
        KERNEL_CASE(without_what_is_optional_it_works),
    };
    return cmocka_run_group_tests_name("the ladder of io_uring", cases, NULL, NULL);
}
