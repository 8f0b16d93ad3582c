// SPDX-License-Identifier: MIT
// Unit tests of os/fault.c: who is asked about a fault, who gets it afterwards, and that what was
// there before comes back. Each fault happens in a child. The report of a stack overflow, which is
// what it is for, is in test_overflow.c.
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "in_child.h"
#include "os/fault.h"
#include "os/os.h"

// A handler of the program's own says by this signal that it has run: tools that complain about the
// fault itself change exit statuses, and some block all other signals in handlers.
enum { TEXT_SIZE = 16384, OWN = SIGKILL, STATUS_WRONG = 8 };

static const char report[] = "a known address\n";

static char *guarded; // a page that nobody may touch

// ---- In the child ----

static bool know_guarded(const void *addr, char *buf, size_t size) {
    if (addr != guarded)
        return false;
    snprintf(buf, size, "%s", report);
    return true;
}

static void touch(char *addr) {
    *(volatile char *)addr = 1;
}

static void own_handler(int number) {
    if (number == SIGSEGV || number == SIGBUS)
        (void)raise(OWN);
    _exit(STATUS_WRONG);
}

static void own_handler_with_info(int number, siginfo_t *info, void *context) {
    if (number == SIGSEGV && info->si_addr == guarded && context != NULL)
        (void)raise(OWN);
    _exit(STATUS_WRONG);
}

static void *stack; // the alternate one of this thread

static void watch(void) {
    weft__fault_watch(know_guarded);
    if (!stack && weft__fault_stack_give(&stack) != 0)
        _exit(STATUS_WRONG);
}

static void unwatch(void) {
    weft__fault_unwatch();
    weft__fault_stack_take(stack);
    stack = NULL;
}

static void fault_at_known(void) {
    watch();
    touch(guarded);
}

static void fault_at_unknown(void) {
    watch();
    touch(guarded + 64);
}

static void send_a_signal(void) {
    watch();
    (void)raise(SIGBUS);
}

static bool know_everything(const void *addr, char *buf, size_t size) {
    (void)addr;
    snprintf(buf, size, "%s", report);
    return true;
}

static void send_a_signal_to_who_knows_everything(void) {
    weft__fault_watch(know_everything);
    (void)raise(SIGSEGV);
}

// The child of a fork has the handler of its parent's runtime when its own begins to watch.
static void fault_when_watched_twice(void) {
    (void)signal(SIGSEGV, own_handler);
    watch();
    watch();
    touch(guarded);
}

static void fault_with_handler(void) {
    (void)signal(SIGSEGV, own_handler);
    watch();
    touch(guarded);
}

static void fault_with_handler_of_bus(void) {
    (void)signal(SIGBUS, own_handler);
    watch();
    (void)raise(SIGBUS);
}

static void fault_with_handler_with_info(void) {
    struct sigaction action = {.sa_sigaction = own_handler_with_info, .sa_flags = SA_SIGINFO};
    (void)sigaction(SIGSEGV, &action, NULL);
    watch();
    touch(guarded);
}

static void fault_while_ignored(void) {
    (void)signal(SIGSEGV, SIG_IGN);
    watch();
    touch(guarded);
}

static struct sigaction below;

// A handler of the program's that calls the one it has found.
static void chaining_handler(int number, siginfo_t *info, void *context) {
    below.sa_sigaction(number, info, context);
}

static void fault_below_another_when_watched_again(void) {
    struct sigaction action = {.sa_sigaction = chaining_handler,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK};
    watch();
    (void)sigaction(SIGSEGV, &action, &below);
    weft__fault_unwatch();
    watch();
    touch(guarded);
}

static void fault_when_unwatched(void) {
    (void)signal(SIGSEGV, own_handler);
    watch();
    weft__fault_unwatch();
    touch(guarded);
}

// How the process ends, and whether the fault is reported before.
static void expect_end(void (*fn)(void), int number, bool is_reported) {
    char text[TEXT_SIZE];
    int status = status_of_child(fn, text, sizeof text);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), number);
    assert_int_equal(strstr(text, report) != NULL, is_reported);
}

// ---- Faults ----

static void a_known_address_is_reported_and_ends_the_process(void **state) {
    (void)state;
    expect_end(fault_at_known, SIGSEGV, true);
}

static void an_unknown_address_ends_the_process_without_a_word(void **state) {
    (void)state;
    expect_end(fault_at_unknown, SIGSEGV, false);
}

// It has no address, and no instruction that would fault again.
static void a_signal_that_was_sent_ends_the_process_and_nobody_is_asked(void **state) {
    (void)state;
    expect_end(send_a_signal, SIGBUS, false);
    expect_end(send_a_signal_to_who_knows_everything, SIGSEGV, false);
}

static void watching_twice_chains_to_the_handler_from_before(void **state) {
    (void)state;
    expect_end(fault_when_watched_twice, OWN, true);
    expect_end(fault_below_another_when_watched_again, SIGSEGV, true);
}

static void a_handler_from_before_is_called_behind_the_report(void **state) {
    (void)state;
    expect_end(fault_with_handler, OWN, true);
    expect_end(fault_with_handler_with_info, OWN, true);
    expect_end(fault_with_handler_of_bus, OWN, false);
}

// The kernel does not let a fault be ignored either (sigaction(2)).
static void an_ignored_fault_ends_the_process(void **state) {
    (void)state;
    expect_end(fault_while_ignored, SIGSEGV, true);
}

static void after_unwatching_nobody_is_asked(void **state) {
    (void)state;
    expect_end(fault_when_unwatched, OWN, false);
}

// ---- What was there before ----

struct surroundings {
    struct sigaction segv, bus;
    stack_t stack;
};

static struct surroundings look(void) {
    struct surroundings now;
    memset(&now, 0, sizeof now);
    assert_int_equal(sigaction(SIGSEGV, NULL, &now.segv), 0);
    assert_int_equal(sigaction(SIGBUS, NULL, &now.bus), 0);
    assert_int_equal(sigaltstack(NULL, &now.stack), 0);
    return now;
}

static void expect_same(const struct surroundings *a, const struct surroundings *b) {
    assert_ptr_equal(a->segv.sa_handler, b->segv.sa_handler);
    assert_ptr_equal(a->bus.sa_handler, b->bus.sa_handler);
    assert_int_equal(a->stack.ss_flags, b->stack.ss_flags);
    if (!(a->stack.ss_flags & SS_DISABLE))
        assert_ptr_equal(a->stack.ss_sp, b->stack.ss_sp);
}

static void unwatching_brings_back_what_was_there(void **state) {
    (void)state;
    for (int round = 0; round < 2; round++) {
        struct surroundings before = look();
        watch();
        struct surroundings between = look();
        assert_ptr_not_equal(between.segv.sa_handler, before.segv.sa_handler);
        assert_ptr_equal(between.bus.sa_handler, between.segv.sa_handler);
        assert_true((between.segv.sa_flags & SA_ONSTACK) != 0);
        assert_int_equal(between.stack.ss_flags, 0); // the thread has one
        unwatch();
        struct surroundings after = look();
        expect_same(&before, &after);
    }
}

static void a_stack_of_the_threads_own_is_kept(void **state) {
    (void)state;
    static char memory[64 * 1024];
    stack_t own = {.ss_sp = memory, .ss_size = sizeof memory}, before, now;
    assert_int_equal(sigaltstack(&own, &before), 0);
    watch();
    assert_int_equal(sigaltstack(NULL, &now), 0);
    assert_ptr_equal(now.ss_sp, memory);
    unwatch();
    assert_int_equal(sigaltstack(NULL, &now), 0);
    assert_ptr_equal(now.ss_sp, memory);
    assert_int_equal(sigaltstack(&before, NULL), 0);
}

static void a_handler_installed_since_stays(void **state) {
    (void)state;
    struct surroundings before = look();
    watch();
    (void)signal(SIGSEGV, own_handler);
    unwatch();
    struct surroundings after = look();
    (void)sigaction(SIGSEGV, &before.segv, NULL);
    assert_ptr_equal(after.segv.sa_handler, own_handler);
    assert_ptr_equal(after.bus.sa_handler, before.bus.sa_handler);
}

static void without_memory_there_is_no_stack(void **state) {
    (void)state;
    struct surroundings before = look();
    if (!(before.stack.ss_flags & SS_DISABLE))
        skip(); // then none is needed
    weft__fail_arm(WEFT__FAIL_PAGES, 1, 0, -ENOMEM);
    int error = weft__fault_stack_give(&stack);
    weft__fail_disarm();
    struct surroundings after = look();
    assert_int_equal(error, -ENOMEM);
    assert_null(stack);
    expect_same(&before, &after);
}

// The program has given the thread another one since.
static void another_stack_is_left_alone(void **state) {
    (void)state;
    static char memory[64 * 1024];
    stack_t own = {.ss_sp = memory, .ss_size = sizeof memory}, before, now;
    assert_int_equal(sigaltstack(NULL, &before), 0);
    assert_int_equal(weft__fault_stack_give(&stack), 0);
    assert_int_equal(sigaltstack(&own, NULL), 0);
    weft__fault_stack_take(stack);
    stack = NULL;
    assert_int_equal(sigaltstack(NULL, &now), 0);
    assert_ptr_equal(now.ss_sp, memory);
    assert_int_equal(sigaltstack(&before, NULL), 0);
}

int main(void) {
    guarded = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (guarded == MAP_FAILED)
        return 1;
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(a_known_address_is_reported_and_ends_the_process),
        cmocka_unit_test(an_unknown_address_ends_the_process_without_a_word),
        cmocka_unit_test(a_signal_that_was_sent_ends_the_process_and_nobody_is_asked),
        cmocka_unit_test(watching_twice_chains_to_the_handler_from_before),
        cmocka_unit_test(a_handler_from_before_is_called_behind_the_report),
        cmocka_unit_test(an_ignored_fault_ends_the_process),
        cmocka_unit_test(after_unwatching_nobody_is_asked),
        cmocka_unit_test(unwatching_brings_back_what_was_there),
        cmocka_unit_test(a_stack_of_the_threads_own_is_kept),
        cmocka_unit_test(a_handler_installed_since_stays),
        cmocka_unit_test(without_memory_there_is_no_stack),
        cmocka_unit_test(another_stack_is_left_alone),
    };
    return cmocka_run_group_tests_name("reports of faults", cases, NULL, NULL);
}
