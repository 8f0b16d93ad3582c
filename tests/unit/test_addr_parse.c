// SPDX-License-Identifier: MIT
// Unit tests of net/addr_parse.c: the numeric parts alone. Whole texts, and the reasons for what is
// refused, are in test_where.c.
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>
#include <weft/addr.h>
#include <weft/error.h>

#include "net/addr.h"

static void every_port_is_read(void **state) {
    (void)state;
    for (unsigned port = 0; port <= 65535; port++) {
        char text[32];
        weft_addr addr;
        weft_addr expected = weft_addr_ipv4(192, 0, 2, 1, (uint16_t)port);
        snprintf(text, sizeof text, "192.0.2.1:%u", port);
        assert_int_equal(weft_addr_parse(text, &addr), 0);
        assert_true(weft_addr_equal(&addr, &expected));
    }
}

static void a_zone_may_be_an_interface_name(void **state) {
    (void)state;
    struct if_nameindex *list = if_nameindex();
    if (list == NULL || list[0].if_index == 0) {
        if_freenameindex(list);
        skip(); // a network namespace without any interface
        return; // skip() jumps away, but nothing tells the analyser so
    }
    char text[WEFT_ADDR_TEXT_SIZE];
    weft_addr addr;
    unsigned index = list[0].if_index;
    snprintf(text, sizeof text, "[fe80::1%%%.15s]:80", list[0].if_name);
    if_freenameindex(list);
    assert_int_equal(weft_addr_parse(text, &addr), 0);
    assert_int_equal(weft_addr_zone(&addr), index);
}

static void an_address_without_a_port_gets_the_given_one(void **state) {
    (void)state;
    const char *const good[] = {"0.0.0.0", "10.0.0.1", "::", "::1", "2001:db8::1", "fe80::1%2"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        char buf[WEFT_ADDR_TEXT_SIZE];
        weft_addr addr;
        assert_int_equal(weft_addr_parse_ip(good[i], 53, &addr), 0);
        assert_int_equal(weft_addr_port(&addr), 53);
        assert_string_equal(weft_addr_ip_text(&addr, buf), good[i]);
    }
    const char *const bad[] = {
        NULL,         "",           " ",         "localhost", "1.2.3",          "1.2.3.04", "[::1]",
        "1.2.3.4:80", "::1 ",       "1.2.3.4%1", "fe80::1%",  "fe80::1%0",      "%1",       "127.1",
        "0x7f.1",     "2130706433", "[::1]:80",  ":::",       "1::2%no-such-if"};
    weft_addr addr = weft_addr_ipv4(9, 9, 9, 9, 9);
    const weft_addr before = addr;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(weft_addr_parse_ip(bad[i], 53, &addr), -WEFT_EADDRESS);
    assert_true(weft_addr_equal(&addr, &before));
}

// A piece ends where its length says, whatever stands behind it.
static void a_piece_is_read_only_to_its_end(void **state) {
    (void)state;
    weft_addr addr;
    weft_addr expected = weft_addr_ipv4(192, 0, 2, 1, 0);
    uint16_t port = 0;
    assert_null(weft__judge_ipv4((struct weft__slice){"192.0.2.123", 9}, &addr));
    assert_true(weft_addr_equal(&addr, &expected));
    assert_null(weft__judge_ipv6((struct weft__slice){"fe80::1%23", 9}, &addr));
    assert_int_equal(weft_addr_zone(&addr), 2);
    assert_int_equal(weft_addr_port(&addr), 0);
    assert_null(weft__judge_ipv6((struct weft__slice){"fe80::1%2", 7}, &addr));
    assert_int_equal(weft_addr_zone(&addr), 0);
    assert_null(weft__judge_port((struct weft__slice){"80808080", 4}, &port));
    assert_int_equal(port, 8080);
}

static void a_refused_piece_leaves_the_result_alone(void **state) {
    (void)state;
    weft_addr addr = weft_addr_ipv4(9, 9, 9, 9, 9);
    const weft_addr before = addr;
    uint16_t port = 9;
    assert_non_null(weft__judge_ipv4((struct weft__slice){"1.2.3", 5}, &addr));
    assert_non_null(weft__judge_ipv6((struct weft__slice){"::1%0", 5}, &addr));
    assert_non_null(weft__judge_ipv6((struct weft__slice){"", 0}, &addr));
    assert_non_null(weft__judge_port((struct weft__slice){"65536", 5}, &port));
    assert_non_null(weft__judge_port((struct weft__slice){"01", 2}, &port));
    assert_true(weft_addr_equal(&addr, &before));
    assert_int_equal(port, 9);
}

// Not "no such interface": nobody should go looking for a typing error.
static void a_zone_that_cannot_be_looked_up_has_its_own_reason(void **state) {
    (void)state;
    struct rlimit before;
    weft_addr addr;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    const struct rlimit nothing = {0, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &nothing), 0);
    const char *why = weft__judge_ipv6((struct weft__slice){"fe80::1%lo", 10}, &addr);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_non_null(why);
    assert_string_equal(why, "the zone's network interface could not be looked up");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_port_is_read),
        cmocka_unit_test(a_zone_may_be_an_interface_name),
        cmocka_unit_test(an_address_without_a_port_gets_the_given_one),
        cmocka_unit_test(a_piece_is_read_only_to_its_end),
        cmocka_unit_test(a_refused_piece_leaves_the_result_alone),
        cmocka_unit_test(a_zone_that_cannot_be_looked_up_has_its_own_reason),
    };
    return cmocka_run_group_tests_name("addr_parse", tests, NULL, NULL);
}
