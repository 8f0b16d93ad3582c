// SPDX-License-Identifier: MIT
// Unit tests of driver/sim_address.c: which addresses the simulated machine has, how a socket of
// each family shows and reads them, and where a way leads. Whose a port is: test_sim_port.c.
#include "driver/sim_net.h"
#include "sim_tools.h"

static struct weft__sim_name name4(int a, int b, int c, int last, uint16_t port) {
    return (struct weft__sim_name){
        .ip = {[10] = 0xff, 0xff, (uint8_t)a, (uint8_t)b, (uint8_t)c, (uint8_t)last}, .port = port};
}

static struct weft__sim_name name6(int first, int last, uint16_t port) {
    return (struct weft__sim_name){.ip = {(uint8_t)first, [15] = (uint8_t)last}, .port = port};
}

static struct weft__sim_socket socket_at(int family, struct weft__sim_name local) {
    return (struct weft__sim_socket){.family = family, .local = local};
}

#define assert_same_name(a, b)                                                                     \
    do {                                                                                           \
        assert_memory_equal((a).ip, (b).ip, sizeof(a).ip);                                         \
        assert_int_equal((a).port, (b).port);                                                      \
    } while (0)

// ---- Names ----

static void the_machine_has_the_loopback_addresses_and_no_others(void **state) {
    (void)state;
    const struct weft__sim_name here[] = {name4(127, 0, 0, 1, 1), name4(127, 0, 0, 0, 1),
                                          name4(127, 255, 255, 255, 1), name4(127, 1, 2, 3, 1),
                                          name6(0, 1, 1)};
    const struct weft__sim_name elsewhere[] = {
        name4(126, 0, 0, 1, 1),  name4(128, 0, 0, 1, 1), name4(0, 0, 0, 0, 1),
        name4(10, 127, 0, 1, 1), name6(0, 0, 1),         name6(0, 2, 1),
        name6(0xfe, 1, 1),       {.ip = {127, 0, 0, 1}}, // not an IPv4 address at all
    };
    for (size_t i = 0; i < sizeof here / sizeof *here; i++)
        assert_true(weft__sim_is_local(NULL, &here[i]));
    for (size_t i = 0; i < sizeof elsewhere / sizeof *elsewhere; i++)
        assert_false(weft__sim_is_local(NULL, &elsewhere[i]));
}

static void a_wildcard_is_all_zero_in_its_family(void **state) {
    (void)state;
    struct weft__sim_name four = weft__sim_wildcard(WEFT_IPV4), six = weft__sim_wildcard(WEFT_IPV6);
    assert_same_name(four, name4(0, 0, 0, 0, 0));
    assert_same_name(six, name6(0, 0, 0));
    assert_true(weft__sim_is_v4(&four));
    assert_false(weft__sim_is_v4(&six));
    assert_true(weft__sim_is_wildcard(&four));
    assert_true(weft__sim_is_wildcard(&six));
    four.port = six.port = 80;
    assert_true(weft__sim_is_wildcard(&four));
    assert_true(weft__sim_is_wildcard(&six));
    four.ip[15] = six.ip[15] = 1;
    assert_false(weft__sim_is_wildcard(&four));
    assert_false(weft__sim_is_wildcard(&six));
}

static void broadcast_is_that_of_the_loopback_network_and_the_limited_one(void **state) {
    (void)state;
    const struct weft__sim_name broadcast[] = {name4(127, 255, 255, 255, 0),
                                               name4(255, 255, 255, 255, 9)};
    struct weft__sim_name others[] = {
        name4(127, 255, 255, 254, 0),
        name4(127, 254, 255, 255, 0),
        name4(127, 255, 0, 255, 0),
        name4(126, 255, 255, 255, 0),
        name6(0xff, 1, 0),
    };
    struct weft__sim_name six = name6(127, 0, 0); // the same bytes, not behind the IPv4 prefix
    memset(six.ip + 12, 255, 4);
    for (size_t i = 0; i < sizeof broadcast / sizeof *broadcast; i++)
        assert_true(weft__sim_is_broadcast(&broadcast[i]));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_false(weft__sim_is_broadcast(&others[i]));
    assert_false(weft__sim_is_broadcast(&six));
}

static void names_are_the_same_by_address_and_port(void **state) {
    (void)state;
    struct weft__sim_name a = name4(127, 0, 0, 1, 80), b = a;
    assert_true(weft__sim_same_name(&a, &b));
    b.port = 81;
    assert_false(weft__sim_same_name(&a, &b));
    assert_true(weft__sim_same_ip(&a, &b));
    b = name4(127, 0, 0, 2, 80);
    assert_false(weft__sim_same_name(&a, &b));
    assert_false(weft__sim_same_ip(&a, &b));
}

// ---- In and out ----

static void a_socket_shows_names_in_its_own_family(void **state) {
    (void)state;
    struct weft__sim_socket four = {.family = WEFT_IPV4}, six = {.family = WEFT_IPV6};
    struct weft__sim_name name = name4(127, 0, 0, 1, 80), name_of_six = name6(0, 1, 81);
    assert_true(same(weft__sim_show(&four, &name), loopback(80)));
    assert_true(same(weft__sim_show(&six, &name), mapped(80)));
    assert_true(same(weft__sim_show(&six, &name_of_six), loopback6(81)));
}

static void what_is_shown_reads_back_as_the_same_name(void **state) {
    (void)state;
    struct weft__sim_socket four = {.family = WEFT_IPV4}, six = {.family = WEFT_IPV6};
    struct weft__sim_name name = name4(127, 3, 2, 1, 80), name_of_six = name6(0, 1, 81), got;
    weft_addr shown = weft__sim_show(&four, &name);
    assert_int_equal(weft__sim_read_name(&four, &shown, true, &got), 0);
    assert_same_name(got, name);
    shown = weft__sim_show(&six, &name);
    assert_int_equal(weft__sim_read_name(&six, &shown, true, &got), 0);
    assert_same_name(got, name);
    shown = weft__sim_show(&six, &name_of_six);
    assert_int_equal(weft__sim_read_name(&six, &shown, true, &got), 0);
    assert_same_name(got, name_of_six);
}

static void a_strict_reading_refuses_ipv4_on_an_ipv6_socket(void **state) {
    (void)state;
    struct weft__sim_socket six = {.family = WEFT_IPV6};
    struct weft__sim_name got = name6(3, 3, 3);
    weft_addr addr = loopback(80);
    assert_int_equal(weft__sim_read_name(&six, &addr, true, &got), -EINVAL);
    assert_same_name(got, name6(3, 3, 3)); // untouched
    assert_int_equal(weft__sim_read_name(&six, &addr, false, &got), 0);
    assert_same_name(got, name4(127, 0, 0, 1, 80));
}

static void what_no_socket_can_read_is_refused(void **state) {
    (void)state;
    struct weft__sim_socket four = {.family = WEFT_IPV4}, six = {.family = WEFT_IPV6};
    struct weft__sim_name got = name6(3, 3, 3);
    weft_addr none = {{0}}, addr = loopback6(80);
    for (int is_strict = 0; is_strict < 2; is_strict++) {
        assert_int_equal(weft__sim_read_name(&four, &none, is_strict, &got), -EINVAL);
        assert_int_equal(weft__sim_read_name(&six, &none, is_strict, &got), -EINVAL);
        assert_int_equal(weft__sim_read_name(&four, &addr, is_strict, &got), -EAFNOSUPPORT);
    }
    assert_same_name(got, name6(3, 3, 3));
}

// ---- The way ----

static void a_way_to_everywhere_leads_to_this_machine(void **state) {
    (void)state;
    struct weft__sim_socket four = socket_at(WEFT_IPV4, name4(0, 0, 0, 0, 7));
    struct weft__sim_socket six = socket_at(WEFT_IPV6, name6(0, 0, 8));
    struct weft__sim_name to = name4(0, 0, 0, 0, 80), from;
    assert_int_equal(weft__sim_route(&four, &to, &from), 0);
    assert_same_name(to, name4(127, 0, 0, 1, 80));
    assert_same_name(from, name4(127, 0, 0, 1, 7)); // from its own port
    to = name6(0, 0, 80);
    assert_int_equal(weft__sim_route(&six, &to, &from), 0);
    assert_same_name(to, name6(0, 1, 80));
    assert_same_name(from, name6(0, 1, 8));
}

static void a_bound_socket_sends_from_where_it_is_bound(void **state) {
    (void)state;
    struct weft__sim_socket s = socket_at(WEFT_IPV4, name4(127, 0, 0, 5, 7));
    struct weft__sim_name to = name4(127, 9, 9, 9, 80), from;
    assert_int_equal(weft__sim_route(&s, &to, &from), 0);
    assert_same_name(to, name4(127, 9, 9, 9, 80));
    assert_same_name(from, name4(127, 0, 0, 5, 7));
}

static void no_way_leads_out_of_the_machine(void **state) {
    (void)state;
    struct weft__sim_socket four = socket_at(WEFT_IPV4, name4(0, 0, 0, 0, 7));
    struct weft__sim_socket six = socket_at(WEFT_IPV6, name6(0, 0, 8));
    struct weft__sim_name to = name4(198, 51, 100, 1, 80), from = name6(3, 3, 3);
    assert_int_equal(weft__sim_route(&four, &to, &from), -ENETUNREACH);
    assert_int_equal(weft__sim_route(&six, &to, &from), -ENETUNREACH);
    to = name6(0x20, 1, 80);
    assert_int_equal(weft__sim_route(&six, &to, &from), -ENETUNREACH);
    assert_same_name(from, name6(3, 3, 3)); // untouched
}

static bool reaches(const struct weft__sim_socket *s, struct weft__sim_name to) {
    struct weft__sim_name from;
    int error = weft__sim_route(s, &to, &from);
    assert_true(error == 0 || error == (weft__sim_is_v4(&to) ? -ENETUNREACH : -EAFNOSUPPORT));
    return error == 0;
}

static void an_ipv6_socket_reaches_both_worlds_until_it_is_bound_to_one(void **state) {
    (void)state;
    struct weft__sim_name four = name4(127, 0, 0, 1, 80), six = name6(0, 1, 80);
    static const struct {
        struct weft__sim_name local;
        bool v6only, reaches_v4, reaches_v6;
    } rows[] = {
        {{.port = 7}, false, true, true},                   // [::]:7
        {{.port = 7}, true, false, true},                   // IPv6 alone
        {{.ip = {[15] = 1}, .port = 7}, true, false, true}, // [::1]:7 by bind(2)
        {{.ip = {[15] = 1}, .port = 7}, false, true, true}, // and by connect(2)
        {{.ip = {[10] = 0xff, 0xff, 127, 0, 0, 1}, .port = 7}, false, true, false}, // mapped
        {{.ip = {[10] = 0xff, 0xff}, .port = 7}, false, true, false}, // mapped wildcard
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct weft__sim_socket s = socket_at(WEFT_IPV6, rows[i].local);
        s.options[WEFT__OPT_V6ONLY] = rows[i].v6only;
        assert_int_equal(reaches(&s, four), rows[i].reaches_v4);
        assert_int_equal(reaches(&s, six), rows[i].reaches_v6);
    }
}

static void an_ipv6_socket_sends_to_ipv4_from_an_ipv4_address(void **state) {
    (void)state;
    struct weft__sim_socket s = socket_at(WEFT_IPV6, name6(0, 0, 7));
    struct weft__sim_name to = name4(127, 0, 0, 3, 80), from;
    assert_int_equal(weft__sim_route(&s, &to, &from), 0);
    assert_same_name(from, name4(127, 0, 0, 1, 7));
}

static void a_wildcard_is_this_machine_in_the_world_of_the_socket(void **state) {
    (void)state;
    static const struct {
        struct weft__sim_name local;
        bool is_v4, is_own; // the way to [::]; the way to 0.0.0.0 is to the socket's own address
    } rows[] = {
        {{.port = 7}, false, false},
        {{.ip = {[15] = 1}, .port = 7}, false, false},
        {{.ip = {[10] = 0xff, 0xff, 127, 0, 0, 9}, .port = 7}, true, true},
        {{.ip = {[10] = 0xff, 0xff}, .port = 7}, true, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct weft__sim_socket s = socket_at(WEFT_IPV6, rows[i].local);
        struct weft__sim_name to = name6(0, 0, 80), from;
        assert_int_equal(weft__sim_route(&s, &to, &from), 0);
        assert_same_name(to, rows[i].is_v4 ? name4(127, 0, 0, 1, 80) : name6(0, 1, 80));
        to = name4(0, 0, 0, 0, 80);
        assert_int_equal(weft__sim_route(&s, &to, &from), 0);
        assert_same_name(to, name4(127, 0, 0, rows[i].is_own ? 9 : 1, 80));
        assert_true(weft__sim_is_v4(&from));
    }
}

int main(void) {
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(a_wildcard_is_this_machine_in_the_world_of_the_socket),
        cmocka_unit_test(the_machine_has_the_loopback_addresses_and_no_others),
        cmocka_unit_test(a_wildcard_is_all_zero_in_its_family),
        cmocka_unit_test(broadcast_is_that_of_the_loopback_network_and_the_limited_one),
        cmocka_unit_test(names_are_the_same_by_address_and_port),
        cmocka_unit_test(a_socket_shows_names_in_its_own_family),
        cmocka_unit_test(what_is_shown_reads_back_as_the_same_name),
        cmocka_unit_test(a_strict_reading_refuses_ipv4_on_an_ipv6_socket),
        cmocka_unit_test(what_no_socket_can_read_is_refused),
        cmocka_unit_test(a_way_to_everywhere_leads_to_this_machine),
        cmocka_unit_test(a_bound_socket_sends_from_where_it_is_bound),
        cmocka_unit_test(no_way_leads_out_of_the_machine),
        cmocka_unit_test(an_ipv6_socket_reaches_both_worlds_until_it_is_bound_to_one),
        cmocka_unit_test(an_ipv6_socket_sends_to_ipv4_from_an_ipv4_address),
    };
    return cmocka_run_group_tests_name("names of the simulated machine", cases, NULL, NULL);
}
