// SPDX-License-Identifier: MIT
// Unit tests of os/env.c: the environment, none of it in a setuid program, and the limit of
// descriptors.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/os.h"
#include "refuse_syscall.h"
#include "setuid_copy.h"

static void the_environment_is_read(void **state) {
    (void)state;
    assert_int_equal(setenv("WEFT_TEST_VARIABLE", "value", 1), 0);
    assert_string_equal(weft__env("WEFT_TEST_VARIABLE"), "value");
    assert_int_equal(setenv("WEFT_TEST_VARIABLE", "", 1), 0);
    assert_null(weft__env("WEFT_TEST_VARIABLE"));
    assert_int_equal(unsetenv("WEFT_TEST_VARIABLE"), 0);
    assert_null(weft__env("WEFT_TEST_VARIABLE"));
    assert_false(weft__os_is_secure());
}

static int look_at_environment(void) {
    const char *plain = getenv("WEFT_TEST_VARIABLE");
    if (plain == NULL || strcmp(plain, "value") != 0)
        return 1; // then the next line would prove nothing
    return weft__os_is_secure() && weft__env("WEFT_TEST_VARIABLE") == NULL ? 0 : 2;
}

static void a_setuid_program_sees_no_environment(void **state) {
    (void)state;
    char path[] = SETUID_COPY_TEMPLATE;
    if (!setuid_copy_make(path))
        skip();
    assert_int_equal(setenv("WEFT_TEST_VARIABLE", "value", 1), 0);
    int status = exit_status_of(path, "secure", 0);
    unsetenv("WEFT_TEST_VARIABLE");
    setuid_copy_remove(path);
    assert_int_equal(status, 0);
}

static void the_descriptor_limit_is_the_soft_one(void **state) {
    (void)state;
    struct rlimit before, now;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    now = before;
    now.rlim_cur = 77;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
    assert_int_equal(weft__os_descriptor_limit(), 77);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(weft__os_descriptor_limit(), before.rlim_cur);
}

static int look_at_unknown_limit(void) {
    struct rlimit limit;
    if (refuse_syscall(SYS_prlimit64, EFAULT) != 0 || getrlimit(RLIMIT_NOFILE, &limit) == 0)
        return 1; // then the next line would prove nothing
    return weft__os_descriptor_limit() == UINT64_MAX ? 0 : 2;
}

static void a_descriptor_limit_that_is_not_told_is_none(void **state) {
    (void)state;
    assert_int_equal(exit_status_of_self("limit", 0), 0);
}

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "secure") == 0)
        _exit(look_at_environment()); // LeakSanitizer, at exit, cannot trace a setuid process
    if (argc == 3 && strcmp(argv[1], "limit") == 0)
        _exit(look_at_unknown_limit());
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(the_environment_is_read),
        cmocka_unit_test(a_setuid_program_sees_no_environment),
        cmocka_unit_test(the_descriptor_limit_is_the_soft_one),
        cmocka_unit_test(a_descriptor_limit_that_is_not_told_is_none),
    };
    return cmocka_run_group_tests_name("the environment", cases, NULL, NULL);
}
