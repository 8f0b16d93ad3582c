// SPDX-License-Identifier: MIT
// What the tests of contexts share: a context with a stack, and the home it is run from. Not a
// scheduler: each test switches by hand.
#ifndef TESTS_UNIT_PARTY_H
#define TESTS_UNIT_PARTY_H

#include "task/context.h"
#include "task/stack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

// A context with its stack. Nothing is asserted while one runs, because a failed assertion jumps
// to the stack of the runner: parties take notes, tests read them.
struct party {
    struct weft__context context;
    struct weft__context *home; // who made it run
    struct weft__stack stack;
    size_t visits;
    uint64_t note;
};

static inline void party_start(struct weft__stacks *stacks, struct party *p,
                               struct weft__context *home, void (*entry)(void *)) {
    *p = (struct party){.home = home};
    assert_int_equal(weft__stacks_take(stacks, 0, &p->stack), 0);
    weft__context_make(&p->context, p->stack.low, p->stack.size, p->stack.top, entry, p);
}

static inline void party_end(struct weft__stacks *stacks, struct party *p) {
    weft__context_drop(&p->context);
    weft__stacks_give(stacks, &p->stack);
}

static inline void go_home(struct party *p) {
    weft__context_switch(&p->context, p->home);
}

static inline void finish(struct party *p) {
    weft__context_switch_last(&p->context, p->home);
}

static struct weft__stacks stacks;
static struct weft__context home;

static inline int set_up(void **state) {
    (void)state;
    weft__stacks_init(&stacks, 0);
    weft__context_adopt(&home);
    return 0;
}

static inline int tear_down(void **state) {
    (void)state;
    weft__context_drop(&home);
    weft__stacks_destroy(&stacks);
    return 0;
}

#endif
