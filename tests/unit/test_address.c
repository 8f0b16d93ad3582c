// SPDX-License-Identifier: MIT
// Unit tests of base/address.h: the layout is the documented one, and bits that mean nothing are 0,
// which is what makes equal addresses equal bytes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/address.h"

static void the_first_word_holds_family_port_and_zone(void **state) {
    (void)state;
    const uint8_t ip[16] = {0xfe, 0x80, [15] = 1};
    weft_addr addr = weft__address_make(WEFT_IPV6, ip, 0x1234, 0x89abcdef);
    assert_true(addr.words[0] == UINT64_C(0x89abcdef12340006));
    assert_true(addr.words[1] == 0);
    assert_memory_equal(&addr.words[2], ip, 16);
    assert_int_equal(weft__address_family(&addr), WEFT_IPV6);
    assert_int_equal(weft__address_port(&addr), 0x1234);
    assert_int_equal(weft__address_zone(&addr), 0x89abcdef);
    assert_int_equal(weft__address_ip_size(&addr), 16);
    assert_ptr_equal(weft__address_ip(&addr), &addr.words[2]);
}

static void an_ipv4_address_has_no_zone_and_nothing_behind_it(void **state) {
    (void)state;
    const uint8_t ip[16] = {192, 0, 2, 1, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9};
    const uint8_t expected[16] = {192, 0, 2, 1};
    weft_addr addr = weft__address_make(WEFT_IPV4, ip, 80, 7);
    assert_true(addr.words[0] == UINT64_C(0x500004));
    assert_true(addr.words[1] == 0);
    assert_memory_equal(&addr.words[2], expected, 16);
    assert_int_equal(weft__address_zone(&addr), 0);
    assert_int_equal(weft__address_ip_size(&addr), 4);
}

static void no_address_has_no_bytes(void **state) {
    (void)state;
    const weft_addr none = {{0}};
    assert_int_equal(weft__address_family(&none), 0);
    assert_int_equal(weft__address_ip_size(&none), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_word_holds_family_port_and_zone),
        cmocka_unit_test(an_ipv4_address_has_no_zone_and_nothing_behind_it),
        cmocka_unit_test(no_address_has_no_bytes),
    };
    return cmocka_run_group_tests_name("address", tests, NULL, NULL);
}
