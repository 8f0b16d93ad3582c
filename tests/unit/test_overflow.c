// SPDX-License-Identifier: MIT
//
// The report of a task's stack overflow, and that other faults and other people's handlers are left
// alone. Each fault happens in a child.
#include "in_child.h"
#include "task/context.h"
#include "world.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weft.h>

#include <cmocka.h>

enum { TEXT_SIZE = 4096 };

static __attribute__((noinline)) int deep(int n) {
    volatile char frame[512];
    frame[0] = (char)n;
    return n > 0 ? deep(n - 1) + frame[0] : 0;
}

static int overflow(void *arg) {
    (void)arg;
    return deep(1 << 20);
}

static void go_named(int (*fn)(void *)) {
    weft_scope scope = {0};
    (void)weft_go_with(&scope, fn, NULL, &(weft_task_options){.name = "digger"});
    (void)weft_join(&scope);
}

static void overflow_in_task(void) {
    go_named(overflow);
}

static void overflow_unreported(void) {
    (void)weft_start(&(weft_options){.no_overflow_report = 1});
    go_named(overflow);
}

static volatile int *volatile nowhere = (volatile int *)64;

static int fault(void *arg) {
    (void)arg;
    return *nowhere;
}

static void fault_in_task(void) {
    go_named(fault);
}

static void own_handler(int number) {
    (void)number;
    static const char text[] = "own handler\n";
    ssize_t ignored = write(STDERR_FILENO, text, sizeof text - 1);
    (void)ignored;
    _exit(7);
}

static void fault_with_own_handler(void) {
    (void)signal(SIGSEGV, own_handler);
    go_named(fault);
}

static void fault_after_stop(void) {
    (void)signal(SIGSEGV, own_handler);
    (void)weft_start(NULL);
    (void)weft_stop(0);
    (void)fault(NULL);
}

// The runtime that watches is begun afresh in the child of a process that had one.
static void overflow_in_forked_child(void) {
    (void)signal(SIGSEGV, own_handler);
    (void)weft_start(NULL);
    pid_t child = fork();
    if (child == 0) {
        (void)weft_start(NULL);
        go_named(overflow);
    }
    int status = 0;
    (void)waitpid(child, &status, 0);
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

static void an_overflow_names_the_task_and_the_cure(void **state) {
    (void)state;
    char text[TEXT_SIZE];
    int status = status_of_child(overflow_in_task, text, sizeof text);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSEGV);
    assert_non_null(strstr(text, WEFT__UNDER_TSAN // stacks are larger there
                                     ? "stack overflow in task digger: its stack has 256 KiB"
                                     : "stack overflow in task digger: its stack has 64 KiB"));
    assert_non_null(strstr(text, "stack_size"));
}

static void the_report_can_be_turned_off(void **state) {
    (void)state;
    char text[TEXT_SIZE];
    int status = status_of_child(overflow_unreported, text, sizeof text);
    assert_true(WIFSIGNALED(status));
    assert_null(strstr(text, "stack overflow"));
}

static void other_faults_are_not_reported(void **state) {
    (void)state;
    char text[TEXT_SIZE];
    int status = status_of_child(fault_in_task, text, sizeof text);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSEGV);
    assert_null(strstr(text, "stack overflow"));
}

static void a_handler_from_before_gets_what_is_not_ours(void **state) {
    (void)state;
    char text[TEXT_SIZE];
    int status = status_of_child(fault_with_own_handler, text, sizeof text);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
    assert_non_null(strstr(text, "own handler"));
}

static void stop_puts_the_handler_from_before_back(void **state) {
    (void)state;
    char text[TEXT_SIZE];
    int status = status_of_child(fault_after_stop, text, sizeof text);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
}

static void in_a_forked_child_it_is_reported_once_and_passed_on(void **state) {
    (void)state;
    char text[TEXT_SIZE];
    int status = status_of_child(overflow_in_forked_child, text, sizeof text);
    const char *report = strstr(text, "stack overflow");
    assert_non_null(report);
    assert_null(strstr(report + 1, "stack overflow"));
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_overflow_names_the_task_and_the_cure),
        cmocka_unit_test(the_report_can_be_turned_off),
        cmocka_unit_test(other_faults_are_not_reported),
        cmocka_unit_test(a_handler_from_before_gets_what_is_not_ours),
        cmocka_unit_test(stop_puts_the_handler_from_before_back),
        cmocka_unit_test(in_a_forked_child_it_is_reported_once_and_passed_on),
    };
    if (WEFT__UNDER_ASAN) { // it has handlers of its own, and ours are off
        (void)puts("overflow: 0 tests under AddressSanitizer, which reports overflows itself");
        return 77;
    }
    if (test_under_valgrind()) { // it counts the fault as an error of ours, whatever then happens
        (void)puts("overflow: 0 tests under Valgrind, which has its own report of the fault");
        return 77;
    }
    return cmocka_run_group_tests_name("overflow", tests, NULL, NULL);
}
