// SPDX-License-Identifier: MIT
// A small program of tasks, connections, datagrams, names, blocking calls and signals, in which the
// n-th allocation, mapping, thread or operation fails, for each n: every call says so or succeeds,
// nobody hangs, and nothing is left behind.
#define UNIT_WORKERS "2"
#include "task_tools.h"

#include <signal.h>
#include <stdio.h>

// What a call may answer when something failed for want of memory: that; or, on the other side of
// it, that the peer has gone away, was never there, or has let us wait too long.
static bool is_consequence(int64_t code) {
    static const int codes[] = {-ECONNRESET, -ECONNREFUSED, -EPIPE, -ENODATA,        -ENOTCONN,
                                -ECANCELED,  -ETIMEDOUT,    -EBADF, -WEFT_ENAMEFAIL, -WEFT_ENAME};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (code == codes[i])
            return true;
    return false;
}

static int64_t check(int64_t result) {
    bool is_failure = result == -ENOMEM || result == -ENOBUFS || result == -EAGAIN;
    if (result < 0 && !is_failure && !is_consequence(result))
        fail_msg("unexpected result %lld (%s)", (long long)result, weft_strerrorname(result));
    return result;
}

static weft_addr where;

static int serve(int conn) {
    char buf[300];
    ssize_t n;
    while ((n = check(weft_read(conn, buf, sizeof buf))) > 0)
        if (check(weft_write_all(conn, buf, (size_t)n)) < 0)
            break;
    (void)check(weft_close(conn));
    return 0;
}

static int accept_all(void *arg) {
    weft_autojoin weft_scope clients = {0};
    int listener = *(int *)arg;
    int64_t result;
    do
        result = check(weft_go(&clients, serve, weft_accept(listener)));
    while (result >= 0 || result == -ENOMEM);
    return 0;
}

static int ask(void *arg) {
    static const char text[1500];
    char buf[sizeof text];
    weft_autoclose int conn = (int)check(weft_tcp_connect_with(&where, NULL));
    (void)arg;
    (void)check(weft_printf(conn, "%1500s", "x"));
    (void)check(weft_read_exact(conn, buf, sizeof buf));
    (void)check(weft_ready(conn, WEFT_WRITE));
    (void)check(weft_shutdown(conn, WEFT_WRITE));
    return 0;
}

static int look_around(void *arg) {
    return (int)weft_local_addr(*(int *)arg, &(weft_addr){0});
}

static int ping(void *arg) {
    char buf[16];
    weft_addr addr;
    weft_autoclose int sock = (int)check(weft_udp_bind("127.0.0.1:0"));
    (void)arg;
    if (check(weft_local_addr(sock, &addr)) < 0)
        return 0;
    if (check(weft_send_to(sock, "ping", 4, &addr)) == 4)
        (void)check(weft_recv_from(sock, buf, sizeof buf, NULL));
    (void)check(weft_resolve("localhost:1", &addr, 1));
    (void)check(weft_blocking(look_around, &sock));
    return 0;
}

static void discard_line(int level, const char *text, void *context) {
    (void)level;
    (void)text;
    (void)context;
}

// The deadline only ends what waits for a peer that has failed.
static void run_program(const char *driver) {
    weft_scope server = {0}, clients = {0};
    weft_options options = {.driver = driver, .log = discard_line};
    if (check(weft_start(&options)) < 0)
        return;
    (void)check(weft_signal_hold(&(int){SIGUSR2}, 1));
    int listener = (int)check(weft_tcp_listen("127.0.0.1:0"));
    {
        weft_within((test_slowness() > 1 ? 1000 : 200) * WEFT_MILLISECOND);
        if (check(weft_local_addr(listener, &where)) == 0) {
            (void)check(weft_go(&server, accept_all, &listener));
            for (int i = 0; i < 2; i++)
                (void)check(weft_go(&clients, ask, NULL));
            (void)check(weft_go_with(&clients, ping, NULL, &(weft_task_options){.name = "ping"}));
        }
        (void)check(weft_join(&clients));
    }
    (void)check(weft_close(listener));
    weft_cancel(&server);
    (void)check(weft_join(&server));
    expect(weft_stop(INT64_MAX), 0);
}

// As many handles as there will ever be, because their table grows and does not shrink.
static void grow_table(void) {
    enum { COUNT = WEFT__FREE_BEFORE_REUSE + 2048 };
    static int handles[COUNT];
    for (int i = 0; i < COUNT; i++)
        handles[i] = opened(weft__handle_open(-1, WEFT__KIND_STREAM, weft__handle_serial()));
    for (int i = 0; i < COUNT; i++) {
        struct weft__handle *handle;
        expect(weft__handle_close(weft__self(), handles[i], &handle), 0);
        weft__handle_free(handle);
    }
}

// Whether the call that was to fail has come: if not, one of so many more would be it.
static bool has_failed(enum weft__fail_kind kind, uint64_t n) {
    for (uint64_t i = 0; i < n; i++)
        if (weft__fail(kind) != 0)
            return false;
    return true;
}

static void fail_each(const char *driver, enum weft__fail_kind kind, int error) {
    grow_table();
    run_program(driver); // what stays for good is there
    size_t living = weft__alloc_living();
    uint64_t n = 0, limit = times(60);
    for (bool is_reached = true; is_reached && n < limit;) {
        struct leftovers left;
        leftovers_count(&left);
        weft__fail_arm(kind, ++n, 0, error);
        run_program(driver);
        is_reached = has_failed(kind, n);
        fault_none();
        expect(weft_stop(0), -ENOENT);
        leftovers_expect_none(&left);
        if (weft__alloc_living() != living)
            fail_msg("kind %d, call %d on %s: %zu blocks, and %zu before", kind, (int)n, driver,
                     weft__alloc_living(), living);
    }
    assert_true(n > 1 || kind == WEFT__FAIL_THREAD); // threads that look names up stay
}

static void the_first_lookup_finds_no_thread(void **state) {
    (void)state;
    weft__fail_arm(WEFT__FAIL_THREAD, 1, 0, -EAGAIN);
    run_program("epoll");
    assert_true(has_failed(WEFT__FAIL_THREAD, 1));
}

static void without_memory(const char *driver) {
    fail_each(driver, WEFT__FAIL_ALLOC, -ENOMEM);
    fail_each(driver, WEFT__FAIL_PAGES, -ENOMEM);
    fail_each(driver, WEFT__FAIL_THREAD, -EAGAIN);
}

static void whatever_memory_is_wanting_on_epoll(void **state) {
    (void)state;
    without_memory("epoll");
}

static void whatever_memory_is_wanting_on_io_uring(void **state) {
    (void)state;
    if (test_under_valgrind() || weft_start(&(weft_options){.driver = "uring"}) < 0)
        skip();
    expect(weft_stop(0), 0);
    without_memory("uring");
}

static void whatever_operation_fails(void **state) {
    (void)state;
    for (enum weft__fail_kind kind = WEFT__FAIL_READ; kind <= WEFT__FAIL_CTL; kind++)
        fail_each("epoll", kind, kind % 2 ? -ENOMEM : -ENOBUFS);
}

int main(void) {
    const struct CMUnitTest cases[] = {
        CASE(the_first_lookup_finds_no_thread),
        CASE(whatever_memory_is_wanting_on_epoll),
        CASE(whatever_memory_is_wanting_on_io_uring),
        CASE(whatever_operation_fails),
    };
    return RUN(cases);
}
