// SPDX-License-Identifier: MIT
// A context is a stack and the place where it stopped: what a task, task zero and a worker's
// scheduler are to the processor. Switching gives the thread to another one. Not a scheduler: who
// runs next is decided above, and the memory of the stack belongs to the caller (task/stack.h).
//
// Kept across a switch: what the ABI of calls keeps in registers, and the C++ exceptions in flight.
// Not kept, because it belongs to the thread: the floating-point control words (MXCSR and the x87
// control word, FPCR) and the signal mask. Saving the control words would cost every switch 2 ns;
// a task that changes the rounding mode sets it back before it waits, as it would before a return.
//
// A context stays on one thread from its first switch on.
#ifndef WEFT_TASK_CONTEXT_H
#define WEFT_TASK_CONTEXT_H

#include "base/compiler.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

// The head of what the C++ runtime keeps for a thread and a stackful task needs for itself: the
// exceptions being handled, innermost first, and how many are on their way to a handler (Itanium
// C++ ABI, section 2.2.2). Zero is "none".
struct weft__cxx_globals {
    void *caught_exceptions;
    unsigned int uncaught_count;
};

// Owned by the thread it runs on. Only `sp` is known to the assembly, which wants it first.
struct weft__context {
    void *sp; // where the registers lie while the context does not run; NULL while it does
    struct weft__cxx_globals *cxx_thread; // while it runs: where the thread's own are, or NULL
    void *caught_exceptions;              // its own, while it does not run
    unsigned int uncaught_count;
    bool is_new; // made, and has not run yet
#if WEFT__UNDER_ASAN
    const void *asan_low; // the stack as ASan knows it
    size_t asan_size;
    void *asan_fake_stack;
    struct weft__context *asan_left; // whom the last switch to this context came from
    bool is_asan_thread;             // adopted
    bool is_asan_root;               // and its stack is known to the search for leaks
#endif
#if WEFT__UNDER_TSAN
    void *tsan_fiber;
    bool is_tsan_fiber_own; // made here, as opposed to the thread's
#endif
};

// Prepares `entry(arg)` to run on the stack of `stack_size` bytes from `stack_low` at the first
// switch to `c`. `stack_top` is where the stack begins: a multiple of 16, inside it or its end.
// `entry` never returns: its last act is weft__context_switch_last.
void weft__context_make(struct weft__context *c, void *stack_low, size_t stack_size,
                        void *stack_top, void (*entry)(void *), void *arg);

// Makes the calling thread itself a context, so that one can switch away from it and back.
void weft__context_adopt(struct weft__context *c);

// Stops `from`, which is running, and goes on with `to`. Returns when somebody switches to `from`.
void weft__context_switch(struct weft__context *from, struct weft__context *to);

// The same for a context that never runs again; afterwards its stack can be given back.
void weft__context_switch_last(struct weft__context *from, struct weft__context *to);

// Whether `c` does not run and lies on its stack, which can then be read. Any thread may ask; the
// caller knows that it will stay so.
bool weft__context_has_stopped(const struct weft__context *c);

// Calls fn(arg) as if `c` had called it: a backtrace taken there goes on into c's frames. `c` does
// not run, has run before, and stays as it is until fn returns. From any thread. With ucontext,
// which does not tell where a context has stopped, it does nothing.
void weft__context_look(struct weft__context *c, void (*fn)(void *), void *arg);

// Releases what a checker attached to `c`, which does not run. An empty one is nothing.
void weft__context_drop(struct weft__context *c);

#ifdef __cplusplus
}
#endif

#endif
