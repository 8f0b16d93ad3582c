// SPDX-License-Identifier: MIT
// Unit tests of os/symbol.c: names of functions, our own and others', static and exported.
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "os/symbol.h"

static __attribute__((noinline)) int named_only_in_the_full_table(int number) {
    return number * 3 + 1;
}

static const char *symbol(uintptr_t address) {
    static char buf[256];
    struct weft__text text;
    weft__text_init(&text, buf, sizeof buf);
    weft__symbol_put(&text, address);
    return buf;
}

static void a_function_is_called_by_its_name(void **state) {
    (void)state;
    assert_int_equal(named_only_in_the_full_table(1), 4);
    assert_string_equal(symbol((uintptr_t)named_only_in_the_full_table),
                        "named_only_in_the_full_table");
    assert_string_equal(symbol((uintptr_t)named_only_in_the_full_table + 1),
                        "named_only_in_the_full_table+0x1");
}

// What it returns to may be the first byte of the next function.
static void a_caller_is_named_by_its_call(void **state) {
    (void)state;
    char buf[256];
    struct weft__text text;
    weft__text_init(&text, buf, sizeof buf);
    weft__symbol_put_caller(&text, (uintptr_t)named_only_in_the_full_table + 2);
    assert_string_equal(buf, "named_only_in_the_full_table+0x2");
    weft__text_init(&text, buf, sizeof buf);
    weft__symbol_put_caller(&text, (uintptr_t)named_only_in_the_full_table);
    assert_null(strstr(buf, "named_only_in_the_full_table"));
}

static void a_function_of_a_library_is_named_too(void **state) {
    (void)state;
    assert_non_null(strstr(symbol((uintptr_t)qsort), "qsort"));
    assert_non_null(strstr(symbol((uintptr_t)qsort + 4), "+0x4"));
}

static void what_has_no_name_is_a_place_in_its_file(void **state) {
    (void)state;
    static int object;
    assert_non_null(strstr(symbol((uintptr_t)&object), "test_symbol+0x"));
}

static void what_is_nowhere_is_a_number(void **state) {
    (void)state;
    assert_string_equal(symbol(0x10), "0x10");
    assert_false(weft__symbol_is_code(0x10));
    assert_false(weft__symbol_is_code(UINTPTR_MAX));
}

static void code_is_told_from_data(void **state) {
    (void)state;
    static int object;
    assert_true(weft__symbol_is_code((uintptr_t)named_only_in_the_full_table));
    assert_true(weft__symbol_is_code((uintptr_t)strlen));
    assert_false(weft__symbol_is_code((uintptr_t)&object));
    assert_false(weft__symbol_is_code((uintptr_t)&state));
}

int main(void) {
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(a_function_is_called_by_its_name),
        cmocka_unit_test(a_caller_is_named_by_its_call),
        cmocka_unit_test(a_function_of_a_library_is_named_too),
        cmocka_unit_test(what_has_no_name_is_a_place_in_its_file),
        cmocka_unit_test(what_is_nowhere_is_a_number),
        cmocka_unit_test(code_is_told_from_data),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
