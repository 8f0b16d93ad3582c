// SPDX-License-Identifier: MIT
// The processor-independent half of a context switch: the C++ runtime's per-thread state changes
// hands, the checkers are told, then the machine's jump is taken. Not here: registers
// (context_machine.h) and the checkers' own calls (context_tools.h).
#include "task/context.h"

#include "base/assert.h"
#include "base/atomic.h"
#include "task/context_machine.h"
#include "task/context_tools.h"

// The C++ runtime's accessor of its state for the calling thread; NULL in a program without one.
// It is bound when the program is loaded: a C++ library that a C program opens later with dlopen(3)
// must not switch inside a catch block.
extern struct weft__cxx_globals *cxx_globals_of_thread(void) __asm__("__cxa_get_globals")
    __attribute__((weak));

// The accessor is called once a thread, at weft__context_adopt; from then on whoever runs hands the
// address to whoever runs next, so that it is always the running thread's. (Calling it at every
// switch more than doubles the price of one: 12 instead of 5 ns.)
static inline void exchange_cxx_globals(struct weft__context *from, struct weft__context *to) {
    struct weft__cxx_globals *running = from->cxx_thread;
    to->cxx_thread = running;
    if (!running)
        return;
    from->caught_exceptions = running->caught_exceptions;
    from->uncaught_count = running->uncaught_count;
    running->caught_exceptions = to->caught_exceptions;
    running->uncaught_count = to->uncaught_count;
}

void weft__context_make(struct weft__context *c, void *stack_low, size_t stack_size,
                        void *stack_top, void (*entry)(void *), void *arg) {
    ASSERT((size_t)stack_top % 16 == 0);
    ASSERT((char *)stack_top > (char *)stack_low);
    ASSERT((char *)stack_top <= (char *)stack_low + stack_size);
    *c = (struct weft__context){.sp = NULL};
    weft__tools_made(c, stack_low, stack_size);
    c->sp = weft__context_frame(stack_top, c, entry, arg, stack_low);
    c->is_new = true;
}

void weft__context_adopt(struct weft__context *c) {
    *c = (struct weft__context){.sp = NULL};
    if (cxx_globals_of_thread)
        c->cxx_thread = cxx_globals_of_thread();
    weft__tools_adopted(c);
}

void weft__context_drop(struct weft__context *c) {
    weft__tools_dropped(c);
    c->sp = NULL;
}

// How to enter `to`, asked before the checkers are told: from then on what is read counts as
// `to`'s.
static inline bool take_is_new(struct weft__context *to) {
    bool is_new = to->is_new;
    to->is_new = false;
    return is_new;
}

// Part of the caller, as the notes for the checkers must be; with these a call at the end is the
// compiler's jump.
static inline __attribute__((always_inline)) void jump(struct weft__context *from,
                                                       struct weft__context *to, bool is_new) {
    if (is_new)
        weft__context_jump_first(from, to);
    else
        weft__context_jump(from, to);
}

bool weft__context_has_stopped(const struct weft__context *c) {
    void *sp = *(void *const volatile *)&c->sp; // the machine's jump writes it, with release
    weft__fence(acquire);
    return sp != NULL;
}

void weft__context_switch(struct weft__context *from, struct weft__context *to) {
    bool is_new = take_is_new(to);
    exchange_cxx_globals(from, to);
    weft__tools_leaving(from, to, false);
    jump(from, to, is_new);
    weft__tools_arrived(from);
}

void weft__context_switch_last(struct weft__context *from, struct weft__context *to) {
    bool is_new = take_is_new(to);
    exchange_cxx_globals(from, to);
    weft__tools_leaving(from, to, true);
    jump(from, to, is_new);
}

void weft__context_begin(struct weft__context *self, void (*entry)(void *), void *arg) {
    weft__tools_arrived(self);
    entry(arg);
}

void weft__context_ended(void) {
    PANIC("the entry of a context returned, or a context that had ended went on");
}
