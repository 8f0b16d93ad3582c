// SPDX-License-Identifier: MIT
// Unit tests of net/where.c: what is an address, what is a name, and the reason given for
// everything that is neither. Random and damaged texts must never be taken for more than they are.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <weft/addr.h>
#include <weft/error.h>

#include "base/rng.h"
#include "net/addr.h"

static const char empty[] = "the address is empty";
static const char blanks[] = "it holds a blank or a control character";
static const char scheme[] = "there is no scheme in an address: write HOST:PORT";
static const char no_host[] = "the host is missing: every interface is 0.0.0.0 or [::]";
static const char no_port[] = "the port is missing: write HOST:PORT";
static const char not_ipv4[] = "not an IPv4 address: four numbers 0 to 255, no leading zeros";
static const char not_ipv6[] = "not an IPv6 address";
static const char not_ip[] = "not an IPv4 or IPv6 address: names are not looked up here";
static const char brackets[] = "an IPv6 address with a port is written [::1]:80";
static const char only_ipv6[] = "brackets are for IPv6: write 127.0.0.1:80";
static const char no_bracket[] = "the closing ] is missing";
static const char after[] = "only :PORT may follow ]";
static const char port_text[] = "the port is not a number: service names are not looked up";
static const char port_range[] = "the port is out of range: 0 to 65535";
static const char port_zeros[] = "the port has leading zeros";
static const char zone_missing[] = "the zone after % is missing";
static const char zone_range[] = "the zone is out of range: 1 to 4294967295";
static const char zone_zero[] = "the zone is 0 or has leading zeros";
static const char zone_unknown[] = "there is no network interface of the zone's name";
static const char name_bytes[] = "the name holds a character that host names do not have";
static const char name_ascii[] = "a name beyond ASCII is written in its xn-- form";
static const char name_empty[] = "the name has an empty part before a dot";
static const char name_label[] = "a part of the name is longer than 63 bytes";
static const char name_long[] = "the name is longer than 253 bytes";

struct bad {
    const char *text;
    const char *why;
};

// Refused the same way with and without names.
static const struct bad bad_texts[] = {
    {NULL, empty},
    {"", empty},
    {" ", blanks},
    {" 127.0.0.1:80", blanks},
    {"127.0.0.1:80 ", blanks},
    {"127.0.0.1 :80", blanks},
    {"127.0.0.1:\t80", blanks},
    {"127.0.0.1:80\n", blanks},
    {"[::1] :80", blanks},
    {"127.0.0.1\x7f:80", blanks},
    {"http://127.0.0.1:80", scheme},
    {"tcp://[::1]:80", scheme},
    {"://", scheme},
    {":", no_host},
    {":80", no_host},
    {"[]:80", no_host},
    {"127.0.0.1", no_port},
    {"127.0.0.1:", no_port},
    {"localhost", no_port},
    {"80", no_port},
    {"[::1]", no_port},
    {"[::1]:", no_port},
    {"1.2.3:80", not_ipv4},
    {"1.2.3.4.5:80", not_ipv4},
    {"256.0.0.1:80", not_ipv4},
    {"1.2.3.256:80", not_ipv4},
    {"1.2.3.999999999999:80", not_ipv4},
    {"127.0.0.01:80", not_ipv4},
    {"0127.0.0.1:80", not_ipv4},
    {"00.0.0.0:80", not_ipv4},
    {"0177.0.0.1:80", not_ipv4},
    {"0x7f.0.0.1:80", not_ipv4},
    {"0x7f000001:80", not_ipv4},
    {"127.0.0.0X1:80", not_ipv4},
    {"0x:80", not_ipv4},
    {"0xafAF09:80", not_ipv4},
    {"x.0xa:80", not_ipv4},
    {"12345::1", not_ipv4},
    {"2130706433:80", not_ipv4},
    {"127.1:80", not_ipv4},
    {"127.0.0.1.:80", not_ipv4},
    {".127.0.0.1:80", not_ipv4},
    {"127..0.1:80", not_ipv4},
    {"+127.0.0.1:80", not_ipv4},
    {"::", brackets},
    {"::1", brackets},
    {"::1:80", brackets},
    {"2001:db8::1", brackets},
    {"2001:db8::1:80", brackets},
    {"fe80::1%1", brackets},
    {"::ffff:127.0.0.1", brackets},
    {"::1]:80", brackets},
    {"1:2:3:4:5:6:7:8", brackets},
    {"[127.0.0.1]:80", only_ipv6},
    {"[", no_bracket},
    {"[::1", no_bracket},
    {"[::1:80", no_bracket},
    {"[::1]80", after},
    {"[::1]]:80", after},
    {"[::1].:80", after},
    {"[::1]%1:80", after},
    {"[localhost]:80", not_ipv6},
    {"[[::1]]:80", after},
    {"[[::1]:80", not_ipv6},
    {"[:]:80", not_ipv6},
    {"[:::]:80", not_ipv6},
    {"[1]:80", not_ipv6},
    {"[1::2::3]:80", not_ipv6},
    {"[12345::]:80", not_ipv6},
    {"[g::]:80", not_ipv6},
    {"[1:2:3:4:5:6:7]:80", not_ipv6},
    {"[1:2:3:4:5:6:7:8:9]:80", not_ipv6},
    {"[1:2:3:4:5:6:7:8::]:80", not_ipv6},
    {"[1:2:3:4:5:6:7:]:80", not_ipv6},
    {"[:2:3:4:5:6:7:8]:80", not_ipv6},
    {"[::1.2.3]:80", not_ipv6},
    {"[::1.2.3.4.5]:80", not_ipv6},
    {"[::256.1.1.1]:80", not_ipv6},
    {"[::01.2.3.4]:80", not_ipv6},
    {"[::1.2.3.4:5]:80", not_ipv6},
    {"[::1/64]:80", not_ipv6},
    {"[127.0.0.1%1]:80", not_ipv6},
    {"[%1]:80", not_ipv6},
    {"[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]:80", not_ipv6},
    {"[fe80::1%]:80", zone_missing},
    {"[fe80::1%0]:80", zone_zero},
    {"[fe80::1%01]:80", zone_zero},
    {"[fe80::1%4294967296]:80", zone_range},
    {"[fe80::1%99999999999999999999]:80", zone_range},
    {"[fe80::1%no-such-if]:80", zone_unknown},
    {"[fe80::1%-1]:80", zone_unknown},
    {"[fe80::1%1%2]:80", zone_unknown},
    {"[fe80::1%an-interface-with-a-long-name]:80", zone_unknown},
    {"127.0.0.1:65536", port_range},
    {"127.0.0.1:70000", port_range},
    {"127.0.0.1:99999999999999999999999999", port_range},
    {"[::1]:65536", port_range},
    {"127.0.0.1:http", port_text},
    {"127.0.0.1:-1", port_text},
    {"127.0.0.1:+80", port_text},
    {"127.0.0.1:0x50", port_text},
    {"127.0.0.1:80:90", port_text},
    {"127.0.0.1:80/", port_text},
    {"127.0.0.1::80", port_text},
    {"127.0.0.1:80x", port_text},
    {"[::1]::80", port_text},
    {"127.0.0.1:00", port_zeros},
    {"127.0.0.1:080", port_zeros},
    {"127.0.0.1:000000000000000000080", port_zeros},
};

// Where a name would be allowed the reason is about names; else it is not_ip.
static const struct bad bad_names[] = {
    {"127.0.0.1%1:80", name_bytes},
    {"127.0.0.1/8:80", name_bytes},
    {"user@example.com:80", name_bytes},
    {"*:80", name_bytes},
    {"exa$mple.com:80", name_bytes},
    {"example,com:80", name_bytes},
    {"ex]ample:80", name_bytes},
    {"b\xc3\xbc"
     "cher.example:80",
     name_ascii},
    {"\x80:80", name_ascii},
    {".:80", name_empty},
    {"..:80", name_empty},
    {".example.com:80", name_empty},
    {"example..com:80", name_empty},
    {"example.com..:80", name_empty},
    {"a123456789012345678901234567890123456789012345678901234567890123:80", name_label},
    {"x.a123456789012345678901234567890123456789012345678901234567890123.y:80", name_label},
};

static void assert_refused(int result, const char *text, const char *why, const char *expected) {
    if (result != -WEFT_EADDRESS || why == NULL || strcmp(why, expected) != 0)
        fail_msg("\"%s\": %d, %s; expected: %s", text == NULL ? "NULL" : text, result,
                 why == NULL ? "no reason" : why, expected);
    assert_null(strchr(why, '(')); // weft_explain puts it into brackets
}

static void assert_no_address(const char *text, const char *expected) {
    weft_addr addr = weft_addr_ipv4(9, 9, 9, 9, 9);
    const weft_addr before = addr;
    const char *why = NULL;
    int result = weft__addr_parse_why(text, &addr, &why);
    assert_refused(result, text, why, expected);
    assert_int_equal(weft_addr_parse(text, &addr), -WEFT_EADDRESS);
    assert_true(weft_addr_equal(&addr, &before));
}

static void assert_no_where(const char *text, const char *expected) {
    struct weft__where where;
    struct weft__where before;
    const char *why = NULL;
    memset(&where, 0xaa, sizeof where);
    before = where;
    int result = weft__where_split(text, &where, &why);
    assert_refused(result, text, why, expected);
    assert_memory_equal(&where, &before, sizeof where);
}

static void bad_text_is_refused_with_its_reason(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof bad_texts / sizeof bad_texts[0]; i++) {
        assert_no_address(bad_texts[i].text, bad_texts[i].why);
        assert_no_where(bad_texts[i].text, bad_texts[i].why);
    }
}

static void bad_names_are_refused_with_their_reason(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof bad_names / sizeof bad_names[0]; i++) {
        assert_no_address(bad_names[i].text, not_ip);
        assert_no_where(bad_names[i].text, bad_names[i].why);
    }
}

static void addresses_are_read_and_written_canonically(void **state) {
    (void)state;
    const struct {
        const char *text;
        const char *canonical;
    } cases[] = {
        {"127.0.0.1:7878", "127.0.0.1:7878"},
        {"0.0.0.0:0", "0.0.0.0:0"},
        {"255.255.255.255:65535", "255.255.255.255:65535"},
        {"[::1]:80", "[::1]:80"},
        {"[::]:0", "[::]:0"},
        {"[0:0:0:0:0:0:0:1]:80", "[::1]:80"},
        {"[0000:0000:0000:0000:0000:0000:0000:0001]:80", "[::1]:80"},
        {"[2001:DB8::AbCd]:443", "[2001:db8::abcd]:443"},
        {"[2001:0db8::0001]:80", "[2001:db8::1]:80"},
        {"[1:2:3:4:5:6:7::]:80", "[1:2:3:4:5:6:7:0]:80"},
        {"[::2:3:4:5:6:7:8]:80", "[0:2:3:4:5:6:7:8]:80"},
        {"[::ffff:192.0.2.1]:80", "[::ffff:192.0.2.1]:80"},
        {"[::ffff:c000:201]:80", "[::ffff:192.0.2.1]:80"},
        {"[64:ff9b::192.0.2.1]:80", "[64:ff9b::c000:201]:80"},
        {"[fe80::1%1]:80", "[fe80::1%1]:80"},
        {"[fe80::1%4294967295]:80", "[fe80::1%4294967295]:80"},
        {"[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255%4294967295]:65535",
         "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char buf[WEFT_ADDR_TEXT_SIZE];
        weft_addr addr;
        assert_int_equal(weft_addr_parse(cases[i].text, &addr), 0);
        assert_string_equal(weft_addr_text(&addr, buf), cases[i].canonical);
    }
}

static void where_takes_addresses(void **state) {
    (void)state;
    const char *const texts[] = {"127.0.0.1:7878", "[::1]:80", "[fe80::1%3]:0"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct weft__where where;
        const char *why = NULL;
        weft_addr addr;
        assert_int_equal(weft_addr_parse(texts[i], &addr), 0);
        assert_int_equal(weft__where_split(texts[i], &where, &why), 0);
        assert_true(weft_addr_equal(&where.addr, &addr));
        assert_int_equal(where.port, weft_addr_port(&addr));
        assert_string_equal(where.host, "");
        assert_null(why);
    }
}

static void assert_name(const char *host) {
    char text[WEFT__HOST_SIZE + 8];
    struct weft__where where;
    const char *why = NULL;
    snprintf(text, sizeof text, "%s:443", host);
    if (weft__where_split(text, &where, &why) != 0)
        fail_msg("%s: %s", text, why);
    assert_string_equal(where.host, host);
    assert_int_equal(where.port, 443);
    assert_int_equal(weft_addr_family(&where.addr), 0);
}

static void where_takes_names(void **state) {
    (void)state;
    const char *const names[] = {
        "localhost",
        "example.com",
        "example.com.",
        "EXAMPLE.com",
        "a",
        "xn--bcher-kva.example",
        "my_service",
        "a-b.c-d",
        "az.AZ",
        "0xg0",
        "1.example",
        "1.2.3.4.com",
        "0xg",
        "1.2.3.4a",
        "127.0.0.-1",
        "4x",
        "cafe",
        "dead.beef",
        "0x1.test",
        "1-1",
        "a12345678901234567890123456789012345678901234567890123456789012.example",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_name(names[i]);
}

static void a_name_may_have_253_bytes_and_a_final_dot(void **state) {
    (void)state;
    char name[WEFT__HOST_SIZE + 8];
    memset(name, 'a', sizeof name);
    for (size_t dot = 50; dot < 253; dot += 50)
        name[dot] = '.';
    name[253] = '\0';
    assert_name(name);
    memcpy(name + 253, ".", 2);
    assert_name(name);
    memcpy(name + 253, "a", 2);
    char text[sizeof name + 8];
    snprintf(text, sizeof text, "%s:443", name);
    assert_no_where(text, name_long);
    snprintf(text, sizeof text, "%s.:443", name);
    assert_no_where(text, name_long);
}

// Text of any length, far beyond every buffer inside, is refused and not overrun.
static void text_of_any_length_is_safe(void **state) {
    (void)state;
    static const char *const shapes[] = {"%s:80", "[%s]:80", "[::%%%s]:80", "1.2.3.4:%s", "%s"};
    static const char fillers[] = {'a', '1', ':', '.', '[', '%', '0'};
    static char filler[5001];
    static char text[sizeof filler + 16];
    for (size_t f = 0; f < sizeof fillers; f++) {
        for (size_t length = 1; length < sizeof filler; length += length < 300 ? 1 : 4700) {
            memset(filler, fillers[f], length);
            filler[length] = '\0';
            for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
                struct weft__where where;
                const char *why = NULL;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
                snprintf(text, sizeof text, shapes[i], filler);
#pragma GCC diagnostic pop
                if (weft__where_split(text, &where, &why) == 0)
                    assert_true(strlen(where.host) < WEFT__HOST_SIZE);
                else
                    assert_non_null(why);
            }
        }
    }
}

// What an IPv4 address with a port is, said in another way: the text that its numbers print as.
static int is_strict_ipv4(const char *text) {
    unsigned n[5];
    char again[80];
    if (sscanf(text, "%9u.%9u.%9u.%9u:%9u", &n[0], &n[1], &n[2], &n[3], &n[4]) != 5)
        return 0;
    if (n[0] > 255 || n[1] > 255 || n[2] > 255 || n[3] > 255 || n[4] > 65535)
        return 0;
    snprintf(again, sizeof again, "%u.%u.%u.%u:%u", n[0], n[1], n[2], n[3], n[4]);
    return strcmp(again, text) == 0;
}

// Damages a good text in a few places.
static void mutate(struct weft__rng *rng, char *text) {
    static const char bytes[] = "0123456789.:[]%afx- \x80";
    for (uint64_t i = weft__rng_below(rng, 4); i > 0 && text[0] != '\0'; i--) {
        size_t at = weft__rng_below(rng, strlen(text));
        if (weft__rng_below(rng, 3) == 0)
            memmove(text + at, text + at + 1, strlen(text + at));
        else
            text[at] = bytes[weft__rng_below(rng, sizeof bytes - 1)];
    }
}

static void damaged_text_is_never_taken_for_more_than_it_is(void **state) {
    (void)state;
    static const char *const good[] = {"127.0.0.1:7878", "10.200.30.4:65535", "[2001:db8::1]:80",
                                       "[fe80::1%12]:443", "[::ffff:1.2.3.4]:1"};
    struct weft__rng rng;
    int accepted = 0;
    weft__rng_seed(&rng, 1);
    for (int i = 0; i < 500000; i++) {
        char text[WEFT_ADDR_TEXT_SIZE];
        char again[WEFT_ADDR_TEXT_SIZE];
        weft_addr addr = {{0}};
        weft_addr back;
        snprintf(text, sizeof text, "%s", good[weft__rng_below(&rng, 5)]);
        mutate(&rng, text);
        int error = weft_addr_parse(text, &addr);
        assert_int_equal(weft_addr_family(&addr) == WEFT_IPV4, is_strict_ipv4(text));
        if (error != 0)
            continue;
        accepted++;
        assert_int_equal(weft_addr_parse(weft_addr_text(&addr, again), &back), 0);
        assert_true(weft_addr_equal(&addr, &back));
    }
    assert_in_range(accepted, 100000, 400000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_text_is_refused_with_its_reason),
        cmocka_unit_test(bad_names_are_refused_with_their_reason),
        cmocka_unit_test(addresses_are_read_and_written_canonically),
        cmocka_unit_test(where_takes_addresses),
        cmocka_unit_test(where_takes_names),
        cmocka_unit_test(a_name_may_have_253_bytes_and_a_final_dot),
        cmocka_unit_test(text_of_any_length_is_safe),
        cmocka_unit_test(damaged_text_is_never_taken_for_more_than_it_is),
    };
    return cmocka_run_group_tests_name("where", tests, NULL, NULL);
}
