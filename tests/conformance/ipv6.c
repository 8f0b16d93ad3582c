// SPDX-License-Identifier: MIT
// The basic behaviours once more over IPv6. A machine without ::1 says so in the matrix.
#include "case.h"

#include <stdio.h>

#define NEEDS_IPV6()                                                                               \
    if (!ipv6_is_here()) {                                                                         \
        case_skip("this machine has no ::1 (net.ipv6.conf.lo.disable_ipv6, or no IPv6 at all)");   \
        return;                                                                                    \
    }

CASE(ipv6_connections_carry_bytes_and_ends_both_ways) {
    NEEDS_IPV6()
    struct tcp_pair pair = tcp_pair_open_at("[::1]:0");
    char buf[16];
    expect(weft_write_all(pair.client, "question", 8), 8);
    expect(weft_shutdown(pair.client, WEFT_WRITE), 0);
    expect(weft_read_exact(pair.server, buf, 8), 8);
    expect(weft_read(pair.server, buf, 8), 0);
    expect(weft_write_all(pair.server, "answer", 6), 6);
    expect(weft_close(pair.server), 0);
    expect(weft_read_exact(pair.client, buf, 6), 6);
    expect(weft_read(pair.client, buf, 8), 0);
    expect(weft_close(pair.client), 0);
}

CASE(ipv6_ends_know_both_addresses) {
    NEEDS_IPV6()
    weft_addr where, mine, peer;
    int listener = opened(weft_tcp_listen("[::1]:0"));
    expect(weft_local_addr(listener, &where), 0);
    expect(weft_addr_family(&where), WEFT_IPV6);
    int client = opened(weft_tcp_connect_with(&where, NULL));
    int server = opened(weft_accept_from(listener, &peer));
    expect(weft_local_addr(client, &mine), 0);
    expect_that(weft_addr_equal(&peer, &mine));
    expect(weft_close(client), 0);
    expect(weft_close(server), 0);
    expect(weft_close(listener), 0);
    expect(weft_tcp_connect_with(&where, NULL), -ECONNREFUSED);
    expect_explained("[::1]:");
}

CASE(ipv6_resets_come_after_the_data) {
    NEEDS_IPV6()
    struct tcp_pair pair = tcp_pair_open_at("[::1]:0");
    char buf[8];
    expect(weft_write(pair.client, "unread", 6), 6);
    expect(weft_ready(pair.server, WEFT_READ), WEFT_READ);
    expect(weft_abort(pair.client), 0);
    expect(weft_read(pair.server, buf, 8), 6);
    for (int i = 0; i < 3; i++)
        expect(weft_read(pair.server, buf, 8), -ECONNRESET);
    expect(weft_close(pair.server), 0);
}

CASE(ipv6_datagrams_travel_both_ways) {
    NEEDS_IPV6()
    weft_addr addr, peer, mine;
    char buf[8];
    int server = opened(weft_udp_bind("[::1]:0"));
    expect(weft_local_addr(server, &addr), 0);
    int client = udp_connect_to(&addr);
    expect(weft_local_addr(client, &mine), 0);
    expect(weft_write(client, "0123456789", 10), 10);
    expect(weft_recv_from(server, buf, 8, &peer), -EMSGSIZE);
    expect_that(weft_addr_equal(&peer, &mine));
    expect(weft_send_to(server, "", 0, &peer), 0);
    expect(weft_read(client, buf, 8), 0);
    expect(weft_close(server), 0);
    expect(weft_write(client, "anybody?", 8), 8);
    expect(weft_ready(client, WEFT_READ), WEFT_READ);
    expect(weft_read(client, buf, 8), -ECONNREFUSED);
    expect(weft_close(client), 0);
}

// "A dual-stack listener sees IPv4 peers as mapped ones"; v6_only: "an IPv6 listener takes no
// IPv4".
CASE(an_ipv6_listener_takes_ipv4_unless_told_otherwise) {
    NEEDS_IPV6()
    static const unsigned char mapped[16] = {[10] = 255, [11] = 255, [12] = 127, [15] = 1};
    weft_addr any = weft_addr_ipv6((const unsigned char[16]){0}, 0, 0), peer, where;
    weft_addr v4 = weft_addr_ipv4(127, 0, 0, 1, 0);
    int only = opened(weft_tcp_listen_with(&any, &(weft_tcp_options){.v6_only = 1}));
    expect(weft_local_addr(only, &where), 0);
    v4 = weft_addr_with_port(&v4, weft_addr_port(&where));
    expect(weft_tcp_connect_with(&v4, NULL), -ECONNREFUSED);
    expect(weft_close(only), 0);
    peer = weft_addr_ipv6(mapped, 0, 0); // the loopback address alone, but in its mapped form
    int listener = opened(weft_tcp_listen_with(&peer, NULL));
    expect(weft_local_addr(listener, &where), 0);
    v4 = weft_addr_with_port(&v4, weft_addr_port(&where));
    int client = opened(weft_tcp_connect_with(&v4, NULL));
    int server = opened(weft_accept_from(listener, &peer));
    expect(weft_addr_family(&peer), WEFT_IPV6);
    peer = weft_addr_unmap(&peer);
    expect(weft_local_addr(client, &where), 0);
    expect_that(weft_addr_equal(&peer, &where));
    expect(weft_close(client), 0);
    expect(weft_close(server), 0);
    expect(weft_close(listener), 0);
}
