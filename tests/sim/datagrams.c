// SPDX-License-Identifier: MIT
// Datagrams on a network that loses, doubles and reorders them: those that come are whole, or told
// to be cut, and from whom they say. And handles: one that was closed is nobody's, however many are
// opened after it.
#include "prove.h"

#include <errno.h>
#include <string.h>

enum { CLIENTS = 3, ROUNDS = 12, MOST = 1200, REUSED_AFTER = 4096, SLOTS = 1 << 20 };

struct header {
    unsigned client, number, size;
};

// A datagram of the client's, of a size that its number tells.
static size_t fill(char *data, unsigned client, unsigned number) {
    struct header header = {client, number, (unsigned)sizeof header};
    header.size += (number * 131 + client * 17) % (MOST - header.size);
    memcpy(data, &header, sizeof header);
    for (size_t i = sizeof header; i < header.size; i++)
        data[i] = byte_at(client + number, i);
    return header.size;
}

// What has come, of which `size` bytes were stored, is the beginning of something that was sent.
// Returns how large that was.
static size_t check_data(const char *data, size_t size, unsigned client) {
    char whole[MOST];
    struct header header;
    weft_sim_check(size >= sizeof header);
    memcpy(&header, data, sizeof header);
    weft_sim_check(client == CLIENTS || header.client == client);
    weft_sim_check(header.client < CLIENTS && header.number < ROUNDS);
    size_t sent = fill(whole, header.client, header.number);
    weft_sim_check(size <= sent && memcmp(data, whole, size) == 0);
    return sent;
}

// Sends each back to whom it came from.
static int serve(void *unused) {
    weft_autoclose int socket = weft_udp_bind("0.0.0.0:53");
    char data[MOST];
    weft_addr peer = {{0}};
    (void)unused;
    while (weft_check() == 0) {
        ssize_t n = weft_recv_from(socket, data, sizeof data, &peer);
        weft_sim_check(is_expected((int)n));
        if (n < 0 && socket < 0)
            return 0;
        if (n < 0)
            continue;
        weft_sim_check(check_data(data, (size_t)n, CLIENTS) == (size_t)n);
        weft_sim_check(is_expected((int)weft_send_to(socket, data, (size_t)n, &peer)));
    }
    return 0;
}

// One answer, into a buffer that may be too small for it.
static ssize_t receive(int socket, unsigned client, const weft_addr *server) {
    char data[MOST];
    size_t size = sizeof(struct header) + below(MOST - sizeof(struct header));
    weft_addr peer = {{0}};
    int is_truncated = -1;
    weft_within((1 + below(30)) * WEFT_MILLISECOND);
    ssize_t n = 0;
    memset(data, 0, sizeof data);
    unsigned way = below(3);
    if (way == 0)
        n = weft_recv_with(socket, data, size,
                           &(weft_recv_options){.ret_peer = &peer, .ret_truncated = &is_truncated});
    else if (way == 1)
        n = weft_recv_from(socket, data, size, &peer);
    else
        n = weft_read(socket, data, size);
    weft_sim_check(is_expected((int)n) || n == -EMSGSIZE);
    if (n < 0 && n != -EMSGSIZE)
        return n;
    size_t stored = n < 0 ? size : (size_t)n;
    size_t sent = check_data(data, stored, client);
    weft_sim_check(sent > size ? stored == size : stored == sent);
    weft_sim_check(way == 0 ? is_truncated == (sent > size) : (n == -EMSGSIZE) == (sent > size));
    weft_sim_check(way == 2 || weft_addr_equal(&peer, server));
    return n;
}

// In one piece or in several, to the peer or, if NULL, to whom the socket is connected.
static ssize_t send_somehow(int socket, char *data, size_t size, const weft_addr *peer) {
    size_t first = below((unsigned)size);
    struct iovec iov[] = {{data, first}, {data, 0}, {data + first, size - first}};
    return peer ? weft_send_to(socket, data, size, peer) : weft_writev(socket, iov, 3);
}

static int run_client(void *arg) {
    unsigned client = (unsigned)(uintptr_t)arg;
    weft_addr server;
    weft_sim_check(weft_addr_parse("10.0.0.1:53", &server) == 0);
    int is_connected = below(2) == 0;
    weft_autoclose int socket =
        is_connected ? weft_udp_connect("10.0.0.1:53") : weft_udp_bind("0.0.0.0:0");
    for (unsigned i = 0; i < ROUNDS && socket >= 0; i++) {
        char data[MOST];
        size_t size = fill(data, client, i);
        ssize_t n = send_somehow(socket, data, size, is_connected ? NULL : &server);
        weft_sim_check(is_expected((int)n) && (n < 0 || n == (ssize_t)size));
        while (receive(socket, client, &server) >= 0 && below(3) > 0)
            ;
    }
    return 0;
}

// ---- Handles that are used again ------------------------------------------------------------

static void check_closed(int h) {
    weft_addr addr;
    char byte;
    weft_sim_check(weft_local_addr(h, &addr) == -EBADF);
    ssize_t n = weft_recv_from(h, &byte, 1, NULL);
    weft_sim_check(n == -EBADF || (is_rough && n == -ECANCELED));
    weft_sim_check(weft_close(h) == -EBADF);
}

// Opens and closes until a slot has come back for sure; two at a time, which are never the same.
// When it does depends on what the process has opened in other runs, so each round does the same.
static void reuse_handles(void) {
    int closed = weft_udp_bind("0.0.0.0:0"), before = weft_udp_bind("0.0.0.0:0");
    int was_reused = 0, has_failed = closed < 0;
    weft_close(closed);
    for (int i = 0; i < 2 * REUSED_AFTER; i++) {
        int h = weft_udp_bind("0.0.0.0:0");
        weft_addr addr;
        was_reused |= h >= 0 && h % SLOTS == closed % SLOTS;
        has_failed |= h < 0;
        if (before >= 0)
            weft_sim_check(weft_local_addr(before, &addr) != -EBADF);
        if (closed >= 0)
            check_closed(closed);
        weft_sim_check(weft_close(before) == (before < 0 ? before : 0));
        before = h;
    }
    weft_sim_check(was_reused || has_failed);
    weft_close(before);
}

static int run_clients(void *unused) {
    weft_scope clients = {0};
    (void)unused;
    for (uintptr_t i = 0; i < CLIENTS; i++)
        if (weft_go(&clients, run_client, (void *)i) < 0)
            break;
    if (below(16) == 0)
        reuse_handles();
    return weft_join(&clients);
}

int datagrams_world(weft_sim *sim, void *unused) {
    int error;
    (void)unused;
    if ((error = weft_sim_host(sim, "server", "10.0.0.1", serve, NULL)) < 0)
        return error;
    if ((error = weft_sim_host(sim, "clients", "10.0.0.2", run_clients, NULL)) < 0)
        return error;
    see_end_of(sim, "clients");
    return 0;
}
