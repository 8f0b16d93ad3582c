// SPDX-License-Identifier: MIT
// An echo server and its clients, on hosts of their own: what comes back is what was sent, in
// order, however often the connection breaks.
#include "prove.h"

#include <errno.h>
#include <stdint.h>

enum { HOSTS = 3, CLIENTS = 2, ROUNDS = 6, MOST = 6000, TRIES = 5 };

int error_made, was_error_seen, is_rough;

int is_expected(int code) {
    static const int codes[] = {ECONNREFUSED, ECONNRESET, ECONNABORTED,  EPIPE,
                                ETIMEDOUT,    EMFILE,     ENFILE,        ENOBUFS,
                                ENOMEM,       ENODATA,    EHOSTUNREACH,  ENETUNREACH,
                                ECANCELED,    WEFT_ENAME, WEFT_ENAMEFAIL};
    was_error_seen |= code < 0 && code == error_made;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (code == -codes[i])
            return 1;
    return code >= 0;
}

void see_end_of(weft_sim *sim, const char *name) {
    int result;
    while ((result = weft_sim_wait(sim, name)) == -EHOSTDOWN)
        weft_sleep(WEFT_SECOND);
    weft_sim_check(result == 0 || (is_rough && is_expected(result)));
}

int run_alone(weft_sim *sim, int (*program)(void *)) {
    int error = weft_sim_host(sim, "one", "10.0.0.1", program, NULL);
    if (error < 0)
        return error;
    see_end_of(sim, "one");
    return 0;
}

static int try_until_it_works(int (*make)(const char *), const char *where) {
    int h;
    weft_within(5 * WEFT_MINUTE);
    while ((h = make(where)) < 0 && weft_check() == 0) {
        weft_sim_check(is_expected(h));
        if (weft_sleep((1 + below(100)) * WEFT_MILLISECOND) < 0)
            break;
    }
    return h;
}

int connect_somehow(const char *where) {
    return try_until_it_works(weft_tcp_connect, where);
}

int listen_somehow(const char *where) {
    return try_until_it_works(weft_tcp_listen, where);
}

// An error is not handed on as an end.
static int echo(int conn) {
    char buf[700];
    ssize_t n;
    weft_within(30 * WEFT_MINUTE);
    while ((n = weft_read(conn, buf, sizeof buf)) > 0)
        if ((n = weft_write_all(conn, buf, (size_t)n)) < 0)
            break;
    weft_sim_check(is_expected((int)n));
    return n < 0 ? weft_abort(conn) : weft_close(conn);
}

int serve_echo(void *where) {
    weft_autojoin weft_scope clients = {0};
    weft_autoclose int listener = listen_somehow(where);
    for (;;) {
        int conn = weft_accept(listener);
        int error = weft_go(&clients, echo, conn);
        if (conn < 0 || error < 0)
            return conn < 0 ? conn : error;
    }
}

// Sends and reads back at once; returns 0 when all was there, else the error.
static int talk(int conn, unsigned client) {
    static char out[HOSTS * CLIENTS][MOST], in[HOSTS * CLIENTS][MOST];
    size_t size = 1 + below(MOST);
    for (size_t i = 0; i < size; i++)
        out[client][i] = byte_at(client, i);
    ssize_t n = weft_write_all(conn, out[client], size);
    size_t expected = size;
    if (n < 0)
        return (int)n;
    n = weft_read_exact(conn, in[client], size);
    if (n < 0)
        expected = weft_moved();
    for (size_t i = 0; i < expected; i++)
        weft_sim_check(in[client][i] == byte_at(client, i));
    return n < 0 ? (int)n : 0;
}

static int run_client(void *arg) {
    unsigned client = (unsigned)(uintptr_t)arg;
    for (int tries = 0; tries < TRIES; tries++) {
        weft_within(20 * WEFT_MINUTE);
        weft_autoclose int conn = connect_somehow("server:7878");
        int error = conn < 0 ? conn : 0;
        for (int round = 0; round < ROUNDS && error == 0; round++)
            error = talk(conn, client);
        weft_sim_check(is_expected(error));
        if (error == 0 || error == -ECANCELED)
            return 0;
    }
    return 0;
}

static int run_clients(void *first) {
    weft_autojoin weft_scope clients = {0};
    for (uintptr_t i = 0; i < CLIENTS; i++)
        if (weft_go(&clients, run_client, (void *)((uintptr_t)first + i)) < 0)
            break;
    return weft_join(&clients);
}

int echo_world(weft_sim *sim, void *unused) {
    static const char *const names[HOSTS] = {"one", "two", "three"};
    static const char *const addresses[HOSTS] = {"10.0.0.2", "10.0.0.3,fd00::3", "10.0.0.4"};
    int error;
    (void)unused;
    if ((error = weft_sim_host(sim, "server", "10.0.0.1,fd00::1", serve_echo, "0.0.0.0:7878")) < 0)
        return error;
    for (uintptr_t i = 0; i < HOSTS; i++)
        if ((error = weft_sim_host(sim, names[i], addresses[i], run_clients,
                                   (void *)(i * CLIENTS))) < 0)
            return error;
    if (below(4) == 0) {
        weft_sleep(below(2000) * WEFT_MICROSECOND);
        weft_must(weft_sim_partition(sim, names[below(HOSTS)], NULL));
        weft_sleep(below(20) * WEFT_SECOND);
        weft_must(weft_sim_heal(sim, NULL, NULL));
    }
    for (size_t i = 0; i < HOSTS; i++)
        see_end_of(sim, names[i]);
    return 0;
}
