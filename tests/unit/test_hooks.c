// SPDX-License-Identifier: MIT
// Unit tests of os/hooks.c: what is called when a thread ends, the process has forked, or exits.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "in_child.h"
#include "os/os.h"
#include "refuse_syscall.h"
#include "world.h"

enum { HANG_S = 120, FORKS = 50 };

// ---- A thread ends ----

static char calls[16]; // what was called, a letter each

static void note_call(char letter) {
    size_t length = strlen(calls);
    if (length < sizeof calls - 1)
        calls[length] = letter;
}

static void note_arg(void *arg) {
    note_call(*(const char *)arg);
}

static void register_twice(void *arg) {
    (void)arg;
    static char first = 'a', last = 'b';
    if (weft__os_at_thread_exit(note_arg, &first) != 0 ||
        weft__os_at_thread_exit(note_arg, &last) != 0)
        note_call('!');
    note_call('r');
}

static void register_nothing(void *arg) {
    (void)arg;
    note_call('n');
}

static void the_last_function_registered_runs_when_the_thread_ends(void **state) {
    (void)state;
    struct weft__os_thread thread;
    memset(calls, 0, sizeof calls);
    assert_int_equal(weft__os_thread_create(&thread, "x", register_twice, NULL), 0);
    weft__os_thread_join(&thread);
    assert_string_equal(calls, "rb");
    assert_int_equal(weft__os_thread_create(&thread, "x", register_nothing, NULL), 0);
    weft__os_thread_join(&thread);
    assert_string_equal(calls, "rbn");
}

static void register_again(void *arg) {
    static char second = 'c';
    note_arg(arg);
    if (weft__os_at_thread_exit(note_arg, &second) != 0)
        note_call('!');
}

static void register_one_that_registers(void *arg) {
    if (weft__os_at_thread_exit(register_again, arg) != 0)
        note_call('!');
}

static void a_function_that_registers_another_at_the_end_has_it_run(void **state) {
    (void)state;
    static char first = 'a';
    struct weft__os_thread thread;
    memset(calls, 0, sizeof calls);
    assert_int_equal(weft__os_thread_create(&thread, "x", register_one_that_registers, &first), 0);
    weft__os_thread_join(&thread);
    assert_string_equal(calls, "ac");
}

// ---- The process has forked ----

static void note_first(void) {
    note_call('1');
}

static void note_second(void) {
    note_call('2');
}

static void fork_hooks_run_in_the_child_once_each_and_in_order(void **state) {
    (void)state;
    assert_int_equal(weft__os_at_fork_child(note_first), 0);
    assert_int_equal(weft__os_at_fork_child(note_second), 0);
    assert_int_equal(weft__os_at_fork_child(note_first), 0);
    memset(calls, 0, sizeof calls);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(strcmp(calls, "12") == 0 ? 0 : 1);
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_string_equal(calls, ""); // not in the parent
}

static void note_third(void) {
    note_call('3');
}

// A thread of the parent may have held the lock; in the child it is free, and the list goes on.
static void a_child_may_register_more_and_its_children_run_it(void **state) {
    (void)state;
    memset(calls, 0, sizeof calls);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (weft__os_at_fork_child(note_third) != 0)
            _exit(2);
        memset(calls, 0, sizeof calls);
        pid_t grandchild = fork();
        if (grandchild == 0)
            _exit(strcmp(calls, "123") == 0 ? 0 : 1);
        int status = -1;
        _exit(waitpid(grandchild, &status, 0) == grandchild && status == 0 ? 0 : 3);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static WEFT__ATOMIC(uint32_t) is_begun, is_over;

static void register_all_the_time(void *arg) {
    (void)arg;
    weft__store(&is_begun, 1, release);
    while (!weft__load(&is_over, acquire))
        (void)weft__os_at_fork_child(note_first);
}

// If the child found the lock taken by a thread that is no more, it would hang.
static void a_child_can_register_whatever_the_other_threads_were_doing(void **state) {
    (void)state;
    struct weft__os_thread thread;
    assert_int_equal(weft__os_thread_create(&thread, "x", register_all_the_time, NULL), 0);
    while (!weft__load(&is_begun, acquire))
        weft__os_yield();
    for (size_t i = 0; i < FORKS / test_slowness(); i++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            alarm(HANG_S);
            _exit(weft__os_at_fork_child(note_third) == 0 ? 0 : 1);
        }
        int status = -1;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
    }
    weft__store(&is_over, 1, release);
    weft__os_thread_join(&thread);
}

#define SPARE(name)                                                                                \
    static void name(void) {                                                                       \
        note_call(#name[6]);                                                                       \
    }                                                                                              \
    _Static_assert(1, "takes the semicolon")

SPARE(spare_1);
SPARE(spare_2);
SPARE(spare_3);
SPARE(spare_4);
SPARE(spare_5);
SPARE(spare_6);
SPARE(spare_7);

// Two are registered already; there is room for six more.
static void register_more_than_there_is_room_for(void *arg) {
    static void (*const fns[])(void) = {spare_1, spare_2, spare_3, spare_4,
                                        spare_5, spare_6, spare_7};
    for (int k = 0; k < *(const int *)arg; k++)
        (void)weft__os_at_fork_child(fns[k]);
}

static void the_ninth_function_at_fork_is_our_own_bug(void **state) {
    (void)state;
    assert_int_equal(signal_that_ends_child(register_more_than_there_is_room_for, &(int){6}), 0);
    assert_int_equal(signal_that_ends_child(register_more_than_there_is_room_for, &(int){7}),
                     SIGABRT);
}

// ---- The process exits ----

static void exit_with_3(void) {
    _exit(3);
}

static int exits;

static void count_exit(void) {
    exits++;
}

static void exit_with_count(void) {
    _exit(exits);
}

// What was registered first runs last.
static int register_exits(void) {
    int error = weft__os_at_exit(exit_with_count);
    for (int i = 0; error == 0 && i < 2; i++)
        error = weft__os_at_exit(count_exit);
    return error;
}

static void an_exit_hook_runs_once_however_often_it_was_registered(void **state) {
    (void)state;
    assert_int_equal(exit_status_of_self("twice", 0), 1);
}

static void exit_hooks_run_at_exit(void **state) {
    (void)state;
    assert_int_equal(exit_status_of_self("exit", 0), 3);
}

int main(int argc, char **argv) {
    alarm(HANG_S);
    if (argc == 3)
        return strcmp(argv[1], "twice") == 0 ? register_exits() : weft__os_at_exit(exit_with_3);
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(the_last_function_registered_runs_when_the_thread_ends),
        cmocka_unit_test(a_function_that_registers_another_at_the_end_has_it_run),
        cmocka_unit_test(fork_hooks_run_in_the_child_once_each_and_in_order),
        cmocka_unit_test(a_child_may_register_more_and_its_children_run_it),
        cmocka_unit_test(a_child_can_register_whatever_the_other_threads_were_doing),
        cmocka_unit_test(the_ninth_function_at_fork_is_our_own_bug),
        cmocka_unit_test(exit_hooks_run_at_exit),
        cmocka_unit_test(an_exit_hook_runs_once_however_often_it_was_registered),
    };
    return cmocka_run_group_tests_name("hooks", cases, NULL, NULL);
}
