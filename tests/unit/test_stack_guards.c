// SPDX-License-Identifier: MIT
// The guards of stacks: each kind judged by what an overflow does, the fall from one to the next,
// and what is said about it. The rest of the pool is in test_stack.c, guards of bare pages are in
// test_pages.c.
#include "stack_pool.h"

#include "in_child.h"

// What a guard promises, whoever makes it, for a stack new, used again, and trimmed in between.
static void expect_guarded(enum weft__guard method) {
    weft__stacks_guard_by(&pool, method);
    for (int pass = 0; pass < 3; pass++) {
        struct weft__stack stack = take();
        assert_int_equal(stack.guard, method);
        assert_int_equal(send_byte(stack.low), -EFAULT);
        assert_int_equal(send_byte(stack.low + weft__pages_size() - 1), -EFAULT);
        assert_int_equal(send_byte(stack.low + weft__pages_size()), 1);
        assert_int_equal(signal_that_ends_child(touch, stack.low), SIGSEGV);
        assert_int_equal(signal_that_ends_child(touch, stack.low + weft__pages_size()), 0);
        touch(stack.low + weft__pages_size());
        give(stack);
        if (pass == 1)
            weft__stacks_trim(&pool, SIZE_MAX);
    }
    assert_int_equal(pool.guarded_counts[method], 1);
    assert_int_equal(log_count, 0);
}

static void overflow_faults_on_a_guard_by_madvise(void **state) {
    (void)state;
    if (weft__pages_guard_probe() != WEFT__GUARD_INSTALL) {
        print_message("MADV_GUARD_INSTALL has no effect here (Linux 6.13 has it)\n");
        skip();
    }
    expect_guarded(WEFT__GUARD_INSTALL);
}

static void overflow_faults_on_a_guard_by_mprotect(void **state) {
    (void)state;
    expect_guarded(WEFT__GUARD_MPROTECT);
}

static void pool_guards_by_what_the_probe_found(void **state) {
    (void)state;
    struct weft__stack stack = take();
    assert_true(pool.is_guard_chosen);
    assert_int_equal(pool.guard, weft__pages_guard_probe());
    assert_int_equal(stack.guard, pool.guard);
    give(stack);
}

static void guard_hit_tells_an_overflow_from_other_faults(void **state) {
    (void)state;
    struct weft__stack stack = take();
    size_t page = weft__pages_size();
    assert_true(weft__stack_guard_hit(&stack, stack.low));
    assert_true(weft__stack_guard_hit(&stack, stack.low + page - 1));
    assert_false(weft__stack_guard_hit(&stack, stack.low - 1));
    assert_false(weft__stack_guard_hit(&stack, stack.low + page));
    assert_false(weft__stack_guard_hit(&stack, stack.top));
    assert_false(weft__stack_guard_hit(&stack, NULL));
    assert_false(weft__stack_guard_hit(&(struct weft__stack){0}, NULL));
    give(stack);
}

static void give_overflowed(void *arg) {
    struct weft__stack *stack = arg;
    touch(stack->low + weft__pages_size() - 1);
    weft__stacks_give(&pool, stack);
}

static void give_intact(void *arg) {
    struct weft__stack *stack = arg;
    touch(stack->low + weft__pages_size());
    weft__stacks_give(&pool, stack);
}

static void overflow_without_a_guard_is_found_when_the_stack_is_given_back(void **state) {
    (void)state;
    weft__stacks_guard_by(&pool, WEFT__GUARD_NONE);
    for (int pass = 0; pass < 3; pass++) {
        struct weft__stack stack = take();
        assert_int_equal(stack.guard, WEFT__GUARD_NONE);
        assert_false(weft__stack_guard_hit(&stack, stack.low));
        assert_int_equal(signal_that_ends_child(give_overflowed, &stack), SIGABRT);
        assert_int_equal(signal_that_ends_child(give_intact, &stack), 0);
        touch(stack.low + weft__pages_size());
        give(stack);
        if (pass == 1)
            weft__stacks_trim(&pool, SIZE_MAX);
    }
    give(take_sized(1024 * 1024));
    assert_int_equal(pool.guarded_counts[WEFT__GUARD_NONE], 1);
}

static void weaker_guards_are_counted_and_reported_once(void **state) {
    (void)state;
    weft__stacks_guard_by(&pool, WEFT__GUARD_NONE);
    struct weft__stack stacks[200];
    for (int i = 0; i < 200; i++)
        stacks[i] = take();
    assert_int_equal(pool.guarded_counts[WEFT__GUARD_NONE], 200);
    assert_int_equal(log_count, 1);
    for (int i = 0; i < 200; i++)
        give(stacks[i]);
}

static void guard_that_fails_is_replaced_by_the_next_best(void **state) {
    (void)state;
    weft__stacks_guard_by(&pool, WEFT__GUARD_INSTALL);
    weft__fail_arm(WEFT__FAIL_PAGES, 2, 0, -ENOMEM); // the slab, then the first guard
    struct weft__stack stack = take();
    assert_int_equal(stack.guard, WEFT__GUARD_MPROTECT);
    assert_int_equal(send_byte(stack.low), -EFAULT);
    weft__fail_arm(WEFT__FAIL_PAGES, 1, 1, -ENOMEM);
    struct weft__stack unguarded = take();
    assert_int_equal(unguarded.guard, WEFT__GUARD_NONE);
    assert_int_equal(unguarded.guard_size, 0);
    weft__fail_disarm();
    give(unguarded);
    give(stack);
}

static void stacks_beyond_the_budget_of_mprotect_do_without_a_guard(void **state) {
    (void)state;
    enum { MANY = 17000 }; // a quarter of the usual vm.max_map_count is 16,382
    if (pool.is_valgrind) {
        print_message("Valgrind itself ends at 30,000 mappings\n");
        skip();
    }
    weft__stacks_guard_by(&pool, WEFT__GUARD_MPROTECT);
    struct weft__stack *stacks = weft__alloc(MANY * sizeof *stacks);
    assert_non_null(stacks);
    for (int i = 0; i < MANY; i++)
        stacks[i] = take();
    size_t guarded = pool.guarded_counts[WEFT__GUARD_MPROTECT];
    size_t unguarded = pool.guarded_counts[WEFT__GUARD_NONE];
    void *more = NULL; // the process still gets mappings
    assert_int_equal(weft__pages_reserve(weft__pages_size(), &more), 0);
    weft__pages_release(more, weft__pages_size());
    for (int i = 0; i < MANY; i++)
        weft__stacks_give(&pool, &stacks[i]);
    weft__free(stacks);
    assert_int_equal(guarded + unguarded, MANY);
    assert_int_equal(log_count, unguarded > 0);
    if (guarded == MANY) {
        print_message("vm.max_map_count is raised here: all %d were guarded\n", MANY);
        skip();
    }
    // The budget comes back with the pool.
    weft__stacks_destroy(&pool);
    weft__stacks_init(&pool, 0);
    weft__stacks_guard_by(&pool, WEFT__GUARD_MPROTECT);
    struct weft__stack stack = take();
    assert_int_equal(stack.guard, WEFT__GUARD_MPROTECT);
    give(stack);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(overflow_faults_on_a_guard_by_madvise),
        CASE(overflow_faults_on_a_guard_by_mprotect),
        CASE(pool_guards_by_what_the_probe_found),
        CASE(guard_hit_tells_an_overflow_from_other_faults),
        CASE(overflow_without_a_guard_is_found_when_the_stack_is_given_back),
        CASE(weaker_guards_are_counted_and_reported_once),
        CASE(guard_that_fails_is_replaced_by_the_next_best),
        CASE(stacks_beyond_the_budget_of_mprotect_do_without_a_guard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
