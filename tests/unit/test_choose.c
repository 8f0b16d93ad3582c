// SPDX-License-Identifier: MIT
// Unit tests of driver/choose.c: which driver is taken, and what the note says. What the kernel
// refuses is refused by a seccomp filter, in a process of its own.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <weft/error.h>

#include <cmocka.h>

#include "driver/driver.h"
#include "os/os.h"
#include "refuse_syscall.h"
#include "setuid_copy.h"

#ifndef SYS_io_uring_setup
#define SYS_io_uring_setup 425
#endif

static char note[256];

static int start(const char *name, struct weft__driver **ret_driver) {
    memset(note, 0, sizeof note);
    return weft__driver_start(name, ret_driver, note, sizeof note);
}

// Starts and stops; returns the error.
static int try_to_start(const char *name, const char *expected_driver) {
    struct weft__driver *d = NULL;
    int error = start(name, &d);
    if (error != 0) {
        assert_null(d);
        return error;
    }
    assert_string_equal(d->class->name, expected_driver);
    assert_ptr_equal(strstr(note, expected_driver), note); // the note begins with the name
    d->class->stop(d);
    return 0;
}

static void epoll_is_there_when_asked_for(void **state) {
    (void)state;
    assert_int_equal(try_to_start("epoll", "epoll"), 0);
    assert_string_equal(note, "epoll (asked for)");
}

static void auto_always_starts_a_driver(void **state) {
    (void)state;
    struct weft__driver *d = NULL;
    assert_int_equal(start(NULL, &d), 0);
    const char *name = d->class->name;
    d->class->stop(d);
    assert_int_equal(try_to_start("auto", name), 0);
    assert_true(strcmp(name, "epoll") == 0 || strcmp(name, "uring") == 0);
    if (strcmp(name, "epoll") == 0)
        assert_non_null(strstr(note, "io_uring")); // why not
}

static void an_unknown_driver_is_refused_with_those_there_are(void **state) {
    (void)state;
    static const char *const names[] = {"sim", "thread", "", "EPOLL", "epoll ", "\x1b[2J"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_int_equal(try_to_start(names[i], NULL), -EINVAL);
        assert_non_null(strstr(note, "auto, uring and epoll"));
        assert_null(strchr(note, '\x1b'));
    }
    assert_int_equal(try_to_start("sim", NULL), -EINVAL);
    assert_string_equal(note, "unknown driver \"sim\": WEFT_DRIVER and weft_options.driver know "
                              "auto, uring and epoll");
}

static void a_note_is_cut_to_its_buffer(void **state) {
    (void)state;
    struct weft__driver *d = NULL;
    char small[8] = "xxxxxxx";
    assert_int_equal(weft__driver_start("nonsense", &d, small, 5), -EINVAL);
    assert_string_equal(small, "unkn");
    assert_string_equal(small + 5, "xx");
    assert_int_equal(weft__driver_start("nonsense", &d, NULL, 0), -EINVAL);
    assert_null(d);
}

static void a_start_without_memory_says_so(void **state) {
    (void)state;
    struct weft__driver *d = NULL;
    size_t blocks = weft__alloc_living();
    static const char *const names[] = {"auto", "epoll"};
    for (size_t i = 0; i < 2; i++) {
        weft__fail_arm(WEFT__FAIL_ALLOC, 1, 1, -ENOMEM);
        assert_int_equal(start(names[i], &d), -ENOMEM);
        weft__fail_disarm();
        assert_string_equal(note, "epoll: memory: out of memory");
    }
    assert_null(d);
    assert_int_equal(weft__alloc_living(), blocks);
}

// ---- io_uring refused ----

#ifdef WEFT_HAVE_URING
#define REFUSAL "io_uring refused: io_uring_setup: "
#else
#define REFUSAL "io_uring not compiled in"
#endif

// In the child: io_uring_setup answers `error`.
static int start_refused(int error) {
    char expected[sizeof note];
    struct weft__driver *d = NULL;
    if (refuse_syscall(SYS_io_uring_setup, error) != 0)
        return 1;
    if (start("auto", &d) != 0 || strcmp(d->class->name, "epoll") != 0)
        return 2;
    d->class->stop(d);
    bool is_compiled_in = strstr(REFUSAL, "refused") != NULL;
    const char *text = is_compiled_in ? weft_strerror(-error) : "";
    snprintf(expected, sizeof expected, "epoll (%s%s)", REFUSAL, text);
    if (strcmp(note, expected) != 0)
        return 3;
    if (start("uring", &d) != (is_compiled_in ? -error : -ENOTSUP))
        return 4;
    snprintf(expected, sizeof expected, "%s%s", REFUSAL, text);
    return strcmp(note, expected) == 0 ? 0 : 5;
}

static void refused_io_uring_falls_back_and_says_why(void **state) {
    (void)state;
    static const int errors[] = {EPERM, ENOSYS, EACCES, EINVAL, EMFILE};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        assert_int_equal(exit_status_of_self("refuse", errors[i]), 0);
}

// ---- Raised privileges ----

static int start_secure(void) {
    struct weft__driver *d = NULL;
    if (!weft__os_is_secure())
        return 1;
    if (start("auto", &d) != 0 || strcmp(d->class->name, "epoll") != 0)
        return 2;
    d->class->stop(d);
    if (strstr(note, "io_uring") == NULL)
        return 3;
    return start("uring", &d) < 0 ? 0 : 4;
}

static void io_uring_is_off_in_a_setuid_program(void **state) {
    (void)state;
    char path[] = SETUID_COPY_TEMPLATE;
    if (!setuid_copy_make(path))
        skip();
    int status = exit_status_of(path, "secure", 0);
    setuid_copy_remove(path);
    assert_int_equal(status, 0);
}

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "refuse") == 0)
        return start_refused((int)strtol(argv[2], NULL, 10));
    if (argc == 3)
        _exit(start_secure()); // LeakSanitizer, at exit, cannot trace a setuid process
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(epoll_is_there_when_asked_for),
        cmocka_unit_test(auto_always_starts_a_driver),
        cmocka_unit_test(an_unknown_driver_is_refused_with_those_there_are),
        cmocka_unit_test(a_note_is_cut_to_its_buffer),
        cmocka_unit_test(a_start_without_memory_says_so),
        cmocka_unit_test(refused_io_uring_falls_back_and_says_why),
        cmocka_unit_test(io_uring_is_off_in_a_setuid_program),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
