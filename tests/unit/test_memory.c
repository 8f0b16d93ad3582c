// SPDX-License-Identifier: MIT
// Unit tests of os/memory.c: blocks, and allocators that come and go while blocks of theirs live
// on.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/os.h"

enum { HANG_S = 120, ARENAS = 16 };

// An allocator that counts, and dirties what it gives.
struct arena {
    WEFT__ATOMIC(size_t) blocks, bytes;
    size_t fails; // how many calls from now on answer NULL
};

static void *arena_alloc(size_t size, void *context) {
    struct arena *arena = context;
    if (arena->fails > 0) {
        arena->fails--;
        return NULL;
    }
    void *block = malloc(size);
    assert_non_null(block);
    memset(block, 0xa5, size);
    weft__fetch_add(&arena->blocks, 1, relaxed);
    weft__fetch_add(&arena->bytes, size, relaxed);
    return block;
}

static void arena_free(void *block, size_t size, void *context) {
    struct arena *arena = context;
    weft__fetch_sub(&arena->blocks, 1, relaxed);
    weft__fetch_sub(&arena->bytes, size, relaxed);
    memset(block, 0x5a, size);
    free(block);
}

static void use(struct arena *arena) {
    struct weft__allocator allocator = {arena_alloc, arena_free, arena};
    weft__alloc_use(&allocator);
}

static bool is_zero(const void *block, size_t size) {
    const unsigned char *bytes = block;
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

static void blocks_are_zeroed_aligned_and_counted(void **state) {
    (void)state;
    static struct arena arena;
    size_t before = weft__alloc_living();
    for (int own = 0; own < 2; own++) {
        if (own)
            use(&arena);
        void *blocks[4];
        const size_t sizes[4] = {0, 1, 100, 100000};
        for (size_t i = 0; i < 4; i++) {
            blocks[i] = weft__alloc(sizes[i]);
            assert_non_null(blocks[i]);
            assert_int_equal((uintptr_t)blocks[i] % 16, 0);
            assert_true(is_zero(blocks[i], sizes[i]));
            memset(blocks[i], 0xff, sizes[i]);
            assert_int_equal(weft__alloc_living(), before + i + 1);
        }
        for (size_t i = 0; i < 4; i++)
            weft__free(blocks[i]);
        assert_int_equal(weft__alloc_living(), before);
    }
    weft__alloc_use(NULL);
    weft__free(NULL);
    assert_int_equal(weft__alloc_living(), before);
}

static void too_much_is_null(void **state) {
    (void)state;
    size_t before = weft__alloc_living();
    volatile size_t most = SIZE_MAX; // or the compiler warns, rightly
    assert_null(weft__alloc(most));
    assert_null(weft__alloc(most - 15));
    assert_null(weft__alloc(most / 2));
    assert_int_equal(weft__alloc_living(), before);
}

static void an_armed_failure_is_null_once(void **state) {
    (void)state;
    weft__fail_arm(WEFT__FAIL_ALLOC, 1, 0, -ENOMEM);
    assert_null(weft__alloc(1));
    void *block = weft__alloc(1);
    weft__fail_disarm();
    assert_non_null(block);
    weft__free(block);
}

static void an_allocator_that_has_nothing_left_is_null(void **state) {
    (void)state;
    static struct arena arena;
    size_t before = weft__alloc_living();
    arena.fails = 1;
    use(&arena);
    assert_null(weft__alloc(10));
    assert_int_equal(weft__alloc_living(), before);
    weft__alloc_use(NULL);
}

static void a_block_goes_back_where_it_came_from(void **state) {
    (void)state;
    static struct arena first, second;
    use(&first);
    char *a = weft__alloc(10);
    use(&second);
    char *b = weft__alloc(20);
    weft__alloc_use(NULL);
    char *c = weft__alloc(30);
    assert_int_equal(first.blocks, 1);
    assert_int_equal(second.blocks, 1);
    weft__free(a);
    assert_int_equal(first.blocks, 0);
    assert_int_equal(first.bytes, 0); // free is told the size that alloc was
    weft__free(c);
    weft__free(b);
    assert_int_equal(second.blocks, 0);
    assert_int_equal(second.bytes, 0);
}

// Any number of allocators one after the other; of those with living blocks at most 15 at once.
static void allocators_come_and_go(void **state) {
    (void)state;
    static struct arena arenas[100];
    for (int i = 0; i < 100; i++) {
        use(&arenas[i]);
        void *block = weft__alloc(8);
        assert_int_equal(arenas[i].blocks, 1);
        weft__free(block);
    }
    weft__alloc_use(NULL);
}

// The same one many times over takes one place, whatever lives of it.
static void an_allocator_that_comes_back_is_recognised(void **state) {
    (void)state;
    static struct arena arena;
    void *blocks[2 * ARENAS];
    for (size_t i = 0; i < 2 * ARENAS; i++) {
        use(&arena);
        blocks[i] = weft__alloc(8);
        weft__alloc_use(NULL);
    }
    assert_int_equal(arena.blocks, 2 * ARENAS);
    for (size_t i = 0; i < 2 * ARENAS; i++)
        weft__free(blocks[i]);
    assert_int_equal(arena.blocks, 0);
}

static int warnings;

static void count_warning(int level, const char *text, void *context) {
    (void)context;
    assert_int_equal(level, WEFT__LOG_WARN);
    assert_non_null(strstr(text, "allocators"));
    warnings++;
}

static void one_allocator_too_many_is_ignored_and_logged(void **state) {
    (void)state;
    static struct arena arenas[ARENAS];
    void *blocks[ARENAS];
    weft__log_to(count_warning, NULL);
    warnings = 0;
    for (int i = 0; i < ARENAS; i++) {
        use(&arenas[i]);
        blocks[i] = weft__alloc(8);
    }
    assert_int_equal(warnings, 1);
    assert_int_equal(arenas[ARENAS - 2].blocks, 2); // the last but one was still in use
    assert_int_equal(arenas[ARENAS - 1].blocks, 0);
    for (int i = 0; i < ARENAS; i++)
        weft__free(blocks[i]);
    use(&arenas[ARENAS - 1]); // now there is room
    weft__free(weft__alloc(8));
    assert_int_equal(warnings, 1);
    weft__alloc_use(NULL);
    weft__log_to(NULL, NULL);
}

// ---- Threads that allocate while allocators change ----

static WEFT__ATOMIC(uint32_t) stop, running;

static void allocate_until_stopped(void *arg) {
    (void)arg;
    weft__fetch_add(&running, 1, relaxed);
    while (!weft__load(&stop, acquire)) {
        void *blocks[8];
        for (size_t i = 0; i < 8; i++)
            blocks[i] = weft__alloc(i * 10);
        for (size_t i = 0; i < 8; i++)
            weft__free(blocks[i]);
    }
}

static void allocators_change_under_running_threads(void **state) {
    (void)state;
    static struct arena arenas[20]; // more than the table holds, so entries are taken over
    struct weft__os_thread threads[2];
    size_t before = weft__alloc_living();
    for (int i = 0; i < 2; i++)
        assert_int_equal(
            weft__os_thread_create(&threads[i], "allocator", allocate_until_stopped, NULL), 0);
    while (weft__load(&running, relaxed) < 2)
        weft__os_yield();
    for (int i = 0; i < 20000; i++) {
        use(&arenas[i % 20]);
        if (i % 100 == 0)
            weft__os_yield();
    }
    weft__alloc_use(NULL);
    weft__store(&stop, 1, release);
    for (int i = 0; i < 2; i++)
        weft__os_thread_join(&threads[i]);
    assert_int_equal(weft__alloc_living(), before);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(arenas[i].blocks, 0);
        assert_int_equal(arenas[i].bytes, 0);
    }
}

int main(void) {
    alarm(HANG_S);
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(blocks_are_zeroed_aligned_and_counted),
        cmocka_unit_test(too_much_is_null),
        cmocka_unit_test(an_armed_failure_is_null_once),
        cmocka_unit_test(an_allocator_that_has_nothing_left_is_null),
        cmocka_unit_test(a_block_goes_back_where_it_came_from),
        cmocka_unit_test(allocators_come_and_go),
        cmocka_unit_test(an_allocator_that_comes_back_is_recognised),
        cmocka_unit_test(one_allocator_too_many_is_ignored_and_logged),
        cmocka_unit_test(allocators_change_under_running_threads),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
