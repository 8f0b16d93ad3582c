// SPDX-License-Identifier: MIT
// The cases of the driver contract about waiting and waking, and about memory that cannot be had.
// Included by driver_contract.h.
#ifndef TESTS_UNIT_DRIVER_CONTRACT_WAIT_H
#define TESTS_UNIT_DRIVER_CONTRACT_WAIT_H

#include <fcntl.h>

#include "driver_tools.h"

// ---- Waiting and waking ----

// Waits until the clock reads `until`; returns how many calls that took.
static int count_waits(int64_t until) {
    int waits = 0;
    for (; now_ns() < until; waits++)
        d->class->wait(d, until);
    return waits;
}

enum { SHORT_NS = 3000000, FEW_WAITS = 20 };

static void wait_ends_at_its_deadline(void **state) {
    (void)state;
    assert_true(count_waits(now_ns() + SHORT_NS) <= FEW_WAITS);
    struct pair pair = open_pair();
    char byte;
    struct call call;
    prepare_io(&call, WEFT__OP_READ, pair.server, &byte, 1);
    submit(&call);
    assert_true(count_waits(now_ns() + SHORT_NS) <= FEW_WAITS);
    assert_true(count_waits(now_ns() + 100000) <= FEW_WAITS); // less than a millisecond
    assert_int_equal(call.done_count, 0);
    assert_int_equal(cancel(&call), -ECANCELED);
    close_pair(pair);
}

static void wait_with_deadline_zero_only_looks(void **state) {
    (void)state;
    struct pair pair = open_pair();
    char byte;
    struct call call;
    prepare_io(&call, WEFT__OP_READ, pair.server, &byte, 1);
    submit(&call);
    for (int i = 0; i < 10; i++)
        d->class->wait(d, 0);
    assert_int_equal(call.done_count, 0);
    assert_int_equal(cancel(&call), -ECANCELED);
    close_pair(pair);
}

// Hangs if the wake is lost.
static void a_wake_before_the_wait_ends_it(void **state) {
    (void)state;
    d->class->wake(d);
    d->class->wait(d, INT64_MAX);
    struct pair pair = open_pair();
    char byte;
    struct call call;
    prepare_io(&call, WEFT__OP_READ, pair.server, &byte, 1);
    submit(&call);
    d->class->wake(d);
    d->class->wait(d, INT64_MAX);
    assert_int_equal(call.done_count, 0);
    assert_int_equal(cancel(&call), -ECANCELED);
    close_pair(pair);
}

static void many_wakes_end_few_waits(void **state) {
    (void)state;
    for (int i = 0; i < 10000; i++)
        d->class->wake(d);
    d->class->wait(d, INT64_MAX);
    assert_true(count_waits(now_ns() + SHORT_NS) <= FEW_WAITS);
}

// Two threads hand a number to and fro; each step needs one wake not to be lost.
struct pingpong {
    WEFT__ATOMIC(uint32_t) asked, answered;
    uint32_t rounds;
};

static void answer_and_wake(void *arg) {
    struct pingpong *game = arg;
    for (uint32_t i = 1; i <= game->rounds; i++) {
        while (weft__load(&game->asked, acquire) < i)
            weft__os_yield();
        weft__store(&game->answered, i, release);
        d->class->wake(d);
    }
}

static void play(uint32_t rounds) {
    static struct pingpong game;
    game = (struct pingpong){.rounds = rounds};
    struct weft__os_thread thread;
    assert_int_equal(weft__os_thread_create(&thread, "waker", answer_and_wake, &game), 0);
    for (uint32_t i = 1; i <= rounds; i++) {
        weft__store(&game.asked, i, release);
        while (weft__load(&game.answered, acquire) < i)
            d->class->wait(d, INT64_MAX);
    }
    weft__os_thread_join(&thread);
}

static void a_wake_from_another_thread_is_never_lost(void **state) {
    (void)state;
    only_real();
    play(2000);
    struct pair pair = open_pair();
    char byte;
    struct call call;
    prepare_io(&call, WEFT__OP_READ, pair.server, &byte, 1);
    submit(&call);
    play(2000);
    assert_true(count_waits(now_ns() + SHORT_NS) <= FEW_WAITS); // no wake is answered twice
    assert_int_equal(call.done_count, 0);
    assert_int_equal(cancel(&call), -ECANCELED);
    close_pair(pair);
}

// ---- Failures ----

static void a_start_without_memory_leaves_nothing(void **state) {
    (void)state;
    size_t fds = count_fds(), blocks = weft__alloc_living();
    for (uint64_t n = 1;; n++) {
        struct weft__driver *another = NULL;
        weft__fail_arm(WEFT__FAIL_ALLOC, n, 1, -ENOMEM);
        int error = contract->start(&another);
        weft__fail_disarm();
        if (error == 0) {
            assert_true(n > 1); // the first allocation did fail
            another->class->stop(another);
            break;
        }
        assert_int_equal(error, -ENOMEM);
        assert_int_equal(count_fds(), fds);
        assert_int_equal(weft__alloc_living(), blocks);
    }
}

// Gives a real socket a number that no driver has met, so that a table by number has to grow.
static struct sock move_far(struct sock s) {
    if (!contract->is_real)
        return s;
    int fd = fcntl(s.fd, F_DUPFD_CLOEXEC, 700);
    close_socket(s);
    return sock_of(fd);
}

static void a_submit_without_memory_has_not_taken_the_op(void **state) {
    (void)state;
    enum { COUNT = 70 };
    static struct pair pairs[COUNT];
    static struct call calls[COUNT];
    static char bytes[COUNT];
    for (int i = 0; i < COUNT; i++) {
        pairs[i] = open_pair();
        pairs[i].server = move_far(pairs[i].server);
    }
    size_t refused = 0;
    for (int i = 0; i < COUNT; i++) {
        prepare_io(&calls[i], WEFT__OP_READ, pairs[i].server, &bytes[i], 1);
        weft__fail_arm(WEFT__FAIL_ALLOC, 1, 1, -ENOMEM);
        int error = d->class->submit(d, &calls[i].op);
        weft__fail_disarm();
        assert_true(error == 0 || error == -ENOMEM);
        assert_int_equal(calls[i].op.is_pending, error == 0);
        if (error != 0) {
            refused++;
            assert_int_equal(d->pending, i);
            submit(&calls[i]);
        }
    }
    assert_true(refused > 0 || !contract->is_real);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(write_text(pairs[i].client, "x"), 1);
        await_done(&calls[i]);
        assert_int_equal(calls[i].op.result, 1);
        close_pair(pairs[i]);
    }
}

#endif
