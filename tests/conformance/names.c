// SPDX-License-Identifier: MIT
// Names: "a name is resolved off the task, under the ambient deadline, and abandoned on cancel".
// Only names that every machine knows (localhost) or nobody does (RFC 6761, .invalid) are asked
// for.
#include "case.h"

#include <stdio.h>

CASE(localhost_is_the_loopback_address) {
    weft_addr list[8];
    int count = weft_resolve("localhost:80", list, 8);
    expect_that(count >= 1 && count <= 8);
    for (int i = 0; i < count; i++) {
        expect_that(weft_addr_is(&list[i], WEFT_IP_LOOPBACK));
        expect(weft_addr_port(&list[i]), 80);
    }
    expect(weft_resolve("localhost:80", list, 1), 1); // no more than there is room for
}

CASE(a_numeric_address_resolves_to_itself) {
    weft_addr list[4], expected;
    expect(weft_resolve("127.0.0.1:7878", list, 4), 1);
    expect(weft_addr_parse("127.0.0.1:7878", &expected), 0);
    expect_that(weft_addr_equal(&list[0], &expected));
    expect(weft_resolve("[::1]:7878", list, 4), 1);
    expect(weft_addr_parse("[::1]:7878", &expected), 0);
    expect_that(weft_addr_equal(&list[0], &expected));
}

// A machine with a resolver answers that there is no such name; one without says that it could not
// ask: WEFT_ENAME or WEFT_ENAMEFAIL.
CASE(a_name_that_nobody_has_is_refused, .slow_factor = 4) {
    weft_addr list[2] = {{{1}}, {{2}}};
    expect_either(weft_resolve("does-not-exist.invalid:80", list, 2), -WEFT_ENAME, -WEFT_ENAMEFAIL);
    expect_explained("does-not-exist.invalid");
    expect(list[0].words[0], 1); // untouched on failure
    expect_either(weft_tcp_connect("does-not-exist.invalid:80"), -WEFT_ENAME, -WEFT_ENAMEFAIL);
    expect_explained("connect");
    expect_either(weft_tcp_listen("does-not-exist.invalid:0"), -WEFT_ENAME, -WEFT_ENAMEFAIL);
    expect_either(weft_udp_bind("does-not-exist.invalid:0"), -WEFT_ENAME, -WEFT_ENAMEFAIL);
    expect_either(weft_udp_connect("does-not-exist.invalid:9"), -WEFT_ENAME, -WEFT_ENAMEFAIL);
}

static int connect_to_localhost(const weft_addr *addr) {
    char where[WEFT_ADDR_TEXT_SIZE];
    snprintf(where, sizeof where, "localhost:%u", weft_addr_port(addr));
    return weft_tcp_connect(where);
}

// "Addresses of a name are raced": whichever of ::1 and 127.0.0.1 comes first, the one that listens
// wins.
CASE(connecting_to_a_name_finds_the_address_that_listens) {
    weft_addr addr, peer;
    char byte;
    int listener = listen_anywhere(&addr);
    int client = opened(connect_to_localhost(&addr));
    int server = opened(weft_accept(listener));
    expect(weft_peer_addr(client, &peer), 0);
    expect_that(weft_addr_equal(&peer, &addr));
    expect(weft_write(client, "x", 1), 1);
    expect(weft_read(server, &byte, 1), 1);
    expect(weft_close(client), 0);
    expect(weft_close(server), 0);
    expect(weft_close(listener), 0);
    expect(connect_to_localhost(&addr), -ECONNREFUSED); // now none of them
}

CASE(listening_and_binding_take_names) {
    weft_addr addr, peer;
    char where[32], buf[8];
    int listener = opened(weft_tcp_listen("localhost:0"));
    expect(weft_local_addr(listener, &addr), 0);
    expect_that(weft_addr_is(&addr, WEFT_IP_LOOPBACK) && weft_addr_port(&addr) != 0);
    expect(weft_close(listener), 0);
    int server = opened(weft_udp_bind("localhost:0"));
    expect(weft_local_addr(server, &addr), 0);
    snprintf(where, sizeof where, "localhost:%u", weft_addr_port(&addr));
    int client = opened(weft_udp_connect(where));
    expect(weft_write(client, "name", 4), 4);
    expect(weft_recv_from(server, buf, sizeof buf, &peer), 4);
    expect(weft_close(server), 0);
    expect(weft_close(client), 0);
}

// Names are given back before the next lookup begins, whatever it is.
static void look_up_often(void *context) {
    weft_addr list[4];
    for (int i = 0; i < 20; i++)
        expect_that(weft_resolve("localhost:1", list, 4) >= 1);
    flag_raise(context);
}

CASE(many_parties_look_names_up_at_once) {
    struct parties parties = {0};
    struct flag done = {0};
    for (int i = 0; i < 16; i++)
        party_start(&parties, "asker", look_up_often, &done);
    parties_join(&parties);
    expect(flag_value(&done), 16);
}

CASE(a_deadline_that_has_passed_refuses_a_lookup) {
    weft_addr list[2], addr;
    int listener = listen_anywhere(&addr);
    weft_within(0);
    expect(weft_resolve("localhost:1", list, 2), -ETIMEDOUT);
    expect(weft_timed_out(), 1);
    expect(connect_to_localhost(&addr), -ETIMEDOUT);
    expect(weft_close(listener), 0);
}

// How long a lookup takes is the machine's: it may be done before the deadline, which is then not
// met.
CASE(a_deadline_abandons_a_lookup) {
    weft_addr list[2];
    for (int i = 0; i < 20; i++) {
        weft_within((1 + i * 10) * WEFT_MICROSECOND);
        int result = weft_resolve("localhost:1", list, 2);
        if (result < 0) {
            expect(result, -ETIMEDOUT);
            expect(weft_timed_out(), 1);
        }
    }
}

struct lookup {
    int result;
    struct flag begun;
};

static void look_up(void *context) {
    struct lookup *lookup = context;
    weft_addr list[2];
    flag_raise(&lookup->begun);
    lookup->result = weft_resolve("localhost:1", list, 2);
}

// "... abandoned on cancel": likewise, unless it was done before.
CASE(a_cancel_abandons_a_lookup) {
    for (int i = 0; i < 20; i++) {
        struct lookup lookup = {.result = 0};
        struct parties parties = {0};
        party_start(&parties, "asker", look_up, &lookup);
        await_flag(&lookup.begun, 1);
        parties_cancel(&parties);
        parties_join(&parties);
        if (lookup.result < 0)
            expect(lookup.result, -ECANCELED);
    }
}
CASE_NEEDS_SCOPE(a_cancel_abandons_a_lookup)
