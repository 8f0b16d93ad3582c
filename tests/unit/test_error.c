// SPDX-License-Identifier: MIT
// Unit tests of base/error.c: every code has the right name and a text fit for a sentence.
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <weft/error.h>

static void the_sign_of_a_code_does_not_matter(void **state) {
    (void)state;
    for (int code = 0; code <= 5000; code++) {
        assert_ptr_equal(weft_strerror(code), weft_strerror(-code));
        assert_ptr_equal(weft_strerrorname(code), weft_strerrorname(-code));
    }
    assert_string_equal(weft_strerror(-ECONNREFUSED), "connection refused");
    assert_string_equal(weft_strerrorname(-ECONNRESET), "ECONNRESET");
}

static void zero_is_success(void **state) {
    (void)state;
    assert_string_equal(weft_strerror(0), "success");
    assert_string_equal(weft_strerrorname(0), "0");
}

static void what_is_no_code_is_unknown(void **state) {
    (void)state;
    const ssize_t codes[] = {
        INT_MIN, INT_MAX, -INT_MAX, 4095, -4096, 4096, 4100, SSIZE_MAX, -SSIZE_MAX - 1,
    };
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        assert_string_equal(weft_strerror(codes[i]), "unknown error");
        assert_string_equal(weft_strerrorname(codes[i]), "unknown");
    }
}

static void the_codes_of_weft_lie_above_errno_and_have_names(void **state) {
    (void)state;
    assert_int_equal(WEFT_ENAME, 4097);
    assert_int_equal(WEFT_ENAMEFAIL, 4098);
    assert_int_equal(WEFT_EADDRESS, 4099);
    assert_string_equal(weft_strerrorname(-WEFT_ENAME), "WEFT_ENAME");
    assert_string_equal(weft_strerrorname(-WEFT_ENAMEFAIL), "WEFT_ENAMEFAIL");
    assert_string_equal(weft_strerrorname(-WEFT_EADDRESS), "WEFT_EADDRESS");
    assert_string_equal(weft_strerror(-WEFT_ENAME), "no such name");
    assert_string_equal(weft_strerror(-WEFT_EADDRESS), "not an address");
}

#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 32)
static void names_agree_with_the_c_library(void **state) {
    (void)state;
    int known = 0;
    for (int code = 1; code < 4096; code++) {
        const char *name = weft_strerrorname(code);
        if (strcmp(name, "unknown") == 0)
            continue;
        known++;
        // One number, two names in POSIX; weft's documentation uses the other one.
        const char *expected = code == ENOTSUP ? "ENOTSUP" : strerrorname_np(code);
        assert_string_equal(name, expected);
    }
    assert_in_range(known, 90, 140);
}
#endif

// What calls on sockets, files and threads of Linux answer according to their manual pages.
static void no_error_of_a_network_call_is_unknown(void **state) {
    (void)state;
    const int codes[] = {
        EACCES,      EADDRINUSE,      EADDRNOTAVAIL, EAFNOSUPPORT, EAGAIN,          EALREADY,
        EBADF,       ECANCELED,       ECHILD,        ECONNABORTED, ECONNREFUSED,    ECONNRESET,
        EDEADLK,     EDESTADDRREQ,    EFAULT,        EHOSTDOWN,    EHOSTUNREACH,    EINPROGRESS,
        EINTR,       EINVAL,          EIO,           EISCONN,      EMFILE,          EMSGSIZE,
        ENETDOWN,    ENETUNREACH,     ENFILE,        ENOBUFS,      ENODATA,         ENODEV,
        ENOMEM,      ENONET,          ENOPROTOOPT,   ENOSPC,       ENOSYS,          ENOTCONN,
        ENOTSOCK,    ENOTSUP,         EOPNOTSUPP,    EOVERFLOW,    EPERM,           EPIPE,
        EPROTO,      EPROTONOSUPPORT, EPROTOTYPE,    ERANGE,       ESOCKTNOSUPPORT, ETIMEDOUT,
        EWOULDBLOCK,
    };
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        assert_string_not_equal(weft_strerrorname(codes[i]), "unknown");
}

static void texts_are_lower_case_and_fit_into_a_sentence(void **state) {
    (void)state;
    for (int code = 0; code <= 5000; code++) {
        const char *text = weft_strerror(code);
        size_t length = strlen(text);
        assert_in_range(length, 4, 60);
        assert_null(strchr(text, '\n'));
        assert_true(text[length - 1] != '.');
        assert_true(text[0] >= 'a' && text[0] <= 'z');
        assert_int_equal(strspn(text, "abcdefghijklmnopqrstuvwxyz -/"), length);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sign_of_a_code_does_not_matter),
        cmocka_unit_test(zero_is_success),
        cmocka_unit_test(what_is_no_code_is_unknown),
        cmocka_unit_test(the_codes_of_weft_lie_above_errno_and_have_names),
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 32)
        cmocka_unit_test(names_agree_with_the_c_library),
#endif
        cmocka_unit_test(no_error_of_a_network_call_is_unknown),
        cmocka_unit_test(texts_are_lower_case_and_fit_into_a_sentence),
    };
    return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
