// SPDX-License-Identifier: MIT
// The context switch of 64-bit Arm (AAPCS64): the functions of context_machine.h.
//
// A context that does not run looks like this, from its saved stack pointer up:
//     +0 x19 x20   +16 x21 x22   +32 x23 x24   +48 x25 x26   +64 x27 x28
//     +80 x29 and x30, where to continue   +96 d8 d9   +112 d10 d11   +128 d12 d13   +144 d14 d15
// The call frame information describes it before and after the stacks change, so a debugger sees
// the caller at every instruction, whichever context that is.
//
// The switch leaves by `ret`, but for a context's first one: context_x86_64.S says why. Where
// branch targets are enforced (BTI) the first one must be `ret`, too: the place it goes to after
// an ordinary call is no landing pad.

        .macro  switch_stacks
        hint    #34                     // bti c
        sub     sp, sp, #160
        .cfi_def_cfa_offset 160
        stp     x19, x20, [sp, #0]
        .cfi_rel_offset x19, 0
        .cfi_rel_offset x20, 8
        stp     x21, x22, [sp, #16]
        .cfi_rel_offset x21, 16
        .cfi_rel_offset x22, 24
        stp     x23, x24, [sp, #32]
        .cfi_rel_offset x23, 32
        .cfi_rel_offset x24, 40
        stp     x25, x26, [sp, #48]
        .cfi_rel_offset x25, 48
        .cfi_rel_offset x26, 56
        stp     x27, x28, [sp, #64]
        .cfi_rel_offset x27, 64
        .cfi_rel_offset x28, 72
        stp     x29, x30, [sp, #80]
        .cfi_rel_offset x29, 80
        .cfi_rel_offset x30, 88
        stp     d8, d9, [sp, #96]
        .cfi_rel_offset d8, 96
        .cfi_rel_offset d9, 104
        stp     d10, d11, [sp, #112]
        .cfi_rel_offset d10, 112
        .cfi_rel_offset d11, 120
        stp     d12, d13, [sp, #128]
        .cfi_rel_offset d12, 128
        .cfi_rel_offset d13, 136
        stp     d14, d15, [sp, #144]
        .cfi_rel_offset d14, 144
        .cfi_rel_offset d15, 152

        mov     x9, sp
        stlr    x9, [x0]                // from->sp
        ldr     x9, [x1]                // to->sp: another stack, the same layout
        str     xzr, [x1]
        mov     sp, x9

        // The copies on the stack stay where they are until `sp` moves: the description holds.
        ldp     x19, x20, [sp, #0]
        ldp     x21, x22, [sp, #16]
        ldp     x23, x24, [sp, #32]
        ldp     x25, x26, [sp, #48]
        ldp     x27, x28, [sp, #64]
        ldp     x29, x30, [sp, #80]
        ldp     d8, d9, [sp, #96]
        ldp     d10, d11, [sp, #112]
        ldp     d12, d13, [sp, #128]
        ldp     d14, d15, [sp, #144]
        add     sp, sp, #160
        .cfi_def_cfa_offset 0
        .cfi_restore x19
        .cfi_restore x20
        .cfi_restore x21
        .cfi_restore x22
        .cfi_restore x23
        .cfi_restore x24
        .cfi_restore x25
        .cfi_restore x26
        .cfi_restore x27
        .cfi_restore x28
        .cfi_restore x29
        .cfi_restore x30
        .cfi_restore d8
        .cfi_restore d9
        .cfi_restore d10
        .cfi_restore d11
        .cfi_restore d12
        .cfi_restore d13
        .cfi_restore d14
        .cfi_restore d15
        .endm

        .text

// void weft__context_jump(struct weft__context *from x0, struct weft__context *to x1)
        .globl  weft__context_jump
        .hidden weft__context_jump
        .type   weft__context_jump, %function
        .p2align 4
weft__context_jump:
        .cfi_startproc
        switch_stacks
        ret
        .cfi_endproc
        .size   weft__context_jump, . - weft__context_jump

// void weft__context_jump_first(struct weft__context *from x0, struct weft__context *to x1)
        .globl  weft__context_jump_first
        .hidden weft__context_jump_first
        .type   weft__context_jump_first, %function
        .p2align 4
weft__context_jump_first:
        .cfi_startproc
        switch_stacks
#if defined(__ARM_FEATURE_BTI_DEFAULT)
        ret
#else
        br      x30
#endif
        .cfi_endproc
        .size   weft__context_jump_first, . - weft__context_jump_first

// The outermost frame of a made context: it has no caller (`undefined`), so every unwinder ends
// here. What to call lies in registers that the jump has just loaded. The nop belongs to the frame
// because unwinders look up the instruction before the address they return to.
        .type   weft__context_start, %function
        .p2align 4
        .cfi_startproc
        .cfi_undefined x30
weft__context_start:
        nop
.Lfirst:
        hint    #36                     // bti j
        mov     x0, x19                 // self
        mov     x1, x20                 // entry
        mov     x2, x21                 // arg
        .hidden weft__context_begin
        adr     x30, .Llast             // as a call would, without the processor remembering it
        b       weft__context_begin
        .hidden weft__context_ended
.Llast: bl      weft__context_ended
        brk     #1
        .cfi_endproc
        .size   weft__context_start, . - weft__context_start

// void *weft__context_frame(void *top x0, self x1, entry x2, void *arg x3, void *low x4)
        .globl  weft__context_frame
        .hidden weft__context_frame
        .type   weft__context_frame, %function
        .p2align 4
weft__context_frame:
        .cfi_startproc
        hint    #34                     // bti c
        sub     x0, x0, #160            // a multiple of 16, so the stack stays aligned
        adr     x9, .Lfirst
        stp     x1, x2, [x0, #0]        // x19, x20
        stp     x3, xzr, [x0, #16]      // x21
        stp     xzr, xzr, [x0, #32]
        stp     xzr, xzr, [x0, #48]
        stp     xzr, xzr, [x0, #64]
        stp     xzr, x9, [x0, #80]      // x29: the chain of frame pointers ends here
        stp     xzr, xzr, [x0, #96]
        stp     xzr, xzr, [x0, #112]
        stp     xzr, xzr, [x0, #128]
        stp     xzr, xzr, [x0, #144]
        ret
        .cfi_endproc
        .size   weft__context_frame, . - weft__context_frame

// void weft__context_look(struct weft__context *c x0, void (*fn)(void *) x1, void *arg x2)
// Only the description of this frame looks at the context: it says that the caller's registers lie
// where `c` keeps its own, so an unwinder that comes up from fn goes on into c's frames.
        .globl  weft__context_look
        .hidden weft__context_look
        .type   weft__context_look, %function
        .p2align 4
weft__context_look:
        .cfi_startproc
        hint    #34                     // bti c
        stp     x19, x30, [sp, #-16]!
        .cfi_def_cfa_offset 16
        .cfi_rel_offset x19, 0
        .cfi_rel_offset x30, 8
        ldr     x19, [x0]               // a register that fn keeps
        mov     x0, x2
        .cfi_remember_state
        .cfi_def_cfa x19, 160
        .cfi_offset x19, -160
        .cfi_offset x20, -152
        .cfi_offset x21, -144
        .cfi_offset x22, -136
        .cfi_offset x23, -128
        .cfi_offset x24, -120
        .cfi_offset x25, -112
        .cfi_offset x26, -104
        .cfi_offset x27, -96
        .cfi_offset x28, -88
        .cfi_offset x29, -80
        .cfi_offset x30, -72
        blr     x1
        .cfi_restore_state
        ldp     x19, x30, [sp], #16
        .cfi_def_cfa_offset 0
        .cfi_restore x19
        .cfi_restore x30
        ret
        .cfi_endproc
        .size   weft__context_look, . - weft__context_look

// NT_GNU_PROPERTY_TYPE_0: GNU_PROPERTY_AARCH64_FEATURE_1_AND = BTI.
#if defined(__ARM_FEATURE_BTI_DEFAULT)
        .section .note.gnu.property, "a", %note
        .p2align 3
        .word   4, 16, 5
        .asciz  "GNU"
        .word   0xc0000000, 4, 1, 0
#endif

        .section .note.GNU-stack, "", %progbits
