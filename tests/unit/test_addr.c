// SPDX-License-Identifier: MIT
// Unit tests of net/addr.c: addresses as values. Properties are checked over random addresses from
// a fixed seed.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <weft/addr.h>

#include "base/rng.h"

static const weft_addr none = {{0}};

// A random address, often one of few, so that equal parts and equal addresses occur.
static weft_addr random_addr(struct weft__rng *rng) {
    uint8_t ip[16] = {0};
    uint16_t port = (uint16_t)weft__rng_below(rng, 3);
    uint32_t zone = (uint32_t)weft__rng_below(rng, 3);
    bool is_wild = weft__rng_below(rng, 2) == 0;
    for (int i = 0; i < 16; i++)
        ip[i] = (uint8_t)(is_wild ? weft__rng_next(rng) : i == 15 ? weft__rng_below(rng, 3) : 0);
    if (is_wild) {
        port = (uint16_t)weft__rng_next(rng);
        zone = (uint32_t)weft__rng_next(rng);
    }
    switch (weft__rng_below(rng, 8)) {
    case 0:
        return none;
    case 1:
    case 2:
    case 3:
        return weft_addr_ipv4(ip[12], ip[13], ip[14], ip[15], port);
    default:
        return weft_addr_ipv6(ip, port, zone);
    }
}

static void no_address_is_all_zero(void **state) {
    (void)state;
    size_t size = 99;
    assert_int_equal(sizeof(weft_addr), 32);
    assert_int_equal(weft_addr_family(&none), 0);
    assert_int_equal(weft_addr_port(&none), 0);
    assert_int_equal(weft_addr_zone(&none), 0);
    assert_null(weft_addr_bytes(&none, &size));
    assert_int_equal(size, 0);
    weft_addr addr = weft_addr_with_port(&none, 80);
    assert_true(weft_addr_equal(&addr, &none));
    addr = weft_addr_unmap(&none);
    assert_true(weft_addr_equal(&addr, &none));
}

static void an_ipv4_address_keeps_its_parts(void **state) {
    (void)state;
    weft_addr addr = weft_addr_ipv4(192, 0, 2, 255, 65535);
    size_t size;
    assert_int_equal(weft_addr_family(&addr), WEFT_IPV4);
    assert_int_equal(weft_addr_port(&addr), 65535);
    assert_int_equal(weft_addr_zone(&addr), 0);
    const uint8_t *bytes = weft_addr_bytes(&addr, &size);
    assert_int_equal(size, 4);
    assert_memory_equal(bytes, ((const uint8_t[]){192, 0, 2, 255}), 4);
    assert_ptr_equal(weft_addr_bytes(&addr, NULL), bytes);
}

static void an_ipv6_address_keeps_its_parts(void **state) {
    (void)state;
    uint8_t ip[16];
    size_t size;
    for (int i = 0; i < 16; i++)
        ip[i] = (uint8_t)(0xf0 + i);
    weft_addr addr = weft_addr_ipv6(ip, 443, UINT32_MAX);
    assert_int_equal(weft_addr_family(&addr), WEFT_IPV6);
    assert_int_equal(weft_addr_port(&addr), 443);
    assert_true(weft_addr_zone(&addr) == UINT32_MAX);
    const uint8_t *bytes = weft_addr_bytes(&addr, &size);
    assert_int_equal(size, 16);
    assert_memory_equal(bytes, ip, 16);
}

static void another_port_changes_nothing_else(void **state) {
    (void)state;
    struct weft__rng rng;
    weft__rng_seed(&rng, 1);
    for (int i = 0; i < 10000; i++) {
        weft_addr addr = random_addr(&rng);
        if (weft_addr_family(&addr) == 0)
            continue;
        uint16_t port = (uint16_t)weft__rng_next(&rng);
        weft_addr other = weft_addr_with_port(&addr, port);
        assert_int_equal(weft_addr_port(&other), port);
        other = weft_addr_with_port(&other, weft_addr_port(&addr));
        assert_true(weft_addr_equal(&addr, &other));
    }
}

static void a_mapped_address_unmaps_to_ipv4(void **state) {
    (void)state;
    const uint8_t mapped[16] = {[10] = 0xff, [11] = 0xff, [12] = 192, [13] = 0, [14] = 2, [15] = 1};
    weft_addr addr = weft_addr_ipv6(mapped, 80, 7);
    weft_addr expected = weft_addr_ipv4(192, 0, 2, 1, 80);
    weft_addr unmapped = weft_addr_unmap(&addr);
    assert_true(weft_addr_equal(&unmapped, &expected));
    assert_false(weft_addr_equal(&addr, &expected));
    unmapped = weft_addr_unmap(&unmapped);
    assert_true(weft_addr_equal(&unmapped, &expected));
}

static void an_address_one_bit_off_a_mapped_one_stays(void **state) {
    (void)state;
    for (int bit = 0; bit < 96; bit++) {
        uint8_t ip[16] = {[10] = 0xff, [11] = 0xff, [12] = 192, [13] = 0, [14] = 2, [15] = 1};
        ip[bit / 8] ^= (uint8_t)(1 << bit % 8);
        weft_addr addr = weft_addr_ipv6(ip, 80, 7);
        weft_addr unmapped = weft_addr_unmap(&addr);
        assert_true(weft_addr_equal(&unmapped, &addr));
    }
}

static int sign(int x) {
    return (x > 0) - (x < 0);
}

static void comparing_is_a_total_order(void **state) {
    (void)state;
    struct weft__rng rng;
    weft__rng_seed(&rng, 2);
    for (int i = 0; i < 100000; i++) {
        weft_addr a = random_addr(&rng);
        weft_addr b = random_addr(&rng);
        weft_addr c = random_addr(&rng);
        int ab = weft_addr_compare(&a, &b);
        int bc = weft_addr_compare(&b, &c);
        assert_int_equal(weft_addr_compare(&a, &a), 0);
        assert_int_equal(sign(ab), -sign(weft_addr_compare(&b, &a)));
        assert_int_equal(ab == 0, weft_addr_equal(&a, &b));
        if (ab <= 0 && bc <= 0)
            assert_true(weft_addr_compare(&a, &c) <= 0);
    }
}

static void addresses_sort_by_family_then_ip_then_port_then_zone(void **state) {
    (void)state;
    const uint8_t one[16] = {[15] = 1};
    const uint8_t high[16] = {[0] = 1};
    const weft_addr sorted[] = {
        none,
        weft_addr_ipv4(0, 0, 0, 0, 0),
        weft_addr_ipv4(0, 0, 0, 255, 9),
        weft_addr_ipv4(0, 0, 1, 0, 1),
        weft_addr_ipv4(0, 0, 1, 0, 256),
        weft_addr_ipv4(255, 255, 255, 255, 65535),
        weft_addr_ipv6(one, 1, 0),
        weft_addr_ipv6(one, 1, 2),
        weft_addr_ipv6(one, 1, UINT32_MAX),
        weft_addr_ipv6(one, 2, 0),
        weft_addr_ipv6(high, 0, 0),
    };
    const size_t count = sizeof sorted / sizeof sorted[0];
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < count; j++)
            assert_int_equal(sign(weft_addr_compare(&sorted[i], &sorted[j])),
                             sign((int)i - (int)j));
}

static void equal_addresses_hash_alike(void **state) {
    (void)state;
    struct weft__rng rng;
    int equal = 0;
    int collisions = 0;
    weft__rng_seed(&rng, 3);
    for (int i = 0; i < 100000; i++) {
        weft_addr a = random_addr(&rng);
        weft_addr b = random_addr(&rng);
        bool is_same_hash = weft_addr_hash(&a, 5) == weft_addr_hash(&b, 5);
        if (weft_addr_equal(&a, &b)) {
            equal++;
            assert_true(is_same_hash);
        } else {
            collisions += is_same_hash;
        }
    }
    assert_true(equal > 100);
    assert_int_equal(collisions, 0);
}

// A client machine's connections differ only in the port: they must spread over a small table.
static void ports_of_one_host_spread_over_a_table(void **state) {
    (void)state;
    int slots[256] = {0};
    for (int port = 0; port < 65536; port++) {
        weft_addr addr = weft_addr_ipv4(127, 0, 0, 1, (uint16_t)port);
        slots[weft_addr_hash(&addr, 0) % 256]++;
    }
    // 256 expected in each; the hash is fixed, so this does not depend on chance.
    for (int i = 0; i < 256; i++)
        assert_in_range(slots[i], 170, 350);
}

static void another_seed_is_another_hash(void **state) {
    (void)state;
    weft_addr addr = weft_addr_ipv4(127, 0, 0, 1, 80);
    for (uint64_t seed = 1; seed < 1000; seed++)
        assert_true(weft_addr_hash(&addr, seed) != weft_addr_hash(&addr, 0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_address_is_all_zero),
        cmocka_unit_test(an_ipv4_address_keeps_its_parts),
        cmocka_unit_test(an_ipv6_address_keeps_its_parts),
        cmocka_unit_test(another_port_changes_nothing_else),
        cmocka_unit_test(a_mapped_address_unmaps_to_ipv4),
        cmocka_unit_test(an_address_one_bit_off_a_mapped_one_stays),
        cmocka_unit_test(comparing_is_a_total_order),
        cmocka_unit_test(addresses_sort_by_family_then_ip_then_port_then_zone),
        cmocka_unit_test(equal_addresses_hash_alike),
        cmocka_unit_test(ports_of_one_host_spread_over_a_table),
        cmocka_unit_test(another_seed_is_another_hash),
    };
    return cmocka_run_group_tests_name("addr", tests, NULL, NULL);
}
