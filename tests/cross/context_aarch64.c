// SPDX-License-Identifier: MIT
// Shows that the context switch of 64-bit Arm keeps what a call keeps: x19-x29, d8-d15 and the
// stack pointer; that arguments arrive, contexts nest, and the stack is aligned. Also that the
// guard of a stack is one, under qemu-user, too, which answers MADV_GUARD_INSTALL with 0 and
// installs nothing. Plain C without a test library, so that the cross compiler alone builds it.
// Exit status 0 or 1. The rest is the same on every machine and in tests/unit/test_context.c.
#include "os/pages.h"
#include "task/context.h"
#include "task/stack.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

static int failures;

#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            failures++;                                                                            \
            printf("%s:%d: not true: %s\n", __FILE__, __LINE__, #cond);                            \
        }                                                                                          \
    } while (0)

// uint64_t registers_kept(from x0, to x1, pattern x2): fills each register that a call preserves
// with `pattern` plus its number, switches, and returns a bit for each that came back changed:
// 8..15 for d8-d15, 19..29 for x19-x29, 31 for the stack pointer.
__asm__(".text\n"
        ".type registers_kept, %function\n"
        "registers_kept:\n"
        "  sub sp, sp, #192\n"
        "  stp x29, x30, [sp]\n"
        "  stp x19, x20, [sp, #16]\n"
        "  stp x21, x22, [sp, #32]\n"
        "  stp x23, x24, [sp, #48]\n"
        "  stp x25, x26, [sp, #64]\n"
        "  stp x27, x28, [sp, #80]\n"
        "  stp d8, d9, [sp, #96]\n"
        "  stp d10, d11, [sp, #112]\n"
        "  stp d12, d13, [sp, #128]\n"
        "  stp d14, d15, [sp, #144]\n"
        "  mov x9, sp\n"
        "  stp x2, x9, [sp, #160]\n"
        "  .irp n, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29\n"
        "    add x\\n, x2, #\\n\n"
        "  .endr\n"
        "  .irp n, 8, 9, 10, 11, 12, 13, 14, 15\n"
        "    add x9, x2, #\\n\n"
        "    fmov d\\n, x9\n"
        "  .endr\n"
        "  bl weft__context_switch\n"
        "  ldp x2, x12, [sp, #160]\n"
        "  mov x0, #0\n"
        "  .irp n, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29\n"
        "    add x9, x2, #\\n\n"
        "    cmp x9, x\\n\n"
        "    cset x10, ne\n"
        "    orr x0, x0, x10, lsl #\\n\n"
        "  .endr\n"
        "  .irp n, 8, 9, 10, 11, 12, 13, 14, 15\n"
        "    add x9, x2, #\\n\n"
        "    fmov x11, d\\n\n"
        "    cmp x9, x11\n"
        "    cset x10, ne\n"
        "    orr x0, x0, x10, lsl #\\n\n"
        "  .endr\n"
        "  mov x9, sp\n"
        "  cmp x9, x12\n"
        "  cset x10, ne\n"
        "  orr x0, x0, x10, lsl #31\n"
        "  ldp x29, x30, [sp]\n"
        "  ldp x19, x20, [sp, #16]\n"
        "  ldp x21, x22, [sp, #32]\n"
        "  ldp x23, x24, [sp, #48]\n"
        "  ldp x25, x26, [sp, #64]\n"
        "  ldp x27, x28, [sp, #80]\n"
        "  ldp d8, d9, [sp, #96]\n"
        "  ldp d10, d11, [sp, #112]\n"
        "  ldp d12, d13, [sp, #128]\n"
        "  ldp d14, d15, [sp, #144]\n"
        "  add sp, sp, #192\n"
        "  ret\n"
        ".size registers_kept, . - registers_kept\n");
uint64_t registers_kept(struct weft__context *from, struct weft__context *to, uint64_t pattern);

struct party {
    struct weft__context context;
    struct weft__context *home;
    struct weft__stack stack;
    uint64_t changed;
    uint64_t visits;
};

static struct weft__stacks stacks;
static struct weft__context home;

static void start(struct party *p, struct weft__context *from, void (*entry)(void *)) {
    *p = (struct party){.home = from};
    CHECK(weft__stacks_take(&stacks, 0, &p->stack) == 0);
    weft__context_make(&p->context, p->stack.low, p->stack.size, p->stack.top, entry, p);
}

static void end(struct party *p) {
    weft__context_drop(&p->context);
    weft__stacks_give(&stacks, &p->stack);
}

static void keep_registers(void *arg) {
    struct party *p = arg;
    for (uint64_t pattern = (uintptr_t)p;; pattern = pattern * 3 + 7) {
        p->changed |= registers_kept(&p->context, p->home, pattern);
        p->visits++;
    }
}

static void check_registers(void) {
    struct party parties[3];
    for (int i = 0; i < 3; i++)
        start(&parties[i], &home, keep_registers);
    uint64_t changed = 0;
    for (uint64_t round = 0; round < 999; round++)
        changed |= registers_kept(&home, &parties[round % 3].context, round << 40 | round);
    CHECK(changed == 0);
    for (int i = 0; i < 3; i++) {
        CHECK(parties[i].changed == 0);
        CHECK(parties[i].visits == 332);
        end(&parties[i]);
    }
}

static void note_argument(void *arg) {
    struct party *p = arg;
    uintptr_t frame = (uintptr_t)__builtin_frame_address(0);
    CHECK(frame % 16 == 0);
    CHECK(frame > (uintptr_t)p->stack.low && frame < (uintptr_t)p->stack.top);
    p->visits++;
    weft__context_switch_last(&p->context, p->home);
}

static void check_argument_and_reuse(void) {
    for (int i = 0; i < 1000; i++) {
        struct party p;
        start(&p, &home, note_argument);
        weft__context_switch(&home, &p.context);
        CHECK(p.visits == 1);
        end(&p);
    }
}

static void count_visits(void *arg) {
    struct party *p = arg;
    for (;;) {
        p->visits++;
        weft__context_switch(&p->context, p->home);
    }
}

static void run_an_inner_one(void *arg) {
    struct party *p = arg, inner;
    start(&inner, &p->context, count_visits);
    for (int i = 0; i < 5; i++)
        weft__context_switch(&p->context, &inner.context);
    p->visits = inner.visits;
    end(&inner);
    weft__context_switch_last(&p->context, p->home);
}

static void check_nesting(void) {
    struct party p;
    start(&p, &home, run_an_inner_one);
    weft__context_switch(&home, &p.context);
    CHECK(p.visits == 5);
    end(&p);
}

static void check_guard(void) {
    struct weft__stack stack;
    int fds[2];
    CHECK(weft__stacks_take(&stacks, 0, &stack) == 0);
    CHECK(stack.guard != WEFT__GUARD_NONE);
    CHECK(pipe(fds) == 0);
    errno = 0;
    CHECK(write(fds[1], stack.low, 1) == -1 && errno == EFAULT);
    CHECK(write(fds[1], stack.low + stack.guard_size, 1) == 1);
    CHECK(close(fds[0]) == 0 && close(fds[1]) == 0);
    printf("stacks are guarded by %s\n", weft__pages_guard_name(stack.guard));
    weft__stacks_give(&stacks, &stack);
}

int main(void) {
    weft__stacks_init(&stacks, 0);
    weft__context_adopt(&home);
    check_argument_and_reuse();
    check_registers();
    check_nesting();
    check_guard();
    CHECK(stacks.in_use == 0);
    weft__context_drop(&home);
    weft__stacks_destroy(&stacks);
    printf("context switch on aarch64: %s\n", failures == 0 ? "ok" : "FAILED");
    return failures != 0;
}
