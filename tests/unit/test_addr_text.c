// SPDX-License-Identifier: MIT
// Unit tests of net/addr_text.c: the canonical text of every kind of address, and that it reads
// back as the same address.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <weft/addr.h>

#include "base/rng.h"

static void no_address_says_so(void **state) {
    (void)state;
    const weft_addr none = {{0}};
    char buf[WEFT_ADDR_TEXT_SIZE];
    assert_string_equal(weft_addr_text(&none, buf), "(no address)");
    assert_string_equal(weft_addr_ip_text(&none, buf), "(no address)");
}

static void ipv6_text_follows_rfc_5952(void **state) {
    (void)state;
    const struct {
        uint16_t groups[8];
        const char *text;
    } cases[] = {
        {{0}, "::"},                                                       // 4.2.1
        {{0, 0, 0, 0, 0, 0, 0, 1}, "::1"},                                 //
        {{0x2001, 0xdb8, 0, 0, 0, 0, 0, 1}, "2001:db8::1"},                // 4.1
        {{0x2001, 0xdb8, 0, 0, 0, 0, 2, 1}, "2001:db8::2:1"},              // 4.2.1
        {{0x2001, 0xdb8, 0, 1, 1, 1, 1, 1}, "2001:db8:0:1:1:1:1:1"},       // 4.2.2
        {{0x2001, 0, 0, 1, 0, 0, 0, 1}, "2001:0:0:1::1"},                  // 4.2.3: longest
        {{0x2001, 0xdb8, 0, 0, 1, 0, 0, 1}, "2001:db8::1:0:0:1"},          // 4.2.3: first
        {{0x2001, 0xdb8, 0xaaaa, 0xbbbb, 0xcccc, 0xdddd, 0xeeee, 0xaaaa},  // 4.3: lower case
         "2001:db8:aaaa:bbbb:cccc:dddd:eeee:aaaa"},                        //
        {{0, 0, 0, 0, 0, 0xffff, 0xc000, 0x201}, "::ffff:192.0.2.1"},      // 5: mapped
        {{0x64, 0xff9b, 0, 0, 0, 0, 0xc000, 0x201}, "64:ff9b::c000:201"},  //
        {{0xff02, 0, 0, 0, 0, 0, 0, 0xfb}, "ff02::fb"},                    //
        {{1, 0, 0, 0, 0, 0, 0, 0}, "1::"},                                 //
        {{0, 1, 2, 3, 4, 5, 6, 7}, "0:1:2:3:4:5:6:7"},                     // one 0 stays
        {{0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff}, //
         "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},                       //
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t ip[16];
        char buf[WEFT_ADDR_TEXT_SIZE];
        for (int group = 0; group < 8; group++) {
            ip[2 * group] = (uint8_t)(cases[i].groups[group] >> 8);
            ip[2 * group + 1] = (uint8_t)cases[i].groups[group];
        }
        weft_addr addr = weft_addr_ipv6(ip, 80, 0);
        assert_string_equal(weft_addr_ip_text(&addr, buf), cases[i].text);
    }
}

static void ipv4_text_is_four_decimal_numbers(void **state) {
    (void)state;
    char buf[WEFT_ADDR_TEXT_SIZE];
    weft_addr addr = weft_addr_ipv4(0, 10, 200, 255, 0);
    assert_string_equal(weft_addr_text(&addr, buf), "0.10.200.255:0");
    assert_string_equal(weft_addr_ip_text(&addr, buf), "0.10.200.255");
}

static void the_longest_text_just_fits(void **state) {
    (void)state;
    char buf[WEFT_ADDR_TEXT_SIZE];
    uint8_t ip[16];
    memset(ip, 0xff, sizeof ip);
    weft_addr addr = weft_addr_ipv6(ip, 65535, UINT32_MAX);
    assert_ptr_equal(weft_addr_text(&addr, buf), buf);
    assert_string_equal(buf, "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535");
    assert_string_equal(weft_addr_ip_text(&addr, buf),
                        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295");
    const uint8_t mapped[16] = {
        [10] = 0xff, [11] = 0xff, [12] = 255, [13] = 255, [14] = 255, [15] = 255};
    addr = weft_addr_ipv6(mapped, 65535, UINT32_MAX);
    assert_string_equal(weft_addr_text(&addr, buf), "[::ffff:255.255.255.255%4294967295]:65535");
}

// Often with zero groups, which is where the text gets its shape.
static weft_addr random_addr(struct weft__rng *rng) {
    uint8_t ip[16];
    uint16_t port = (uint16_t)weft__rng_next(rng);
    uint32_t zone = weft__rng_below(rng, 2) == 0 ? 0 : (uint32_t)weft__rng_next(rng);
    uint64_t zeros = weft__rng_next(rng);
    for (int i = 0; i < 16; i++)
        ip[i] = (uint8_t)((zeros >> i / 2 & 1) != 0 ? 0 : weft__rng_next(rng));
    if (weft__rng_below(rng, 4) == 0)
        return weft_addr_ipv4(ip[0], ip[1], ip[2], ip[3], port);
    return weft_addr_ipv6(ip, port, zone);
}

static void every_address_reads_back_from_its_text(void **state) {
    (void)state;
    struct weft__rng rng;
    char buf[WEFT_ADDR_TEXT_SIZE];
    weft__rng_seed(&rng, 4);
    for (int i = 0; i < 100000; i++) {
        weft_addr addr = random_addr(&rng);
        weft_addr back = {{0}};
        assert_int_equal(weft_addr_parse(weft_addr_text(&addr, buf), &back), 0);
        assert_true(weft_addr_equal(&back, &addr));
        back = (weft_addr){{0}};
        weft_addr_ip_text(&addr, buf);
        assert_int_equal(weft_addr_parse_ip(buf, weft_addr_port(&addr), &back), 0);
        assert_true(weft_addr_equal(&back, &addr));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_address_says_so),
        cmocka_unit_test(ipv6_text_follows_rfc_5952),
        cmocka_unit_test(ipv4_text_is_four_decimal_numbers),
        cmocka_unit_test(the_longest_text_just_fits),
        cmocka_unit_test(every_address_reads_back_from_its_text),
    };
    return cmocka_run_group_tests_name("addr_text", tests, NULL, NULL);
}
