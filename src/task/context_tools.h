// SPDX-License-Identifier: MIT
// What AddressSanitizer, ThreadSanitizer and Valgrind must be told about stacks that are not a
// thread's, one small function a fact; each is empty where its tool is absent. The only file that
// knows their headers. Not for suppressions: nothing of weft needs one.
#ifndef WEFT_TASK_CONTEXT_TOOLS_H
#define WEFT_TASK_CONTEXT_TOOLS_H

#include "task/context.h"

#if WEFT__UNDER_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#endif
#if WEFT__UNDER_TSAN
#include <sanitizer/tsan_interface.h>
#endif
#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif
#endif

// A context was made for the stack of `size` bytes from `low`.
static inline void weft__tools_made(struct weft__context *c, const void *low, size_t size) {
    (void)c, (void)low, (void)size;
#if WEFT__UNDER_ASAN
    c->asan_low = low;
    c->asan_size = size;
#endif
#if WEFT__UNDER_TSAN
    c->tsan_fiber = __tsan_create_fiber(0);
    c->is_tsan_fiber_own = true;
#endif
}

// The calling thread became a context. ASan tells its bounds when it is left for the first time.
static inline void weft__tools_adopted(struct weft__context *c) {
    (void)c;
#if WEFT__UNDER_ASAN
    c->is_asan_thread = true;
#endif
#if WEFT__UNDER_TSAN
    c->tsan_fiber = __tsan_get_current_fiber();
#endif
}

static inline void weft__tools_dropped(struct weft__context *c) {
    (void)c;
#if WEFT__UNDER_ASAN
    if (c->is_asan_root)
        __lsan_unregister_root_region(c->asan_low, c->asan_size);
    c->is_asan_root = false;
#endif
#if WEFT__UNDER_TSAN
    if (c->is_tsan_fiber_own)
        __tsan_destroy_fiber(c->tsan_fiber);
    c->tsan_fiber = NULL;
    c->is_tsan_fiber_own = false;
#endif
}

// What stands around a jump must be part of the function that jumps: TSan counts calls and returns
// for each context, and a call made from one must not return to another.
#define WEFT__PART_OF_CALLER static inline __attribute__((always_inline))

// The last thing before a jump. `is_last`: `from` never runs again, and its fake stack (where ASan
// keeps locals while it looks for use after return) is freed with it.
WEFT__PART_OF_CALLER void weft__tools_leaving(struct weft__context *from, struct weft__context *to,
                                              bool is_last) {
    (void)from, (void)to, (void)is_last;
#if WEFT__UNDER_ASAN
    to->asan_left = from;
    __sanitizer_start_switch_fiber(is_last ? NULL : &from->asan_fake_stack, to->asan_low,
                                   to->asan_size);
#endif
#if WEFT__UNDER_TSAN
    // No flag: one context's writes happen before what the next one does, as it is one thread.
    __tsan_switch_to_fiber(to->tsan_fiber, 0);
#endif
}

// The first thing after a jump. What the context left is still there: it cannot have been freed
// before the one that runs now has run. Of a thread's own stacks the search for leaks knows only
// the one it runs on at the end: the thread's first one is shown to it when it is left.
WEFT__PART_OF_CALLER void weft__tools_arrived(struct weft__context *self) {
    (void)self;
#if WEFT__UNDER_ASAN
    struct weft__context *left = self->asan_left;
    __sanitizer_finish_switch_fiber(self->asan_fake_stack, &left->asan_low, &left->asan_size);
    if (left->is_asan_thread && !left->is_asan_root) {
        left->is_asan_root = true;
        __lsan_register_root_region(left->asan_low, left->asan_size);
    }
#endif
}

// Whether Valgrind runs the process. Asked once a pool: telling it about a stack costs a pair of
// calls 5 ns even when nobody listens, which is as much as taking one costs.
static inline bool weft__tools_is_valgrind(void) {
#if defined(RUNNING_ON_VALGRIND)
    return RUNNING_ON_VALGRIND != 0;
#else
    return false;
#endif
}

// Under Valgrind: a stack begins or ends to be one. Returns what it calls the stack.
static inline unsigned int weft__tools_valgrind_taken(const char *low, const char *end) {
    (void)low, (void)end;
#if defined(VALGRIND_STACK_REGISTER)
    return VALGRIND_STACK_REGISTER(low, end);
#else
    return 0;
#endif
}

static inline void weft__tools_valgrind_given(unsigned int valgrind_id) {
    (void)valgrind_id;
#if defined(VALGRIND_STACK_DEREGISTER)
    VALGRIND_STACK_DEREGISTER(valgrind_id);
#endif
}

// Under ASan: what lies on a stack in use keeps memory from being a leak.
static inline void weft__tools_asan_taken(const char *low, size_t size) {
    (void)low, (void)size;
#if WEFT__UNDER_ASAN
    __lsan_register_root_region(low, size);
#endif
}

// Nothing runs on a stack any more. Frames left for ever never returned: the poison around their
// variables is still there and must go before the memory serves again. Looking first keeps the
// shadow of a stack that was hardly used from becoming memory.
static inline void weft__tools_asan_given(char *low, size_t size) {
    (void)low, (void)size;
#if WEFT__UNDER_ASAN
    __lsan_unregister_root_region(low, size);
    char *first = __asan_region_is_poisoned(low, size);
    if (first)
        ASAN_UNPOISON_MEMORY_REGION(first, size - (size_t)(first - low));
#endif
}

#endif
