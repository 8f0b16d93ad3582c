// SPDX-License-Identifier: MIT
// A relay between clients and an echo server, three hosts in a row: bytes go both ways at once, an
// end of stream goes through, and a connection that broke is not taken for one that ended.
#include "prove.h"

#include <errno.h>
#include <stdint.h>

enum { CLIENTS = 4, MOST = 20000, TRIES = 3 };

struct way {
    int from, to;
    int *has_failed;
};

// Copies until the end, which it hands on; on an error nobody may take what there was for all.
static int copy(void *arg) {
    const struct way *way = arg;
    char buf[1000];
    ssize_t n;
    while ((n = weft_read(way->from, buf, sizeof buf)) > 0)
        if ((n = weft_write_all(way->to, buf, (size_t)n)) < 0)
            break;
    if (n == 0)
        n = weft_shutdown(way->to, WEFT_WRITE);
    weft_sim_check(is_expected((int)n) || n == -ENOTCONN || n == -EBADF);
    if (n < 0) {
        *way->has_failed = 1;
        weft_abort(way->from);
        weft_abort(way->to);
    }
    return 0;
}

static int relay(int client) {
    int has_failed = 0;
    weft_within(30 * WEFT_MINUTE);
    int server = connect_somehow("server:7");
    struct way up = {client, server, &has_failed}, down = {server, client, &has_failed};
    weft_scope scope = {0};
    if (server < 0)
        return weft_abort(client);
    if (weft_go(&scope, copy, (void *)&up) < 0)
        has_failed = 1;
    else
        copy(&down);
    (void)weft_join(&scope);
    if (has_failed) {
        weft_abort(client);
        weft_abort(server);
        return 0;
    }
    weft_close(client);
    weft_close(server);
    return 0;
}

static int serve_relay(void *unused) {
    (void)unused;
    weft_autojoin weft_scope clients = {0};
    weft_autoclose int listener = listen_somehow("0.0.0.0:8");
    for (;;) {
        int conn = weft_accept(listener);
        int error = weft_go(&clients, relay, conn);
        if (conn < 0 || error < 0)
            return conn < 0 ? conn : error;
    }
}

struct sender {
    int conn;
    unsigned client;
    size_t size;
};

static int send_all(void *arg) {
    const struct sender *sender = arg;
    size_t sent = 0;
    while (sent < sender->size) {
        char buf[1500];
        size_t size = 1 + below(sizeof buf);
        size = size < sender->size - sent ? size : sender->size - sent;
        for (size_t i = 0; i < size; i++)
            buf[i] = byte_at(sender->client, sent + i);
        ssize_t n = weft_write_all(sender->conn, buf, size);
        if (n < 0) {
            weft_abort(sender->conn); // and who reads waits no longer
            return (int)n;
        }
        sent += size;
    }
    return weft_shutdown(sender->conn, WEFT_WRITE);
}

// Reads what the other task sends until the end. A clean end comes behind the last byte.
static int read_back(int conn, unsigned client, size_t size) {
    size_t got = 0;
    char buf[2000];
    ssize_t n;
    while ((n = weft_read(conn, buf, 1 + below(sizeof buf))) > 0) {
        for (ssize_t i = 0; i < n; i++)
            weft_sim_check(buf[i] == byte_at(client, got + (size_t)i));
        got += (size_t)n;
    }
    weft_sim_check(n < 0 || got == size || got == 0); // 0: nobody could be found to serve it
    weft_sim_check(got <= size);
    return (int)n;
}

static int run_client(void *arg) {
    unsigned client = (unsigned)(uintptr_t)arg;
    for (int tries = 0; tries < TRIES; tries++) {
        weft_within(30 * WEFT_MINUTE);
        weft_autoclose int conn = connect_somehow("relay:8");
        struct sender sender = {conn, client, below(MOST)};
        weft_autojoin weft_scope scope = {0};
        int error = conn < 0 ? conn : weft_go(&scope, send_all, (void *)&sender);
        if (error == 0)
            error = read_back(conn, client, sender.size);
        int sent = weft_join(&scope);
        weft_sim_check(is_expected(sent) || sent == -ENOTCONN);
        weft_sim_check(is_expected(error) || error == -EBADF);
        if (error == 0 && sent == 0)
            return 0;
    }
    return 0;
}

static int run_clients(void *unused) {
    (void)unused;
    weft_autojoin weft_scope clients = {0};
    for (uintptr_t i = 0; i < CLIENTS; i++)
        if (weft_go(&clients, run_client, (void *)i) < 0)
            break;
    return weft_join(&clients);
}

int relay_world(weft_sim *sim, void *unused) {
    int error;
    (void)unused;
    if ((error = weft_sim_host(sim, "server", "10.0.0.1", serve_echo, "0.0.0.0:7")) < 0)
        return error;
    if ((error = weft_sim_host(sim, "relay", "10.0.0.2", serve_relay, NULL)) < 0)
        return error;
    if ((error = weft_sim_host(sim, "clients", "10.0.0.3", run_clients, NULL)) < 0)
        return error;
    if (below(4) == 0) {
        weft_sleep(below(3000) * WEFT_MICROSECOND);
        weft_must(weft_sim_partition_one_way(sim, "server", "relay"));
        weft_sleep(below(20) * WEFT_SECOND);
        weft_must(weft_sim_heal(sim, "relay", "server"));
    }
    see_end_of(sim, "clients");
    return 0;
}
