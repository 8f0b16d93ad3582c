// SPDX-License-Identifier: MIT
// A chat by lines: what one says all others hear, each line whole, once, and in the order in which
// it was said. Who falls behind is sent away.
#include "prove.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { CLIENTS = 4, LINES = 12, LINE_SIZE = 80, OUTBOX_SIZE = 4096 };

// ---- The server ----

struct member {
    int conn;
    pthread_mutex_t lock; // never held across a wait
    size_t size;
    char outbox[OUTBOX_SIZE];
    int is_there, is_leaving;
};

static struct member members[64];

static void tell(struct member *member, const char *line, size_t size) {
    pthread_mutex_lock(&member->lock);
    if (member->is_there && member->size + size <= OUTBOX_SIZE) {
        memcpy(member->outbox + member->size, line, size);
        member->size += size;
    } else {
        member->is_leaving = 1;
    }
    pthread_mutex_unlock(&member->lock);
}

static void tell_others(const struct member *self, const char *line, size_t size) {
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        if (members[i].is_there && &members[i] != self)
            tell(&members[i], line, size);
}

// Takes what others have said and writes it, until the member leaves.
static int write_outbox(void *arg) {
    struct member *member = arg;
    char buf[OUTBOX_SIZE];
    for (;;) {
        pthread_mutex_lock(&member->lock);
        size_t size = member->size;
        memcpy(buf, member->outbox, size);
        member->size = 0;
        pthread_mutex_unlock(&member->lock);
        ssize_t n =
            size > 0 ? weft_write_all(member->conn, buf, size) : weft_sleep(500 * WEFT_MICROSECOND);
        weft_sim_check(is_expected((int)n) || n == -EBADF);
        if (n < 0 || member->is_leaving)
            return (int)n;
    }
}

static void read_lines(struct member *member) {
    char line[LINE_SIZE * 2];
    size_t length = 0;
    ssize_t n;
    while ((n = weft_read(member->conn, line + length, sizeof line - length)) > 0) {
        length += (size_t)n;
        char *end;
        while ((end = memchr(line, '\n', length)) != NULL) {
            size_t size = (size_t)(end - line) + 1;
            tell_others(member, line, size);
            length -= size;
            memmove(line, end + 1, length);
        }
        if (length == sizeof line)
            break;
    }
    weft_sim_check(is_expected((int)n));
}

static int serve_member(int conn) {
    struct member *member = members;
    while (member < members + sizeof members / sizeof *members && member->is_there)
        member++;
    if (member == members + sizeof members / sizeof *members)
        return weft_close(conn);
    weft_scope writer = {0};
    member->conn = conn;
    member->size = 0;
    member->is_leaving = 0;
    member->is_there = 1;
    if (weft_go(&writer, write_outbox, (void *)member) == 0)
        read_lines(member);
    member->is_there = 0;
    weft_cancel(&writer);
    (void)weft_join(&writer);
    weft_close(conn);
    return 0;
}

static int serve_chat(void *unused) {
    (void)unused;
    weft_autojoin weft_scope clients = {0};
    memset(members, 0, sizeof members);
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        pthread_mutex_init(&members[i].lock, NULL);
    weft_autoclose int listener = listen_somehow("0.0.0.0:6667");
    for (;;) {
        int conn = weft_accept(listener);
        int error = weft_go(&clients, serve_member, conn);
        if (conn < 0 || error < 0)
            return conn < 0 ? conn : error;
    }
}

// ---- A client ----

static int say_lines(void *arg) {
    int conn = *(int *)arg;
    uint64_t who = 0; // in a million runs no two may be the same
    (void)weft_random(&who, sizeof who);
    for (unsigned i = 0; i < LINES; i++) {
        char line[LINE_SIZE];
        int size = snprintf(line, sizeof line, "%" PRIu64 " %u %.*s.\n", who, i, (int)below(40),
                            "........................................");
        ssize_t n = weft_write_all(conn, line, (size_t)size);
        if (n >= 0)
            n = weft_sleep(below(3000) * WEFT_MICROSECOND);
        if (n < 0)
            return (int)n;
    }
    return weft_sleep(50 * WEFT_MILLISECOND);
}

struct heard {
    uint64_t who;
    unsigned next;
};

// A line is from somebody whose lines before it have come, too, or who was not heard before.
static void check_line(struct heard *heard, size_t count, const char *line) {
    uint64_t who;
    unsigned number;
    int end = 0;
    weft_sim_check(sscanf(line, "%" SCNu64 " %u %n", &who, &number, &end) == 2);
    size_t dots = strspn(line + end, ".");
    weft_sim_check(dots >= 1 && line[end + (int)dots] == '\n');
    size_t i = 0;
    while (i < count && heard[i].who != who && heard[i].who != 0)
        i++;
    weft_sim_check(i < count && number < LINES);
    weft_sim_check(heard[i].who == 0 || heard[i].next == number);
    heard[i] = (struct heard){who, number + 1};
}

static int hear_lines(int conn) {
    struct heard heard[256] = {{0}};
    char line[LINE_SIZE + 1];
    size_t length = 0;
    ssize_t n;
    while ((n = weft_read(conn, line + length, sizeof line - 1 - length)) > 0) {
        length += (size_t)n;
        char *end;
        while ((end = memchr(line, '\n', length)) != NULL) {
            size_t size = (size_t)(end - line) + 1;
            char saved = line[size];
            line[size] = '\0';
            check_line(heard, sizeof heard / sizeof *heard, line);
            line[size] = saved;
            length -= size;
            memmove(line, line + size, length);
        }
        weft_sim_check(length < sizeof line - 1);
    }
    return (int)n;
}

static int run_client(void *unused) {
    (void)unused;
    weft_within(20 * WEFT_MINUTE);
    int conn = connect_somehow("server:6667");
    if (conn < 0)
        return 0;
    weft_scope talker = {0}, listener = {0};
    int error = weft_go(&listener, hear_lines, conn);
    if (error == 0 && weft_go(&talker, say_lines, (void *)&conn) == 0)
        error = weft_join(&talker);
    weft_sim_check(is_expected(error) || error == -EBADF);
    weft_close(conn);
    error = weft_join(&listener);
    weft_sim_check(is_expected(error) || error == -EBADF);
    return 0;
}

static int run_clients(void *unused) {
    (void)unused;
    weft_autojoin weft_scope clients = {0};
    for (int i = 0; i < CLIENTS / 2; i++)
        if (weft_go(&clients, run_client, NULL) < 0)
            break;
    return weft_join(&clients);
}

int chat_world(weft_sim *sim, void *unused) {
    int error;
    (void)unused;
    if ((error = weft_sim_host(sim, "server", "10.0.0.1", serve_chat, NULL)) < 0)
        return error;
    if ((error = weft_sim_host(sim, "left", "10.0.0.2", run_clients, NULL)) < 0)
        return error;
    if ((error = weft_sim_host(sim, "right", "10.0.0.3", run_clients, NULL)) < 0)
        return error;
    if (below(4) == 0) {
        weft_sleep(below(3000) * WEFT_MICROSECOND);
        weft_must(weft_sim_partition(sim, "left", "server"));
        weft_sleep(below(3) * WEFT_SECOND);
        weft_must(weft_sim_heal(sim, "left", NULL));
    }
    see_end_of(sim, "left");
    see_end_of(sim, "right");
    return 0;
}
