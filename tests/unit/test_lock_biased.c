// SPDX-License-Identifier: MIT
// Unit tests of the biased lock (os/lock.h): the owner enters without the lock word, a foreigner
// ends the bias, and never are two inside. With membarrier(2) and without it; under TSan the
// unguarded counter checks the orders.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/lock.h"
#include "os/os.h"

enum { HANG_S = 120, FOREIGNERS = 2, ROUNDS = 2000 };

static struct weft__biased_lock lock;
static uint64_t counter; // guarded by the lock
static bool is_held;     // likewise
static int me, not_me;   // names of threads
static WEFT__ATOMIC(uint32_t) failures, left;

static void work_inside(void) {
    if (is_held)
        weft__fetch_add(&failures, 1, relaxed);
    is_held = true;
    counter++;
    is_held = false;
}

static void the_owner_enters_without_the_lock(void **state) {
    (void)state;
    lock = (struct weft__biased_lock){0};
    weft__biased_lock(&lock, &me); // nobody's: the ordinary way
    assert_int_equal(weft__load(&lock.lock.word, relaxed), 1);
    weft__bias_to(&lock, &me);
    weft__biased_unlock(&lock);
    assert_int_equal(weft__load(&lock.lock.word, relaxed), 0);
    weft__biased_lock(&lock, &me);
    assert_int_equal(weft__load(&lock.lock.word, relaxed), 0);
    assert_int_equal(weft__load(&lock.inside, relaxed), 1);
    weft__biased_unlock(&lock);
    assert_int_equal(weft__load(&lock.inside, relaxed), 0);
}

static void a_foreigner_ends_the_bias(void **state) {
    (void)state;
    lock = (struct weft__biased_lock){0};
    weft__store(&lock.owner, &me, relaxed);
    weft__biased_lock(&lock, &not_me);
    assert_ptr_equal(weft__load(&lock.owner, relaxed), weft__bias_ended(&me));
    assert_int_equal(weft__load(&lock.lock.word, relaxed), 1);
    weft__biased_unlock(&lock);
    weft__biased_lock(&lock, NULL); // who has no name
    weft__biased_unlock(&lock);
    weft__biased_lock(&lock, &me); // the owner no more
    assert_int_equal(weft__load(&lock.lock.word, relaxed), 1);
    weft__biased_unlock(&lock);
}

static void a_try_neither_waits_nor_ends_a_bias(void **state) {
    (void)state;
    lock = (struct weft__biased_lock){0};
    assert_true(weft__biased_try(&lock, &not_me)); // nobody's
    assert_int_equal(weft__load(&lock.lock.word, relaxed), 1);
    assert_false(weft__biased_try(&lock, &me)); // held
    weft__biased_unlock(&lock);
    weft__store(&lock.owner, &me, relaxed);
    assert_false(weft__biased_try(&lock, &not_me));
    assert_false(weft__biased_try(&lock, NULL));
    assert_ptr_equal(weft__load(&lock.owner, relaxed), &me);
    assert_int_equal(weft__load(&lock.lock.word, relaxed), 0);
    assert_true(weft__biased_try(&lock, &me));
    assert_int_equal(weft__load(&lock.inside, relaxed), 1);
    weft__biased_unlock(&lock);
    weft__store(&lock.owner, weft__bias_ended(&me), relaxed);
    assert_true(weft__biased_try(&lock, &not_me));
    weft__biased_unlock(&lock);
}

// A foreigner has marked the owner and waits until it is out: a mark taken back would let both in.
static void an_owner_that_is_in_leaves_the_mark(void **state) {
    (void)state;
    lock = (struct weft__biased_lock){0};
    weft__store(&lock.owner, &me, relaxed);
    weft__biased_lock(&lock, &me);
    weft__store(&lock.owner, weft__bias_ended(&me), relaxed);
    weft__bias_to(&lock, &me);
    assert_ptr_equal(weft__load(&lock.owner, relaxed), weft__bias_ended(&me));
    weft__biased_unlock(&lock);
}

// Becomes the owner again whenever it can, as a worker does at a scope's next use.
static void enter_as_owner(void *arg) {
    (void)arg;
    while (weft__load(&left, acquire) > 0) {
        weft__biased_lock(&lock, &me);
        work_inside();
        weft__bias_to(&lock, &me);
        weft__biased_unlock(&lock);
        weft__os_yield(); // the ordinary lock is not fair
    }
}

static void enter_as_foreigner(void *arg) {
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        if (i % 4 != 0 || !weft__biased_try(&lock, NULL))
            weft__biased_lock(&lock, NULL);
        work_inside();
        weft__biased_unlock(&lock);
        if (i % 8 == 0)
            weft__os_yield();
    }
    weft__fetch_sub(&left, 1, release);
}

static void two_are_never_inside(void **state) {
    (void)state;
    struct weft__os_thread threads[FOREIGNERS + 1];
    lock = (struct weft__biased_lock){0};
    counter = 0;
    weft__store(&left, FOREIGNERS, relaxed);
    assert_int_equal(weft__os_thread_create(&threads[0], "owner", enter_as_owner, NULL), 0);
    for (int i = 1; i <= FOREIGNERS; i++)
        assert_int_equal(weft__os_thread_create(&threads[i], "foreigner", enter_as_foreigner, NULL),
                         0);
    for (int i = 0; i <= FOREIGNERS; i++)
        weft__os_thread_join(&threads[i]);
    assert_int_equal(weft__load(&failures, relaxed), 0);
    assert_true(counter >= (uint64_t)FOREIGNERS * ROUNDS);
}

static int with_membarrier(void **state) {
    (void)state;
    weft__heavy_barrier_ask();
    return 0;
}

static int without_membarrier(void **state) {
    (void)state;
    weft__store(&weft__has_heavy_barrier, 0, relaxed);
    return 0;
}

int main(void) {
    (void)alarm(HANG_S);
    const struct CMUnitTest cases[] = {
        cmocka_unit_test_setup(the_owner_enters_without_the_lock, with_membarrier),
        cmocka_unit_test_setup(a_foreigner_ends_the_bias, with_membarrier),
        cmocka_unit_test_setup(a_try_neither_waits_nor_ends_a_bias, with_membarrier),
        cmocka_unit_test_setup(an_owner_that_is_in_leaves_the_mark, with_membarrier),
        cmocka_unit_test_setup(two_are_never_inside, with_membarrier),
        cmocka_unit_test_setup(the_owner_enters_without_the_lock, without_membarrier),
        cmocka_unit_test_setup(a_foreigner_ends_the_bias, without_membarrier),
        cmocka_unit_test_setup(a_try_neither_waits_nor_ends_a_bias, without_membarrier),
        cmocka_unit_test_setup(an_owner_that_is_in_leaves_the_mark, without_membarrier),
        cmocka_unit_test_setup(two_are_never_inside, without_membarrier),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
