// SPDX-License-Identifier: MIT
// Unit tests of os/inet.c: the sockaddr conversions against the system's own structs and sockets,
// bare IP addresses, and interface numbers.
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>
#include <weft/addr.h>

#include "base/rng.h"
#include "os/inet.h"

static const weft_addr none = {{0}};

static void an_ipv4_address_becomes_a_sockaddr_in(void **state) {
    (void)state;
    struct sockaddr_storage storage;
    memset(&storage, 0xaa, sizeof storage);
    weft_addr addr = weft_addr_ipv4(192, 0, 2, 1, 7878);
    assert_int_equal(weft__addr_to_sockaddr(&addr, &storage), sizeof(struct sockaddr_in));
    const struct sockaddr_in *in = (const struct sockaddr_in *)&storage;
    assert_int_equal(in->sin_family, AF_INET);
    assert_int_equal(in->sin_port, htons(7878));
    assert_int_equal(in->sin_addr.s_addr, htonl(0xc0000201));
}

static void an_ipv6_address_becomes_a_sockaddr_in6(void **state) {
    (void)state;
    struct sockaddr_storage storage;
    memset(&storage, 0xaa, sizeof storage);
    const uint8_t ip[16] = {0xfe, 0x80, [15] = 1};
    weft_addr addr = weft_addr_ipv6(ip, 443, 9);
    assert_int_equal(weft__addr_to_sockaddr(&addr, &storage), sizeof(struct sockaddr_in6));
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&storage;
    assert_int_equal(in6->sin6_family, AF_INET6);
    assert_int_equal(in6->sin6_port, htons(443));
    assert_int_equal(in6->sin6_flowinfo, 0);
    assert_int_equal(in6->sin6_scope_id, 9);
    assert_memory_equal(&in6->sin6_addr, ip, 16);
}

static void no_address_becomes_no_sockaddr(void **state) {
    (void)state;
    struct sockaddr_storage storage;
    struct sockaddr_storage before;
    memset(&storage, 0xaa, sizeof storage);
    before = storage;
    assert_int_equal(weft__addr_to_sockaddr(&none, &storage), 0);
    assert_memory_equal(&storage, &before, sizeof storage);
}

static void every_address_survives_the_way_there_and_back(void **state) {
    (void)state;
    struct weft__rng rng;
    weft__rng_seed(&rng, 1);
    for (int i = 0; i < 20000; i++) {
        // One byte off, because what recvmsg(2) stores may stand anywhere in a larger buffer.
        char buf[1 + WEFT__SOCKADDR_SIZE];
        uint8_t ip[16];
        uint16_t port = (uint16_t)weft__rng_next(&rng);
        for (int byte = 0; byte < 16; byte++)
            ip[byte] = (uint8_t)weft__rng_next(&rng);
        weft_addr addr = i % 2 == 0 ? weft_addr_ipv4(ip[0], ip[1], ip[2], ip[3], port)
                                    : weft_addr_ipv6(ip, port, (uint32_t)weft__rng_next(&rng));
        weft_addr back = none;
        unsigned length = weft__addr_to_sockaddr(&addr, buf + 1);
        assert_int_equal(weft__addr_from_sockaddr(buf + 1, length, &back), 0);
        assert_true(weft_addr_equal(&addr, &back));
    }
}

static void a_sockaddr_cut_short_is_invalid(void **state) {
    (void)state;
    const uint8_t ip[16] = {[15] = 1};
    const weft_addr addrs[] = {weft_addr_ipv4(127, 0, 0, 1, 80), weft_addr_ipv6(ip, 80, 0)};
    for (int i = 0; i < 2; i++) {
        char buf[WEFT__SOCKADDR_SIZE];
        weft_addr back = none;
        unsigned length = weft__addr_to_sockaddr(&addrs[i], buf);
        for (unsigned cut = 0; cut < length; cut++)
            assert_int_equal(weft__addr_from_sockaddr(buf, cut, &back), -EINVAL);
        assert_true(weft_addr_equal(&back, &none));
        assert_int_equal(weft__addr_from_sockaddr(buf, sizeof buf, &back), 0);
        assert_true(weft_addr_equal(&back, &addrs[i]));
    }
}

static void a_sockaddr_of_another_family_is_refused(void **state) {
    (void)state;
    struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "/nowhere"};
    struct sockaddr unspecified = {.sa_family = AF_UNSPEC};
    weft_addr back = none;
    assert_int_equal(weft__addr_from_sockaddr(&un, sizeof un, &back), -EAFNOSUPPORT);
    // An unnamed Unix socket has nothing but its family.
    assert_int_equal(weft__addr_from_sockaddr(&un, sizeof un.sun_family, &back), -EAFNOSUPPORT);
    assert_int_equal(weft__addr_from_sockaddr(&unspecified, sizeof unspecified, &back),
                     -EAFNOSUPPORT);
    assert_true(weft_addr_equal(&back, &none));
}

// The conversions must agree with the kernel, not only with each other.
static void the_kernel_binds_what_was_converted(void **state) {
    (void)state;
    struct sockaddr_storage storage;
    socklen_t length = sizeof storage;
    weft_addr addr = weft_addr_ipv4(127, 0, 0, 1, 0);
    weft_addr bound;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    assert_true(fd >= 0);
    unsigned size = weft__addr_to_sockaddr(&addr, &storage);
    assert_int_equal(bind(fd, (const struct sockaddr *)&storage, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&storage, &length), 0);
    close(fd);
    assert_int_equal(weft__addr_from_sockaddr(&storage, length, &bound), 0);
    assert_int_not_equal(weft_addr_port(&bound), 0);
    bound = weft_addr_with_port(&bound, 0);
    assert_true(weft_addr_equal(&bound, &addr));
}

static void bare_addresses_are_read_strictly(void **state) {
    (void)state;
    uint8_t ip[16];
    uint8_t ip4[6] = {[4] = 0xaa, [5] = 0xaa};
    assert_int_equal(weft__inet_parse4("192.0.2.1", ip4), 0);
    assert_memory_equal(ip4, ((const uint8_t[]){192, 0, 2, 1, 0xaa, 0xaa}), 6);
    assert_int_equal(weft__inet_parse6("2001:DB8::192.0.2.1", ip), 0);
    const uint8_t expected[16] = {0x20, 0x01, 0x0d, 0xb8, [12] = 192, [14] = 2, [15] = 1};
    assert_memory_equal(ip, expected, 16);
    const char *const bad4[] = {"", "1", "1.2.3", "1.2.3.256", "01.2.3.4", "0x1.2.3.4", "1.2.3.4 "};
    const char *const bad6[] = {"", ":", ":::", "1::2::3", "12345::", "::1%1", "::1 ", "1:2:3"};
    memset(ip, 0xaa, sizeof ip);
    for (size_t i = 0; i < sizeof bad4 / sizeof bad4[0]; i++)
        assert_int_equal(weft__inet_parse4(bad4[i], ip), -EINVAL);
    for (size_t i = 0; i < sizeof bad6 / sizeof bad6[0]; i++)
        assert_int_equal(weft__inet_parse6(bad6[i], ip), -EINVAL);
    for (int i = 0; i < 16; i++)
        assert_int_equal(ip[i], 0xaa);
}

static void bare_addresses_are_written_canonically(void **state) {
    (void)state;
    char buf[WEFT__INET_TEXT_SIZE];
    const uint8_t ip[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};
    weft__inet_format(WEFT_IPV4, ip, buf, sizeof buf);
    assert_string_equal(buf, "32.1.13.184");
    weft__inet_format(WEFT_IPV6, ip, buf, sizeof buf);
    assert_string_equal(buf, "2001:db8::1");
}

static void every_interface_is_found_by_its_name(void **state) {
    (void)state;
    struct if_nameindex *list = if_nameindex();
    if (list == NULL || list[0].if_index == 0) {
        if_freenameindex(list);
        skip(); // a network namespace without any interface
        return; // skip() jumps away, but nothing tells the analyser so
    }
    for (struct if_nameindex *i = list; i->if_index != 0; i++) {
        uint32_t zone = 0;
        assert_int_equal(weft__zone_find(i->if_name, &zone), 0);
        assert_int_equal(zone, i->if_index);
    }
    if_freenameindex(list);
}

static void an_interface_that_does_not_exist_is_no_device(void **state) {
    (void)state;
    uint32_t zone = 7;
    assert_int_equal(weft__zone_find("no-such-if", &zone), -ENODEV);
    assert_int_equal(weft__zone_find("", &zone), -ENODEV);
    assert_int_equal(weft__zone_find("a-name-that-is-longer-than-any", &zone), -ENODEV);
    assert_int_equal(zone, 7);
}

static void a_lookup_without_descriptors_says_so(void **state) {
    (void)state;
    struct rlimit before;
    uint32_t zone = 7;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    const struct rlimit nothing = {0, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &nothing), 0);
    int error = weft__zone_find("lo", &zone);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    // Which errno is the C library's choice (glibc: ENOENT); it must not look like "no interface".
    assert_true(error < 0);
    assert_int_not_equal(error, -ENODEV);
    assert_int_equal(zone, 7);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_ipv4_address_becomes_a_sockaddr_in),
        cmocka_unit_test(an_ipv6_address_becomes_a_sockaddr_in6),
        cmocka_unit_test(no_address_becomes_no_sockaddr),
        cmocka_unit_test(every_address_survives_the_way_there_and_back),
        cmocka_unit_test(a_sockaddr_cut_short_is_invalid),
        cmocka_unit_test(a_sockaddr_of_another_family_is_refused),
        cmocka_unit_test(the_kernel_binds_what_was_converted),
        cmocka_unit_test(bare_addresses_are_read_strictly),
        cmocka_unit_test(bare_addresses_are_written_canonically),
        cmocka_unit_test(every_interface_is_found_by_its_name),
        cmocka_unit_test(an_interface_that_does_not_exist_is_no_device),
        cmocka_unit_test(a_lookup_without_descriptors_says_so),
    };
    return cmocka_run_group_tests_name("inet", tests, NULL, NULL);
}
