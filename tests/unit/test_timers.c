// SPDX-License-Identifier: MIT
// Unit tests of base/timers.c: against a sorted list, through growth, with every timer taken out.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "base/timers.h"

enum { MOST = 3000 };

struct owner {
    int64_t at; // INT64_MAX: not set
    uint32_t name;
};

static struct owner owners[MOST];
static struct weft__timers timers;

static void make_room(uint32_t capacity) {
    struct weft__timer_entry *heap = calloc(capacity, sizeof *heap);
    struct weft__timer_slot *slots = calloc(capacity, sizeof *slots);
    struct weft__timer_entry *old_heap = timers.heap;
    struct weft__timer_slot *old_slots = timers.slots;
    weft__timers_move(&timers, heap, slots, capacity);
    free(old_heap);
    free(old_slots);
}

static int begin(void **state) {
    (void)state;
    timers = (struct weft__timers){0};
    for (int i = 0; i < MOST; i++)
        owners[i] = (struct owner){.at = INT64_MAX};
    return 0;
}

static int end(void **state) {
    (void)state;
    free(timers.heap);
    free(timers.slots);
    return 0;
}

static void set(struct owner *owner, int64_t at) {
    owner->at = at;
    owner->name = weft__timers_set(&timers, at, owner);
    assert_true(owner->name > 0);
    assert_int_equal(weft__timers_at(&timers, owner->name), at);
}

static int64_t earliest(void) {
    int64_t first = INT64_MAX;
    for (int i = 0; i < MOST; i++)
        first = owners[i].at < first ? owners[i].at : first;
    return first;
}

static void an_empty_one_has_no_first(void **state) {
    (void)state;
    assert_int_equal(weft__timers_first(&timers), INT64_MAX);
    assert_int_equal(timers.count, 0);
}

static void timers_come_out_in_order_of_time(void **state) {
    (void)state;
    struct weft__rng rng;
    weft__rng_seed(&rng, 5);
    make_room(MOST);
    for (int i = 0; i < MOST; i++)
        set(&owners[i], (int64_t)weft__rng_below(&rng, 500));
    int64_t before = INT64_MIN;
    for (int i = 0; i < MOST; i++) {
        int64_t first = weft__timers_first(&timers);
        struct owner *owner = weft__timers_pop(&timers);
        assert_int_equal(owner->at, first);
        assert_true(owner->at >= before);
        before = owner->at;
        owner->at = INT64_MAX;
    }
    assert_int_equal(timers.count, 0);
}

static void any_timer_can_be_taken_out_and_its_name_serves_again(void **state) {
    (void)state;
    struct weft__rng rng;
    weft__rng_seed(&rng, 6);
    make_room(8);
    for (int step = 0; step < 20000; step++) {
        struct owner *owner = &owners[weft__rng_below(&rng, MOST)];
        if (owner->at != INT64_MAX) {
            weft__timers_clear(&timers, owner->name);
            owner->at = INT64_MAX;
        } else {
            if (timers.count == timers.capacity)
                make_room(timers.capacity * 2);
            set(owner, (int64_t)weft__rng_below(&rng, 1000000));
        }
        if (step % 50 == 0)
            assert_int_equal(weft__timers_first(&timers), earliest());
    }
    assert_true(timers.used <= timers.capacity);
    while (timers.count > 0) {
        struct owner *owner = weft__timers_pop(&timers);
        assert_int_equal(owner->at, earliest());
        owner->at = INT64_MAX;
    }
}

int main(void) {
    const struct CMUnitTest cases[] = {
        cmocka_unit_test_setup_teardown(an_empty_one_has_no_first, begin, end),
        cmocka_unit_test_setup_teardown(timers_come_out_in_order_of_time, begin, end),
        cmocka_unit_test_setup_teardown(any_timer_can_be_taken_out_and_its_name_serves_again, begin,
                                        end),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
