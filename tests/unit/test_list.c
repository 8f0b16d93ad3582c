// SPDX-License-Identifier: MIT
// Unit tests of base/list.h: each operation alone, then all of them at random against an array.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/list.h"
#include "base/rng.h"

struct item {
    int number;
    struct weft__list link;
};

static int number_of(const struct weft__list *node) {
    return WEFT__CONTAINER(node, struct item, link)->number;
}

// Checks that the list holds exactly these numbers, by walking it in both directions.
static void assert_holds(const struct weft__list *list, const int *numbers, size_t count) {
    const struct weft__list *node = weft__list_first(list);
    for (size_t i = 0; i < count; i++, node = weft__list_next(list, node)) {
        assert_non_null(node);
        assert_int_equal(number_of(node), numbers[i]);
    }
    assert_null(node);
    const struct weft__list *back = list->prev;
    for (size_t i = count; i > 0; i--, back = back->prev)
        assert_int_equal(number_of(back), numbers[i - 1]);
    assert_true(count == 0 || back == list);
}

static void a_new_list_is_empty(void **state) {
    (void)state;
    struct weft__list list;
    struct weft__list zeroed = {0};
    weft__list_init(&list);
    assert_true(weft__list_is_empty(&list));
    assert_true(weft__list_is_empty(&zeroed));
    assert_null(weft__list_first(&list));
    assert_null(weft__list_last(&list));
    assert_null(weft__list_pop_front(&list));
    assert_null(weft__list_pop_front(&zeroed));
}

static void nodes_come_out_in_the_order_of_push_back(void **state) {
    (void)state;
    struct weft__list list;
    struct item items[3] = {{.number = 1}, {.number = 2}, {.number = 3}};
    weft__list_init(&list);
    for (int i = 0; i < 3; i++)
        weft__list_push_back(&list, &items[i].link);
    assert_holds(&list, (const int[]){1, 2, 3}, 3);
    assert_ptr_equal(weft__list_first(&list), &items[0].link);
    assert_ptr_equal(weft__list_last(&list), &items[2].link);
    for (int i = 0; i < 3; i++)
        assert_ptr_equal(weft__list_pop_front(&list), &items[i].link);
    assert_true(weft__list_is_empty(&list));
}

static void push_front_puts_a_node_before_all_others(void **state) {
    (void)state;
    struct weft__list list;
    struct item items[3] = {{.number = 1}, {.number = 2}, {.number = 3}};
    weft__list_init(&list);
    for (int i = 0; i < 3; i++)
        weft__list_push_front(&list, &items[i].link);
    assert_holds(&list, (const int[]){3, 2, 1}, 3);
}

static void removing_twice_is_harmless(void **state) {
    (void)state;
    struct weft__list list;
    struct item items[3] = {{.number = 1}, {.number = 2}, {.number = 3}};
    weft__list_init(&list);
    for (int i = 0; i < 3; i++)
        weft__list_push_back(&list, &items[i].link);
    weft__list_remove(&items[1].link);
    weft__list_remove(&items[1].link);
    assert_holds(&list, (const int[]){1, 3}, 2);
    struct item zeroed = {0};
    weft__list_remove(&zeroed.link);
    assert_false(weft__list_is_linked(&zeroed.link));
}

static void a_node_is_linked_exactly_while_it_is_in_a_list(void **state) {
    (void)state;
    struct weft__list list;
    struct item item = {.number = 1};
    weft__list_init(&list);
    assert_false(weft__list_is_linked(&item.link));
    weft__list_push_back(&list, &item.link);
    assert_true(weft__list_is_linked(&item.link));
    weft__list_remove(&item.link);
    assert_false(weft__list_is_linked(&item.link));
    weft__list_push_back(&list, &item.link);
    assert_ptr_equal(weft__list_pop_front(&list), &item.link);
    assert_false(weft__list_is_linked(&item.link));
}

static void splice_moves_all_nodes_in_order(void **state) {
    (void)state;
    struct weft__list list;
    struct weft__list from;
    struct item items[4] = {{.number = 1}, {.number = 2}, {.number = 3}, {.number = 4}};
    weft__list_init(&list);
    weft__list_init(&from);
    weft__list_splice(&list, &from);
    assert_holds(&list, NULL, 0);
    weft__list_push_back(&from, &items[0].link);
    weft__list_push_back(&from, &items[1].link);
    weft__list_splice(&list, &from);
    assert_holds(&list, (const int[]){1, 2}, 2);
    assert_true(weft__list_is_empty(&from));
    weft__list_push_back(&from, &items[2].link);
    weft__list_push_back(&from, &items[3].link);
    weft__list_splice(&list, &from);
    assert_holds(&list, (const int[]){1, 2, 3, 4}, 4);
    weft__list_splice(&list, &from);
    assert_holds(&list, (const int[]){1, 2, 3, 4}, 4);
}

enum { ITEMS = 16 };

// The array that the list is compared with.
struct model {
    int numbers[ITEMS];
    size_t count;
};

static void model_insert(struct model *model, size_t at, int number) {
    memmove(model->numbers + at + 1, model->numbers + at, (model->count - at) * sizeof(int));
    model->numbers[at] = number;
    model->count++;
}

static void model_remove(struct model *model, int number) {
    size_t kept = 0;
    for (size_t i = 0; i < model->count; i++)
        if (model->numbers[i] != number)
            model->numbers[kept++] = model->numbers[i];
    model->count = kept;
}

static void random_operations_agree_with_an_array(void **state) {
    (void)state;
    struct weft__rng rng;
    struct weft__list list;
    struct item items[ITEMS] = {0};
    struct model model = {0};
    weft__rng_seed(&rng, 1);
    weft__list_init(&list);
    for (int step = 0; step < 20000; step++) {
        int number = (int)weft__rng_below(&rng, ITEMS);
        struct item *item = &items[number];
        item->number = number;
        if (weft__list_is_linked(&item->link)) {
            weft__list_remove(&item->link);
            model_remove(&model, number);
        } else if (weft__rng_below(&rng, 2) == 0) {
            weft__list_push_back(&list, &item->link);
            model_insert(&model, model.count, number);
        } else {
            weft__list_push_front(&list, &item->link);
            model_insert(&model, 0, number);
        }
        assert_holds(&list, model.numbers, model.count);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_list_is_empty),
        cmocka_unit_test(nodes_come_out_in_the_order_of_push_back),
        cmocka_unit_test(push_front_puts_a_node_before_all_others),
        cmocka_unit_test(removing_twice_is_harmless),
        cmocka_unit_test(a_node_is_linked_exactly_while_it_is_in_a_list),
        cmocka_unit_test(splice_moves_all_nodes_in_order),
        cmocka_unit_test(random_operations_agree_with_an_array),
    };
    return cmocka_run_group_tests_name("list", tests, NULL, NULL);
}
