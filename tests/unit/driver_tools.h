// SPDX-License-Identifier: MIT
// What the cases of the driver contract are written with: a driver, sockets made by its `ctl`, and
// operations that count their completions. Everything goes through the driver, so that the
// simulator can run the same cases.
#ifndef TESTS_UNIT_DRIVER_TOOLS_H
#define TESTS_UNIT_DRIVER_TOOLS_H

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/address.h"
#include "driver/driver.h"
#include "os/os.h"

// The driver under test. `is_real`: descriptors are the system's and other threads exist.
struct contract {
    const char *name;
    int (*start)(struct weft__driver **ret_driver);
    bool is_real;
};

static const struct contract *contract;
static struct weft__driver *d; // of the case that runs
static uint64_t last_serial;
static size_t fds_before, blocks_before;

// A hang ends after so many seconds, by alarm(2); no case takes a second.
enum { HANG_S = 120 };

static const int64_t PATIENCE_NS = 30 * INT64_C(1000000000);

// ---- Sockets ----

struct sock {
    int fd;
    uint64_t serial;
};

static inline struct sock sock_of(int64_t fd) {
    assert_true(fd >= 0);
    return (struct sock){.fd = (int)fd, .serial = ++last_serial};
}

static inline int64_t ctl(enum weft__ctl_kind kind, struct sock s, int value, weft_addr *addr) {
    return d->class->ctl(
        d, &(struct weft__ctl){.kind = kind, .fd = s.fd, .value = value, .addr = addr});
}

static inline struct sock open_socket(int type) {
    struct weft__ctl make = {.kind = WEFT__CTL_SOCKET, .family = WEFT_IPV4, .type = type};
    return sock_of(d->class->ctl(d, &make));
}

static inline void close_socket(struct sock s) {
    assert_int_equal(ctl(WEFT__CTL_CLOSE, s, 0, NULL), 0);
}

static inline weft_addr loopback(uint16_t port) {
    const uint8_t ip[] = {127, 0, 0, 1};
    return weft__address_make(WEFT_IPV4, ip, port, 0);
}

// A socket bound to a port of 127.0.0.1 that the system chose.
static inline struct sock open_bound(int type, weft_addr *ret_addr) {
    struct sock s = open_socket(type);
    weft_addr addr = loopback(0);
    assert_int_equal(ctl(WEFT__CTL_BIND, s, 0, &addr), 0);
    assert_int_equal(ctl(WEFT__CTL_LOCAL, s, 0, ret_addr), 0);
    return s;
}

static inline struct sock open_listener(int backlog, weft_addr *ret_addr) {
    struct sock s = open_bound(WEFT__STREAM, ret_addr);
    assert_int_equal(ctl(WEFT__CTL_LISTEN, s, backlog, NULL), 0);
    return s;
}

// ---- Operations ----

// An op with its buffer and what became of it. `then` is called inside `done`.
struct call {
    struct weft__op op;
    struct iovec iov[4];
    weft_addr peer;
    int done_count;
    void (*then)(struct call *call);
    struct call *other;
};

static inline void on_done(struct weft__op *op) {
    struct call *call = op->owner;
    assert_false(op->is_pending);
    call->done_count++;
    if (call->then != NULL)
        call->then(call);
}

static inline void prepare(struct call *call, enum weft__op_kind kind, struct sock s) {
    *call = (struct call){0};
    call->op.kind = kind;
    call->op.fd = s.fd;
    call->op.serial = s.serial;
    call->op.done = on_done;
    call->op.owner = call;
    call->op.iov = call->iov;
}

static inline void prepare_io(struct call *call, enum weft__op_kind kind, struct sock s,
                              const void *buf, size_t size) {
    prepare(call, kind, s);
    call->iov[0] = (struct iovec){.iov_base = (void *)buf, .iov_len = size};
    call->op.count = 1;
}

static inline void prepare_connect(struct call *call, struct sock s, const weft_addr *to) {
    prepare(call, WEFT__OP_CONNECT, s);
    call->peer = *to;
    call->op.peer = &call->peer;
}

static inline void submit(struct call *call) {
    int done_before = call->done_count;
    assert_int_equal(d->class->submit(d, &call->op), 0);
    assert_int_equal(call->done_count, done_before); // contract 3: never from inside submit
    assert_true(call->op.is_pending);
}

static inline int64_t now_ns(void) {
    return d->class->now(d, WEFT__MONOTONIC);
}

static inline void await_done(const struct call *call) {
    int64_t until = now_ns() + PATIENCE_NS;
    while (call->op.is_pending) {
        assert_true(now_ns() < until);
        d->class->wait(d, until);
    }
    assert_int_equal(call->done_count, 1);
}

// Tries, and submits and waits if it has to.
static inline int64_t run(struct call *call) {
    int64_t result = d->class->try(d, &call->op);
    if (result != -EAGAIN)
        return result;
    submit(call);
    await_done(call);
    return call->op.result;
}

static inline int64_t run_io(enum weft__op_kind kind, struct sock s, const void *buf, size_t size) {
    struct call call;
    prepare_io(&call, kind, s, buf, size);
    return run(&call);
}

// Cancels and waits for the completion, of which there is one. Returns its result.
static inline int64_t cancel(struct call *call) {
    d->class->cancel(d, &call->op);
    await_done(call);
    return call->op.result;
}

static inline int64_t write_text(struct sock s, const char *text) {
    return run_io(WEFT__OP_WRITE, s, text, strlen(text));
}

// Reads once; the text is as expected.
#define assert_reads(s, expected)                                                                  \
    do {                                                                                           \
        char read_buf[64] = {0};                                                                   \
        int64_t read_n = run_io(WEFT__OP_READ, (s), read_buf, sizeof read_buf - 1);                \
        assert_int_equal(read_n, strlen(expected));                                                \
        assert_string_equal(read_buf, (expected));                                                 \
    } while (0)

// ---- Pairs ----

struct pair {
    struct sock client, server;
};

static inline struct pair open_pair_at(struct sock listener, const weft_addr *addr) {
    struct pair pair = {.client = open_socket(WEFT__STREAM)};
    struct call connect_call, accept_call;
    prepare_connect(&connect_call, pair.client, addr);
    assert_int_equal(run(&connect_call), 0);
    prepare(&accept_call, WEFT__OP_ACCEPT, listener);
    pair.server = sock_of(run(&accept_call));
    return pair;
}

static inline struct pair open_pair(void) {
    weft_addr addr;
    struct sock listener = open_listener(8, &addr);
    struct pair pair = open_pair_at(listener, &addr);
    close_socket(listener);
    return pair;
}

static inline void close_pair(struct pair pair) {
    close_socket(pair.client);
    close_socket(pair.server);
}

// Writes until the connection takes no more; returns how many bytes went out.
static inline size_t fill(struct sock s) {
    static const char bytes[65536];
    size_t total = 0;
    struct call call;
    for (;;) {
        prepare_io(&call, WEFT__OP_WRITE, s, bytes, sizeof bytes);
        int64_t n = d->class->try(d, &call.op);
        if (n == -EAGAIN)
            return total;
        assert_true(n > 0);
        total += (size_t)n;
    }
}

static inline void drain(struct sock s, size_t size) {
    static char bytes[65536];
    while (size > 0) {
        size_t ask = size < sizeof bytes ? size : sizeof bytes;
        int64_t n = run_io(WEFT__OP_READ, s, bytes, ask);
        assert_true(n > 0);
        size -= (size_t)n;
    }
}

// ---- Around each case ----

static inline size_t count_fds(void) {
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    size_t count = 0;
    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count;
}

static inline int start_case(void **state) {
    (void)state;
    alarm(HANG_S);
    fds_before = count_fds();
    blocks_before = weft__alloc_living();
    d = NULL;
    int error = contract->start(&d);
    if (error != 0)
        print_message("%s does not start here: %d\n", contract->name, error);
    return 0;
}

static inline int stop_case(void **state) {
    (void)state;
    weft__fail_disarm();
    if (d == NULL)
        return 0;
    assert_int_equal(d->pending, 0);
    assert_int_equal(d->stats.submits, d->stats.completions);
    d->class->stop(d);
    assert_int_equal(count_fds(), fds_before);
    // A thread that a case has started may free its last block a little later.
    int64_t until = weft__clock_monotonic_ns() + PATIENCE_NS;
    while (weft__alloc_living() != blocks_before && weft__clock_monotonic_ns() < until)
        weft__os_yield();
    assert_int_equal(weft__alloc_living(), blocks_before);
    return 0;
}

// At the top of a case that needs what the simulator has not.
#define only_real()                                                                                \
    do {                                                                                           \
        if (!contract->is_real)                                                                    \
            skip();                                                                                \
    } while (0)

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, start_case, stop_case)

#endif
