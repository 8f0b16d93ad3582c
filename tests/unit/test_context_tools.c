// SPDX-License-Identifier: MIT
// What the checkers are told about contexts and stacks: each test asks the checker itself, in the
// build that has it. That they find defects at all is shown by tests/planted.
#include "party.h"

#if WEFT__UNDER_ASAN
#include "os/os.h"

#include <sanitizer/asan_interface.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
void __asan_handle_no_return(void); // what the compiler calls; no header declares it
#endif
#if WEFT__UNDER_TSAN
#include <sanitizer/tsan_interface.h>
#endif
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

static void die_with_a_buffer_alive(void *arg) {
    struct party *p = arg;
    char buffer[100];
    memset(buffer, 1, sizeof buffer);
    p->note = (uintptr_t)(void *)buffer; // so that it is memory, and a checker fences it
    p->visits++;
    finish(p);
}

static void frames_that_never_return_leave_a_stack_usable(void **state) {
    (void)state;
    struct party p;
    party_start(&stacks, &p, &home, die_with_a_buffer_alive);
    weft__context_switch(&home, &p.context);
    assert_int_equal(p.visits, 1);
    party_end(&stacks, &p);
    struct weft__stack stack;
    assert_int_equal(weft__stacks_take(&stacks, 0, &stack), 0);
    memset(stack.low + stack.guard_size, 0, stack.size - stack.guard_size);
    weft__stacks_give(&stacks, &stack);
}

#if WEFT__UNDER_ASAN
// Asks ASan to forget the fences on its stack, as it does when an exception is thrown. It can only
// when it knows where the stack is.
static void forget_fences(void *arg) {
    struct party *p = arg;
    volatile char buffer[100];
    buffer[0] = 1;
    p->visits = (size_t)__asan_address_is_poisoned(buffer + sizeof buffer);
    go_home(p); // once there and back: it must know it again
    __asan_handle_no_return();
    p->note = (uint64_t)__asan_address_is_poisoned(buffer + sizeof buffer);
    finish(p);
}

static void address_sanitizer_knows_the_running_stack(void **state) {
    (void)state;
    if (__asan_get_current_fake_stack()) {
        print_message("detect_stack_use_after_return keeps variables off the stack\n");
        skip();
    }
    struct party p;
    party_start(&stacks, &p, &home, forget_fences);
    weft__context_switch(&home, &p.context);
    assert_int_equal(p.visits, 1);
    weft__context_switch(&home, &p.context);
    assert_int_equal(p.note, 0);
    party_end(&stacks, &p);
}

// Each of these runs in a child whose exit status tells what the search for leaks found. A party
// has its block on its own stack and nowhere else.
static void keep_a_block(void *arg) {
    struct party *p = arg;
    void *volatile block = weft__alloc(100);
    p->visits = block != NULL;
    go_home(p);
    weft__free(block);
    finish(p);
}

static void exit_with_a_block(void *arg) {
    void *volatile block = weft__alloc(100);
    (void)arg;
    exit(block == NULL);
}

static void run_and_exit(void (*entry)(void *), bool is_leaking) {
    struct party p;
    void *volatile block = NULL;
    // Many, because a forgotten address or two may survive in a register or a dead frame.
    for (int i = 0; i < (is_leaking ? 100 : 1); i++)
        block = weft__alloc(100);
    party_start(&stacks, &p, &home, entry);
    weft__context_switch(&home, &p.context);
    exit(block == NULL);
}

static int leak_status(void (*entry)(void *), bool is_leaking) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)close(STDERR_FILENO);
        (void)alarm(30);
        run_and_exit(entry, is_leaking);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void leaks_are_told_from_what_living_stacks_hold(void **state) {
    (void)state;
    if (leak_status(keep_a_block, true) == 0) {
        print_message("LeakSanitizer does not run here\n");
        skip();
    }
    assert_int_equal(leak_status(keep_a_block, false), 0);
    assert_int_equal(leak_status(exit_with_a_block, false), 0);
}
#endif

#if WEFT__UNDER_TSAN
static void note_fiber(void *arg) {
    struct party *p = arg;
    p->note = (uintptr_t)__tsan_get_current_fiber();
    go_home(p);
    p->visits = p->note == (uintptr_t)__tsan_get_current_fiber();
    finish(p);
}

static void thread_sanitizer_sees_a_thread_in_every_context(void **state) {
    (void)state;
    uint64_t own = (uintptr_t)__tsan_get_current_fiber();
    struct party a, b;
    party_start(&stacks, &a, &home, note_fiber);
    party_start(&stacks, &b, &home, note_fiber);
    for (int i = 0; i < 2; i++) {
        weft__context_switch(&home, &a.context);
        weft__context_switch(&home, &b.context);
        assert_int_equal((uintptr_t)__tsan_get_current_fiber(), own);
    }
    assert_true(a.note != own && b.note != own && a.note != b.note);
    assert_int_equal(a.visits, 1);
    assert_int_equal(b.visits, 1);
    party_end(&stacks, &a);
    party_end(&stacks, &b);
}
#endif

static void pool_reports_stacks_to_valgrind_when_it_listens(void **state) {
    (void)state;
    assert_int_equal(stacks.is_valgrind, RUNNING_ON_VALGRIND != 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_that_never_return_leave_a_stack_usable),
#if WEFT__UNDER_ASAN
        cmocka_unit_test(address_sanitizer_knows_the_running_stack),
        cmocka_unit_test(leaks_are_told_from_what_living_stacks_hold),
#endif
#if WEFT__UNDER_TSAN
        cmocka_unit_test(thread_sanitizer_sees_a_thread_in_every_context),
#endif
        cmocka_unit_test(pool_reports_stacks_to_valgrind_when_it_listens),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
