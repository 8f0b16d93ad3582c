// SPDX-License-Identifier: MIT
// weft_ready: "Waits until one of the directions can make progress: data, its end or an error to
// read, room to write, a connection to accept. Takes no turn: several may wait."
#include "case.h"

CASE(ready_tells_the_directions_that_can_make_progress) {
    struct tcp_pair pair = tcp_pair_open();
    char buf[8];
    expect(weft_ready(pair.client, WEFT_WRITE), WEFT_WRITE);
    expect(weft_ready(pair.client, WEFT_READ | WEFT_WRITE), WEFT_WRITE);
    expect(weft_write(pair.server, "data", 4), 4);
    expect(weft_ready(pair.client, WEFT_READ), WEFT_READ);
    expect(weft_ready(pair.client, WEFT_READ | WEFT_WRITE), WEFT_READ | WEFT_WRITE);
    expect(weft_read(pair.client, buf, 8), 4); // nothing was consumed
    expect_waits(weft_ready(pair.client, WEFT_READ));
    tcp_pair_close(&pair);
}

CASE(ready_to_read_is_also_the_end_or_an_error) {
    struct tcp_pair ended = tcp_pair_open(), broken = tcp_pair_open();
    char byte;
    expect(weft_shutdown(ended.client, WEFT_WRITE), 0);
    expect(weft_ready(ended.server, WEFT_READ), WEFT_READ);
    expect(weft_read(ended.server, &byte, 1), 0);
    expect(weft_abort(broken.client), 0);
    expect(weft_ready(broken.server, WEFT_READ), WEFT_READ);
    expect(weft_read(broken.server, &byte, 1), -ECONNRESET);
    expect(weft_ready(broken.server, WEFT_READ), WEFT_READ); // its error stays to be read
    tcp_pair_close(&ended);
    expect(weft_close(broken.server), 0);
}

CASE(a_listener_is_ready_when_a_connection_waits) {
    weft_addr addr;
    int listener = listen_anywhere(&addr);
    expect_waits(weft_ready(listener, WEFT_READ));
    int client = opened(weft_tcp_connect_with(&addr, NULL));
    expect(weft_ready(listener, WEFT_READ), WEFT_READ);
    expect(weft_close(opened(weft_accept(listener))), 0);
    expect(weft_close(client), 0);
    expect(weft_close(listener), 0);
}

CASE(a_datagram_socket_is_ready_when_a_datagram_waits) {
    weft_addr addr;
    char buf[8];
    int sock = udp_anywhere(&addr), peer = udp_connect_to(&addr);
    expect(weft_ready(sock, WEFT_WRITE), WEFT_WRITE);
    expect_waits(weft_ready(sock, WEFT_READ));
    expect(weft_write(peer, "", 0), 0); // an empty one counts, too
    expect(weft_ready(sock, WEFT_READ), WEFT_READ);
    expect(weft_read(sock, buf, 8), 0);
    expect(weft_close(sock), 0);
    expect(weft_close(peer), 0);
}

CASE(ready_refuses_other_events) {
    static const int wrong[] = {0, 4, 8 | WEFT_READ, -1, INT32_MAX, INT32_MIN};
    struct tcp_pair pair = tcp_pair_open();
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        expect(weft_ready(pair.client, wrong[i]), -EINVAL);
    tcp_pair_close(&pair);
}

struct watcher {
    int conn;
    int result;
    struct flag begun;
};

static void watch(void *context) {
    struct watcher *watcher = context;
    flag_raise(&watcher->begun);
    watcher->result = weft_ready(watcher->conn, WEFT_READ);
}

// Whether they wait already or not, all are told of the one byte, and none takes it.
CASE(several_may_wait_until_one_handle_is_ready) {
    enum { WATCHERS = 4 };
    struct tcp_pair pair = tcp_pair_open();
    struct watcher watchers[WATCHERS];
    struct parties parties = {0};
    char byte;
    for (int i = 0; i < WATCHERS; i++) {
        watchers[i] = (struct watcher){.conn = pair.server};
        party_start(&parties, "watcher", watch, &watchers[i]);
        await_flag(&watchers[i].begun, 1);
    }
    expect(weft_write(pair.client, "x", 1), 1);
    parties_join(&parties);
    for (int i = 0; i < WATCHERS; i++)
        expect(watchers[i].result, WEFT_READ);
    expect(weft_read(pair.server, &byte, 1), 1);
    tcp_pair_close(&pair);
}

// A full connection is ready again when the peer has read.
CASE(a_full_connection_is_ready_to_write_when_there_is_room) {
    struct tcp_pair pair = tcp_pair_open_small();
    static char buf[1 << 20];
    size_t filled = fill_with_bytes(pair.client);
    expect_waits(weft_ready(pair.client, WEFT_WRITE));
    expect(weft_read_exact(pair.server, buf, filled), filled);
    expect(weft_ready(pair.client, WEFT_WRITE), WEFT_WRITE);
    tcp_pair_close(&pair);
}
