// SPDX-License-Identifier: MIT
// Unit tests of base/queue.h: order, both ends, the middle, and that an emptied queue serves again.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/queue.h"

enum { COUNT = 6 };

static struct weft__node nodes[COUNT];

static struct weft__queue queue_of_all(void) {
    struct weft__queue queue = {0};
    for (int i = 0; i < COUNT; i++)
        weft__queue_push(&queue, &nodes[i]);
    assert_int_equal(queue.count, COUNT);
    return queue;
}

static void expect_pops(struct weft__queue *queue, const int *order, size_t count) {
    for (size_t i = 0; i < count; i++)
        assert_ptr_equal(weft__queue_pop(queue), &nodes[order[i]]);
    assert_null(weft__queue_pop(queue));
    assert_int_equal(queue->count, 0);
}

static void first_in_is_first_out(void **state) {
    (void)state;
    struct weft__queue queue = queue_of_all();
    expect_pops(&queue, (int[]){0, 1, 2, 3, 4, 5}, COUNT);
    weft__queue_push(&queue, &nodes[3]); // empty, and then used again
    weft__queue_push(&queue, &nodes[1]);
    expect_pops(&queue, (int[]){3, 1}, 2);
}

static void what_goes_to_the_front_comes_out_next(void **state) {
    (void)state;
    struct weft__queue queue = {0};
    weft__queue_push_front(&queue, &nodes[0]);
    weft__queue_push(&queue, &nodes[1]);
    weft__queue_push_front(&queue, &nodes[2]);
    expect_pops(&queue, (int[]){2, 0, 1}, 3);
}

static void any_place_can_be_taken(void **state) {
    (void)state;
    for (size_t place = 0; place < COUNT; place++) {
        struct weft__queue queue = queue_of_all();
        assert_ptr_equal(weft__queue_take_at(&queue, place), &nodes[place]);
        int left[COUNT], count = 0;
        for (int i = 0; i < COUNT; i++)
            if ((size_t)i != place)
                left[count++] = i;
        weft__queue_push(&queue, &nodes[place]); // behind the last, also if that was taken
        left[count++] = (int)place;
        expect_pops(&queue, left, (size_t)count);
    }
    struct weft__queue one = {0};
    weft__queue_push(&one, &nodes[0]);
    assert_ptr_equal(weft__queue_take_at(&one, 0), &nodes[0]);
    weft__queue_push(&one, &nodes[1]);
    expect_pops(&one, (int[]){1}, 1);
}

int main(void) {
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(first_in_is_first_out),
        cmocka_unit_test(what_goes_to_the_front_comes_out_next),
        cmocka_unit_test(any_place_can_be_taken),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
