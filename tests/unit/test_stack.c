// SPDX-License-Identifier: MIT
// The pool of stacks: sizes, order of reuse, colours, shortage, giving memory back. Its guards are
// in test_stack_guards.c; what runs on a stack is test_context.c's matter.
#include "stack_pool.h"

#include "task/context_tools.h"

#include <string.h>

// --- sizes ----------------------------------------------------------------------------------

static void default_stack_is_64_kib_of_zero_and_aligned(void **state) {
    (void)state;
    struct weft__stack stack = take();
    size_t unit = WEFT__UNDER_ASAN || WEFT__UNDER_TSAN ? 4 : 1;
    assert_int_equal(stack.size, unit * WEFT__STACK_SIZE_DEFAULT);
    assert_int_equal((uintptr_t)stack.low % weft__pages_size(), 0);
    assert_int_equal((uintptr_t)stack.top % 16, 0);
    for (char *at = stack.low + weft__pages_size(); at < end_of(&stack); at++)
        assert_int_equal(*at, 0);
    give(stack);
}

static void small_and_odd_sizes_are_rounded_up(void **state) {
    (void)state;
    const size_t sizes[] = {1, 4096, WEFT__STACK_SIZE_MIN, WEFT__STACK_SIZE_MIN + 1, 100001};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        weft__stacks_destroy(&pool);
        weft__stacks_init(&pool, sizes[i]);
        struct weft__stack stack = take();
        assert_true(stack.size >= sizes[i]);
        assert_true(stack.size >= WEFT__STACK_SIZE_MIN);
        assert_int_equal(stack.size % weft__pages_size(), 0);
        touch(stack.low + weft__pages_size());
        touch(stack.top - 1);
        give(stack);
    }
}

static void size_up_to_the_pools_own_comes_from_the_pool(void **state) {
    (void)state;
    give(take());
    struct weft__stack stack = take_sized(WEFT__STACK_SIZE_DEFAULT);
    assert_false(stack.is_apart);
    assert_int_equal(pool.idle_count, 0);
    give(stack);
    stack = take_sized(1);
    assert_int_equal(stack.size, pool.stack_size);
    give(stack);
}

static void larger_stack_is_apart_and_released_when_given_back(void **state) {
    (void)state;
    give(take());
    size_t reserved = pool.reserved_bytes;
    struct weft__stack stack = take_sized(1024 * 1024);
    assert_true(stack.is_apart);
    assert_true(stack.size >= 1024 * 1024);
    assert_int_equal(pool.in_use, 1);
    assert_int_equal(pool.reserved_bytes, reserved + stack.size);
    assert_int_equal(send_byte(stack.low), -EFAULT);
    for (char *at = stack.low + weft__pages_size(); at < stack.top; at += 512)
        touch(at);
    char *low = stack.low;
    give(stack);
    assert_int_equal(pool.in_use, 0);
    assert_int_equal(pool.reserved_bytes, reserved);
    unsigned char bits;
    assert_int_equal(mincore(low, 1, &bits), -1);
}

static void absurd_sizes_are_out_of_memory(void **state) {
    (void)state;
    const size_t sizes[] = {SIZE_MAX, SIZE_MAX / 2, SIZE_MAX - 4096, (size_t)1 << 60,
                            ((size_t)1 << 58) + 4096};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct weft__stack stack;
        assert_int_equal(weft__stacks_take(&pool, sizes[i], &stack), -ENOMEM);
        struct weft__stacks other;
        weft__stacks_init(&other, sizes[i]);
        assert_int_equal(weft__stacks_take(&other, 0, &stack), -ENOMEM);
        weft__stacks_destroy(&other);
    }
    assert_int_equal(pool.in_use, 0);
}

// --- order and place ------------------------------------------------------------------------

static void last_given_stack_is_taken_first_and_unchanged(void **state) {
    (void)state;
    struct weft__stack stacks[3];
    for (int i = 0; i < 3; i++)
        stacks[i] = take();
    give(stacks[1]);
    give(stacks[0]);
    give(stacks[2]);
    const int order[] = {2, 0, 1};
    for (int i = 0; i < 3; i++) {
        struct weft__stack stack = take();
        assert_ptr_equal(stack.low, stacks[order[i]].low);
        assert_ptr_equal(stack.top, stacks[order[i]].top);
        assert_int_equal(stack.guard, stacks[order[i]].guard);
    }
    for (int i = 0; i < 3; i++)
        give(stacks[i]);
}

static void tops_are_spread_over_the_cache_within_one_page(void **state) {
    (void)state;
    struct weft__stack stacks[3 * WEFT__STACK_COLOURS];
    size_t seen[WEFT__STACK_COLOURS] = {0};
    for (int i = 0; i < 3 * WEFT__STACK_COLOURS; i++) {
        stacks[i] = take();
        size_t below = (size_t)(end_of(&stacks[i]) - stacks[i].top);
        assert_int_equal(below % 64, 0);
        assert_in_range(below / 64, 0, WEFT__STACK_COLOURS - 1);
        seen[below / 64]++;
    }
    for (int i = 0; i < WEFT__STACK_COLOURS; i++)
        assert_int_equal(seen[i], 3);
    // A buffer of 1 KiB and as much again for the frames above it.
    assert_true(weft__pages_size() - 64 * (WEFT__STACK_COLOURS - 1) >= 2048);
    for (int i = 0; i < 3 * WEFT__STACK_COLOURS; i++)
        give(stacks[i]);
}

static void stacks_never_overlap(void **state) {
    (void)state;
    enum { COUNT = 2000 }; // several slabs
    static struct weft__stack stacks[COUNT];
    for (int i = 0; i < COUNT; i++)
        stacks[i] = i % 100 == 0 ? take_sized(200000) : take();
    assert_int_equal(pool.in_use, COUNT);
    qsort(stacks, COUNT, sizeof *stacks, compare_lows);
    for (int i = 1; i < COUNT; i++)
        assert_true(end_of(&stacks[i - 1]) <= stacks[i].low);
    for (int i = 0; i < COUNT; i++)
        give(stacks[i]);
    assert_int_equal(pool.in_use, 0);
}

static void a_hundred_thousand_stacks_cost_address_space_and_not_memory(void **state) {
    (void)state;
    // LeakSanitizer looks for each stack in a list when it is given back.
    enum { COUNT = WEFT__UNDER_ASAN ? 10000 : 100000 };
    struct weft__stack *stacks = weft__alloc(COUNT * sizeof *stacks);
    assert_non_null(stacks);
    for (int i = 0; i < COUNT; i++)
        stacks[i] = take();
    assert_int_equal(pool.in_use, COUNT);
    assert_true(pool.reserved_bytes >= COUNT * pool.stack_size);
    assert_true(pool.reserved_bytes < (COUNT + 1024) * pool.stack_size);
    for (int i = 0; i < COUNT; i += 1000)
        assert_false(is_resident(stacks[i].top - 1));
    for (int i = COUNT - 1; i >= 0; i--)
        weft__stacks_give(&pool, &stacks[i]);
    assert_int_equal(pool.in_use, 0);
    assert_int_equal(pool.idle_count, COUNT);
    size_t reserved = pool.reserved_bytes;
    for (int i = 0; i < COUNT; i++)
        stacks[i] = take();
    assert_int_equal(pool.reserved_bytes, reserved);
    for (int i = COUNT - 1; i >= 0; i--)
        weft__stacks_give(&pool, &stacks[i]);
    weft__free(stacks);
}

static void pools_share_nothing(void **state) {
    (void)state;
    struct weft__stacks other;
    weft__stacks_init(&other, 128 * 1024);
    struct weft__stack mine = take(), theirs;
    assert_int_equal(weft__stacks_take(&other, 0, &theirs), 0);
    weft__stacks_give(&other, &theirs);
    assert_int_equal(pool.in_use, 1);
    assert_int_equal(other.in_use, 0);
    weft__stacks_destroy(&other);
    touch(mine.top - 1);
    give(mine);
}

static void empty_pool_may_be_destroyed_and_trimmed(void **state) {
    (void)state;
    struct weft__stacks zeroed = {0};
    weft__stacks_trim(&zeroed, SIZE_MAX);
    weft__stacks_destroy(&zeroed);
    weft__stacks_trim(&pool, SIZE_MAX);
    weft__stacks_destroy(&pool);
    weft__stacks_destroy(&pool);
}

// --- memory ---------------------------------------------------------------------------------

static void trim_gives_back_the_memory_of_idle_stacks_only(void **state) {
    (void)state;
    enum { COUNT = 300 };
    struct weft__stack stacks[COUNT];
    for (int i = 0; i < COUNT; i++) {
        stacks[i] = take();
        memset(stacks[i].top - 3000, i + 1, 3000);
    }
    struct weft__stack before[COUNT];
    memcpy(before, stacks, sizeof before);
    for (int i = 0; i < COUNT; i++)
        if (i % 3 != 0)
            weft__stacks_give(&pool, &stacks[i]);
    weft__stacks_trim(&pool, SIZE_MAX);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(is_resident(before[i].top - 1), i % 3 == 0);
        assert_int_equal(before[i].top[-1], i % 3 == 0 ? (char)(i + 1) : 0);
        assert_int_equal(send_byte(before[i].low), -EFAULT);
    }
    for (int i = 0; i < COUNT; i += 3)
        weft__stacks_give(&pool, &stacks[i]);
}

static void trimmed_stacks_are_taken_again_each_once(void **state) {
    (void)state;
    enum { COUNT = 100 };
    struct weft__stack stacks[COUNT];
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < COUNT; i++) {
            stacks[i] = take();
            touch(stacks[i].top - 1);
        }
        qsort(stacks, COUNT, sizeof *stacks, compare_lows);
        for (int i = 1; i < COUNT; i++)
            assert_true(stacks[i - 1].low < stacks[i].low);
        for (int i = 0; i < COUNT; i++) {
            char *low = stacks[i].low;
            weft__stacks_give(&pool, &stacks[i]);
            if (i % 7 == round)
                weft__stacks_trim(&pool, SIZE_MAX);
            stacks[i].low = low;
        }
        assert_int_equal(pool.pooled_count, COUNT);
        assert_int_equal(pool.idle_count, COUNT);
    }
    weft__stacks_trim(&pool, SIZE_MAX);
    assert_int_equal(pool.cold_count, COUNT);
    give(take());
    assert_int_equal(pool.cold_count, COUNT - 1);
}

static void out_of_memory_is_said_and_takes_nothing(void **state) {
    (void)state;
    struct weft__stack stack = {.size = 12345};
    for (int kind = WEFT__FAIL_ALLOC; kind <= WEFT__FAIL_PAGES; kind++) {
        weft__fail_arm((enum weft__fail_kind)kind, 1, 1, -ENOMEM);
        assert_int_equal(weft__stacks_take(&pool, 0, &stack), -ENOMEM);
        if (kind == WEFT__FAIL_PAGES)
            assert_int_equal(weft__stacks_take(&pool, 1 << 20, &stack), -ENOMEM);
        weft__fail_disarm();
        assert_int_equal(stack.size, 12345);
        assert_int_equal(pool.in_use, 0);
        assert_int_equal(pool.reserved_bytes, 0);
        assert_int_equal(pool.idle_count, 0);
    }
    give(take());
}

// Returns how many of `count` takes failed.
static size_t take_and_give_all(size_t count) {
    struct weft__stack stacks[200];
    size_t taken = 0;
    for (size_t i = 0; i < count; i++) {
        int error = weft__stacks_take(&pool, 0, &stacks[taken]);
        assert_true(error == 0 || error == -ENOMEM);
        taken += error == 0;
    }
    assert_int_equal(pool.in_use, taken);
    for (size_t i = taken; i > 0; i--)
        give(stacks[i - 1]);
    return count - taken;
}

static void every_single_failure_leaves_a_working_pool(void **state) {
    (void)state;
    enum { COUNT = 200 }; // three slabs and three sizes of the idle list
    size_t failures = 0;
    for (int kind = WEFT__FAIL_ALLOC; kind <= WEFT__FAIL_PAGES; kind++) {
        for (uint64_t n = 1; n <= 12; n++) {
            weft__fail_arm((enum weft__fail_kind)kind, n, 0, -ENOMEM);
            failures += take_and_give_all(COUNT);
            weft__fail_disarm();
            give(take());
            weft__stacks_destroy(&pool);
            assert_int_equal(weft__alloc_living(), living_before);
            weft__stacks_init(&pool, 0);
        }
    }
    // Three slabs, three sizes of the list and the first slab's pages fail their take; a guard that
    // fails does not.
    assert_int_equal(failures, 7);
}

static void scarce_address_space_is_reserved_in_smaller_slabs(void **state) {
    (void)state;
    struct weft__stack stacks[64 + 1];
    for (int i = 0; i < 64; i++)
        stacks[i] = take();
    size_t reserved = pool.reserved_bytes;
    assert_int_equal(reserved, 64 * pool.stack_size);
    weft__fail_arm(WEFT__FAIL_PAGES, 1, 0, -ENOMEM); // the slab of 128; one of 64 is had
    stacks[64] = take();
    assert_int_equal(pool.reserved_bytes, 2 * reserved);
    for (int i = 0; i <= 64; i++)
        give(stacks[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(default_stack_is_64_kib_of_zero_and_aligned),
        CASE(small_and_odd_sizes_are_rounded_up),
        CASE(size_up_to_the_pools_own_comes_from_the_pool),
        CASE(larger_stack_is_apart_and_released_when_given_back),
        CASE(absurd_sizes_are_out_of_memory),
        CASE(last_given_stack_is_taken_first_and_unchanged),
        CASE(tops_are_spread_over_the_cache_within_one_page),
        CASE(stacks_never_overlap),
        CASE(a_hundred_thousand_stacks_cost_address_space_and_not_memory),
        CASE(pools_share_nothing),
        CASE(empty_pool_may_be_destroyed_and_trimmed),
        CASE(trim_gives_back_the_memory_of_idle_stacks_only),
        CASE(trimmed_stacks_are_taken_again_each_once),
        CASE(out_of_memory_is_said_and_takes_nothing),
        CASE(every_single_failure_leaves_a_working_pool),
        CASE(scarce_address_space_is_reserved_in_smaller_slabs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
