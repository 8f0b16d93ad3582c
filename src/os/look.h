// SPDX-License-Identifier: MIT
//
// What another thread of this process is doing, as the kernel tells it in /proc (proc(5)): whether
// it runs, what it waits in, and which calls led there. For reports; nothing here is quick, and all
// of it may be out of date when it returns. Not the names of functions: os/symbol.h.
#ifndef WEFT__LOOK_H
#define WEFT__LOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct weft__text;

struct weft__look {
    bool is_known;     // the kernel says what it does: the process may look at itself
    bool is_waiting;   // in the kernel, not for a processor; false: it runs, or nobody says
    uintptr_t pc, sp;  // where, while it waits
    int64_t ran_ns;    // processor time so far; -1: nobody says
    int64_t queued_ns; // and for how long it had to wait for a processor
};
void weft__look(uint32_t thread_id, struct weft__look *ret_look);

// The calls that a waiting thread is in, innermost first: `pc`, and below it what its stack from
// `sp` to `top` holds that looks like the return address of a call. A call that is over may be
// among them. Returns how many.
size_t weft__look_calls(uintptr_t pc, uintptr_t sp, uintptr_t top, uintptr_t *ret_calls,
                        size_t capacity);

// The calls that a running thread is in, innermost first. It is interrupted for that, by the signal
// that os/fault.c handles anyway; where that could do harm it is left alone, and the result is 0:
// if the handler is not ours, the thread blocks the signal, or a debugger would stop at it.
size_t weft__look_calls_running(uint32_t thread_id, uintptr_t *ret_calls, size_t capacity);

// Appends them: "inner+0x1c < middle+0x2 < outer+0x30".
void weft__look_put_calls(struct weft__text *text, const uintptr_t *calls, size_t count);

// For os/fault.c, in the handler: whether this signal is such a question. Then it was answered.
bool weft__look_answer(const void *siginfo, const void *context);

// The calls that the caller is in, innermost first, without the first `skipped`.
size_t weft__look_own_calls(size_t skipped, uintptr_t *ret_calls, size_t capacity);

#endif
