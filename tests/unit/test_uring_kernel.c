// SPDX-License-Identifier: MIT
// Unit tests of driver/uring_probe.c and uring_ring.c: what an older, smaller or unwilling kernel
// answers, played by functions of liburing's names that stand before liburing's own. A kernel that
// refuses system calls for real is in test_refused.c.
#include <dlfcn.h>
#include <stdlib.h>

#include "driver/uring.h"
#include "driver_contract.h"
#include "in_child.h"

// What this kernel will not do; zeroed it is the real one.
static struct {
    unsigned refused_setup_flags;   // -EINVAL, as unknown flags are
    unsigned refused_enter_flags;   // likewise
    unsigned missing_features;      //
    int missing_opcode;             // 0: none (NOP is never missing)
    int setup_error, enter_error;   // of every call
    int plain_error;                // of a setup without flags
    int probe_error, ring_fd_error; //
    int small_setups;               // so many setups answer -ENOMEM
    uint64_t failing_enter;         // the n-th one answers enter_error
    int full_error;                 // of a call that only submits
    bool is_asleep;                 // entering answers 0 and does nothing
    uint64_t setups, enters;        // calls so far
} kernel;

static void *real(const char *name) {
    void *function = dlsym(RTLD_NEXT, name);
    assert_non_null(function);
    return function;
}

int io_uring_queue_init_params(unsigned entries, struct io_uring *ring,
                               struct io_uring_params *params) {
    int (*call)(unsigned, struct io_uring *, struct io_uring_params *);
    *(void **)&call = real(__func__);
    kernel.setups++;
    if (kernel.setup_error != 0)
        return kernel.setup_error;
    if ((params->flags & kernel.refused_setup_flags) != 0)
        return -EINVAL;
    if (kernel.small_setups > 0 && kernel.small_setups-- > 0)
        return -ENOMEM;
    int result = call(entries, ring, params);
    ring->features &= ~kernel.missing_features;
    return result;
}

int io_uring_queue_init(unsigned entries, struct io_uring *ring, unsigned flags) {
    int (*call)(unsigned, struct io_uring *, unsigned);
    *(void **)&call = real(__func__);
    return kernel.plain_error != 0 ? kernel.plain_error : call(entries, ring, flags);
}

int io_uring_register_probe(struct io_uring *ring, struct io_uring_probe *probe, unsigned count) {
    int (*call)(struct io_uring *, struct io_uring_probe *, unsigned);
    *(void **)&call = real(__func__);
    int result = kernel.probe_error != 0 ? kernel.probe_error : call(ring, probe, count);
    if (result >= 0 && kernel.missing_opcode != 0)
        probe->ops[kernel.missing_opcode].flags = 0;
    return result;
}

int io_uring_register_ring_fd(struct io_uring *ring) {
    int (*call)(struct io_uring *);
    *(void **)&call = real(__func__);
    return kernel.ring_fd_error != 0 ? kernel.ring_fd_error : call(ring);
}

int io_uring_enter2(unsigned fd, unsigned count, unsigned wait, unsigned flags, sigset_t *arg,
                    size_t size) {
    int (*call)(unsigned, unsigned, unsigned, unsigned, sigset_t *, size_t);
    *(void **)&call = real(__func__);
    kernel.enters++;
    if (kernel.is_asleep)
        return 0;
    if (kernel.failing_enter == 0 || kernel.failing_enter == kernel.enters) {
        if (kernel.enter_error != 0)
            return kernel.enter_error;
    }
    if ((flags & kernel.refused_enter_flags) != 0)
        return -EINVAL;
    if ((flags & IORING_ENTER_GETEVENTS) == 0 && kernel.full_error != 0)
        return kernel.full_error;
    return call(fd, count, wait, flags, arg, size);
}

static int start_uring(struct weft__driver **ret_driver) {
    return weft__uring_start(ret_driver, NULL);
}

static const struct contract uring_contract = {
    .name = "uring", .start = start_uring, .is_real = true};

static struct weft__uring *uring(void) {
    return WEFT__CONTAINER(d, struct weft__uring, driver);
}

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

static int start_real_case(void **state) {
    memset(&kernel, 0, sizeof kernel);
    return start_case(state);
}

#define KERNEL_CASE(fn) cmocka_unit_test_setup_teardown(fn, start_real_case, stop_case)

static void assert_refused(int expected_error, const char *expected_why) {
    int error;
    const char *why = restart(&error);
    assert_int_equal(error, expected_error);
    assert_string_equal(why, expected_why);
}

static void assert_works(void) {
    struct pair pair = open_pair();
    char byte = 0;
    struct call call;
    prepare_io(&call, WEFT__OP_READ, pair.server, &byte, 1);
    submit(&call);
    d->class->wait(d, 0);
    assert_int_equal(write_text(pair.client, "w"), 1);
    await_done(&call);
    assert_int_equal(byte, 'w');
    close_pair(pair);
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
        submit_many(udp, WEFT__OP_READY, WEFT__WRITABLE);
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
        KERNEL_CASE(optional_flags_are_dropped_one_by_one),
        KERNEL_CASE(no_deferral_is_a_refusal_with_that_cause),
        KERNEL_CASE(whatever_setup_answers_is_the_refusal),
        KERNEL_CASE(short_of_memory_the_queues_are_halved_once),
        KERNEL_CASE(each_missing_opcode_is_named),
        KERNEL_CASE(a_missing_feature_is_a_refusal),
        KERNEL_CASE(every_failing_step_of_the_test_is_a_refusal),
        KERNEL_CASE(a_ring_that_does_nothing_fails_its_test),
        KERNEL_CASE(without_what_is_optional_it_works),
        KERNEL_CASE(a_look_with_nothing_to_do_is_no_system_call),
        KERNEL_CASE(submitting_and_waiting_are_one_system_call),
        KERNEL_CASE(submit_enters_only_when_the_queue_is_full),
        KERNEL_CASE(operations_wait_while_the_kernel_takes_none),
        KERNEL_CASE(operations_that_wait_for_the_kernel_can_be_cancelled),
        KERNEL_CASE(a_wait_that_fails_in_passing_is_made_again),
        KERNEL_CASE(a_ring_that_is_gone_ends_the_process),
    };
    return failed +
           cmocka_run_group_tests_name("the uring driver and its kernel", cases, NULL, NULL);
}
