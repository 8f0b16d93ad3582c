// SPDX-License-Identifier: MIT
// Switching between contexts: arguments, order, registers, alignment, deep stacks, unwinding.
// C++ exceptions are in test_context_exceptions.cc, what checkers see in test_context_tools.c,
// 64-bit Arm in tests/cross.
#include "party.h"

#include "in_child.h"

#include <pthread.h>
#include <signal.h>
#include <unwind.h>

static void note_address(void *arg) {
    struct party *p = arg;
    volatile char local = 1;
    p->visits += (size_t)local;
    p->note = (uintptr_t)__builtin_frame_address(0);
    finish(p);
}

static void entry_gets_its_argument_and_runs_on_the_new_stack(void **state) {
    (void)state;
    struct party p;
    party_start(&stacks, &p, &home, note_address);
    assert_int_equal(p.visits, 0);
    weft__context_switch(&home, &p.context);
    assert_int_equal(p.visits, 1);
    assert_in_range(p.note, (uintptr_t)p.stack.low, (uintptr_t)p.stack.top);
    party_end(&stacks, &p);
}

static void note_alignment(void *arg) {
    struct party *p = arg;
    _Alignas(16) volatile char local[16] = {1};
    p->note = (uintptr_t)__builtin_frame_address(0) % 16 | (uintptr_t)local % 16;
    // A frame that spills vector registers faults when the alignment is wrong.
    volatile double sum = 0;
    for (int i = 0; i < 10; i++)
        sum += 0.5 * local[0];
    p->visits = (size_t)sum;
    finish(p);
}

static void stack_is_aligned_as_the_abi_wants_it_for_every_top(void **state) {
    (void)state;
    for (int i = 0; i < WEFT__STACK_COLOURS; i++) {
        struct party p = {.home = &home};
        assert_int_equal(weft__stacks_take(&stacks, 0, &p.stack), 0);
        char *top = p.stack.top - i * 16;
        weft__context_make(&p.context, p.stack.low, p.stack.size, top, note_alignment, &p);
        weft__context_switch(&home, &p.context);
        assert_int_equal(p.note, 0);
        assert_int_equal(p.visits, 5);
        party_end(&stacks, &p);
    }
}

static void count_visits(void *arg) {
    struct party *p = arg;
    size_t own = 0; // lives on this stack and must agree with what everybody sees
    for (;;) {
        own++;
        p->visits++;
        p->note |= own ^ p->visits;
        go_home(p);
    }
}

static void million_switches_among_a_hundred_contexts_lose_nothing(void **state) {
    (void)state;
    enum { PARTIES = 100, ROUNDS = 10000 };
    static struct party parties[PARTIES];
    for (int i = 0; i < PARTIES; i++)
        party_start(&stacks, &parties[i], &home, count_visits);
    for (int round = 0; round < ROUNDS; round++)
        for (int i = 0; i < PARTIES; i++)
            weft__context_switch(&home, &parties[i].context);
    for (int i = 0; i < PARTIES; i++) {
        assert_int_equal(parties[i].visits, ROUNDS);
        assert_int_equal(parties[i].note, 0);
        party_end(&stacks, &parties[i]);
    }
}

static void visit_once(void *arg) {
    struct party *p = arg;
    p->visits++;
    finish(p);
}

static void ended_context_leaves_its_stack_to_the_next(void **state) {
    (void)state;
    char *low = NULL;
    for (int i = 0; i < 50000;
         i++) { // a checker that counts calls and returns must be in step, too
        struct party p;
        party_start(&stacks, &p, &home, visit_once);
        assert_true(!low || p.stack.low == low);
        low = p.stack.low;
        weft__context_switch(&home, &p.context);
        assert_int_equal(p.visits, 1);
        party_end(&stacks, &p);
    }
}

// Passes through a ring of contexts that never go back home in between.
struct ring {
    struct party parties[3];
    char order[32];
    size_t length;
};
static struct ring ring;

static void pass_on(void *arg) {
    struct party *p = arg;
    size_t self = (size_t)(p - ring.parties);
    for (int round = 0; round < 3; round++) {
        ring.order[ring.length++] = (char)('a' + self);
        if (self < 2)
            weft__context_switch(&p->context, &ring.parties[self + 1].context);
        else
            weft__context_switch(&p->context, round == 2 ? p->home : &ring.parties[0].context);
    }
    finish(p);
}

static void contexts_switch_to_each_other_in_the_order_they_choose(void **state) {
    (void)state;
    ring = (struct ring){.length = 0};
    for (int i = 0; i < 3; i++)
        party_start(&stacks, &ring.parties[i], &home, pass_on);
    weft__context_switch(&home, &ring.parties[0].context);
    assert_string_equal(ring.order, "abcabcabc");
    for (int i = 0; i < 3; i++)
        party_end(&stacks, &ring.parties[i]);
}

static void run_an_inner_one(void *arg) {
    struct party *p = arg;
    struct party inner = {.home = &p->context};
    if (weft__stacks_take(&stacks, 0, &inner.stack) == 0) {
        weft__context_make(&inner.context, inner.stack.low, inner.stack.size, inner.stack.top,
                           count_visits, &inner);
        for (int i = 0; i < 5; i++)
            weft__context_switch(&p->context, &inner.context);
        p->visits = inner.visits;
        party_end(&stacks, &inner);
    }
    finish(p);
}

static void context_inside_a_context_works(void **state) {
    (void)state;
    struct party p;
    party_start(&stacks, &p, &home, run_an_inner_one);
    weft__context_switch(&home, &p.context);
    assert_int_equal(p.visits, 5);
    party_end(&stacks, &p);
}

// Goes home at every level on the way down and up; each level's buffer must be as it was left.
static uint64_t descend(struct party *p, unsigned int depth) {
    volatile unsigned char buffer[200];
    for (size_t i = 0; i < sizeof buffer; i++)
        buffer[i] = (unsigned char)(depth + i + p->stack.size % 251);
    go_home(p);
    uint64_t errors = depth > 0 ? descend(p, depth - 1) : 0;
    go_home(p);
    for (size_t i = 0; i < sizeof buffer; i++)
        errors += buffer[i] != (unsigned char)(depth + i + p->stack.size % 251);
    return errors;
}

enum { DEPTH = 100 };

static void descend_and_finish(void *arg) {
    struct party *p = arg;
    p->note = descend(p, DEPTH);
    p->visits = 1;
    finish(p);
}

static void deep_stacks_stay_intact_while_others_run(void **state) {
    (void)state;
    static struct party parties[10];
    for (int i = 0; i < 10; i++)
        party_start(&stacks, &parties[i], &home, descend_and_finish);
    for (int step = 0; step < 2 * (DEPTH + 1) + 1; step++)
        for (int i = 0; i < 10; i++)
            weft__context_switch(&home, &parties[i].context);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(parties[i].visits, 1);
        assert_int_equal(parties[i].note, 0);
        party_end(&stacks, &parties[i]);
    }
}

#if defined(__x86_64__)
// uint64_t registers_kept(from, to, pattern): fills every register that a call preserves with a
// number made of `pattern`, switches, and returns a bit for each register that came back changed.
__asm__(".text\n"
        ".type registers_kept, @function\n"
        "registers_kept:\n"
        "  push %rbp; push %rbx; push %r12; push %r13; push %r14; push %r15; push %rdx\n"
        "  lea 1(%rdx), %rbp\n  lea 2(%rdx), %rbx\n  lea 3(%rdx), %r12\n"
        "  lea 4(%rdx), %r13\n  lea 5(%rdx), %r14\n  lea 6(%rdx), %r15\n"
        "  call weft__context_switch\n"
        "  pop %rdx\n  xor %eax, %eax\n"
        "  sub %rdx, %rbp\n  sub %rdx, %rbx\n  sub %rdx, %r12\n"
        "  sub %rdx, %r13\n  sub %rdx, %r14\n  sub %rdx, %r15\n"
        "  cmp $1, %rbp\n  je 1f\n  or $1, %eax\n"
        "1:cmp $2, %rbx\n  je 1f\n  or $2, %eax\n"
        "1:cmp $3, %r12\n  je 1f\n  or $4, %eax\n"
        "1:cmp $4, %r13\n  je 1f\n  or $8, %eax\n"
        "1:cmp $5, %r14\n  je 1f\n  or $16, %eax\n"
        "1:cmp $6, %r15\n  je 1f\n  or $32, %eax\n"
        "1:pop %r15; pop %r14; pop %r13; pop %r12; pop %rbx; pop %rbp\n"
        "  ret\n"
        ".size registers_kept, . - registers_kept\n");
uint64_t registers_kept(struct weft__context *from, struct weft__context *to, uint64_t pattern);

static void keep_registers(void *arg) {
    struct party *p = arg;
    uint64_t pattern = (uintptr_t)p;
    for (;;) {
        p->note |= registers_kept(&p->context, p->home, pattern);
        p->visits++;
        pattern = pattern * 3 + 7;
    }
}

static void registers_that_a_call_preserves_are_kept(void **state) {
    (void)state;
    struct party parties[3];
    for (int i = 0; i < 3; i++)
        party_start(&stacks, &parties[i], &home, keep_registers);
    uint64_t changed = 0;
    for (uint64_t round = 0; round < 999; round++)
        changed |= registers_kept(&home, &parties[round % 3].context, round << 40 | round);
    assert_int_equal(changed, 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(parties[i].visits, 332);
        assert_int_equal(parties[i].note, 0);
        party_end(&stacks, &parties[i]);
    }
}
#endif

// Enough living values that some are in registers and some are not, whatever the machine.
static void integrate(void *arg) {
    struct party *p = arg;
    double a = 1, b = 2, c = 3, d = 4, e = 5, f = 6, g = 7, h = 8;
    for (int i = 0; i < 100; i++) {
        a += 1, b += a, c -= b, d += c, e -= d, f += e, g -= f, h += g;
        go_home(p);
    }
    double all[] = {a, b, c, d, e, f, g, h};
    p->note = 0;
    for (size_t i = 0; i < sizeof all; i++)
        p->note = p->note * 31 + ((const unsigned char *)all)[i];
    p->visits = 1;
    finish(p);
}

static void floating_point_values_survive(void **state) {
    (void)state;
    struct party parties[4];
    for (int i = 0; i < 4; i++)
        party_start(&stacks, &parties[i], &home, integrate);
    // Three interleaved with each other, the fourth alone: all must compute the same.
    for (int step = 0; step < 101; step++)
        for (int i = 0; i < 3; i++)
            weft__context_switch(&home, &parties[i].context);
    for (int step = 0; step < 101; step++)
        weft__context_switch(&home, &parties[3].context);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(parties[i].visits, 1);
        assert_int_equal(parties[i].note, parties[3].note);
        party_end(&stacks, &parties[i]);
    }
}

struct unwinding {
    struct party party;
    bool is_off_the_stack;
};

static _Unwind_Reason_Code visit_frame(struct _Unwind_Context *frame, void *arg) {
    struct unwinding *u = arg;
    uintptr_t at = (uintptr_t)_Unwind_GetCFA(frame);
    const struct weft__stack *stack = &u->party.stack;
    if (at < (uintptr_t)stack->low || at > (uintptr_t)stack->low + stack->size)
        u->is_off_the_stack = true;
    return ++u->party.visits < 100 ? _URC_NO_REASON : _URC_NORMAL_STOP;
}

static void unwind_here(void *arg) {
    struct unwinding *u = arg;
    go_home(&u->party); // once there and back: the frames seen are those of a resumed context
    u->party.note = _Unwind_Backtrace(visit_frame, u);
    finish(&u->party);
}

static void unwinding_ends_at_the_entry(void **state) {
    (void)state;
    struct unwinding u = {.is_off_the_stack = false};
    party_start(&stacks, &u.party, &home, unwind_here);
    weft__context_switch(&home, &u.party.context);
    weft__context_switch(&home, &u.party.context);
    assert_int_equal(u.party.note, _URC_END_OF_STACK);
    assert_in_range(u.party.visits, 2, 10);
    assert_false(u.is_off_the_stack);
    party_end(&stacks, &u.party);
}

static void just_return(void *arg) {
    (void)arg;
}

static void run_entry_that_returns(void *arg) {
    struct party *p = arg;
    weft__context_switch(&home, &p->context);
}

static void run_ended_context(void *arg) {
    struct party *p = arg;
    weft__context_switch(&home, &p->context);
    weft__context_switch(&home, &p->context);
}

static void entry_that_returns_ends_the_process(void **state) {
    (void)state;
    struct party p;
    party_start(&stacks, &p, &home, just_return);
    assert_int_equal(signal_that_ends_child(run_entry_that_returns, &p), SIGABRT);
    party_end(&stacks, &p);
}

static void switching_to_an_ended_context_ends_the_process(void **state) {
    (void)state;
    struct party p;
    party_start(&stacks, &p, &home, visit_once);
    assert_int_equal(signal_that_ends_child(run_ended_context, &p), SIGABRT);
    party_end(&stacks, &p);
}

// Notes on its second visit whether the signal is blocked that its home blocked in between.
static void look_at_mask_twice(void *arg) {
    struct party *p = arg;
    sigset_t mask;
    go_home(p);
    (void)pthread_sigmask(SIG_BLOCK, NULL, &mask);
    p->note = (uint64_t)sigismember(&mask, SIGUSR1);
    finish(p);
}

static void the_signal_mask_is_the_threads_and_goes_along(void **state) {
    (void)state;
    struct party p;
    sigset_t mask, before;
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    party_start(&stacks, &p, &home, look_at_mask_twice);
    weft__context_switch(&home, &p.context);
    assert_int_equal(pthread_sigmask(SIG_BLOCK, &mask, &before), 0);
    weft__context_switch(&home, &p.context);
    assert_int_equal(p.note, 1);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, &before, &mask), 0);
    assert_int_equal(sigismember(&mask, SIGUSR1), 1);
    party_end(&stacks, &p);
}

static void *switch_in_thread(void *arg) {
    size_t *ret_visits = arg;
    struct weft__stacks own;
    struct weft__context self;
    weft__stacks_init(&own, 0);
    weft__context_adopt(&self);
    struct party p = {.home = &self};
    if (weft__stacks_take(&own, 0, &p.stack) == 0) {
        weft__context_make(&p.context, p.stack.low, p.stack.size, p.stack.top, count_visits, &p);
        for (int i = 0; i < 100000; i++)
            weft__context_switch(&self, &p.context);
        party_end(&own, &p);
    }
    weft__context_drop(&self);
    weft__stacks_destroy(&own);
    *ret_visits = p.note == 0 ? p.visits : 0;
    return NULL;
}

static void threads_switch_side_by_side(void **state) {
    (void)state;
    pthread_t threads[2];
    size_t visits[2] = {0};
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, switch_in_thread, &visits[i]), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(visits[0], 100000);
    assert_int_equal(visits[1], 100000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entry_gets_its_argument_and_runs_on_the_new_stack),
        cmocka_unit_test(stack_is_aligned_as_the_abi_wants_it_for_every_top),
        cmocka_unit_test(million_switches_among_a_hundred_contexts_lose_nothing),
        cmocka_unit_test(ended_context_leaves_its_stack_to_the_next),
        cmocka_unit_test(contexts_switch_to_each_other_in_the_order_they_choose),
        cmocka_unit_test(context_inside_a_context_works),
        cmocka_unit_test(deep_stacks_stay_intact_while_others_run),
#if defined(__x86_64__)
        cmocka_unit_test(registers_that_a_call_preserves_are_kept),
#endif
        cmocka_unit_test(floating_point_values_survive),
        cmocka_unit_test(unwinding_ends_at_the_entry),
        cmocka_unit_test(entry_that_returns_ends_the_process),
        cmocka_unit_test(switching_to_an_ended_context_ends_the_process),
        cmocka_unit_test(the_signal_mask_is_the_threads_and_goes_along),
        cmocka_unit_test(threads_switch_side_by_side),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
