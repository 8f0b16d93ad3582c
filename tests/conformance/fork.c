// SPDX-License-Identifier: MIT
// fork(2). "A process without a runtime may fork: in the child everything works on, handles
// included ... With a runtime, every call in the child but weft_close answers -ECHILD until
// weft_start begins afresh ... open handles stay valid, so a prefork server can accept."
#include "calls.h"
#include "case.h"

#include <sys/wait.h>
#include <unistd.h>

#define WITH_RUNTIME                                                                               \
    "docs/semantics.md 8: \"A process without a runtime may fork\"; this driver has one"
#define SIM_IS_MEMORY "docs/semantics.md 9: the simulator has \"its network memory of one process\""

static void expect_child_is_content(pid_t pid) {
    int status;
    expect_that(pid > 0);
    expect(waitpid(pid, &status, 0), pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("the child ended with status %x", (unsigned)status);
}

CASE(without_a_runtime_everything_works_in_the_child, .is_bare = true) {
    weft_addr addr;
    char buf[8];
    int listener = listen_anywhere(&addr);
    struct tcp_pair pair = tcp_pair_open();
    expect_waits(weft_read(pair.server, buf, 1)); // a driver keeps something about it now
    pid_t pid = fork();
    if (pid == 0) {
        expect(weft_read_exact(pair.server, buf, 4), 4);
        expect(weft_write(pair.server, buf, 4), 4);
        int conn = opened(weft_accept(listener));
        expect(weft_write(conn, "child", 5), 5);
        expect(weft_close(conn), 0);
        struct tcp_pair own = tcp_pair_open();
        tcp_pair_close(&own);
        expect_waits(weft_read(pair.server, buf, 1));
        _exit(0);
    }
    expect(weft_write(pair.client, "ping", 4), 4);
    expect(weft_read_exact(pair.client, buf, 4), 4);
    int client = opened(weft_tcp_connect_with(&addr, NULL));
    expect(weft_read_exact(client, buf, 5), 5);
    expect_child_is_content(pid);
    expect(weft_close(client), 0);
    expect(weft_write(pair.client, "x", 1), 1); // both share the sockets
    expect(weft_read(pair.server, buf, 8), 1);
    tcp_pair_close(&pair);
    expect(weft_close(listener), 0);
}
CASE_NOT_ON(without_a_runtime_everything_works_in_the_child, "epoll", WITH_RUNTIME)
CASE_NOT_ON(without_a_runtime_everything_works_in_the_child, "uring", WITH_RUNTIME)
CASE_NOT_ON(without_a_runtime_everything_works_in_the_child, "sim", WITH_RUNTIME)

static int count_start(int handle) {
    return weft_close(handle);
}

static int do_nothing(void *unused) {
    (void)unused;
    return 0;
}

// Calls on handles, then all others.
static void expect_echild_everywhere(int conn, int listener, int sock) {
    weft_scope scope = {0};
    weft_addr addr = weft_addr_ipv4(127, 0, 0, 1, 9), list[2];
    for (size_t i = 0; i < call_count; i++) {
        int handle = calls[i].kinds & STREAM ? conn : calls[i].kinds & LISTENER ? listener : sock;
        if (!calls[i].closes)
            check_result(calls[i].make(handle), -ECHILD, calls[i].name, __FILE__, __LINE__);
    }
    expect(weft_abort(conn), -ECHILD);
    expect(weft_tcp_listen("127.0.0.1:0"), -ECHILD);
    expect(weft_tcp_listen_with(&addr, NULL), -ECHILD);
    expect(weft_tcp_connect("127.0.0.1:9"), -ECHILD);
    expect(weft_tcp_connect_with(&addr, NULL), -ECHILD);
    expect(weft_udp_bind("127.0.0.1:0"), -ECHILD);
    expect(weft_udp_bind_with(&addr, NULL), -ECHILD);
    expect(weft_udp_connect("127.0.0.1:9"), -ECHILD);
    expect(weft_resolve("localhost:9", list, 2), -ECHILD);
    expect(weft_go(&scope, do_nothing, NULL), -ECHILD);
    expect(weft_join(&scope), -ECHILD);
    expect(weft_stop(0), -ECHILD);
    expect(weft_yield(), -ECHILD);
    expect(weft_sleep(1), -ECHILD);
    expect(weft_check(), -ECHILD);
    expect(weft_go(&scope, count_start, sock), -ECHILD); // takes it nevertheless
    expect(weft_close(sock), -EBADF);
}

CASE(under_a_runtime_every_call_in_the_child_but_close_is_echild) {
    weft_addr addr;
    char buf[8];
    int listener = listen_anywhere(&addr), sock = udp_anywhere(&addr);
    struct tcp_pair pair = tcp_pair_open();
    pid_t pid = fork();
    if (pid == 0) {
        expect_echild_everywhere(pair.server, listener, sock);
        expect(weft_close(pair.server), 0);
        expect(weft_close(pair.server), -EBADF);
        expect(weft_close(listener), 0);
        _exit(0);
    }
    expect_child_is_content(pid);
    expect(weft_write(pair.client, "here", 4), 4); // nothing of the parent's was touched
    expect(weft_read_exact(pair.server, buf, 4), 4);
    expect(weft_close(listener), 0);
    expect(weft_close(sock), 0);
    tcp_pair_close(&pair);
}
CASE_NEEDS_RUNTIME(under_a_runtime_every_call_in_the_child_but_close_is_echild)

struct forker {
    struct tcp_pair pair;
    pid_t pid;
};

static void fork_in_task(void *context) {
    struct forker *forker = context;
    char byte;
    forker->pid = fork();
    if (forker->pid != 0)
        return;
    expect(weft_yield(), -ECHILD);
    expect(weft_read(forker->pair.server, &byte, 1), -ECHILD);
    expect(weft_close(forker->pair.server), 0);
    _exit(0);
}

CASE(a_task_that_forks_finds_its_child_orphaned) {
    struct forker forker = {.pair = tcp_pair_open()};
    struct parties parties = {0};
    party_start(&parties, "forks", fork_in_task, &forker);
    parties_join(&parties);
    expect_child_is_content(forker.pid);
    tcp_pair_close(&forker.pair);
}
CASE_NEEDS_RUNTIME(a_task_that_forks_finds_its_child_orphaned)

struct reader {
    int conn;
    char byte;
    ssize_t result;
};

static void read_once(void *context) {
    struct reader *reader = context;
    reader->result = weft_read(reader->conn, &reader->byte, 1);
}

// The child closes what a task of the parent waits for: that goes on waiting, and is served.
CASE(closing_in_the_child_leaves_the_parents_waits_alone) {
    struct tcp_pair pair = tcp_pair_open();
    struct reader reader = {.conn = pair.server};
    struct parties parties = {0};
    party_start(&parties, "reader", read_once, &reader);
    await_waiting(pair.server, WEFT_READ, 1);
    pid_t pid = fork();
    if (pid == 0) {
        expect(weft_close(pair.server), 0);
        expect(weft_close(pair.client), 0);
        _exit(0);
    }
    expect_child_is_content(pid);
    expect(weft_write(pair.client, "p", 1), 1);
    parties_join(&parties);
    expect(reader.result, 1);
    expect(reader.byte, 'p');
    tcp_pair_close(&pair);
}
CASE_NEEDS_RUNTIME(closing_in_the_child_leaves_the_parents_waits_alone)
CASE_NOT_ON(closing_in_the_child_leaves_the_parents_waits_alone, "sim", SIM_IS_MEMORY)

static int greet(int conn) {
    expect(weft_write(conn, "child", 5), 5);
    return weft_close(conn);
}

// "... until weft_start begins afresh: tasks, scopes and rings of the parent are gone and never
// touched, open handles stay valid, so a prefork server can accept."
CASE(a_child_that_starts_afresh_can_accept) {
    weft_addr addr;
    char buf[8];
    int listener = listen_anywhere(&addr);
    expect_waits(weft_accept(listener));
    pid_t pid = fork();
    if (pid == 0) {
        weft_scope scope = {0};
        expect(weft_yield(), -ECHILD);
        expect(world_start(), 0);
        assert_string_equal(weft_driver_name(), world_driver());
        expect(weft_go(&scope, greet, weft_accept(listener)), 0);
        expect(weft_join(&scope), 0);
        expect(weft_close(listener), 0);
        expect(weft_stop(WEFT_SECOND), 0);
        _exit(0);
    }
    int client = opened(weft_tcp_connect_with(&addr, NULL));
    expect(weft_read_exact(client, buf, 5), 5);
    expect(weft_read(client, buf, 5), 0);
    expect_child_is_content(pid);
    expect(weft_close(client), 0);
    client = opened(weft_tcp_connect_with(&addr, NULL)); // the parent goes on
    expect(weft_close(opened(weft_accept(listener))), 0);
    expect(weft_close(client), 0);
    expect(weft_close(listener), 0);
}
CASE_NEEDS_RUNTIME(a_child_that_starts_afresh_can_accept)
CASE_NOT_ON(a_child_that_starts_afresh_can_accept, "sim", SIM_IS_MEMORY)
