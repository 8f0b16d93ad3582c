// SPDX-License-Identifier: MIT
// Unit tests of driver/choose.c and driver/uring_probe.c on a system that refuses io_uring: each of
// its system calls, by a seccomp filter with each errno that sandboxes answer, and the memory of
// its queues, by RLIMIT_MEMLOCK. Each refusal is a process of its own, which runs the cases below.
#include <stdio.h>

enum { SKIPPED = 77 };

#ifndef WEFT_HAVE_URING

int main(void) {
    printf("SKIPPED: built without io_uring, which is so refused always\n");
    return SKIPPED;
}

#else

#include <grp.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <weft/error.h>

#include "driver_tools.h"
#include "refuse_syscall.h"

// The same numbers on every architecture.
enum { NR_SETUP = 425, NR_ENTER = 426, NR_REGISTER = 427 };

enum { NOBODY = 65534 };

// ---- In the process that is refused ----

static struct {
    int error; // what io_uring is to be refused with
    const char *why;
} expected;

static char note[256];

static int start_auto(struct weft__driver **ret_driver) {
    return weft__driver_start("auto", ret_driver, note, sizeof note);
}

static const struct contract auto_contract = {.name = "auto", .start = start_auto, .is_real = true};

static void assert_note_names_the_cause(void) {
    assert_non_null(strstr(note, "io_uring refused"));
    assert_non_null(strstr(note, expected.why));
    assert_non_null(strstr(note, weft_strerror(expected.error)));
}

static void uring_start_names_the_step_and_leaves_nothing(void **state) {
    (void)state;
    size_t fds = count_fds(), blocks = weft__alloc_living();
    struct weft__driver *none = NULL;
    const char *why = NULL;
    assert_int_equal(weft__uring_start(&none, &why), expected.error);
    assert_null(none);
    assert_string_equal(why, expected.why);
    assert_int_equal(weft__uring_start(&none, NULL), expected.error); // the step is optional
    assert_int_equal(count_fds(), fds);
    assert_int_equal(weft__alloc_living(), blocks);
}

static void auto_takes_epoll_and_says_why(void **state) {
    (void)state;
    assert_string_equal(d->class->name, "epoll");
    assert_note_names_the_cause();
}

static void an_echo_over_the_fallback_works(void **state) {
    (void)state;
    struct pair pair = open_pair();
    char byte = 0;
    struct call call;
    prepare_io(&call, WEFT__OP_READ, pair.server, &byte, 1);
    submit(&call);
    d->class->wait(d, 0);
    assert_int_equal(write_text(pair.client, "e"), 1);
    await_done(&call);
    assert_int_equal(byte, 'e');
    assert_int_equal(write_text(pair.server, "e"), 1);
    assert_reads(pair.client, "e");
    close_pair(pair);
}

static void uring_alone_fails_with_the_cause(void **state) {
    (void)state;
    struct weft__driver *none = NULL;
    assert_int_equal(weft__driver_start("uring", &none, note, sizeof note), expected.error);
    assert_null(none);
    assert_note_names_the_cause();
}

static int run_cases(int error, const char *why) {
    static const struct CMUnitTest cases[] = {
        CASE(uring_start_names_the_step_and_leaves_nothing),
        CASE(auto_takes_epoll_and_says_why),
        CASE(an_echo_over_the_fallback_works),
        CASE(uring_alone_fails_with_the_cause),
    };
    expected.error = error;
    expected.why = why;
    contract = &auto_contract;
    return cmocka_run_group_tests_name(why, cases, NULL, NULL);
}

static int run_without_syscall(long number, int error, const char *why) {
    if (refuse_syscall(number, error) != 0) {
        perror("SKIPPED: no seccomp filter can be installed");
        return SKIPPED;
    }
    return run_cases(-error, why);
}

// A user without privileges: root may lock what it likes. Such a change makes /proc/self
// root's, unless the process says that it has no secrets.
static int become_nobody(void) {
    if (getuid() != 0)
        return 0;
    if (setgroups(0, NULL) != 0 || setgid(NOBODY) != 0 || setuid(NOBODY) != 0)
        return -1;
    return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static int run_without_locked_memory(void) {
    struct rlimit none = {0, 0};
    if (setrlimit(RLIMIT_MEMLOCK, &none) != 0 || become_nobody() != 0) {
        perror("SKIPPED: privileges cannot be dropped");
        return SKIPPED;
    }
    struct weft__driver *started;
    if (weft__uring_start(&started, NULL) == 0) {
        printf("SKIPPED: this kernel does not count rings against RLIMIT_MEMLOCK\n");
        started->class->stop(started);
        return SKIPPED;
    }
    return run_cases(-ENOMEM, "io_uring_setup");
}

static int run_refused(const char *what, int error) {
    if (strcmp(what, "setup") == 0)
        return run_without_syscall(NR_SETUP, error, "io_uring_setup");
    if (strcmp(what, "enter") == 0)
        return run_without_syscall(NR_ENTER, error, "io_uring_enter (test of NOP)");
    if (strcmp(what, "register") == 0)
        return run_without_syscall(NR_REGISTER, error, "io_uring_register (list of opcodes)");
    return run_without_locked_memory();
}

// ---- In the process that starts the others ----

static void assert_refusals(const char *what) {
    static const int errors[] = {EPERM, ENOSYS, EACCES, EINVAL, ENOMEM};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        int status = exit_status_of_self(what, errors[i]);
        if (status == SKIPPED)
            skip();
        assert_int_equal(status, 0);
    }
}

static void io_uring_setup_may_be_refused(void **state) {
    (void)state;
    assert_refusals("setup");
}

static void io_uring_enter_may_be_refused(void **state) {
    (void)state;
    assert_refusals("enter");
}

static void io_uring_register_may_be_refused(void **state) {
    (void)state;
    assert_refusals("register");
}

static void locked_memory_may_be_refused(void **state) {
    (void)state;
    int status = exit_status_of_self("memory", 0);
    if (status == SKIPPED)
        skip();
    assert_int_equal(status, 0);
}

int main(int argc, char **argv) {
    if (argc == 3)
        return run_refused(argv[1], (int)strtol(argv[2], NULL, 10));
    struct weft__driver *started;
    const char *why;
    int error = weft__uring_start(&started, &why);
    if (error != 0) {
        printf("SKIPPED: io_uring is refused here already: %s: %s\n", why, weft_strerror(error));
        return SKIPPED;
    }
    started->class->stop(started);
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(io_uring_setup_may_be_refused),
        cmocka_unit_test(io_uring_enter_may_be_refused),
        cmocka_unit_test(io_uring_register_may_be_refused),
        cmocka_unit_test(locked_memory_may_be_refused),
    };
    return cmocka_run_group_tests_name("io_uring refused", cases, NULL, NULL);
}

#endif
