// SPDX-License-Identifier: MIT
// The pool of stacks. Not here: pages and the ways to guard one (os/pages.h), what the checkers
// must know (context_tools.h).
//
// 1. Address space is reserved a slab at a time: 64 stacks, then twice as many each time, up to
//    1,024. A million stacks are then about a thousand calls of mmap, which the kernel joins.
// 2. A stack is made from its slab, guard and all, when the idle list is empty: nothing is paid for
//    a stack that nobody needs.
// 3. A stack given back goes on top of the idle list, its memory still warm. The list is an array
//    beside the stacks, because a link inside one would touch a page and be lost in a trim.
//    An entry is the stack's lowest address; the bits that are zero in the address of a page hold
//    its colour and its guard.
// 4. The first `cold_count` entries have no memory behind them: they were trimmed and have not been
//    used since. A trim only looks at the others.
#include "task/stack.h"

#include "base/assert.h"
#include "os/os.h"
#include "os/pages.h"
#include "task/context_tools.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SLAB_COUNT_MIN  64
#define SLAB_COUNT_MAX  1024
#define CACHE_LINE_SIZE 64

// The checkers' frames are several times as large, so every stack is, too.
#define TOOL_FACTOR (WEFT__UNDER_ASAN || WEFT__UNDER_TSAN ? 4 : 1)

// An entry of the idle list: address | colour << 2 | guard.
#define ENTRY_GUARD_BITS 2
#define ENTRY_LOW_BITS   12
_Static_assert(WEFT__GUARD_COUNT <= 1 << ENTRY_GUARD_BITS, "a guard fits");
_Static_assert(WEFT__STACK_COLOURS << ENTRY_GUARD_BITS <= 1 << ENTRY_LOW_BITS, "a colour fits");

struct weft__slab {
    struct weft__slab *older;
    char *base;
    size_t size;
    size_t count;
    size_t made_count; // the first so many are in use or idle
};

static size_t round_up(size_t size, size_t unit) {
    return (size + unit - 1) / unit * unit;
}

// Whole pages, of which one is the guard and at least half of the minimum is left.
static int round_size(const struct weft__stacks *s, size_t size, size_t *ret_size) {
    if (size > SIZE_MAX / 2 / SLAB_COUNT_MAX / TOOL_FACTOR) // a slab's size must not overflow
        return -ENOMEM;
    size = round_up(size < WEFT__STACK_SIZE_MIN ? WEFT__STACK_SIZE_MIN : size, s->page_size);
    size *= TOOL_FACTOR;
    if (size < s->page_size + WEFT__STACK_SIZE_MIN / 2)
        size += s->page_size;
    *ret_size = size;
    return 0;
}

void weft__stacks_init(struct weft__stacks *s, size_t stack_size) {
    *s = (struct weft__stacks){
        .page_size = weft__pages_size(),
        .is_valgrind = weft__tools_is_valgrind(),
    };
    if (stack_size == 0)
        stack_size = WEFT__STACK_SIZE_DEFAULT;
    if (round_size(s, stack_size, &s->stack_size) < 0)
        s->stack_size = SIZE_MAX / 2 / SLAB_COUNT_MIN; // no take will find that much
}

void weft__stacks_guard_by(struct weft__stacks *s, enum weft__guard method) {
    ASSERT(s->pooled_count == 0);
    s->guard = method;
    s->is_guard_chosen = true;
}

static void log_weakness(struct weft__stacks *s) {
    if (s->is_weakness_logged)
        return;
    s->is_weakness_logged = true;
    weft__log(WEFT__LOG_WARN,
              "some task stacks have no guard page: an overflow is noticed only when its task ends "
              "(use Linux 6.13 or later, or raise vm.max_map_count)");
}

// Guards the lowest page by the pool's method, or by the next best that can be had.
static enum weft__guard guard_low_end(struct weft__stacks *s, char *low) {
    if (!s->is_guard_chosen)
        weft__stacks_guard_by(s, weft__pages_guard_probe());
    enum weft__guard method = s->guard;
    while (method != WEFT__GUARD_NONE && weft__pages_guard(low, s->page_size, method) < 0)
        method++;
    if (method == WEFT__GUARD_NONE)
        log_weakness(s);
    s->guarded_counts[method]++;
    return method;
}

static unsigned int next_colour(struct weft__stacks *s) {
    return (unsigned int)(s->made_count++ % WEFT__STACK_COLOURS);
}

// Room for `count` idle stacks, which is room for all there are.
static int reserve_idle(struct weft__stacks *s, size_t count) {
    if (count <= s->idle_capacity)
        return 0;
    size_t capacity = s->idle_capacity ? 2 * s->idle_capacity : SLAB_COUNT_MIN;
    uintptr_t *idle = weft__alloc(capacity * sizeof *idle);
    if (!idle)
        return -ENOMEM;
    if (s->idle_count > 0)
        memcpy(idle, s->idle, s->idle_count * sizeof *idle);
    weft__free(s->idle);
    s->idle = idle;
    s->idle_capacity = capacity;
    return 0;
}

static int add_slab(struct weft__stacks *s) {
    size_t count = s->slabs ? 2 * s->slabs->count : SLAB_COUNT_MIN;
    if (count > SLAB_COUNT_MAX)
        count = SLAB_COUNT_MAX;
    struct weft__slab *slab = weft__alloc(sizeof *slab);
    if (!slab)
        return -ENOMEM;
    void *base = NULL;
    int error = weft__pages_reserve(count * s->stack_size, &base);
    if (error < 0 && count > SLAB_COUNT_MIN) { // Scarce address space: the least that makes sense.
        count = SLAB_COUNT_MIN;
        error = weft__pages_reserve(count * s->stack_size, &base);
    }
    if (error < 0) {
        weft__free(slab);
        return -ENOMEM;
    }
    *slab = (struct weft__slab){
        .older = s->slabs, .base = base, .size = count * s->stack_size, .count = count};
    s->slabs = slab;
    s->reserved_bytes += slab->size;
    return 0;
}

// Makes one more stack and puts it on the idle list, which is empty.
static WEFT__NOINLINE int make_stack(struct weft__stacks *s) {
    int error = reserve_idle(s, s->pooled_count + 1);
    if (error < 0)
        return error;
    if (!s->slabs || s->slabs->made_count == s->slabs->count)
        error = add_slab(s);
    if (error < 0)
        return error;
    char *low = s->slabs->base + s->slabs->made_count * s->stack_size;
    enum weft__guard guard = guard_low_end(s, low);
    s->slabs->made_count++;
    s->pooled_count++;
    s->idle[s->idle_count++] =
        (uintptr_t)low | (uintptr_t)next_colour(s) << ENTRY_GUARD_BITS | (uintptr_t)guard;
    s->cold_count = s->idle_count;
    return 0;
}

static void fill_stack(const struct weft__stacks *s, char *low, size_t size, enum weft__guard guard,
                       unsigned int colour, struct weft__stack *ret_stack) {
    *ret_stack = (struct weft__stack){
        .low = low,
        .top = low + size - (size_t)colour * CACHE_LINE_SIZE,
        .size = size,
        .guard_size = guard == WEFT__GUARD_NONE ? 0 : (unsigned int)s->page_size,
        .guard = guard,
    };
    if (s->is_valgrind)
        ret_stack->valgrind_id = weft__tools_valgrind_taken(low, low + size);
    weft__tools_asan_taken(low + s->page_size, size - s->page_size);
}

static WEFT__NOINLINE int take_apart(struct weft__stacks *s, size_t size,
                                     struct weft__stack *ret_stack) {
    void *base;
    if (weft__pages_reserve(size, &base) < 0)
        return -ENOMEM;
    enum weft__guard guard = guard_low_end(s, base);
    fill_stack(s, base, size, guard, next_colour(s), ret_stack);
    ret_stack->is_apart = true;
    s->reserved_bytes += size;
    weft__own_add(&s->in_use, 1);
    return 0;
}

int weft__stacks_take(struct weft__stacks *s, size_t size, struct weft__stack *ret_stack) {
    if (size != 0) {
        int error = round_size(s, size, &size);
        if (error < 0)
            return error;
        if (size > s->stack_size)
            return take_apart(s, size, ret_stack);
    }
    int error = weft__fail(WEFT__FAIL_STACK);
    if (error == 0 && s->idle_count == 0)
        error = make_stack(s);
    if (error < 0)
        return error;
    uintptr_t entry = s->idle[--s->idle_count];
    if (s->cold_count > s->idle_count)
        s->cold_count = s->idle_count;
    if (s->idle_low > s->idle_count)
        s->idle_low = s->idle_count;
    uintptr_t bits = entry & ((1 << ENTRY_LOW_BITS) - 1);
    fill_stack(s, (char *)(entry - bits), s->stack_size, bits & ((1 << ENTRY_GUARD_BITS) - 1),
               (unsigned int)(bits >> ENTRY_GUARD_BITS), ret_stack);
    weft__own_add(&s->in_use, 1);
    return 0;
}

// Instead of a guard: the page that would have been it must still be as it was made, zero. Reading
// it costs no memory, and nothing need be written for it before, or again after a trim.
static WEFT__NOINLINE void check_canary(const struct weft__stacks *s,
                                        const struct weft__stack *stack) {
    const uintptr_t *words = (const uintptr_t *)stack->low;
    for (size_t i = 0; i < s->page_size / sizeof *words; i++)
        if (words[i] != 0)
            PANIC("a task has overflowed its stack of %zu bytes, found when it ended: "
                  "raise its stack_size",
                  stack->size);
}

static WEFT__NOINLINE void give_apart(struct weft__stacks *s, const struct weft__stack *stack) {
    weft__pages_release(stack->low, stack->size);
    weft__pages_guards_gone(1, stack->guard);
    s->guarded_counts[stack->guard]--;
    s->reserved_bytes -= stack->size;
}

void weft__stacks_give(struct weft__stacks *s, struct weft__stack *stack) {
    char *end = stack->low + stack->size;
    if (s->is_valgrind)
        weft__tools_valgrind_given(stack->valgrind_id);
    weft__tools_asan_given(stack->low + s->page_size, stack->size - s->page_size);
    if (stack->guard == WEFT__GUARD_NONE)
        check_canary(s, stack);
    weft__own_add(&s->in_use, -(size_t)1);
    if (stack->is_apart) {
        give_apart(s, stack);
    } else {
        uintptr_t colour = (uintptr_t)(end - stack->top) / CACHE_LINE_SIZE;
        s->idle[s->idle_count++] =
            (uintptr_t)stack->low | colour << ENTRY_GUARD_BITS | (uintptr_t)stack->guard;
    }
    *stack = (struct weft__stack){.low = NULL};
}

// Highest address first, so that the lowest is on top of the list.
static int compare_entries(const void *a, const void *b) {
    uintptr_t left = *(const uintptr_t *)a, right = *(const uintptr_t *)b;
    return (left < right) - (left > right);
}

// Neighbours are discarded together: a thousand idle stacks are a few system calls.
void weft__stacks_trim(struct weft__stacks *s, size_t first_count) {
    size_t end = first_count < s->idle_count ? first_count : s->idle_count;
    if (s->cold_count >= end)
        return;
    const uintptr_t mask = ~(((uintptr_t)1 << ENTRY_LOW_BITS) - 1);
    uintptr_t *warm = s->idle + s->cold_count;
    size_t count = end - s->cold_count;
    qsort(warm, count, sizeof *warm, compare_entries);
    for (size_t i = 0, next; i < count; i = next) {
        next = i + 1;
        while (next < count && (warm[next - 1] & mask) - s->stack_size == (warm[next] & mask))
            next++;
        weft__pages_discard((char *)(warm[next - 1] & mask), (next - i) * s->stack_size);
    }
    s->cold_count = end;
}

void weft__stacks_destroy(struct weft__stacks *s) {
    ASSERT(s->in_use == 0);
    while (s->slabs) {
        struct weft__slab *slab = s->slabs;
        s->slabs = slab->older;
        weft__pages_release(slab->base, slab->size);
        weft__free(slab);
    }
    for (enum weft__guard method = 0; method < WEFT__GUARD_COUNT; method++)
        weft__pages_guards_gone(s->guarded_counts[method], method);
    weft__free(s->idle);
    *s = (struct weft__stacks){.in_use = 0};
}

bool weft__stack_guard_hit(const struct weft__stack *stack, const void *addr) {
    return (uintptr_t)addr - (uintptr_t)stack->low < stack->guard_size;
}
