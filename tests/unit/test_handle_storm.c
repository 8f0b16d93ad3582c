// SPDX-License-Identifier: MIT
// A storm over handles: plain threads and tasks read, write, peek, wait, shut down, close, open and
// cancel at random, on the same few connections. Each connection carries bytes of its own value, so
// that a byte of another one is noticed; what one direction delivered is never more than what was
// written, and exactly that when the connection was brought to its end in peace. So no operation
// that a cancel, a deadline or a close has ended has moved a byte without saying so.
#define UNIT_WORKERS "2"
#include "task_tools.h"

#include <sys/socket.h>

enum { THREADS = 4, CONNS = 6, TASKS = 4, OPS = 12, SIZE = 700 };

enum { OPEN, ENDING };

struct conn {
    atomic_int state, users;
    atomic_int ends[2];
    atomic_uchar value;
    atomic_bool was_shut, was_closed;
    atomic_size_t written[2], delivered[2]; // by the end that wrote, the end that read
};

static struct conn conns[CONNS];
static atomic_size_t renewals, next_value, ops_done;
static atomic_int threads_left;
static size_t renewal_limit;

// ---- Connections ----------------------------------------------------------------------------

// Over a pair of local sockets: as good as TCP here, and made in no time.
static void connect_ends(struct conn *conn) {
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    for (int end = 0; end < 2; end++) {
        int size = 4096;
        assert_int_equal(setsockopt(fds[end], SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
        atomic_store(&conn->written[end], 0);
        atomic_store(&conn->delivered[end], 0);
        int h = opened(weft__handle_open(fds[end], WEFT__KIND_STREAM, weft__handle_serial()));
        atomic_store(&conn->ends[end], h);
    }
    atomic_store(&conn->was_shut, false);
    atomic_store(&conn->was_closed, false);
    atomic_store(&conn->value, (unsigned char)atomic_fetch_add(&next_value, 1));
}

static bool enter(struct conn *conn) {
    atomic_fetch_add(&conn->users, 1);
    if (atomic_load(&conn->state) == OPEN)
        return true;
    atomic_fetch_sub(&conn->users, 1);
    return false;
}

static void leave(struct conn *conn) {
    atomic_fetch_sub(&conn->users, 1);
}

// ---- Single operations ----------------------------------------------------------------------

// What the others may have done to us at any time.
static bool is_interruption(ssize_t code) {
    return (code == -ETIMEDOUT && weft_timed_out()) || code == -ECANCELED;
}

static void check_failure(const struct conn *conn, ssize_t code) {
    if (is_interruption(code))
        return;
    bool was_closed = atomic_load(&conn->was_closed), was_shut = atomic_load(&conn->was_shut);
    if (code == -EBADF || code == -ECONNRESET)
        assert_true(was_closed);
    else if (code == -EPIPE || code == 0)
        assert_true(was_closed || was_shut);
    else
        fail_msg("unexpected result %zd", code);
}

static void check_bytes(const struct conn *conn, const unsigned char *buf, ssize_t size) {
    for (ssize_t i = 0; i < size; i++)
        assert_int_equal(buf[i], atomic_load(&conn->value));
}

static void read_some(struct conn *conn, int end, size_t size) {
    unsigned char buf[SIZE];
    ssize_t n = weft_read(atomic_load(&conn->ends[end]), buf, size);
    if (n <= 0) {
        check_failure(conn, n);
        return;
    }
    check_bytes(conn, buf, n);
    atomic_fetch_add(&conn->delivered[end], (size_t)n);
}

static void peek_some(struct conn *conn, int end, size_t size) {
    unsigned char buf[SIZE];
    ssize_t n = weft_peek(atomic_load(&conn->ends[end]), buf, size);
    if (n <= 0)
        check_failure(conn, n);
    check_bytes(conn, buf, n);
}

static void write_some(struct conn *conn, int end, size_t size) {
    unsigned char buf[SIZE];
    memset(buf, atomic_load(&conn->value), sizeof buf);
    ssize_t n = weft_write(atomic_load(&conn->ends[end]), buf, size);
    if (n > 0)
        atomic_fetch_add(&conn->written[end], (size_t)n);
    else
        check_failure(conn, n);
}

static void write_all(struct conn *conn, int end, size_t size) {
    unsigned char buf[SIZE];
    memset(buf, atomic_load(&conn->value), sizeof buf);
    ssize_t n = weft_write_all(atomic_load(&conn->ends[end]), buf, size);
    if (n < 0)
        check_failure(conn, n);
    atomic_fetch_add(&conn->written[end], n < 0 ? weft_moved() : (size_t)n);
}

static void await_readiness(struct conn *conn, int end, int events) {
    int n = weft_ready(atomic_load(&conn->ends[end]), events);
    if (n < 0)
        check_failure(conn, n);
    else
        assert_true(n > 0 && (n & ~events) == 0);
}

static void close_end(struct conn *conn, int end) {
    atomic_store(&conn->was_closed, true);
    expect_either(weft_close(atomic_load(&conn->ends[end])), 0, -EBADF);
}

static void shut_end(struct conn *conn, int end) {
    atomic_store(&conn->was_shut, true);
    int error = weft_shutdown(atomic_load(&conn->ends[end]), WEFT_WRITE);
    if (error < 0)
        check_failure(conn, error);
}

static void do_one(struct dice *dice) {
    struct conn *conn = &conns[dice_roll(dice, CONNS)];
    if (!enter(conn))
        return;
    int end = (int)dice_roll(dice, 2);
    size_t size = 1 + dice_roll(dice, SIZE);
    uint64_t what = dice_roll(dice, 400);
    weft_within((int64_t)dice_roll(dice, 300) * WEFT_MICROSECOND);
    if (what < 150)
        read_some(conn, end, size);
    else if (what < 260)
        write_some(conn, end, size);
    else if (what < 330)
        write_all(conn, end, size);
    else if (what < 360)
        peek_some(conn, end, size);
    else if (what < 396)
        await_readiness(conn, end, 1 + (int)dice_roll(dice, 3));
    else if (what < 398)
        shut_end(conn, end);
    else
        close_end(conn, end);
    atomic_fetch_add(&ops_done, 1);
    leave(conn);
}

// ---- The end of a connection, and the next --------------------------------------------------

static void await_only_user(struct conn *conn) {
    while (atomic_load(&conn->users) > 1)
        weft__os_yield();
}

// Reads what is still there, to the end of the stream.
static void drain_end(struct conn *conn, int end) {
    unsigned char buf[SIZE];
    ssize_t n;
    while ((n = weft_read(atomic_load(&conn->ends[end]), buf, sizeof buf)) > 0) {
        check_bytes(conn, buf, n);
        atomic_fetch_add(&conn->delivered[end], (size_t)n);
    }
    if (!atomic_load(&conn->was_closed))
        assert_int_equal(n, 0);
}

static void end_in_peace(struct conn *conn) {
    await_only_user(conn);
    for (int end = 0; end < 2; end++)
        (void)weft_shutdown(atomic_load(&conn->ends[end]), WEFT_WRITE);
    for (int end = 0; end < 2; end++)
        drain_end(conn, end);
    for (int end = 0; end < 2; end++) {
        size_t written = atomic_load(&conn->written[!end]);
        size_t delivered = atomic_load(&conn->delivered[end]);
        if (atomic_load(&conn->was_closed))
            assert_true(delivered <= written);
        else
            assert_int_equal(delivered, written);
        (void)weft_close(atomic_load(&conn->ends[end]));
    }
}

static void end_at_once(struct conn *conn) {
    for (int end = 0; end < 2; end++)
        close_end(conn, end);
    await_only_user(conn);
    for (int end = 0; end < 2; end++)
        assert_true(atomic_load(&conn->delivered[end]) <= atomic_load(&conn->written[!end]));
}

static void renew(struct conn *conn, bool in_peace) {
    int expected = OPEN;
    if (!enter(conn))
        return;
    if (!atomic_compare_exchange_strong(&conn->state, &expected, ENDING)) {
        leave(conn);
        return;
    }
    if (in_peace)
        end_in_peace(conn);
    else
        end_at_once(conn);
    for (int end = 0; end < 2; end++)
        expect(weft_close(atomic_load(&conn->ends[end])), -EBADF);
    connect_ends(conn);
    atomic_fetch_add(&renewals, 1);
    atomic_store(&conn->state, OPEN);
    leave(conn);
}

// ---- Who does it ----------------------------------------------------------------------------

static int task(void *arg) {
    struct dice dice = {(uint64_t)(uintptr_t)arg};
    for (int i = 0; i < OPS; i++)
        do_one(&dice);
    return 0;
}

// A few tasks of this thread's, cancelled or not.
static void run_tasks(struct dice *dice) {
    weft_scope scope = {0};
    for (int i = 0; i < TASKS; i++)
        expect(weft_go(&scope, task, (void *)(uintptr_t)dice_roll(dice, UINT64_C(1) << 40)), 0);
    for (uint64_t i = 0; i < dice_roll(dice, 5); i++)
        do_one(dice);
    if (dice_roll(dice, 2))
        weft_cancel(&scope);
    expect(weft_join(&scope), 0);
}

static void *storm(void *arg) {
    struct dice dice = {(uint64_t)(uintptr_t)arg};
    while (atomic_load(&renewals) < renewal_limit) {
        uint64_t what = dice_roll(&dice, 30);
        if (what < 2)
            renew(&conns[dice_roll(&dice, CONNS)], what == 0);
        else if (what < 6)
            run_tasks(&dice);
        else
            do_one(&dice);
    }
    atomic_fetch_sub(&threads_left, 1);
    return NULL;
}

static void every_byte_is_accounted_for(void **state) {
    (void)state;
    pthread_t threads[THREADS];
    needs_runtime();
    renewal_limit = times(6000);
    atomic_store(&renewals, 0);
    atomic_store(&threads_left, THREADS);
    for (int i = 0; i < CONNS; i++) {
        conns[i] = (struct conn){.state = OPEN};
        connect_ends(&conns[i]);
    }
    for (int i = 0; i < THREADS; i++)
        threads[i] = thread_start(storm, (void *)(uintptr_t)(i + 1));
    while (atomic_load(&threads_left) > 0)
        expect(weft_sleep(WEFT_MILLISECOND), 0);
    for (int i = 0; i < THREADS; i++)
        thread_join(threads[i]);
    for (int i = 0; i < CONNS; i++)
        end_in_peace(&conns[i]);
    assert_true(atomic_load(&ops_done) > renewal_limit);
}

int main(void) {
    const struct CMUnitTest cases[] = {
        CASE_IN_TASK(every_byte_is_accounted_for),
        CASE_ON_URING(every_byte_is_accounted_for),
    };
    return RUN(cases);
}
