// SPDX-License-Identifier: MIT
//
// The work-stealing deque (task/deque.c): each item goes to exactly one taker, who sees what was
// written to it; while it grows, too. Its first array holds two here.
#include "explore.h"

#include "task/deque.h"

enum { ITEMS = 4 };

static struct weft__deque deque;
static struct item {
    int content; // written before the push
    int taken;   // by whom it was taken; two takers race
} items[ITEMS];
static int pushed;

static void push(void) {
    struct item *item = &items[pushed];
    item->content = ++pushed;
    EXPECT(weft__deque_push(&deque, item));
}

static bool note(struct item *item) {
    if (!item)
        return false;
    EXPECT(item->content == item - items + 1);
    item->taken++;
    return true;
}

static bool take_newest(void) {
    return note(weft__deque_take_newest(&deque));
}

static bool take_oldest(void) {
    return note(weft__deque_take_oldest(&deque));
}

static void each_was_taken_once(void) {
    while (take_newest())
        ;
    EXPECT(weft__deque_size(&deque) == 0 && !weft__deque_take_oldest(&deque));
    for (int i = 0; i < pushed; i++)
        EXPECT(items[i].taken == 1);
    weft__deque_free(&deque);
}

static void steal(void) {
    (void)take_oldest();
}

static void steal_two(void) {
    steal();
    steal();
}

// What there was before the thieves came.
static void push_one(void) {
    push();
}

static void push_two(void) {
    push();
    push();
}

static void take_one(void) {
    (void)take_newest();
}

static void take_both(void) {
    (void)take_newest();
    (void)take_newest();
}

static void take_both_ends(void) {
    (void)take_oldest();
    (void)take_newest();
}

static void take_and_push(void) {
    (void)take_newest();
    push();
    (void)take_newest();
}

// The third does not fit.
static void push_three_take_one(void) {
    push();
    push();
    push();
    (void)take_newest();
}

static void grow(void) {
    push();
    (void)take_newest();
}

#define CASE(text, most, before, ...)                                                              \
    EXPLORE_CASE(text, most, before, NULL, each_was_taken_once, __VA_ARGS__)

static const struct explore_case cases[] = {
    CASE("last_item", EXPLORE_ALL, push_one, {"owner", take_one}, {"thief", steal}),
    CASE("last_item_two_thieves", EXPLORE_ALL, push_one, {"owner", take_one}, {"thief", steal},
         {"thief2", steal}),
    CASE("two_items", EXPLORE_ALL, push_two, {"owner", take_both}, {"thief", steal_two}),
    CASE("two_items_both_ends", EXPLORE_ALL, push_two, {"owner", take_both_ends},
         {"thief", steal_two}),
    CASE("two_items_two_thieves", 5, push_two, {"owner", take_both}, {"thief", steal_two},
         {"thief2", steal}),
    CASE("take_and_push", EXPLORE_ALL, push_one, {"owner", take_and_push}, {"thief", steal_two}),
    CASE("push_against_thief", EXPLORE_ALL, NULL, {"owner", push_three_take_one},
         {"thief", steal_two}),
    CASE("grow_against_thieves", 5, push_two, {"owner", grow}, {"thief", steal_two},
         {"thief2", steal}),
};
EXPLORE_CASES(cases)
