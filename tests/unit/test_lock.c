// SPDX-License-Identifier: MIT
// Unit tests of os/lock.h and os/lock.c: one at a time, nobody forgotten. Run under TSan as well,
// which checks the memory orders by the unguarded counter.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/lock.h"
#include "os/os.h"

enum { HANG_S = 120, THREADS = 4, ROUNDS = 20000 };

static struct weft__lock lock;
static uint64_t counter; // guarded by the lock
static WEFT__ATOMIC(uint32_t) failures;

static void a_free_lock_is_one_word_of_zero(void **state) {
    (void)state;
    assert_int_equal(weft__load(&lock.word, relaxed), 0);
    weft__lock(&lock);
    assert_int_equal(weft__load(&lock.word, relaxed), 1);
    weft__unlock(&lock);
    assert_int_equal(weft__load(&lock.word, relaxed), 0);
}

static void add_many(void *arg) {
    static bool is_held; // guarded by the lock
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        weft__lock(&lock);
        if (is_held)
            weft__fetch_add(&failures, 1, relaxed);
        is_held = true;
        counter++;
        if (i % 64 == 0)
            weft__os_yield(); // so that others come to wait
        is_held = false;
        weft__unlock(&lock);
    }
}

static void only_one_thread_holds_it(void **state) {
    (void)state;
    struct weft__os_thread threads[THREADS];
    counter = 0;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(weft__os_thread_create(&threads[i], "adder", add_many, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        weft__os_thread_join(&threads[i]);
    assert_int_equal(weft__load(&failures, relaxed), 0);
    assert_int_equal(counter, (uint64_t)THREADS * ROUNDS);
    assert_int_equal(weft__load(&lock.word, relaxed), 0);
}

static void take_once(void *arg) {
    (void)arg;
    weft__lock(&lock);
    counter++;
    weft__unlock(&lock);
}

// Every thread comes to wait while the lock is held; one unlock at the end lets all of them
// through.
static void every_waiter_gets_its_turn(void **state) {
    (void)state;
    for (int round = 0; round < 100; round++) {
        struct weft__os_thread threads[THREADS];
        counter = 0;
        weft__lock(&lock);
        for (int i = 0; i < THREADS; i++)
            assert_int_equal(weft__os_thread_create(&threads[i], "waiter", take_once, NULL), 0);
        while (weft__load(&lock.word, relaxed) != 2) // somebody waits
            weft__os_yield();
        assert_int_equal(counter, 0);
        weft__unlock(&lock);
        for (int i = 0; i < THREADS; i++)
            weft__os_thread_join(&threads[i]);
        assert_int_equal(counter, THREADS);
    }
}

int main(void) {
    alarm(HANG_S);
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(a_free_lock_is_one_word_of_zero),
        cmocka_unit_test(only_one_thread_holds_it),
        cmocka_unit_test(every_waiter_gets_its_turn),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
