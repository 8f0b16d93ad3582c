// SPDX-License-Identifier: MIT
// What the tests of the pool of stacks share: one pool for each test, checked for leftovers after
// it.
#ifndef TESTS_UNIT_STACK_POOL_H
#define TESTS_UNIT_STACK_POOL_H

#include "os/pages.h"
#include "task/stack.h"

#include "os/os.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

// The pool of the test that runs, and what was alive before it.
static struct weft__stacks pool;
static size_t living_before;
static size_t log_count;

static inline void count_line(int level, const char *text, void *context) {
    (void)level, (void)text, (void)context;
    log_count++;
}

static inline int set_up(void **state) {
    (void)state;
    living_before = weft__alloc_living();
    log_count = 0;
    weft__log_to(count_line, NULL);
    weft__stacks_init(&pool, 0);
    return 0;
}

// Every test gives back what it took; then the pool leaves nothing.
static inline int tear_down(void **state) {
    (void)state;
    weft__fail_disarm();
    weft__log_to(NULL, NULL);
    weft__stacks_destroy(&pool);
    return weft__alloc_living() == living_before ? 0 : -1;
}

static inline struct weft__stack take_sized(size_t size) {
    struct weft__stack stack;
    assert_int_equal(weft__stacks_take(&pool, size, &stack), 0);
    return stack;
}

static inline struct weft__stack take(void) {
    return take_sized(0);
}

static inline void give(struct weft__stack stack) {
    weft__stacks_give(&pool, &stack);
}

static inline char *end_of(const struct weft__stack *stack) {
    return stack->low + stack->size;
}

static inline int send_byte(const void *page) {
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    ssize_t size = write(fds[1], page, 1);
    int result = size < 0 ? -errno : (int)size;
    assert_int_equal(close(fds[0]), 0);
    assert_int_equal(close(fds[1]), 0);
    return result;
}

static inline bool is_resident(char *page) {
    unsigned char bits = 0;
    uintptr_t address = (uintptr_t)page / weft__pages_size() * weft__pages_size();
    assert_int_equal(mincore((void *)address, 1, &bits), 0);
    return bits & 1;
}

static inline void touch(void *byte) {
    *(volatile char *)byte = 1;
}

static inline int compare_lows(const void *a, const void *b) {
    const struct weft__stack *left = a, *right = b;
    return (left->low > right->low) - (left->low < right->low);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

#endif
