// SPDX-License-Identifier: MIT
// Unit tests of base/heap.c: order, ties, removal anywhere, and no recursion however lopsided the
// heap is; at random against a plain search of an array.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/heap.h"
#include "base/rng.h"

static void an_empty_heap_has_no_minimum(void **state) {
    (void)state;
    struct weft__heap heap = {0};
    struct weft__heap_node node = {0};
    assert_null(weft__heap_min(&heap));
    assert_null(weft__heap_pop_min(&heap));
    weft__heap_remove(&heap, &node);
    assert_null(weft__heap_min(&heap));
}

static void keys_come_out_in_ascending_order(void **state) {
    (void)state;
    const int64_t keys[] = {5, INT64_MAX, -3, 0, INT64_MIN, 7, -4};
    const int64_t sorted[] = {INT64_MIN, -4, -3, 0, 5, 7, INT64_MAX};
    struct weft__heap heap = {0};
    struct weft__heap_node nodes[7] = {0};
    for (int i = 0; i < 7; i++)
        weft__heap_insert(&heap, &nodes[i], keys[i]);
    for (int i = 0; i < 7; i++) {
        assert_true(weft__heap_min(&heap)->key == sorted[i]);
        assert_true(weft__heap_pop_min(&heap)->key == sorted[i]);
    }
    assert_null(weft__heap_min(&heap));
}

static void equal_keys_come_out_in_the_order_they_went_in(void **state) {
    (void)state;
    struct weft__heap heap = {0};
    struct weft__heap_node nodes[300] = {0};
    // Three keys, interleaved; a pop in the middle reshapes the heap.
    for (int i = 0; i < 300; i++)
        weft__heap_insert(&heap, &nodes[i], i % 3);
    for (int i = 0; i < 300; i++)
        assert_ptr_equal(weft__heap_pop_min(&heap), &nodes[i % 100 * 3 + i / 100]);
}

static void a_node_inserted_again_goes_behind_its_equals(void **state) {
    (void)state;
    struct weft__heap heap = {0};
    struct weft__heap_node nodes[3] = {0};
    for (int i = 0; i < 3; i++)
        weft__heap_insert(&heap, &nodes[i], 9);
    weft__heap_remove(&heap, &nodes[0]);
    weft__heap_insert(&heap, &nodes[0], 9);
    assert_ptr_equal(weft__heap_pop_min(&heap), &nodes[1]);
    assert_ptr_equal(weft__heap_pop_min(&heap), &nodes[2]);
    assert_ptr_equal(weft__heap_pop_min(&heap), &nodes[0]);
}

static void a_node_is_linked_exactly_while_it_is_in_a_heap(void **state) {
    (void)state;
    struct weft__heap heap = {0};
    struct weft__heap_node nodes[2] = {0};
    assert_false(weft__heap_is_linked(&nodes[0]));
    weft__heap_insert(&heap, &nodes[0], 1);
    assert_true(weft__heap_is_linked(&nodes[0]));
    weft__heap_insert(&heap, &nodes[1], 2);
    weft__heap_remove(&heap, &nodes[1]);
    assert_false(weft__heap_is_linked(&nodes[1]));
    weft__heap_remove(&heap, &nodes[1]);
    assert_ptr_equal(weft__heap_pop_min(&heap), &nodes[0]);
    assert_false(weft__heap_is_linked(&nodes[0]));
}

enum { NODES = 64 };

// The node that must come first: smallest key, then the one that was inserted first.
static struct weft__heap_node *expected_min(struct weft__heap_node *nodes,
                                            const uint64_t *inserted_at) {
    struct weft__heap_node *min = NULL;
    for (int i = 0; i < NODES; i++) {
        if (!weft__heap_is_linked(&nodes[i]))
            continue;
        if (min == NULL || nodes[i].key < min->key ||
            (nodes[i].key == min->key && inserted_at[i] < inserted_at[min - nodes]))
            min = &nodes[i];
    }
    return min;
}

static void random_operations_agree_with_a_search(void **state) {
    (void)state;
    struct weft__rng rng;
    struct weft__heap heap = {0};
    struct weft__heap_node nodes[NODES] = {0};
    uint64_t inserted_at[NODES] = {0};
    weft__rng_seed(&rng, 2);
    for (uint64_t step = 1; step <= 100000; step++) {
        uint64_t i = weft__rng_below(&rng, NODES);
        if (!weft__heap_is_linked(&nodes[i])) {
            inserted_at[i] = step;
            weft__heap_insert(&heap, &nodes[i], (int64_t)weft__rng_below(&rng, 20) - 10);
        } else if (weft__rng_below(&rng, 2) == 0) {
            weft__heap_remove(&heap, &nodes[i]);
        } else {
            struct weft__heap_node *min = expected_min(nodes, inserted_at);
            assert_ptr_equal(weft__heap_pop_min(&heap), min);
            assert_false(weft__heap_is_linked(min));
        }
        assert_ptr_equal(weft__heap_min(&heap), expected_min(nodes, inserted_at));
        assert_true(heap.root == NULL || heap.root->next == NULL);
    }
}

// Descending keys make one chain of a million nodes, ascending ones a million siblings. A recursive
// merge would need far more stack than a process has.
static void a_million_nodes_in_any_order_need_no_deep_stack(void **state) {
    (void)state;
    enum { MANY = 1000000 };
    struct weft__heap_node *nodes = test_calloc(MANY, sizeof *nodes);
    struct weft__heap heap = {0};
    for (int order = -1; order <= 1; order += 2) {
        for (int i = 0; i < MANY; i++)
            weft__heap_insert(&heap, &nodes[i], (int64_t)order * i);
        int first = order > 0 ? 0 : MANY - 1;
        for (int i = 0; i < MANY; i++)
            assert_ptr_equal(weft__heap_pop_min(&heap), &nodes[first + order * i]);
        assert_null(weft__heap_min(&heap));
    }
    test_free(nodes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_heap_has_no_minimum),
        cmocka_unit_test(keys_come_out_in_ascending_order),
        cmocka_unit_test(equal_keys_come_out_in_the_order_they_went_in),
        cmocka_unit_test(a_node_inserted_again_goes_behind_its_equals),
        cmocka_unit_test(a_node_is_linked_exactly_while_it_is_in_a_heap),
        cmocka_unit_test(random_operations_agree_with_a_search),
        cmocka_unit_test(a_million_nodes_in_any_order_need_no_deep_stack),
    };
    return cmocka_run_group_tests_name("heap", tests, NULL, NULL);
}
