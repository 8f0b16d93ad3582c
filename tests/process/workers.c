// SPDX-License-Identifier: MIT
// A program of many workers, as its user starts it: with WEFT_WORKERS, taskset(1), or neither.
//   workers count    says how many there are
//   workers storm    a tree of tasks and connections among all workers, then "all is well"
//   workers listen   an HTTP server with a listener for each worker, until it is killed; an answer
//                    says which worker has given it
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft.h>

enum { CLIENTS = 200, ROUNDS = 20, DEPTH = 5, WIDTH = 6 };

static weft_addr where;

// ---- storm ----------------------------------------------------------------------------------

static int echo(int conn) {
    char buf[256];
    ssize_t n;
    while ((n = weft_read(conn, buf, sizeof buf)) > 0)
        if ((n = weft_write_all(conn, buf, (size_t)n)) < 0)
            break;
    weft_close(conn);
    return (int)n;
}

static int serve(int listener) {
    weft_autojoin weft_scope clients = {0};
    int error;
    do
        error = weft_go(&clients, echo, weft_accept(listener));
    while (error == 0);
    return error == -EBADF ? weft_join(&clients) : error;
}

static int talk(void *arg) {
    char question[64], answer[64];
    weft_autoclose int conn = weft_must(weft_tcp_connect_with(&where, NULL));
    for (int i = 0; i < ROUNDS; i++) {
        memset(question, 'a' + i, sizeof question);
        weft_must(weft_write_all(conn, question, sizeof question));
        weft_must(weft_read_exact(conn, answer, sizeof answer));
        if (memcmp(question, answer, sizeof question) != 0)
            return -EIO;
    }
    atomic_fetch_add((atomic_int *)arg, 1);
    return 0;
}

struct branch {
    int depth;
    atomic_long *leaves;
};

static int grow(void *arg) {
    struct branch *branch = arg, below = {branch->depth - 1, branch->leaves};
    weft_scope scope = {0};
    if (branch->depth == 0) {
        atomic_fetch_add(branch->leaves, 1);
        return 0;
    }
    for (int i = 0; i < WIDTH; i++)
        weft_must(weft_go(&scope, grow, (void *)&below));
    return weft_join(&scope);
}

static long power(long base, int exponent) {
    return exponent == 0 ? 1 : base * power(base, exponent - 1);
}

static int storm(void) {
    weft_scope server = {0}, clients = {0};
    atomic_int talks = 0;
    atomic_long leaves = 0;
    struct branch root = {DEPTH, &leaves};
    int listener = weft_must(weft_tcp_listen("127.0.0.1:0"));
    weft_must(weft_local_addr(listener, &where));
    weft_must(weft_go(&server, serve, listener));
    for (int i = 0; i < CLIENTS; i++)
        weft_must(weft_go_with(&clients, talk, (void *)&talks,
                               &(weft_task_options){.worker = 1 + i % weft_worker_count()}));
    weft_must(weft_go(&clients, grow, (void *)&root));
    weft_must(weft_join(&clients));
    weft_must(weft_close(listener));
    weft_must(weft_join(&server));
    if (talks != CLIENTS || leaves != power(WIDTH, DEPTH))
        return 1;
    puts("all is well");
    return 0;
}

// ---- listen ---------------------------------------------------------------------------------

struct shop {
    pthread_t thread; // its worker's
};

static struct shop shops[9]; // as many as have a number of one digit
static atomic_int shops_open;
static const weft_tcp_options shared = {.per_worker_listen = 1};

static int answer(int conn) {
    char request[4096] = "";
    size_t size = 0;
    ssize_t n;
    while (size < sizeof request - 1 && !strstr(request, "\r\n\r\n") &&
           (n = weft_read(conn, request + size, sizeof request - 1 - size)) > 0)
        size += (size_t)n;
    for (int i = 0; i < shops_open; i++)
        if (pthread_equal(shops[i].thread, pthread_self()))
            weft_printf(conn, "HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\nworker %d\n", i + 1);
    return weft_close(conn);
}

static int keep_shop(void *arg) {
    struct shop *shop = arg;
    weft_autojoin weft_scope clients = {0};
    weft_task_options here = {.worker = WEFT_WORKER_HERE};
    int listener = weft_must(weft_tcp_listen_with(&where, &shared));
    shop->thread = pthread_self();
    atomic_fetch_add(&shops_open, 1);
    while (weft_must(weft_go_with(&clients, answer, weft_accept(listener), &here)) == 0)
        ;
    return 0;
}

static int listen_everywhere(void) {
    char text[WEFT_ADDR_TEXT_SIZE];
    weft_scope scope = {0};
    where = weft_addr_ipv4(127, 0, 0, 1, 0);
    int first = weft_must(weft_tcp_listen_with(&where, &shared));
    weft_must(weft_local_addr(first, &where));
    for (int i = 0; i < weft_worker_count(); i++)
        weft_must(weft_go_with(&scope, keep_shop, (void *)&shops[i],
                               &(weft_task_options){.worker = i + 1}));
    while (shops_open < weft_worker_count())
        weft_must(weft_yield());
    weft_must(weft_close(first)); // before a client comes: it would wait there in vain
    printf("%s\n", weft_addr_text(&where, text));
    fflush(stdout);
    return weft_join(&scope);
}

int main(int argc, char **argv) {
    const char *mode = argc == 2 ? argv[1] : "";
    int status = 2;
    weft_must(weft_start(NULL));
    if (strcmp(mode, "count") == 0)
        status = printf("%d\n", weft_worker_count()) < 0;
    else if (strcmp(mode, "storm") == 0)
        status = storm();
    else if (strcmp(mode, "listen") == 0)
        status = listen_everywhere();
    weft_must(weft_stop(INT64_MAX));
    return status;
}
