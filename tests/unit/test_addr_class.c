// SPDX-License-Identifier: MIT
// Unit tests of net/addr_class.c: each class at both edges of each of its blocks and just outside
// them, and a sweep that the classes exclude one another.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <weft/addr.h>

#include "base/rng.h"

enum { ALL = (WEFT_IP_GLOBAL << 1) - 1, NOTHING = 0 };

// Every class that an address is in, found by asking for one at a time.
static unsigned classes_of(const weft_addr *addr) {
    unsigned found = 0;
    for (unsigned bit = 1; bit <= WEFT_IP_GLOBAL; bit <<= 1)
        if (weft_addr_is(addr, bit))
            found |= bit;
    return found;
}

struct sample {
    const char *ip;
    unsigned classes;
};

static void assert_classes(const struct sample *samples, size_t count) {
    for (size_t i = 0; i < count; i++) {
        weft_addr addr;
        if (weft_addr_parse_ip(samples[i].ip, 80, &addr) != 0)
            fail_msg("%s is not an address", samples[i].ip);
        unsigned found = classes_of(&addr);
        if (found != samples[i].classes)
            fail_msg("%s has the classes %#x, not %#x", samples[i].ip, found, samples[i].classes);
    }
}

static const struct sample samples4[] = {
    {"0.0.0.0", WEFT_IP_UNSPECIFIED},
    {"0.0.0.1", NOTHING},
    {"0.255.255.255", NOTHING},
    {"1.0.0.0", WEFT_IP_GLOBAL},
    {"9.255.255.255", WEFT_IP_GLOBAL},
    {"10.0.0.0", WEFT_IP_PRIVATE},
    {"10.255.255.255", WEFT_IP_PRIVATE},
    {"11.0.0.0", WEFT_IP_GLOBAL},
    {"100.63.255.255", WEFT_IP_GLOBAL},
    {"100.64.0.0", WEFT_IP_SHARED},
    {"100.127.255.255", WEFT_IP_SHARED},
    {"100.128.0.0", WEFT_IP_GLOBAL},
    {"126.255.255.255", WEFT_IP_GLOBAL},
    {"127.0.0.0", WEFT_IP_LOOPBACK},
    {"127.0.0.1", WEFT_IP_LOOPBACK},
    {"127.255.255.255", WEFT_IP_LOOPBACK},
    {"128.0.0.0", WEFT_IP_GLOBAL},
    {"169.253.255.255", WEFT_IP_GLOBAL},
    {"169.254.0.0", WEFT_IP_LINK_LOCAL},
    {"169.254.169.254", WEFT_IP_LINK_LOCAL},
    {"169.254.255.255", WEFT_IP_LINK_LOCAL},
    {"169.255.0.0", WEFT_IP_GLOBAL},
    {"172.15.255.255", WEFT_IP_GLOBAL},
    {"172.16.0.0", WEFT_IP_PRIVATE},
    {"172.31.255.255", WEFT_IP_PRIVATE},
    {"172.32.0.0", WEFT_IP_GLOBAL},
    {"191.255.255.255", WEFT_IP_GLOBAL},
    {"192.0.0.0", NOTHING},
    {"192.0.0.8", NOTHING},
    {"192.0.0.9", WEFT_IP_GLOBAL},
    {"192.0.0.10", WEFT_IP_GLOBAL},
    {"192.0.0.11", NOTHING},
    {"192.0.0.170", NOTHING},
    {"192.0.0.255", NOTHING},
    {"192.0.1.0", WEFT_IP_GLOBAL},
    {"192.0.1.255", WEFT_IP_GLOBAL},
    {"192.0.2.0", WEFT_IP_DOCUMENTATION},
    {"192.0.2.255", WEFT_IP_DOCUMENTATION},
    {"192.0.3.0", WEFT_IP_GLOBAL},
    {"192.31.196.1", WEFT_IP_GLOBAL},
    {"192.52.193.1", WEFT_IP_GLOBAL},
    {"192.88.98.255", WEFT_IP_GLOBAL},
    {"192.88.99.0", NOTHING},
    {"192.88.99.255", NOTHING},
    {"192.88.100.0", WEFT_IP_GLOBAL},
    {"192.167.255.255", WEFT_IP_GLOBAL},
    {"192.168.0.0", WEFT_IP_PRIVATE},
    {"192.168.255.255", WEFT_IP_PRIVATE},
    {"192.169.0.0", WEFT_IP_GLOBAL},
    {"192.175.48.1", WEFT_IP_GLOBAL},
    {"198.17.255.255", WEFT_IP_GLOBAL},
    {"198.18.0.0", WEFT_IP_BENCHMARKING},
    {"198.19.255.255", WEFT_IP_BENCHMARKING},
    {"198.20.0.0", WEFT_IP_GLOBAL},
    {"198.51.99.255", WEFT_IP_GLOBAL},
    {"198.51.100.0", WEFT_IP_DOCUMENTATION},
    {"198.51.100.255", WEFT_IP_DOCUMENTATION},
    {"198.51.101.0", WEFT_IP_GLOBAL},
    {"203.0.112.255", WEFT_IP_GLOBAL},
    {"203.0.113.0", WEFT_IP_DOCUMENTATION},
    {"203.0.113.255", WEFT_IP_DOCUMENTATION},
    {"203.0.114.0", WEFT_IP_GLOBAL},
    {"223.255.255.255", WEFT_IP_GLOBAL},
    {"224.0.0.0", WEFT_IP_MULTICAST},
    {"239.255.255.255", WEFT_IP_MULTICAST},
    {"240.0.0.0", NOTHING},
    {"255.255.255.254", NOTHING},
    {"255.255.255.255", WEFT_IP_BROADCAST},
};

static void ipv4_blocks_begin_and_end_where_iana_says(void **state) {
    (void)state;
    assert_classes(samples4, sizeof samples4 / sizeof samples4[0]);
}

static const struct sample samples6[] = {
    {"::", WEFT_IP_UNSPECIFIED},
    {"::1", WEFT_IP_LOOPBACK},
    {"::2", NOTHING},
    {"::127.0.0.1", NOTHING},  // IPv4-compatible, deprecated
    {"100::", NOTHING},        // discard-only, RFC 6666
    {"100:0:0:1::1", NOTHING}, // dummy, RFC 9780
    {"1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NOTHING},
    {"2000::", WEFT_IP_GLOBAL},
    {"2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff", WEFT_IP_GLOBAL},
    {"2001::", NOTHING}, // Teredo
    {"2001:0:ffff:ffff:ffff:ffff:ffff:ffff", NOTHING},
    {"2001:1::", NOTHING},
    {"2001:1::1", WEFT_IP_GLOBAL},
    {"2001:1::2", WEFT_IP_GLOBAL},
    {"2001:1::3", WEFT_IP_GLOBAL},
    {"2001:1::4", NOTHING},
    {"2001:1:ffff:ffff:ffff:ffff:ffff:ffff", NOTHING},
    {"2001:2::", WEFT_IP_BENCHMARKING},
    {"2001:2:0:ffff:ffff:ffff:ffff:ffff", WEFT_IP_BENCHMARKING},
    {"2001:2:1::", NOTHING},
    {"2001:3::", WEFT_IP_GLOBAL},
    {"2001:3:ffff:ffff:ffff:ffff:ffff:ffff", WEFT_IP_GLOBAL},
    {"2001:4::", NOTHING},
    {"2001:4:111:ffff:ffff:ffff:ffff:ffff", NOTHING},
    {"2001:4:112::", WEFT_IP_GLOBAL},
    {"2001:4:112:ffff:ffff:ffff:ffff:ffff", WEFT_IP_GLOBAL},
    {"2001:4:113::", NOTHING},
    {"2001:10::", NOTHING}, // ORCHID, ended in 2014
    {"2001:1f:ffff:ffff:ffff:ffff:ffff:ffff", NOTHING},
    {"2001:20::", WEFT_IP_GLOBAL},
    {"2001:2f:ffff:ffff:ffff:ffff:ffff:ffff", WEFT_IP_GLOBAL},
    {"2001:30::", WEFT_IP_GLOBAL},
    {"2001:3f:ffff:ffff:ffff:ffff:ffff:ffff", WEFT_IP_GLOBAL},
    {"2001:40::", NOTHING},
    {"2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", NOTHING},
    {"2001:200::", WEFT_IP_GLOBAL},
    {"2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", WEFT_IP_GLOBAL},
    {"2001:db8::", WEFT_IP_DOCUMENTATION},
    {"2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", WEFT_IP_DOCUMENTATION},
    {"2001:db9::", WEFT_IP_GLOBAL},
    {"2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff", WEFT_IP_GLOBAL},
    {"2002::", NOTHING}, // 6to4
    {"2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NOTHING},
    {"2003::", WEFT_IP_GLOBAL},
    {"2606:4700:4700::1111", WEFT_IP_GLOBAL},
    {"2620:4f:8000::1", WEFT_IP_GLOBAL},
    {"3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", WEFT_IP_GLOBAL},
    {"3fff::", WEFT_IP_DOCUMENTATION},
    {"3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", WEFT_IP_DOCUMENTATION},
    {"3fff:1000::", WEFT_IP_GLOBAL},
    {"3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", WEFT_IP_GLOBAL},
    {"4000::", NOTHING},
    {"5f00::1", NOTHING}, // segment routing, RFC 9602
    {"fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NOTHING},
    {"fc00::", WEFT_IP_UNIQUE_LOCAL},
    {"fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", WEFT_IP_UNIQUE_LOCAL},
    {"fe00::", NOTHING},
    {"fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NOTHING},
    {"fe80::", WEFT_IP_LINK_LOCAL},
    {"fe80::1%5", WEFT_IP_LINK_LOCAL},
    {"febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", WEFT_IP_LINK_LOCAL},
    {"fec0::", NOTHING}, // site-local, deprecated: RFC 3879
    {"feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NOTHING},
    {"ff00::", WEFT_IP_MULTICAST},
    {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", WEFT_IP_MULTICAST},
};

static void ipv6_blocks_begin_and_end_where_iana_says(void **state) {
    (void)state;
    assert_classes(samples6, sizeof samples6 / sizeof samples6[0]);
}

static void an_address_that_wraps_an_ipv4_one_is_judged_by_that(void **state) {
    (void)state;
    static const struct sample samples[] = {
        {"::ffff:0.0.0.0", WEFT_IP_UNSPECIFIED},
        {"::ffff:127.0.0.1", WEFT_IP_LOOPBACK},
        {"::ffff:10.0.0.1", WEFT_IP_PRIVATE},
        {"::ffff:169.254.169.254", WEFT_IP_LINK_LOCAL},
        {"::ffff:255.255.255.255", WEFT_IP_BROADCAST},
        {"::ffff:8.8.8.8", WEFT_IP_GLOBAL},
        {"::fffe:8.8.8.8", NOTHING},
        {"64:ff9b::8.8.8.8", WEFT_IP_GLOBAL},
        {"64:ff9b::127.0.0.1", NOTHING},
        {"64:ff9b::10.0.0.1", NOTHING},
        {"64:ff9b::224.0.0.1", NOTHING},
        {"64:ff9b:0:0:0:1:808:808", NOTHING},
        {"64:ff9b:1::8.8.8.8", NOTHING}, // RFC 8215: local use
        {"64:ff9a::8.8.8.8", NOTHING},
    };
    assert_classes(samples, sizeof samples / sizeof samples[0]);
}

static void no_address_is_in_no_class(void **state) {
    (void)state;
    const weft_addr none = {{0}};
    assert_false(weft_addr_is(&none, ALL));
}

static void several_classes_mean_any_of_them(void **state) {
    (void)state;
    weft_addr addr = weft_addr_ipv4(10, 0, 0, 1, 80);
    assert_true(weft_addr_is(&addr, WEFT_IP_LOOPBACK | WEFT_IP_PRIVATE));
    assert_true(weft_addr_is(&addr, ALL));
    assert_false(weft_addr_is(&addr, ALL & ~(unsigned)WEFT_IP_PRIVATE));
    assert_false(weft_addr_is(&addr, 0));
}

static void no_address_is_in_two_classes(void **state) {
    (void)state;
    struct weft__rng rng;
    weft__rng_seed(&rng, 1);
    for (int i = 0; i < 200000; i++) {
        uint64_t bits[2] = {weft__rng_next(&rng), weft__rng_next(&rng)};
        uint8_t ip[16];
        for (int byte = 0; byte < 16; byte++)
            ip[byte] = (uint8_t)(bits[byte / 8] >> (byte % 8 * 8));
        weft_addr ipv4 = weft_addr_ipv4(ip[0], ip[1], ip[2], ip[3], 0);
        weft_addr ipv6 = weft_addr_ipv6(ip, 0, 0);
        unsigned classes4 = classes_of(&ipv4);
        unsigned classes6 = classes_of(&ipv6);
        assert_int_equal(classes4 & (classes4 - 1), 0);
        assert_int_equal(classes6 & (classes6 - 1), 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ipv4_blocks_begin_and_end_where_iana_says),
        cmocka_unit_test(ipv6_blocks_begin_and_end_where_iana_says),
        cmocka_unit_test(an_address_that_wraps_an_ipv4_one_is_judged_by_that),
        cmocka_unit_test(no_address_is_in_no_class),
        cmocka_unit_test(several_classes_mean_any_of_them),
        cmocka_unit_test(no_address_is_in_two_classes),
    };
    return cmocka_run_group_tests_name("addr_class", tests, NULL, NULL);
}
