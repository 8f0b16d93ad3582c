// SPDX-License-Identifier: MIT
// A listener for each worker at one address: weft_tcp_options.per_worker_listen.
#include "under.h"

#include <pthread.h>

struct shop {
    int worker; // it is this worker's
    weft_addr addr;
    pthread_t thread;
    int listener;
    struct flag is_open, served;
};

static struct shop shops[WORKERS_MAX];

static const weft_tcp_options shared = {.per_worker_listen = 1};

// Tells the client which worker serves it; on the thread that has accepted it.
static int serve(int conn) {
    char number;
    for (int i = 0; i < WORKERS_MAX; i++)
        if (flag_value(&shops[i].is_open) && pthread_equal(shops[i].thread, pthread_self())) {
            number = (char)shops[i].worker;
            flag_raise(&shops[i].served);
            expect(weft_write(conn, &number, 1), 1);
        }
    return weft_close(conn);
}

static int keep_shop(void *context) {
    struct shop *shop = context;
    weft_scope clients = {0};
    int error;
    shop->thread = pthread_self();
    shop->listener = opened(weft_tcp_listen_with(&shop->addr, &shared));
    flag_raise(&shop->is_open);
    do
        error = weft_go_with(&clients, serve, weft_accept(shop->listener),
                             &(weft_task_options){.worker = WEFT_WORKER_HERE});
    while (error == 0);
    expect(error, -EBADF); // closed
    return weft_join(&clients);
}

static int first_address(weft_addr *ret_addr) {
    weft_addr anywhere = weft_addr_ipv4(127, 0, 0, 1, 0);
    int listener = opened(weft_tcp_listen_with(&anywhere, &shared));
    expect(weft_local_addr(listener, ret_addr), 0);
    return listener;
}

// The first listener only finds a port. What waits at a listener is reset when that is closed, so
// it is closed before a client comes.
static void open_shops(int workers, weft_scope *scope) {
    weft_addr addr;
    int first = first_address(&addr);
    for (int i = 0; i < workers; i++) {
        shops[i] = (struct shop){.worker = i + 1, .addr = addr};
        go_on(i + 1, scope, keep_shop, &shops[i]);
    }
    for (int i = 0; i < workers; i++)
        await_flag(&shops[i].is_open, 1);
    expect(weft_close(first), 0);
}

static int visit(const weft_addr *addr) {
    char number = 0, more;
    int conn = opened(weft_tcp_connect_with(addr, NULL));
    expect(weft_read(conn, &number, 1), 1);
    expect(weft_read(conn, &more, 1), 0);
    expect(weft_close(conn), 0);
    return number;
}

// The kernel's hash decides. That one of eight listeners gets none of 512 connections happens once
// in 10^28 runs.
static void expect_all_to_be_visited(int workers) {
    enum { VISITS = 512 };
    int visits[WORKERS_MAX + 1] = {0}, sum = 0;
    weft_scope scope = {0};
    for (int i = 0; i < WORKERS_MAX; i++)
        shops[i] = (struct shop){.worker = 0};
    open_shops(workers, &scope);
    for (int i = 0; i < VISITS; i++)
        visits[visit(&shops[0].addr)]++;
    for (int i = 0; i < workers; i++) {
        expect_that(visits[i + 1] > 0);
        expect(flag_value(&shops[i].served), visits[i + 1]);
        sum += visits[i + 1];
        expect(weft_close(shops[i].listener), 0);
    }
    expect(sum, VISITS);
    expect(weft_join(&scope), 0);
}

// "Each worker may have a listener of its own at the same address."
CASE(the_listeners_of_all_workers_get_connections, .is_bare = true) {
    under_1_2_and_8(expect_all_to_be_visited);
}
CASE_NEEDS_PUBLIC_DRIVER(the_listeners_of_all_workers_get_connections)

// "All set the option."
CASE(a_listener_without_the_option_keeps_its_address_for_itself) {
    weft_addr addr;
    int listener = first_address(&addr);
    expect(weft_tcp_listen_with(&addr, NULL), -EADDRINUSE);
    int second = opened(weft_tcp_listen_with(&addr, &shared));
    expect(weft_close(listener), 0);
    expect(weft_close(second), 0);
    listener = opened(weft_tcp_listen_with(&addr, NULL));
    expect(weft_tcp_listen_with(&addr, &shared), -EADDRINUSE);
    expect(weft_close(listener), 0);
}
