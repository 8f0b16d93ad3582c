// SPDX-License-Identifier: MIT
// Waits that are cut short, all the time: by deadlines, by cancellations, by a close, by all of
// them at once. Whoever waited is told at once, what had not been read is there for the next, and
// nobody touches a buffer that was given back.
#include "prove.h"

#include <errno.h>
#include <string.h>

enum {
    GAMES = 7,
    STREAM_SIZE = 3000,
    BUFFERS = 20,
    PIECES = 3,
    CROWD = 8,
    UNTOUCHED = 0x5a,
    PATIENCE = 100, // waits in vain: a peer that timed out may never be heard of again
};

// Time moves only when nothing can run, so whoever is told is told without delay.
static const int64_t AT_ONCE = 10 * WEFT_MICROSECOND;
static const int64_t LAST_WORDS = 5 * WEFT_MILLISECOND;

static void pause_up_to(unsigned ms) {
    (void)weft_sleep(below(ms * 1000) * WEFT_MICROSECOND);
}

// ---- The server -----------------------------------------------------------------------------

// Many small buffers at once, empty ones among them.
static ssize_t send_some(int conn, size_t *sent) {
    char data[BUFFERS][32];
    struct iovec iov[BUFFERS];
    int count = 1 + (int)below(BUFFERS);
    for (int i = 0; i < count; i++) {
        size_t size = below(sizeof data[i]), left = STREAM_SIZE - *sent;
        iov[i] = (struct iovec){data[i], size < left ? size : left};
        for (size_t j = 0; j < iov[i].iov_len; j++)
            data[i][j] = byte_at(0, (*sent)++);
    }
    return weft_writev_all(conn, iov, count);
}

// Sends the stream in no hurry, then waits for the end of the other direction.
static int drip(int conn) {
    char buf[500];
    size_t sent = 0;
    ssize_t n = 0;
    weft_within(10 * WEFT_MINUTE);
    while (n >= 0 && sent < STREAM_SIZE) {
        n = send_some(conn, &sent);
        if (n >= 0 && below(2) == 0)
            n = weft_sleep(below(4000) * WEFT_MICROSECOND);
    }
    if (n >= 0)
        n = weft_shutdown(conn, WEFT_WRITE);
    while (n >= 0 && (n = weft_read(conn, buf, sizeof buf)) > 0)
        ;
    weft_sim_check(is_expected((int)n) || n == -ENOTCONN);
    return n < 0 ? weft_abort(conn) : weft_close(conn);
}

static int serve(void *unused) {
    (void)unused;
    weft_autojoin weft_scope clients = {0};
    weft_autoclose int listener = listen_somehow("0.0.0.0:9");
    for (;;) {
        int conn = weft_accept(listener);
        int error = weft_go(&clients, drip, conn);
        if (conn < 0 || error < 0)
            return conn < 0 ? conn : error;
    }
}

// ---- Reads that are cut short ---------------------------------------------------------------

struct reading {
    int conn;
    size_t at; // in the stream
    ssize_t result;
    int is_over, in_vain;
    char buf[900];
};

// One of the ways to read. Returns how many bytes were read, whatever the result.
static size_t read_somehow(struct reading *reading) {
    size_t size = 1 + below(sizeof reading->buf);
    struct iovec iov[PIECES] = {{0}};
    size_t first = below((unsigned)size + 1);
    unsigned way = below(3);
    iov[0] = (struct iovec){reading->buf, first};
    iov[PIECES - 1] = (struct iovec){reading->buf + first, size - first};
    if (way == 0)
        reading->result = weft_read(reading->conn, reading->buf, size);
    else if (way == 1)
        reading->result = weft_readv(reading->conn, iov, PIECES);
    else
        reading->result = weft_readv_exact(reading->conn, iov, PIECES);
    if (reading->result >= 0)
        return (size_t)reading->result;
    return way == 2 ? weft_moved() : 0;
}

static void check_untouched(const struct reading *reading, size_t from) {
    for (size_t i = from; i < sizeof reading->buf; i++)
        weft_sim_check(reading->buf[i] == UNTOUCHED);
}

// Until the deadline, at most. Later on, too, what was not read into is as it was.
static int read_within(struct reading *reading, int64_t limit) {
    memset(reading->buf, UNTOUCHED, sizeof reading->buf);
    int64_t began = weft_now();
    weft_within(limit);
    size_t got = read_somehow(reading);
    int64_t took = weft_now() - began;
    weft_sim_check(took <= limit + AT_ONCE);
    if (reading->result == -ETIMEDOUT && weft_timed_out())
        weft_sim_check(took >= limit);
    else
        reading->is_over = reading->result <= 0 && reading->result != -ECANCELED;
    for (size_t i = 0; i < got; i++)
        weft_sim_check(reading->buf[i] == byte_at(0, reading->at + i));
    check_untouched(reading, got);
    reading->at += got;
    reading->in_vain += got == 0;
    return 0;
}

static int read_until_cancelled(void *arg) {
    struct reading *reading = arg;
    return read_within(reading, WEFT_MINUTE);
}

static int read_in_cancelled_task(struct reading *reading) {
    weft_autojoin weft_scope scope = {0};
    reading->result = 0;
    int error = weft_go(&scope, read_until_cancelled, (void *)reading);
    if (error < 0)
        return error;
    pause_up_to(3);
    int64_t began = weft_now();
    weft_cancel(&scope);
    error = weft_join(&scope);
    weft_sim_check(weft_now() - began <= AT_ONCE);
    return error;
}

static int interrupted_reads(void) {
    struct reading reading = {.conn = connect_somehow("server:9")};
    int error = reading.conn < 0 ? reading.conn : 0;
    while (error == 0 && !reading.is_over && reading.in_vain < PATIENCE) {
        if (below(2) == 0)
            error = read_within(&reading, (1 + below(3000)) * WEFT_MICROSECOND);
        else
            error = read_in_cancelled_task(&reading);
        size_t at = below(sizeof reading.buf);
        char mark = reading.buf[at];
        if (error == 0 && below(4) == 0)
            error = weft_sleep(below(2000) * WEFT_MICROSECOND);
        weft_sim_check(reading.buf[at] == mark);
    }
    weft_sim_check(is_expected(error) && is_expected((int)reading.result));
    weft_sim_check(reading.result != 0 || !reading.is_over || reading.at == STREAM_SIZE);
    return reading.conn < 0 ? 0 : weft_close(reading.conn);
}

// ---- Several readers of one stream ----------------------------------------------------------

struct shared {
    int conn, has_failed, in_vain;
    unsigned counts[256]; // of each byte that was read
};

static int read_single_bytes(void *arg) {
    struct shared *shared = arg;
    for (;;) {
        unsigned char byte;
        weft_within((1 + below(4000)) * WEFT_MICROSECOND);
        ssize_t n = weft_read(shared->conn, &byte, 1);
        if (n == 1) {
            shared->counts[byte]++;
            continue;
        }
        if (n == -ETIMEDOUT && weft_timed_out() && shared->in_vain++ < PATIENCE)
            continue;
        weft_sim_check(is_expected((int)n));
        shared->has_failed |= n < 0;
        return 0;
    }
}

static int many_readers(void) {
    struct shared shared = {.conn = connect_somehow("server:9")};
    weft_scope readers = {0};
    if (shared.conn < 0)
        return 0;
    for (int i = 0; i < 3; i++)
        shared.has_failed |= weft_go(&readers, read_single_bytes, (void *)&shared) < 0;
    shared.has_failed |= weft_join(&readers) < 0;
    for (size_t i = 0; i < STREAM_SIZE && !shared.has_failed; i++)
        weft_sim_check(shared.counts[(unsigned char)byte_at(0, i)]-- > 0);
    return weft_close(shared.conn);
}

// ---- A close while others wait --------------------------------------------------------------

static int use_until_closed(void *arg) {
    int conn = *(int *)arg, way = (int)below(3);
    char buf[1000] = {0};
    ssize_t n;
    do {
        if (way == 0)
            n = weft_read(conn, buf, sizeof buf);
        else if (way == 1)
            n = weft_write(conn, buf, sizeof buf);
        else if ((n = weft_ready(conn, 1 + (int)below(3))) > 0)
            n = weft_sleep(100 * WEFT_MICROSECOND) < 0 ? -ECANCELED : 1;
    } while (n > 0);
    weft_sim_check(is_expected((int)n) || n == -EBADF);
    return (int)n;
}

static int closed_under_others(void) {
    int conn = connect_somehow("server:9");
    weft_scope users = {0};
    if (conn < 0)
        return 0;
    for (unsigned i = 0; i < 5; i++)
        if (weft_go(&users, use_until_closed, (void *)&conn) < 0)
            break;
    pause_up_to(5);
    int64_t began = weft_now();
    weft_sim_check(weft_close(conn) == 0);
    weft_sim_check(weft_now() - began <= AT_ONCE);
    weft_sim_check(weft_close(conn) == -EBADF);
    int error = weft_join(&users);
    weft_sim_check(is_expected(error) || error == -EBADF);
    weft_sim_check(weft_now() - began <= AT_ONCE + 100 * WEFT_MICROSECOND);
    return 0;
}

// ---- A crowd that is cancelled --------------------------------------------------------------

struct crowd {
    int silent, listener, socket; // handles to wait at; some may be negative
    unsigned began, ended;
    weft_scope *scope;
};

static int wait_for_ever(void *arg);

// Begins two more, in a scope of its own or in the crowd's, which may be cancelled already.
static int wait_for_others(struct crowd *crowd) {
    weft_scope own = {0};
    weft_scope *scope = below(2) == 0 ? &own : crowd->scope;
    for (int i = 0; i < 2; i++)
        if (weft_go(scope, wait_for_ever, (void *)crowd) == 0)
            crowd->began++;
    return weft_join(&own);
}

static ssize_t wait_somehow(struct crowd *crowd) {
    char byte;
    weft_addr addr;
    switch (below(6)) {
    case 0:
        return weft_read(crowd->silent, &byte, 1);
    case 1:
        return weft_accept(crowd->listener);
    case 2:
        return weft_recv_from(crowd->socket, &byte, 1, NULL);
    case 3:
        return weft_ready(crowd->socket, WEFT_READ);
    case 4:
        return weft_resolve("server:9", &addr, 1);
    default:
        return weft_sleep(WEFT_HOUR);
    }
}

static int wait_for_ever(void *arg) {
    struct crowd *crowd = arg;
    int has_others = crowd->began < CROWD && below(4) == 0;
    ssize_t n = has_others ? wait_for_others(crowd) : wait_somehow(crowd);
    weft_sim_check(is_expected((int)n));
    while (weft_check() == 0) // it did not wait, or not for ever
        (void)weft_sleep(WEFT_HOUR);
    if (!has_others && below(3) == 0) {
        weft_shield(2 * LAST_WORDS);
        weft_sim_check(weft_sleep(LAST_WORDS) == 0);
    }
    weft_sim_check(weft_check() < 0);
    weft_sim_check(weft_yield() < 0);
    crowd->ended++;
    return weft_check();
}

// The join is interrupted, or the scope is cancelled before.
static int end_crowd(struct crowd *crowd) {
    if (below(2) == 0) {
        pause_up_to(3);
        weft_cancel(crowd->scope);
        if (below(4) == 0 && weft_go(crowd->scope, wait_for_ever, (void *)crowd) == 0)
            crowd->began++;
        return weft_join(crowd->scope);
    }
    int64_t limit = below(3000) * WEFT_MICROSECOND, began = weft_now();
    weft_within(limit);
    int error = weft_join(crowd->scope);
    weft_sim_check(error == -ETIMEDOUT || crowd->began == 0);
    weft_sim_check(weft_now() - began >= limit || crowd->began == 0);
    weft_sim_check(weft_now() - began <= limit + LAST_WORDS + AT_ONCE);
    return error;
}

static int cancelled_crowd(void) {
    weft_scope scope = {0};
    struct crowd crowd = {.silent = connect_somehow("server:9"),
                          .listener = weft_tcp_listen("0.0.0.0:0"),
                          .socket = weft_udp_bind("0.0.0.0:0"),
                          .scope = &scope};
    for (unsigned i = 1 + below(CROWD); i > 0; i--)
        if (weft_go(&scope, wait_for_ever, (void *)&crowd) == 0)
            crowd.began++;
    int64_t began = weft_now();
    int error = end_crowd(&crowd);
    weft_sim_check(error == -ECANCELED || error == -ETIMEDOUT || crowd.began == 0);
    weft_sim_check(weft_now() - began <= 3 * WEFT_MILLISECOND + LAST_WORDS + AT_ONCE);
    weft_sim_check(crowd.began == crowd.ended);
    weft_close(crowd.silent);
    weft_close(crowd.listener);
    weft_close(crowd.socket);
    return 0;
}

// ---- Nobody comes ---------------------------------------------------------------------------

static int nobody_comes(void) {
    weft_autoclose int listener = weft_tcp_listen("0.0.0.0:0");
    weft_autoclose int socket = weft_udp_bind("0.0.0.0:0");
    for (int i = 0; i < 4; i++) {
        int64_t limit = below(3000) * WEFT_MICROSECOND, began = weft_now();
        weft_within(limit);
        char byte;
        ssize_t n = i % 2 == 0 ? weft_accept(listener) : weft_recv_from(socket, &byte, 1, NULL);
        weft_sim_check(n == -ETIMEDOUT || n == listener || n == socket || is_expected((int)n));
        weft_sim_check(weft_now() - began <= limit + AT_ONCE);
        weft_sim_check(n != -ETIMEDOUT || (weft_timed_out() && weft_now() - began >= limit));
    }
    return 0;
}

// ---- Connects that are cut short ------------------------------------------------------------

static int interrupted_connects(void) {
    for (int i = 0; i < 6; i++) {
        int64_t limit = below(2000) * WEFT_MICROSECOND, began = weft_now();
        weft_within(limit);
        int conn = weft_tcp_connect(below(2) == 0 ? "server:9" : "10.0.0.1:9");
        weft_sim_check(is_expected(conn));
        weft_sim_check(weft_now() - began <= limit + AT_ONCE);
        weft_close(conn);
    }
    return 0;
}

// ---- A shortage passes ----------------------------------------------------------------------

// Who has connected is accepted in the end, or told that it has come to nothing.
static int slow_accept(void) {
    char byte;
    weft_addr addr;
    weft_autoclose int listener = weft_tcp_listen("127.0.0.1:0");
    if (listener < 0 || weft_local_addr(listener, &addr) < 0)
        return 0;
    weft_autoclose int client = weft_tcp_connect_with(&addr, NULL);
    weft_within(WEFT_MINUTE);
    weft_autoclose int conn = client < 0 ? client : weft_accept(listener);
    if (client >= 0 && conn == -ETIMEDOUT) {
        weft_shield(WEFT_SECOND);
        ssize_t n = weft_read(client, &byte, 1);
        weft_sim_check(n == 0 || !weft_timed_out());
    }
    return 0;
}

// ---- An end is an end -----------------------------------------------------------------------

static int write_to_the_end(void *arg) {
    char buf[300] = {0};
    while (weft_write(*(int *)arg, buf, sizeof buf) > 0 &&
           weft_sleep(below(1000) * WEFT_MICROSECOND) == 0)
        ;
    return 0;
}

// A stream that broke is not taken for one that has ended, whoever was told first.
static int both_ways(void) {
    int conn = connect_somehow("server:9");
    weft_scope writer = {0};
    char buf[1000];
    size_t got = 0;
    ssize_t n = conn < 0 ? conn : weft_go(&writer, write_to_the_end, (void *)&conn);
    {
        weft_within(WEFT_MINUTE);
        while (n >= 0 && (n = weft_read(conn, buf, 1 + below(sizeof buf))) > 0)
            got += (size_t)n;
    }
    weft_sim_check(is_expected((int)n) && (n < 0 || got == STREAM_SIZE));
    weft_cancel(&writer);
    (void)weft_join(&writer);
    return conn < 0 ? 0 : weft_close(conn);
}

// ---- The world ------------------------------------------------------------------------------

static int (*const games[GAMES])(void) = {
    interrupted_reads, many_readers, closed_under_others,  cancelled_crowd,
    both_ways,         nobody_comes, interrupted_connects,
};

static int play(void *unused) {
    (void)unused;
    for (int i = 0; i < 3; i++)
        (void)games[below(GAMES)]();
    return 0;
}

static int play_all(void *unused) {
    (void)unused;
    weft_autojoin weft_scope players = {0};
    for (int i = 0; i < 3; i++)
        if (weft_go(&players, play, NULL) < 0)
            break;
    int error = weft_join(&players);
    for (int i = 0; i < 10; i++) // with nobody about whose close might help
        (void)slow_accept();
    return error;
}

int storm_world(weft_sim *sim, void *unused) {
    int error;
    (void)unused;
    if ((error = weft_sim_host(sim, "server", "10.0.0.1", serve, NULL)) < 0)
        return error;
    if ((error = weft_sim_host(sim, "storm", "10.0.0.2", play_all, NULL)) < 0)
        return error;
    see_end_of(sim, "storm");
    return 0;
}
