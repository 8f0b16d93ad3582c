// SPDX-License-Identifier: MIT
// Unit tests of base/text.c: what fits, what does not, and which numbers are numbers.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include <cmocka.h>

#include "base/text.h"

static void text_is_appended_piece_by_piece(void **state) {
    (void)state;
    char buf[64];
    struct weft__text text;
    weft__text_init(&text, buf, sizeof buf);
    assert_string_equal(buf, "");
    weft__text_put(&text, "port ");
    weft__text_put_u64(&text, 7878);
    weft__text_put(&text, "");
    weft__text_putf(&text, "%s", "");
    assert_false(text.truncated);
    weft__text_putf(&text, ", %s %d", "worker", -1);
    assert_string_equal(buf, "port 7878, worker -1");
    assert_int_equal(text.length, strlen(buf));
    assert_false(text.truncated);
}

static void numbers_are_written_in_full(void **state) {
    (void)state;
    const uint64_t values[] = {0, 9, 10, UINT64_C(18446744073709551615)};
    for (int i = 0; i < 4; i++) {
        char buf[32];
        char expected[32];
        struct weft__text text;
        weft__text_init(&text, buf, sizeof buf);
        weft__text_put_u64(&text, values[i]);
        snprintf(expected, sizeof expected, "%llu", (unsigned long long)values[i]);
        assert_string_equal(buf, expected);
    }
}

static void a_text_that_just_fits_is_not_truncated(void **state) {
    (void)state;
    char buf[5];
    struct weft__text text;
    weft__text_init(&text, buf, sizeof buf);
    weft__text_put(&text, "abcd");
    assert_false(text.truncated);
    weft__text_init(&text, buf, sizeof buf);
    weft__text_putf(&text, "%d", 1234);
    assert_string_equal(buf, "1234");
    assert_false(text.truncated);
}

// Appends one way or another a text longer than the buffer at every size, with a guard behind it.
static void a_cut_text_keeps_its_front_and_ends_in_nul(void **state) {
    (void)state;
    for (size_t size = 0; size <= 6; size++) {
        for (int way = 0; way < 2; way++) {
            char buf[8] = "#######";
            struct weft__text text;
            weft__text_init(&text, buf, size);
            if (way == 0)
                weft__text_put(&text, "abcdefgh");
            else
                weft__text_putf(&text, "%s", "abcdefgh");
            assert_true(text.truncated);
            assert_int_equal(text.length, size > 0 ? size - 1 : 0);
            assert_memory_equal(buf, "abcdefgh", text.length);
            if (size > 0)
                assert_int_equal(buf[text.length], '\0');
            assert_int_equal(buf[size], '#');
        }
    }
}

static void what_cannot_be_formatted_leaves_the_text_as_it_was(void **state) {
    (void)state;
    const wchar_t no_character[] = {(wchar_t)0x7fffffff, 0};
    char buf[64];
    struct weft__text text;
    weft__text_init(&text, buf, sizeof buf);
    weft__text_put(&text, "ab");
    weft__text_putf(&text, "cd%lsef", no_character);
    assert_true(text.truncated);
    assert_int_equal(text.length, 2);
    assert_string_equal(buf, "ab");
}

static void nothing_follows_a_cut(void **state) {
    (void)state;
    char buf[8];
    struct weft__text text;
    weft__text_init(&text, buf, sizeof buf);
    weft__text_put(&text, "abcd");
    weft__text_put_escaped(&text, "\x01", 1);
    assert_true(text.truncated);
    assert_string_equal(buf, "abcd");
    weft__text_put(&text, "e");
    weft__text_putf(&text, "e");
    weft__text_put_u64(&text, 5);
    weft__text_put_escaped(&text, "e", 1);
    assert_string_equal(buf, "abcd");
    assert_int_equal(text.length, 4);
}

static void foreign_bytes_are_made_visible(void **state) {
    (void)state;
    const char bytes[] = "a b\"\\\n\x7f\0\xc3\xa9~";
    char buf[64];
    struct weft__text text;
    weft__text_init(&text, buf, sizeof buf);
    weft__text_put_escaped(&text, bytes, sizeof bytes - 1);
    assert_string_equal(buf, "a b\\\"\\\\\\x0a\\x7f\\x00\\xc3\\xa9~");
    assert_false(text.truncated);
}

static void an_escape_is_never_cut_in_two(void **state) {
    (void)state;
    for (size_t size = 1; size <= 10; size++) {
        char buf[10];
        struct weft__text text;
        weft__text_init(&text, buf, size);
        weft__text_put_escaped(&text, "\n\"\t", 3); // 4, 2 and 4 bytes
        const char *expected = size > 6 ? "\\x0a\\\"" : size > 4 ? "\\x0a" : "";
        assert_string_equal(buf, expected);
        assert_true(text.truncated);
    }
}

static void digits_within_the_limit_are_a_number(void **state) {
    (void)state;
    const struct {
        const char *text;
        uint64_t max;
        uint64_t value;
    } cases[] = {
        {"0", 0, 0},
        {"0", 5, 0},
        {"65535", 65535, 65535},
        {"007", 7, 7},
        {"00000000000000000000000000000000000001", 1, 1},
        {"18446744073709551615", UINT64_MAX, UINT64_MAX},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t value = 99;
        assert_int_equal(
            weft__parse_u64(cases[i].text, strlen(cases[i].text), cases[i].max, &value), 0);
        assert_true(value == cases[i].value);
    }
}

static void a_number_above_the_limit_is_out_of_range(void **state) {
    (void)state;
    const struct {
        const char *text;
        uint64_t max;
    } cases[] = {
        {"1", 0},
        {"65536", 65535},
        {"99999", 65535},
        {"18446744073709551616", UINT64_MAX},
        {"18446744073709551615", UINT64_MAX - 1},
        {"20000000000000000000", UINT64_MAX},
        {"99999999999999999999999999999999", UINT64_MAX},
        {"10", 9},
        {"9", 8},
        {"00010", 9},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t value = 99;
        assert_int_equal(
            weft__parse_u64(cases[i].text, strlen(cases[i].text), cases[i].max, &value), -ERANGE);
        assert_true(value == 99);
    }
}

static void what_is_not_all_digits_is_no_number(void **state) {
    (void)state;
    const char *const texts[] = {"",   " 1", "1 ", "+1", "-1",  "0x10",
                                 "1a", "a",  ".",  "1.", "1e3", "99999999999999999999999x"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        uint64_t value = 99;
        assert_int_equal(weft__parse_u64(texts[i], strlen(texts[i]), UINT64_MAX, &value), -EINVAL);
        assert_true(value == 99);
    }
    uint64_t value;
    assert_int_equal(weft__parse_u64("1\0002", 3, UINT64_MAX, &value), -EINVAL);
}

static void only_the_given_length_is_read(void **state) {
    (void)state;
    uint64_t value;
    assert_int_equal(weft__parse_u64("1234", 2, UINT64_MAX, &value), 0);
    assert_int_equal(value, 12);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_appended_piece_by_piece),
        cmocka_unit_test(numbers_are_written_in_full),
        cmocka_unit_test(a_text_that_just_fits_is_not_truncated),
        cmocka_unit_test(a_cut_text_keeps_its_front_and_ends_in_nul),
        cmocka_unit_test(what_cannot_be_formatted_leaves_the_text_as_it_was),
        cmocka_unit_test(nothing_follows_a_cut),
        cmocka_unit_test(foreign_bytes_are_made_visible),
        cmocka_unit_test(an_escape_is_never_cut_in_two),
        cmocka_unit_test(digits_within_the_limit_are_a_number),
        cmocka_unit_test(a_number_above_the_limit_is_out_of_range),
        cmocka_unit_test(what_is_not_all_digits_is_no_number),
        cmocka_unit_test(only_the_given_length_is_read),
    };
    return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
