// SPDX-License-Identifier: MIT
// The part of a context switch that differs between processors: three functions, and
// weft__context_look of context.h, written in context_x86_64.S, context_aarch64.S or, for every
// other machine, context_ucontext.c. To port weft, write these. Checkers and C++ are not their
// business: that is context.c.
#ifndef WEFT_TASK_CONTEXT_MACHINE_H
#define WEFT_TASK_CONTEXT_MACHINE_H

#include "task/context.h"

// Lays the first frame of a new stack below `top`, such that a jump to it calls
// weft__context_begin(self, entry, arg) with nothing above. Returns the stack pointer to load.
void *weft__context_frame(void *top, struct weft__context *self, void (*entry)(void *), void *arg,
                          void *low);

// Saves the registers that a call preserves on the running stack, then stores its pointer in
// from->sp with release, continues from to->sp and makes that NULL (ucontext: neither).
void weft__context_jump(struct weft__context *from, struct weft__context *to);

// The same to a context that has not run yet. The processor should not take it for a return.
void weft__context_jump_first(struct weft__context *from, struct weft__context *to);

// In context.c: the outermost C function of every made context. Reached by a jump, and not declared
// to be without return, so that the compiler jumps on from it.
void weft__context_begin(struct weft__context *self, void (*entry)(void *), void *arg);

// In context.c: where that one would return to. It never should.
_Noreturn void weft__context_ended(void);

#endif
