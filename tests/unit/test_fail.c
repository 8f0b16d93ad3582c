// SPDX-License-Identifier: MIT
// Unit tests of os/fail.c: which call fails, of which kind, and with what.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "driver/driver.h"
#include "in_child.h"
#include "os/os.h"

static void nothing_fails_until_it_is_armed(void **state) {
    (void)state;
    for (int kind = 0; kind < WEFT__FAIL_KINDS; kind++)
        for (int call = 0; call < 3; call++)
            assert_int_equal(weft__fail((enum weft__fail_kind)kind), 0);
}

static void the_nth_call_fails_and_no_other(void **state) {
    (void)state;
    weft__fail_arm(WEFT__FAIL_PAGES, 3, 0, -EAGAIN);
    for (int call = 1; call <= 6; call++) {
        assert_int_equal(weft__fail(WEFT__FAIL_PAGES), call == 3 ? -EAGAIN : 0);
        assert_int_equal(weft__fail(WEFT__FAIL_ALLOC), 0); // kinds are apart
    }
    weft__fail_disarm();
}

static void every_call_from_the_nth_on_fails(void **state) {
    (void)state;
    weft__fail_arm(WEFT__FAIL_THREAD, 2, 1, -ENOMEM);
    for (int call = 1; call <= 5; call++)
        assert_int_equal(weft__fail(WEFT__FAIL_THREAD), call >= 2 ? -ENOMEM : 0);
    weft__fail_disarm();
    assert_int_equal(weft__fail(WEFT__FAIL_THREAD), 0);
}

static void arming_again_counts_from_the_start(void **state) {
    (void)state;
    weft__fail_arm(WEFT__FAIL_PAGES, 1, 0, -EPERM);
    assert_int_equal(weft__fail(WEFT__FAIL_PAGES), -EPERM);
    weft__fail_arm(WEFT__FAIL_PAGES, 2, 0, -EACCES);
    assert_int_equal(weft__fail(WEFT__FAIL_PAGES), 0);
    assert_int_equal(weft__fail(WEFT__FAIL_PAGES), -EACCES);
    weft__fail_disarm();
}

static void disarming_ends_every_kind(void **state) {
    (void)state;
    for (int kind = 0; kind < WEFT__FAIL_KINDS; kind++)
        weft__fail_arm((enum weft__fail_kind)kind, 1, 1, -1 - kind);
    for (int kind = 0; kind < WEFT__FAIL_KINDS; kind++)
        assert_int_equal(weft__fail((enum weft__fail_kind)kind), -1 - kind);
    weft__fail_disarm();
    for (int kind = 0; kind < WEFT__FAIL_KINDS; kind++)
        assert_int_equal(weft__fail((enum weft__fail_kind)kind), 0);
}

// io/call.c adds the kind of the operation to the first of them.
static void operations_stand_in_the_order_of_the_driver(void **state) {
    (void)state;
    assert_int_equal(WEFT__FAIL_READ + WEFT__OP_READ, WEFT__FAIL_READ);
    assert_int_equal(WEFT__FAIL_READ + WEFT__OP_WRITE, WEFT__FAIL_WRITE);
    assert_int_equal(WEFT__FAIL_READ + WEFT__OP_RECVMSG, WEFT__FAIL_RECVMSG);
    assert_int_equal(WEFT__FAIL_READ + WEFT__OP_SENDMSG, WEFT__FAIL_SENDMSG);
    assert_int_equal(WEFT__FAIL_READ + WEFT__OP_ACCEPT, WEFT__FAIL_ACCEPT);
    assert_int_equal(WEFT__FAIL_READ + WEFT__OP_CONNECT, WEFT__FAIL_CONNECT);
    assert_int_equal(WEFT__FAIL_READ + WEFT__OP_READY, WEFT__FAIL_READY);
    assert_int_equal(WEFT__FAIL_READ + WEFT__OP_RESOLVE, WEFT__FAIL_RESOLVE);
}

// ---- Threads ----

enum { THREADS = 4, CALLS = 50000 };

static WEFT__ATOMIC(uint32_t) here, hits;

static void call_often(void *arg) {
    (void)arg;
    weft__fetch_add(&here, 1, relaxed);
    while (weft__load(&here, relaxed) < THREADS)
        weft__os_yield();
    for (int i = 0; i < CALLS; i++)
        if (weft__fail(WEFT__FAIL_READY) == -EBUSY)
            weft__fetch_add(&hits, 1, relaxed);
}

static void calls_of_all_threads_count_and_one_is_the_nth(void **state) {
    (void)state;
    struct weft__os_thread threads[THREADS];
    weft__fail_arm(WEFT__FAIL_READY, THREADS * CALLS, 0, -EBUSY); // the very last
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(weft__os_thread_create(&threads[i], "caller", call_often, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        weft__os_thread_join(&threads[i]);
    weft__fail_disarm();
    assert_int_equal(weft__load(&hits, relaxed), 1);
}

// ---- Our own bugs ----

static void arm_the_call_before_the_first(void *arg) {
    (void)arg;
    weft__fail_arm(WEFT__FAIL_ALLOC, 0, 0, -ENOMEM);
}

static void arm_with_no_error(void *arg) {
    (void)arg;
    weft__fail_arm(WEFT__FAIL_ALLOC, 1, 0, 0);
}

static void arm_no_kind(void *arg) {
    (void)arg;
    weft__fail_arm(WEFT__FAIL_KINDS, 1, 0, -ENOMEM);
}

static void what_could_never_fail_cannot_be_armed(void **state) {
    (void)state;
    assert_int_equal(signal_that_ends_child(arm_the_call_before_the_first, NULL), SIGABRT);
    assert_int_equal(signal_that_ends_child(arm_with_no_error, NULL), SIGABRT);
    assert_int_equal(signal_that_ends_child(arm_no_kind, NULL), SIGABRT);
}

int main(void) {
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(nothing_fails_until_it_is_armed),
        cmocka_unit_test(the_nth_call_fails_and_no_other),
        cmocka_unit_test(every_call_from_the_nth_on_fails),
        cmocka_unit_test(arming_again_counts_from_the_start),
        cmocka_unit_test(disarming_ends_every_kind),
        cmocka_unit_test(operations_stand_in_the_order_of_the_driver),
        cmocka_unit_test(calls_of_all_threads_count_and_one_is_the_nth),
        cmocka_unit_test(what_could_never_fail_cannot_be_armed),
    };
    return cmocka_run_group_tests_name("injected failures", cases, NULL, NULL);
}
