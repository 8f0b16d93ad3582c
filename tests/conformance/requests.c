// SPDX-License-Identifier: MIT
// What io_uring is asked to do: it moves data by RECV, RECVMSG, ACCEPT and CONNECT requests of its
// own, and is not an epoll in disguise (POLL_ADD is for readiness only).
#include "case.h"

#define NOT_URING                                                                                  \
    "docs/semantics.md 9: \"Requests to the kernel are counted where there are any: on io_uring\""
#define CASE_ONLY_ON_URING(name_)                                                                  \
    CASE_NOT_ON(name_, "thread", NOT_URING)                                                        \
    CASE_NOT_ON(name_, "epoll", NOT_URING)                                                         \
    CASE_NOT_ON(name_, "sim", NOT_URING)

enum { ECHOES = 1000 };

// What the driver itself waits by (a wake from other threads) has been asked for after its first
// wait.
static uint64_t polls_so_far(void) {
    expect(weft_sleep(WEFT_MICROSECOND), 0);
    return world_requests(REQUEST_POLL_ADD);
}

// But for the one with which each other worker's driver waits for wakes, when it first sleeps.
static void expect_no_polls_since(uint64_t polled) {
    expect_that(world_requests(REQUEST_POLL_ADD) - polled < (uint64_t)weft_worker_count());
}

static int echo(int conn) {
    char buf[64];
    ssize_t n;
    while ((n = weft_read(conn, buf, sizeof buf)) > 0)
        if ((n = weft_write_all(conn, buf, (size_t)n)) < 0)
            break;
    weft_close(conn);
    return (int)n;
}

// Both ends take turns on one worker, so every read has to wait: two for each echo.
CASE(io_uring_waits_for_bytes_by_recv_requests) {
    struct tcp_pair pair = tcp_pair_open();
    weft_scope scope = {0};
    char byte;
    weft_task_options here = {.worker = WEFT_WORKER_HERE};
    expect(weft_go_with(&scope, echo, pair.server, &here), 0);
    uint64_t polled = polls_so_far(), received = world_requests(REQUEST_RECV);
    for (int i = 0; i < ECHOES; i++) {
        expect(weft_write(pair.client, "e", 1), 1);
        expect(weft_read(pair.client, &byte, 1), 1);
    }
    received = world_requests(REQUEST_RECV) - received;
    print_message("%llu RECV requests for %d echoes\n", (unsigned long long)received, ECHOES);
    expect_that(received >= 2 * ECHOES - 1 && received <= 2 * ECHOES + 1);
    expect_no_polls_since(polled);
    expect(weft_close(pair.client), 0);
    expect(weft_join(&scope), 0);
}
CASE_ONLY_ON_URING(io_uring_waits_for_bytes_by_recv_requests)

struct peer {
    int sock;
    weft_addr addr;
};

static int echo_datagrams(void *context) {
    struct peer *peer = context;
    weft_addr from;
    char buf[8];
    for (int i = 0; i < ECHOES; i++) {
        expect(weft_recv_from(peer->sock, buf, sizeof buf, &from), 1);
        expect(weft_send_to(peer->sock, buf, 1, &from), 1);
    }
    return 0;
}

CASE(io_uring_waits_for_datagrams_by_recvmsg_requests) {
    struct peer peer;
    weft_scope scope = {0};
    char byte;
    peer.sock = udp_anywhere(&peer.addr);
    int client = udp_connect_to(&peer.addr);
    uint64_t polled = polls_so_far();
    weft_task_options here = {.worker = WEFT_WORKER_HERE};
    expect(weft_go_with(&scope, echo_datagrams, (void *)&peer, &here), 0);
    for (int i = 0; i < ECHOES; i++) {
        expect(weft_write(client, "d", 1), 1);
        expect(weft_recv_from(client, &byte, 1, NULL), 1);
    }
    expect(weft_join(&scope), 0);
    expect_that(world_requests(REQUEST_RECVMSG) + world_requests(REQUEST_RECV) >= ECHOES);
    expect_no_polls_since(polled);
    expect(weft_close(client), 0);
    expect(weft_close(peer.sock), 0);
}
CASE_ONLY_ON_URING(io_uring_waits_for_datagrams_by_recvmsg_requests)

static int connect_often(void *context) {
    const weft_addr *addr = context;
    for (int i = 0; i < 100; i++)
        expect(weft_abort(opened(weft_tcp_connect_with(addr, NULL))), 0);
    return 0;
}

CASE(io_uring_accepts_and_connects_by_requests) {
    weft_addr addr;
    weft_scope scope = {0};
    int listener = listen_anywhere(&addr);
    uint64_t polled = polls_so_far();
    expect(weft_go(&scope, connect_often, (void *)&addr), 0);
    for (int i = 0; i < 100; i++)
        expect(weft_close(opened(weft_accept(listener))), 0);
    expect(weft_join(&scope), 0);
    print_message("ACCEPT %llu, CONNECT %llu\n", (unsigned long long)world_requests(REQUEST_ACCEPT),
                  (unsigned long long)world_requests(REQUEST_CONNECT));
    expect_that(world_requests(REQUEST_ACCEPT) >= 1); // one multishot request serves many
    expect(world_requests(REQUEST_CONNECT), 100);
    expect_no_polls_since(polled);
    expect(weft_close(listener), 0);
}
CASE_ONLY_ON_URING(io_uring_accepts_and_connects_by_requests)

// POLL_ADD is for readiness only.
CASE(io_uring_waits_for_readiness_by_poll_requests) {
    struct tcp_pair pair = tcp_pair_open();
    expect_waits(weft_ready(pair.server, WEFT_READ));
    expect_that(world_requests(REQUEST_POLL_ADD) >= 1);
    tcp_pair_close(&pair);
}
CASE_ONLY_ON_URING(io_uring_waits_for_readiness_by_poll_requests)
