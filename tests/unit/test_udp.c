// SPDX-License-Identifier: MIT
// Unit tests of net/udp.c: what opening a socket asks of the driver, what a failure closes, and
// datagrams on real sockets: truncated, empty, peeked at, refused.
#include "fake_driver.h"

// ---- What the driver is asked ---------------------------------------------------------------

enum { ASKED_MAX = 32 };
static struct weft__ctl asked[ASKED_MAX];
static weft_addr asked_addr[ASKED_MAX];
static size_t asked_count;
static int64_t fail_at, fail_with;

static int64_t note_ctl(struct fake *f, struct weft__ctl *ctl) {
    (void)f;
    if (ctl->kind == WEFT__CTL_CLOSE)
        return 0;
    assert_true(asked_count < ASKED_MAX);
    asked[asked_count] = *ctl;
    if (ctl->addr)
        asked_addr[asked_count] = *ctl->addr;
    asked_count++;
    return (int64_t)asked_count == fail_at ? fail_with : 0;
}

static int udp_begin(void **state) {
    fake_begin(state);
    fake.on_ctl = note_ctl;
    asked_count = 0;
    fail_at = 0;
    return 0;
}

#define CASE_OF_UDP(fn) cmocka_unit_test_setup_teardown(fn, udp_begin, fake_end)

static size_t count_of(enum weft__ctl_kind kind) {
    size_t count = 0;
    for (size_t i = 0; i < asked_count; i++)
        count += asked[i].kind == kind;
    return count;
}

static bool was_set(enum weft__option option) {
    for (size_t i = 0; i < asked_count; i++)
        if (asked[i].kind == WEFT__CTL_SET && asked[i].option == option)
            return true;
    return false;
}

static void binding_by_default_sets_no_option(void **state) {
    (void)state;
    int sock = opened(weft_udp_bind("127.0.0.1:9"));
    assert_int_equal(asked_count, 2);
    assert_int_equal(asked[0].type, WEFT__DATAGRAM);
    assert_int_equal(asked[1].kind, WEFT__CTL_BIND);
    expect(weft_close(sock), 0);
}

static void options_are_set_before_the_bind_and_the_peer_is_connected_after(void **state) {
    (void)state;
    weft_addr addr = weft_addr_ipv4(127, 0, 0, 1, 9), peer = weft_addr_ipv4(127, 0, 0, 2, 8);
    weft_udp_options options = {.reuse_addr = 1,
                                .reuse_port = 1,
                                .v6_only = 1,
                                .broadcast = 1,
                                .send_buffer_size = 5,
                                .receive_buffer_size = 6,
                                .peer = &peer};
    int sock = opened(weft_udp_bind_with(&addr, &options));
    assert_true(was_set(WEFT__OPT_REUSEADDR) && was_set(WEFT__OPT_REUSEPORT));
    assert_true(was_set(WEFT__OPT_BROADCAST) && was_set(WEFT__OPT_SEND_BUFFER));
    assert_true(was_set(WEFT__OPT_RECEIVE_BUFFER));
    assert_false(was_set(WEFT__OPT_V6ONLY)); // of IPv6 alone
    assert_int_equal(asked[asked_count - 2].kind, WEFT__CTL_BIND);
    assert_int_equal(asked[asked_count - 1].kind, WEFT__CTL_CONNECT);
    assert_true(weft_addr_equal(&asked_addr[asked_count - 1], &peer));
    expect(weft_close(sock), 0);
}

static void connecting_binds_nothing(void **state) {
    (void)state;
    int sock = opened(weft_udp_connect("127.0.0.1:9"));
    assert_int_equal(count_of(WEFT__CTL_BIND), 0);
    assert_int_equal(count_of(WEFT__CTL_CONNECT), 1);
    expect(weft_close(sock), 0);
}

static void whatever_fails_the_descriptor_is_closed(void **state) {
    (void)state;
    weft_addr addr = weft_addr_ipv4(127, 0, 0, 1, 9);
    weft_udp_options options = {.reuse_addr = 1, .broadcast = 1, .peer = &addr};
    fail_with = -EADDRINUSE;
    for (fail_at = 1;; fail_at++) {
        asked_count = 0;
        int sock = weft_udp_bind_with(&addr, &options);
        if (sock > 0) {
            expect(weft_close(sock), 0);
            break;
        }
        expect(sock, -EADDRINUSE);
        expect_explained("bind 127.0.0.1:9: ");
        assert_int_equal(fake.fds_open, 0);
    }
    assert_int_equal(fail_at, 6);
}

static void a_name_is_bound_address_by_address(void **state) {
    (void)state;
    expect(weft_udp_bind("127.0.0.1"), -WEFT_EADDRESS);
    expect_explained("bind 127.0.0.1: ");
    expect(weft_udp_connect("[::1]:99999"), -WEFT_EADDRESS);
    assert_int_equal(asked_count, 0);
}

// ---- Datagrams on real sockets --------------------------------------------------------------

struct ends {
    int a, b;
    weft_addr addr_a, addr_b;
};

static struct ends open_ends(void) {
    struct ends ends;
    ends.a = udp_anywhere(&ends.addr_a);
    ends.b = udp_anywhere(&ends.addr_b);
    return ends;
}

static void close_ends(struct ends *ends) {
    expect(weft_close(ends->a), 0);
    expect(weft_close(ends->b), 0);
}

static void a_datagram_arrives_whole_and_with_its_sender(void **state) {
    (void)state;
    char buf[16];
    weft_addr peer;
    struct ends ends = open_ends();
    expect(weft_send_to(ends.a, "hello", 5, &ends.addr_b), 5);
    expect(weft_send_to(ends.a, "", 0, &ends.addr_b), 0);
    expect(weft_recv_from(ends.b, buf, sizeof buf, &peer), 5);
    assert_true(weft_addr_equal(&peer, &ends.addr_a));
    expect(weft_recv_from(ends.b, buf, sizeof buf, NULL), 0);
    expect_waits(weft_recv_from(ends.b, buf, sizeof buf, NULL));
    close_ends(&ends);
}

static void a_longer_datagram_is_an_error_that_fills_the_buffer(void **state) {
    (void)state;
    char buf[4] = "";
    weft_addr peer = {{0}};
    struct ends ends = open_ends();
    expect(weft_send_to(ends.a, "longer", 6, &ends.addr_b), 6);
    expect(weft_send_to(ends.a, "longer", 6, &ends.addr_b), 6);
    expect(weft_send_to(ends.a, "next", 4, &ends.addr_b), 4);
    expect(weft_recv_from(ends.b, buf, 4, &peer), -EMSGSIZE);
    assert_memory_equal(buf, "long", 4);
    assert_true(weft_addr_equal(&peer, &ends.addr_a));
    expect(weft_read(ends.b, buf, 0), -EMSGSIZE);
    expect(weft_recv_from(ends.b, buf, 4, &peer), 4); // the rest of those is gone
    assert_memory_equal(buf, "next", 4);
    close_ends(&ends);
}

static void with_options_it_is_no_error_and_can_be_peeked_at(void **state) {
    (void)state;
    char buf[4];
    int truncated = -1;
    weft_addr peer = {{0}};
    struct ends ends = open_ends();
    weft_recv_options peek = {.peek = 1, .ret_peer = &peer, .ret_truncated = &truncated};
    expect(weft_send_to(ends.a, "longer", 6, &ends.addr_b), 6);
    expect(weft_recv_with(ends.b, buf, 4, &peek), 4);
    assert_int_equal(truncated, 1);
    assert_true(weft_addr_equal(&peer, &ends.addr_a));
    expect(weft_peek(ends.b, buf, 4), -EMSGSIZE);
    expect(weft_recv_with(ends.b, buf, 4, NULL), 4);
    expect(weft_send_to(ends.a, "abc", 3, &ends.addr_b), 3);
    expect(weft_recv_with(ends.b, buf, 4, &(weft_recv_options){.ret_truncated = &truncated}), 3);
    assert_int_equal(truncated, 0);
    truncated = 5;
    {
        weft_within(0);
        expect(weft_recv_with(ends.b, buf, 4, &peek), -ETIMEDOUT);
    }
    assert_int_equal(truncated, 5); // untouched on failure
    close_ends(&ends);
}

static void what_makes_no_sense_is_refused(void **state) {
    (void)state;
    char buf[4] = {0};
    weft_addr none = {{0}};
    struct ends ends = open_ends();
    struct tcp_pair pair = tcp_pair_open();
    expect(weft_recv_from(pair.client, buf, 4, NULL), -ENOTSUP);
    expect(weft_send_to(pair.client, buf, 4, &ends.addr_a), -ENOTSUP);
    expect(weft_recv_from(ends.a, buf, SIZE_MAX, NULL), -EINVAL);
    expect(weft_send_to(ends.a, buf, SIZE_MAX, &ends.addr_b), -EINVAL);
    expect(weft_send_to(ends.a, buf, 4, &none), -EINVAL);
    expect(weft_send_to(ends.a, buf, 4, NULL), -EDESTADDRREQ);
    expect(weft_write(ends.a, buf, 4), -EDESTADDRREQ);
    expect_explained("give a peer");
    static char huge[70000];
    expect(weft_send_to(ends.a, huge, sizeof huge, &ends.addr_b), -EMSGSIZE);
    char where[WEFT_ADDR_TEXT_SIZE];
    expect_explained(weft_addr_text(&ends.addr_b, where)); // whom it was for
    tcp_pair_close(&pair);
    close_ends(&ends);
}

static void a_refusal_is_reported_once_by_one_call(void **state) {
    (void)state;
    char byte;
    weft_addr addr;
    expect(weft_close(udp_anywhere(&addr)), 0);
    int sock = udp_connect_to(&addr);
    expect(weft_write(sock, "x", 1), 1);
    expect(weft_read(sock, &byte, 1), -ECONNREFUSED);
    expect_explained("nobody receives at that port");
    expect_waits(weft_read(sock, &byte, 1));
    expect(weft_write(sock, "x", 1), 1);
    expect(weft_close(sock), 0);
}

int main(void) {
    const struct CMUnitTest cases[] = {
        CASE_OF_UDP(binding_by_default_sets_no_option),
        CASE_OF_UDP(options_are_set_before_the_bind_and_the_peer_is_connected_after),
        CASE_OF_UDP(connecting_binds_nothing),
        CASE_OF_UDP(whatever_fails_the_descriptor_is_closed),
        CASE_OF_UDP(a_name_is_bound_address_by_address),
        CASE(a_datagram_arrives_whole_and_with_its_sender),
        CASE_IN_TASK(a_datagram_arrives_whole_and_with_its_sender),
        CASE(a_longer_datagram_is_an_error_that_fills_the_buffer),
        CASE_IN_TASK(a_longer_datagram_is_an_error_that_fills_the_buffer),
        CASE(with_options_it_is_no_error_and_can_be_peeked_at),
        CASE_IN_TASK(with_options_it_is_no_error_and_can_be_peeked_at),
        CASE(what_makes_no_sense_is_refused),
        CASE(a_refusal_is_reported_once_by_one_call),
        CASE_IN_TASK(a_refusal_is_reported_once_by_one_call),
    };
    return RUN(cases);
}
