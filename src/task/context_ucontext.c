// SPDX-License-Identifier: MIT
// The functions of context_machine.h over makecontext(3) and swapcontext(3): for processors
// without an assembly file of their own, and for any when the build asks for it. Not fast: each
// switch asks the kernel for the signal mask and sets it.
#include "task/context_machine.h"

#include "base/assert.h"

#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <ucontext.h>

// Lies at the top of a new stack: how to start it.
struct first_frame {
    ucontext_t registers;
    struct weft__context *self;
    void (*entry)(void *);
    void *arg;
};

// makecontext passes ints only: the pointer comes in two halves.
static void start(unsigned int high, unsigned int low) {
    uintptr_t address = (uintptr_t)((uint64_t)high << 32 | low);
    const struct first_frame *frame = (const struct first_frame *)address;
    weft__context_begin(frame->self, frame->entry, frame->arg);
    weft__context_ended();
}

void *weft__context_frame(void *top, struct weft__context *self, void (*entry)(void *), void *arg,
                          void *low) {
    _Static_assert(UINT_MAX >= UINT32_MAX, "two ints carry a pointer");
    struct first_frame *frame = (struct first_frame *)top - 1;
    frame = (struct first_frame *)((uintptr_t)frame & ~(uintptr_t)63);
    ASSERT((char *)frame > (char *)low);
    int error = getcontext(&frame->registers);
    ASSERT(error == 0);
    frame->self = self;
    frame->entry = entry;
    frame->arg = arg;
    frame->registers.uc_link = NULL;
    frame->registers.uc_stack = (stack_t){
        .ss_sp = low,
        .ss_size = (size_t)((char *)frame - (char *)low),
    };
    uint64_t address = (uintptr_t)frame;
    makecontext(&frame->registers, (void (*)(void))(uintptr_t)start, 2,
                (unsigned int)(address >> 32), (unsigned int)address);
    return frame;
}

// A stopped context keeps its registers in a variable of this function, on its own stack. The mask
// of signals belongs to the thread, so the context that goes on is told the one of now.
void weft__context_jump(struct weft__context *from, struct weft__context *to) {
    ucontext_t registers;
    registers.uc_link = NULL;
    registers.uc_stack = (stack_t){.ss_sp = NULL};
    from->sp = &registers;
    ucontext_t *target = to->sp;
    int error = pthread_sigmask(SIG_BLOCK, NULL, &target->uc_sigmask);
    ASSERT(error == 0);
    error = swapcontext(&registers, target);
    ASSERT(error == 0);
}

void weft__context_jump_first(struct weft__context *from, struct weft__context *to) {
    weft__context_jump(from, to);
}

// Registers are saved a moment after `sp` was, which nobody could wait for.
void weft__context_look(struct weft__context *c, void (*fn)(void *), void *arg) {
    (void)c, (void)fn, (void)arg;
}
