// SPDX-License-Identifier: MIT
// Unit tests of driver/epoll_state.c: each descriptor has one state, which never moves, and what
// cannot be had for want of memory is not there. What the states are for is in test_epoll.c.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "driver/epoll_state.h"
#include "in_child.h"
#include "os/os.h"

enum { CHUNK = 64, FAR = 100000 };

static struct weft__epoll_table table;
static size_t blocks_before;

static int begin(void **state) {
    (void)state;
    table = (struct weft__epoll_table){0};
    blocks_before = weft__alloc_living();
    return 0;
}

static int end(void **state) {
    (void)state;
    weft__fail_disarm();
    weft__epoll_table_free(&table);
    assert_int_equal(weft__alloc_living(), blocks_before);
    return 0;
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, begin, end)

static void looking_makes_no_state(void **state) {
    (void)state;
    assert_null(weft__epoll_find(&table, 0));
    assert_null(weft__epoll_find(&table, FAR));
    assert_int_equal(weft__alloc_living(), blocks_before);
    struct weft__epoll_state *made = weft__epoll_get(&table, 3);
    assert_non_null(made);
    assert_ptr_equal(weft__epoll_find(&table, 3), made);
    assert_null(weft__epoll_find(&table, CHUNK)); // a place for its chunk, but no chunk
    assert_null(weft__epoll_find(&table, FAR));
}

static void a_new_state_is_empty(void **state) {
    (void)state;
    (void)weft__epoll_get(&table, 0);
    for (int fd = 0; fd < CHUNK; fd++) {
        struct weft__epoll_state *made = weft__epoll_get(&table, fd);
        assert_int_equal(made->serial, 0);
        assert_int_equal(made->ready, 0);
        assert_false(made->is_registered);
        assert_int_equal(made->type, WEFT__EPOLL_UNKNOWN);
        assert_true(weft__list_is_empty(&made->waiting));
    }
}

static void every_descriptor_has_a_state_of_its_own(void **state) {
    (void)state;
    enum { COUNT = 20 * CHUNK };
    for (int fd = COUNT - 1; fd >= 0; fd--)
        weft__epoll_get(&table, fd)->serial = (uint64_t)fd + 1;
    for (int fd = 0; fd < COUNT; fd++) {
        assert_int_equal(weft__epoll_find(&table, fd)->serial, fd + 1);
        assert_ptr_equal(weft__epoll_get(&table, fd), weft__epoll_find(&table, fd));
    }
}

// Lists point into them.
static void states_never_move(void **state) {
    (void)state;
    struct weft__epoll_state *states[3];
    static const int fds[] = {0, CHUNK - 1, 8 * CHUNK};
    struct weft__list waiter = {0};
    for (size_t i = 0; i < 3; i++) {
        states[i] = weft__epoll_get(&table, fds[i]);
        states[i]->serial = 7 + i;
    }
    weft__list_push_back(&states[1]->waiting, &waiter);
    for (int fd = 1; fd < FAR; fd *= 2) // the array of chunks doubles again and again
        assert_non_null(weft__epoll_get(&table, fd));
    for (size_t i = 0; i < 3; i++) {
        assert_ptr_equal(weft__epoll_find(&table, fds[i]), states[i]);
        assert_int_equal(states[i]->serial, 7 + i);
    }
    assert_ptr_equal(weft__list_first(&states[1]->waiting), &waiter);
    weft__list_remove(&waiter);
    assert_true(weft__list_is_empty(&states[1]->waiting));
}

// One array and one chunk, wherever in the numbers the descriptor is.
static void a_descriptor_costs_its_own_chunk_alone(void **state) {
    (void)state;
    assert_non_null(weft__epoll_get(&table, FAR));
    assert_int_equal(weft__alloc_living(), blocks_before + 2);
    for (int fd = FAR - FAR % CHUNK; fd < FAR - FAR % CHUNK + CHUNK; fd++)
        assert_non_null(weft__epoll_get(&table, fd));
    assert_int_equal(weft__alloc_living(), blocks_before + 2);
    assert_non_null(weft__epoll_get(&table, 0));
    assert_int_equal(weft__alloc_living(), blocks_before + 3);
}

// The array has 8 places at first; the ninth chunk needs a larger one.
static void without_memory_there_is_no_state_and_the_old_ones_stay(void **state) {
    (void)state;
    struct weft__epoll_state *old = weft__epoll_get(&table, 1);
    old->serial = 5;
    for (uint64_t n = 1; n <= 2; n++) { // first the array, then the chunk
        weft__fail_arm(WEFT__FAIL_ALLOC, n, 0, -ENOMEM);
        assert_null(weft__epoll_get(&table, 8 * CHUNK));
        weft__fail_disarm();
        assert_null(weft__epoll_find(&table, 8 * CHUNK));
        assert_ptr_equal(weft__epoll_find(&table, 1), old);
        assert_int_equal(old->serial, 5);
    }
    assert_non_null(weft__epoll_get(&table, 8 * CHUNK));
    assert_ptr_equal(weft__epoll_find(&table, 1), old);
}

static void a_table_that_was_freed_is_empty_and_usable(void **state) {
    (void)state;
    weft__epoll_get(&table, 2)->serial = 9;
    assert_non_null(weft__epoll_get(&table, FAR));
    weft__epoll_table_free(&table);
    assert_int_equal(weft__alloc_living(), blocks_before);
    assert_null(weft__epoll_find(&table, 2));
    assert_int_equal(weft__epoll_get(&table, 2)->serial, 0);
}

static void look_for_a_negative_descriptor(void *arg) {
    (void)arg;
    (void)weft__epoll_find(&table, -1);
}

static void a_negative_descriptor_is_our_own_bug(void **state) {
    (void)state;
    assert_int_equal(signal_that_ends_child(look_for_a_negative_descriptor, NULL), SIGABRT);
}

int main(void) {
    const struct CMUnitTest cases[] = {
        CASE(looking_makes_no_state),
        CASE(a_new_state_is_empty),
        CASE(every_descriptor_has_a_state_of_its_own),
        CASE(states_never_move),
        CASE(a_descriptor_costs_its_own_chunk_alone),
        CASE(without_memory_there_is_no_state_and_the_old_ones_stay),
        CASE(a_table_that_was_freed_is_empty_and_usable),
        CASE(a_negative_descriptor_is_our_own_bug),
    };
    return cmocka_run_group_tests_name("the states of epoll", cases, NULL, NULL);
}
