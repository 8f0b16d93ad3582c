// SPDX-License-Identifier: MIT
// Unit tests of driver/thread.c: the driver contract, and what is the thread driver's own: when it
// has an eventfd, what it does without one, and that a forked child has its own.
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "driver_contract.h"

static int start_thread(struct weft__driver **ret_driver) {
    return weft__thread_start(ret_driver, NULL);
}

static const struct contract thread_contract = {
    .name = "thread", .start = start_thread, .is_real = true};

static void no_descriptor_is_opened_until_an_op_waits(void **state) {
    (void)state;
    d->class->wake(d);
    d->class->wait(d, INT64_MAX);
    d->class->wait(d, now_ns() + 1000);
    assert_int_equal(count_fds(), fds_before);
    struct pair pair = open_pair();
    char byte;
    struct call call;
    prepare_io(&call, WEFT__OP_READ, pair.server, &byte, 1);
    submit(&call);
    assert_int_equal(write_text(pair.client, "x"), 1);
    await_done(&call);
    close_pair(pair);
    assert_int_equal(count_fds(), fds_before + 1);
}

// ---- Without an eventfd ----

static struct rlimit allow_descriptors(rlim_t count) {
    struct rlimit before, now;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    now = before;
    now.rlim_cur = count;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
    return before;
}

// No descriptor can be made below 3, because those are open; with 1 ppoll(2) refuses two of them,
// too.
static void waits_work_without_an_eventfd(void **state) {
    (void)state;
    for (rlim_t limit = 3; limit != 0; limit = limit == 3 ? 1 : 0) {
        weft_addr addr;
        struct sock receiver = open_bound(WEFT__DATAGRAM, &addr);
        struct sock sender = open_socket(WEFT__DATAGRAM);
        assert_int_equal(ctl(WEFT__CTL_CONNECT, sender, 0, &addr), 0);
        char byte = 0;
        struct call call;
        prepare_io(&call, WEFT__OP_RECVMSG, receiver, &byte, 1);
        size_t fds = count_fds();
        struct rlimit before = allow_descriptors(limit);
        submit(&call);
        int waits = count_waits(now_ns() + 30 * INT64_C(1000000)); // 30 ms, in naps of 10
        d->class->wake(d);
        d->class->wait(d, INT64_MAX);
        play(20);
        assert_int_equal(call.done_count, 0);
        assert_int_equal(run_io(WEFT__OP_SENDMSG, sender, "x", 1), 1);
        await_done(&call);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        assert_int_equal(byte, 'x');
        assert_true(waits <= FEW_WAITS);
        assert_int_equal(count_fds(), fds);
        close_pair((struct pair){sender, receiver});
    }
}

// ---- Fork ----

// Both processes wait on the driver at the same time. If they shared the eventfd, the parent would
// read the child's wakes, and the child would hang until alarm(2) ends it.
static void a_forked_child_gets_its_own_wakes(void **state) {
    (void)state;
    struct pair pair = open_pair();
    char byte;
    struct call call;
    prepare_io(&call, WEFT__OP_READ, pair.server, &byte, 1);
    submit(&call);
    d->class->wait(d, 1);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        alarm(HANG_S);
        play(500);
        _exit(call.done_count);
    }
    int status = -1;
    while (waitpid(child, &status, WNOHANG) == 0)
        d->class->wait(d, now_ns() + 100000);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(cancel(&call), -ECANCELED);
    close_pair(pair);
}

int main(void) {
    int failed = contract_run(&thread_contract);
    const struct CMUnitTest cases[] = {
        CASE(no_descriptor_is_opened_until_an_op_waits),
        CASE(waits_work_without_an_eventfd),
        CASE(a_forked_child_gets_its_own_wakes),
    };
    return failed + cmocka_run_group_tests_name("the thread driver", cases, NULL, NULL);
}
