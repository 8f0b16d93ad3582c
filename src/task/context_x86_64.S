// SPDX-License-Identifier: MIT
// The context switch of x86-64 (System V ABI): the functions of context_machine.h.
//
// A context that does not run looks like this, from its saved stack pointer up:
//     +0 r15   +8 r14   +16 r13   +24 r12   +32 rbx   +40 rbp   +48 where to continue
// The call frame information describes it before and after the stacks change, so a debugger sees
// the caller at every instruction, whichever context that is.
//
// Return prediction decides what a switch costs. The processor predicts a return from the calls it
// has seen. Contexts mostly stop and go on in the same place, the worker's, through the same chain
// of calls: when the switch leaves by `ret`, it and every return behind it up to the program's own
// function are predicted, although the stacks differ. A context's first switch has no such chain:
// it leaves by `jmp`, and the frames below the task's function are entered by jumps, so that the
// calls the processor remembers are those of the context that was left. When the task ends and
// that one goes on, they are right (docs/decisions/010).
//
// With `ret` to another stack this object cannot promise to keep a shadow stack (SHSTK), and the
// linker takes that promise back from the whole program; indirect branch tracking (IBT) it does
// keep.

        .macro  save
        endbr64
        pushq   %rbp
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %rbp, 0
        pushq   %rbx
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %rbx, 0
        pushq   %r12
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r12, 0
        pushq   %r13
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r13, 0
        pushq   %r14
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r14, 0
        pushq   %r15
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r15, 0
        .endm

        .macro  load
        popq    %r15
        .cfi_adjust_cfa_offset -8
        .cfi_restore %r15
        popq    %r14
        .cfi_adjust_cfa_offset -8
        .cfi_restore %r14
        popq    %r13
        .cfi_adjust_cfa_offset -8
        .cfi_restore %r13
        popq    %r12
        .cfi_adjust_cfa_offset -8
        .cfi_restore %r12
        popq    %rbx
        .cfi_adjust_cfa_offset -8
        .cfi_restore %rbx
        popq    %rbp
        .cfi_adjust_cfa_offset -8
        .cfi_restore %rbp
        .endm

        .text

// void weft__context_jump(struct weft__context *from rdi, struct weft__context *to rsi)
        .globl  weft__context_jump
        .hidden weft__context_jump
        .type   weft__context_jump, @function
        .p2align 4
weft__context_jump:
        .cfi_startproc
        save
        movq    %rsp, (%rdi)            // from->sp
        movq    (%rsi), %rsp            // to->sp: another stack, the same layout
        movq    $0, (%rsi)
        load
        ret
        .cfi_endproc
        .size   weft__context_jump, . - weft__context_jump

// void weft__context_jump_first(struct weft__context *from rdi, struct weft__context *to rsi)
        .globl  weft__context_jump_first
        .hidden weft__context_jump_first
        .type   weft__context_jump_first, @function
        .p2align 4
weft__context_jump_first:
        .cfi_startproc
        save
        movq    %rsp, (%rdi)
        movq    (%rsi), %rsp
        movq    $0, (%rsi)
        load
        popq    %rcx
        .cfi_adjust_cfa_offset -8
        .cfi_register %rip, %rcx
        notrack jmp *%rcx
        .cfi_endproc
        .size   weft__context_jump_first, . - weft__context_jump_first

// The outermost frame of a made context: it has no caller (`undefined`), so every unwinder ends
// here. What to call lies in registers that the jump has just loaded. The nop belongs to the frame
// because unwinders look up the instruction before the address they return to.
        .type   weft__context_start, @function
        .p2align 4
        .cfi_startproc
        .cfi_undefined %rip
        .cfi_def_cfa %rsp, 16
weft__context_start:
        nop
.Lfirst:
        endbr64
        movq    %r13, %rdi              // self
        movq    %rbx, %rsi              // entry
        movq    %r12, %rdx              // arg
        leaq    .Llast(%rip), %rax
        pushq   %rax                    // as a call would, without the processor remembering it
        .hidden weft__context_begin
        jmp     weft__context_begin
        .hidden weft__context_ended
.Llast: call    weft__context_ended
        ud2
        .cfi_endproc
        .size   weft__context_start, . - weft__context_start

// void *weft__context_frame(void *top rdi, self rsi, entry rdx, void *arg rcx, void *low r8)
        .globl  weft__context_frame
        .hidden weft__context_frame
        .type   weft__context_frame, @function
        .p2align 4
weft__context_frame:
        .cfi_startproc
        endbr64
        leaq    -72(%rdi), %rax         // after seven pops the stack pointer is top - 16: aligned
        leaq    .Lfirst(%rip), %r9
        movq    $0, (%rax)              // r15
        movq    $0, 8(%rax)             // r14
        movq    %rsi, 16(%rax)          // r13
        movq    %rcx, 24(%rax)          // r12
        movq    %rdx, 32(%rax)          // rbx
        movq    $0, 40(%rax)            // rbp: the chain of frame pointers ends here
        movq    %r9, 48(%rax)
        movq    $0, 56(%rax)            // where an unwinder without CFI looks for a caller
        movq    $0, 64(%rax)
        ret
        .cfi_endproc
        .size   weft__context_frame, . - weft__context_frame

// void weft__context_look(struct weft__context *c rdi, void (*fn)(void *) rsi, void *arg rdx)
// Only the description of this frame looks at the context: it says that the caller's registers lie
// where `c` keeps its own, so an unwinder that comes up from fn goes on into c's frames.
        .globl  weft__context_look
        .hidden weft__context_look
        .type   weft__context_look, @function
        .p2align 4
weft__context_look:
        .cfi_startproc
        endbr64
        pushq   %rbx
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %rbx, 0
        movq    (%rdi), %rbx            // a register that fn keeps
        movq    %rdx, %rdi
        .cfi_remember_state
        .cfi_def_cfa %rbx, 56
        .cfi_offset %rip, -8
        .cfi_offset %rbp, -16
        .cfi_offset %rbx, -24
        .cfi_offset %r12, -32
        .cfi_offset %r13, -40
        .cfi_offset %r14, -48
        .cfi_offset %r15, -56
        call    *%rsi
        .cfi_restore_state
        popq    %rbx
        .cfi_adjust_cfa_offset -8
        .cfi_restore %rbx
        ret
        .cfi_endproc
        .size   weft__context_look, . - weft__context_look

// NT_GNU_PROPERTY_TYPE_0: GNU_PROPERTY_X86_FEATURE_1_AND = IBT.
        .section .note.gnu.property, "a", @note
        .p2align 3
        .long   4, 16, 5
        .asciz  "GNU"
        .long   0xc0000002, 4, 1, 0

        .section .note.GNU-stack, "", %progbits
