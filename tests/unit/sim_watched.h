// SPDX-License-Identifier: MIT
// Two hosts of the simulated world, "server" and "client", whose traffic is captured and logged,
// and what they have to say to each other.
#ifndef TESTS_UNIT_SIM_WATCHED_H
#define TESTS_UNIT_SIM_WATCHED_H

#include <stdio.h>
#include <stdlib.h>

#include "sim_script.h"

static char capture_path[64], log_path[64];

static inline void make_path(char *path, size_t size) {
    snprintf(path, size, "/tmp/weft-capture-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
}

static inline int start_watched(void **state) {
    make_path(capture_path, sizeof capture_path);
    make_path(log_path, sizeof log_path);
    return start_case(state);
}

static inline int stop_watched(void **state) {
    int error = stop_case(state);
    unlink(capture_path);
    unlink(log_path);
    return error;
}

#define WATCHED(fn) cmocka_unit_test_setup_teardown(fn, start_watched, stop_watched)

static inline void watch(void) {
    assert_int_equal(weft__sim_capture_open(d, capture_path), 0);
    assert_int_equal(weft__sim_log_open(d, log_path), 0);
}

// ---- Two hosts ----

static inline weft_addr v4_of(int last, uint16_t port) {
    const uint8_t ip[] = {10, 0, 0, (uint8_t)last};
    return weft__address_make(WEFT_IPV4, ip, port, 0);
}

static inline weft_addr v6_of(int last, uint16_t port) {
    const uint8_t ip[16] = {0xfd, [15] = (uint8_t)last};
    return weft__address_make(WEFT_IPV6, ip, port, 0);
}

enum { SERVER = 1, CLIENT = 2 };

// With a link that takes the same time for every packet, times are known.
static inline void add_hosts(void) {
    static const char *const names[] = {"server", "client"};
    struct weft__sim_link link = weft__sim_link_ordinary();
    link.jitter_ns = 0;
    weft__sim_link_all(d, &link);
    for (int i = 0; i < 2; i++) {
        weft_addr ips[] = {v4_of(i + 1, 0), v6_of(i + 1, 0)};
        assert_int_equal(weft__sim_host_add(d, ips, 2), i + 1);
        assert_int_equal(weft__sim_name_add(d, names[i], ips, 2, 0), 0);
    }
}

static inline struct sock open_on(uint32_t host, int family, int type, uint16_t port) {
    struct weft__ctl make = {
        .kind = WEFT__CTL_SOCKET, .family = family, .type = type, .host = host};
    struct sock s = sock_of(d->class->ctl(d, &make));
    if (port != 0)
        assert_int_equal(
            bind_to(s, family == WEFT_IPV4 ? v4_of((int)host, port) : v6_of((int)host, port)), 0);
    return s;
}

static inline struct pair connect_hosts(int family, uint16_t client_port) {
    struct sock listener = open_on(SERVER, family, WEFT__STREAM, 7878);
    assert_int_equal(ctl(WEFT__CTL_LISTEN, listener, 1, NULL), 0);
    weft_addr addr = name_of(listener, WEFT__CTL_LOCAL);
    struct pair pair = {.client = open_on(CLIENT, family, WEFT__STREAM, client_port)};
    struct call connect_call, accept_call;
    prepare_connect(&connect_call, pair.client, &addr);
    assert_int_equal(run(&connect_call), 0);
    prepare(&accept_call, WEFT__OP_ACCEPT, listener);
    pair.server = sock_of(run(&accept_call));
    close_socket(listener);
    return pair;
}

// Questions and answers, both ways at once, half a close and the other half.
static inline void converse(int family) {
    struct pair pair = connect_hosts(family, 40000);
    assert_int_equal(write_text(pair.client, "question"), 8);
    assert_reads(pair.server, "question");
    assert_int_equal(write_text(pair.server, "answer"), 6);
    assert_int_equal(shut(pair.client, WEFT__SHUT_WRITE), 0);
    assert_reads(pair.client, "answer");
    assert_reads(pair.server, "");
    assert_int_equal(write_text(pair.server, "more"), 4);
    assert_reads(pair.client, "more");
    close_socket(pair.server);
    assert_reads(pair.client, "");
    close_socket(pair.client);
    settle();
}

static inline void be_refused(int family) {
    struct sock client = open_on(CLIENT, family, WEFT__STREAM, 40001);
    weft_addr nobody = family == WEFT_IPV4 ? v4_of(SERVER, 7879) : v6_of(SERVER, 7879);
    struct call call;
    prepare_connect(&call, client, &nobody);
    assert_int_equal(run(&call), -ECONNREFUSED);
    close_socket(client);
}

// A close with data unread.
static inline void be_reset(int family) {
    struct pair pair = connect_hosts(family, 40003);
    assert_int_equal(write_text(pair.client, "unread"), 6);
    settle();
    close_socket(pair.server);
    settle();
    assert_int_equal(try_read(pair.client), -ECONNRESET);
    close_socket(pair.client);
}

static inline void send_datagram(struct sock s, weft_addr to, size_t size) {
    static char bytes[65507];
    struct call call;
    prepare_io(&call, WEFT__OP_SENDMSG, s, bytes, size);
    call.op.peer = &to;
    assert_int_equal(run(&call), size);
}

// To a socket that takes them, and to nobody.
static inline void send_datagrams(int family) {
    struct sock to = open_on(SERVER, family, WEFT__DATAGRAM, 7880);
    struct sock from = open_on(CLIENT, family, WEFT__DATAGRAM, 40002);
    weft_addr addr = name_of(to, WEFT__CTL_LOCAL);
    send_datagram(from, addr, 0);
    send_datagram(from, addr, 7);
    send_datagram(from, addr, 65507);
    settle();
    close_socket(to);
    send_datagram(from, addr, 9);
    send_datagram(from, addr, 1000);
    settle();
    close_socket(from);
}

// Megabytes each way, in pieces that are no multiple of anything.
static inline void pump(struct pair pair, size_t total) {
    static unsigned char bytes[70001];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * 31 + i / 251);
    struct sock ways[2][2] = {{pair.client, pair.server}, {pair.server, pair.client}};
    size_t sent[2] = {0, 0}, received[2] = {0, 0};
    while (received[0] < total || received[1] < total)
        for (int way = 0; way < 2; way++) {
            size_t left = total - sent[way], at = sent[way] % sizeof bytes;
            size_t size = sizeof bytes - at < left ? sizeof bytes - at : left;
            int64_t n = size > 0 ? try_io(WEFT__OP_WRITE, ways[way][0], bytes + at, size) : 0;
            sent[way] += n > 0 ? (size_t)n : 0;
            static unsigned char buf[30011];
            n = try_io(WEFT__OP_READ, ways[way][1], buf, sizeof buf);
            for (int64_t i = 0; i < n; i++)
                assert_int_equal(buf[i], bytes[(received[way] + (size_t)i) % sizeof bytes]);
            received[way] += n > 0 ? (size_t)n : 0;
            d->class->wait(d, now_ns() + 50000);
        }
    close_pair(pair);
    settle();
}

static inline void lose_one_in(int n) {
    struct weft__sim_link link = weft__sim_link_ordinary();
    link.loss = 1.0 / n;
    weft__sim_link_all(d, &link);
}

// Anything at all, on a machine whose own network loses and whose peers break off.
static inline void run_badly(int steps) {
    struct weft__sim_link link = {.latency_ns = 5000, .jitter_ns = 10000, .mtu = 1500, .loss = 0.1};
    weft__sim_link_set(d, 0, 0, &link);
    weft__sim_fault_set(d, WEFT__SIM_RESETS, 0.01);
    weft__sim_fault_set(d, WEFT__SIM_TIMEOUTS, 0.01);
    weft__sim_fault_set(d, WEFT__SIM_DRIPS, 0.1);
    weft__sim_fault_set(d, WEFT__SIM_REFUSALS, 0.1);
    (void)run_script(sim_seed, steps);
}

#endif
