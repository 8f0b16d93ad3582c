// SPDX-License-Identifier: MIT
// Hosts of a simulation that stand still, crash, and start again.
#include "task_tools.h"

#include "sim_echo.h"
#include "sim_twice.h"

#include <stdio.h>
#include <stdlib.h>
#include <weft/sim.h>

enum { MINUTE_S = 60 };

static int nothing(void *unused) {
    (void)unused;
    return 0;
}

static ssize_t ask(int conn, char letter) {
    char answer = 0;
    ssize_t n = weft_write_all(conn, &letter, 1);
    if (n >= 0)
        n = weft_read_exact(conn, &answer, 1);
    weft_sim_check(n <= 0 || answer == letter);
    return n;
}

// ---- Standing still ----

static int ticks;

static int tick(void *unused) {
    (void)unused;
    for (;; ticks++)
        if (weft_sleep(WEFT_SECOND) < 0)
            return 0;
}

static int ticking_server(void *unused) {
    weft_autojoin weft_scope scope = {0};
    expect(weft_go(&scope, tick, NULL), 0);
    return server(unused);
}

// What arrives meanwhile waits; so do those who connect.
static int pausing_client(void *arg) {
    weft_sim *sim = arg;
    weft_autoclose int conn = weft_tcp_connect("server:7878");
    expect((int)ask(conn, 'a'), 1);
    expect(weft_sim_pause(sim, "server"), 0);
    int ticked = ticks;
    int64_t start_ns = weft_now();
    weft_autoclose int other = opened(weft_tcp_connect("server:7878"));
    {
        weft_within(10 * WEFT_SECOND);
        expect((int)ask(conn, 'b'), -ETIMEDOUT);
    }
    expect(ticks, ticked);
    expect(weft_now() - start_ns >= 10 * WEFT_SECOND, 1);
    expect(weft_sim_pause(sim, "server"), 0); // once is enough
    expect(weft_sim_resume(sim, "server"), 0);
    expect(weft_sim_resume(sim, "server"), 0);
    expect((int)ask(other, 'c'), 1);
    expect(weft_sleep(3 * WEFT_SECOND + WEFT_MILLISECOND), 0);
    expect(ticks - ticked >= 3, 1);
    return 0;
}

static int pause_world(weft_sim *sim, void *hash) {
    ticks = 0;
    expect(weft_sim_host(sim, "server", "10.0.0.1", ticking_server, NULL), 0);
    expect(weft_sim_host(sim, "client", "10.0.0.2", pausing_client, sim), 0);
    expect(weft_sim_wait(sim, "client"), 0);
    expect(weft_sim_pause(sim, "server"), 0); // it goes on for its end
    *(uint64_t *)hash = weft_sim_hash(sim);
    return 0;
}

static void what_stands_still_waits(void **unused) {
    (void)unused;
    run_twice(pause_world);
}

// ---- Crashing ----

static int crash_client(void *arg) {
    weft_sim *sim = arg;
    weft_autoclose int conn = weft_tcp_connect("server:7878");
    weft_autoclose int silent = weft_tcp_connect("server:7878");
    expect((int)ask(conn, 'a'), 1);
    expect((int)ask(silent, 'a'), 1);
    expect(weft_sim_crash(sim, "server"), 0);
    expect(weft_sim_crash(sim, "server"), 0);
    expect(weft_sim_is_down(sim, "server"), 1);
    expect(weft_sim_pause(sim, "server"), -EHOSTDOWN);
    int64_t start_ns = weft_now();
    expect(weft_tcp_connect("server:7878"), -ETIMEDOUT);
    expect(weft_timed_out(), 0);
    expect(weft_now() - start_ns >= 2 * MINUTE_S * WEFT_SECOND, 1);
    start_ns = weft_now();
    expect((int)ask(conn, 'b'), -ETIMEDOUT);
    expect(weft_now() - start_ns >= 13 * MINUTE_S * WEFT_SECOND, 1);
    expect(weft_sim_restart(sim, "server"), 0);
    expect(weft_sim_is_down(sim, "server"), 0);
    expect((int)ask(silent, 'b'), -ECONNRESET); // nobody there knows of it
    expect(weft_sleep(WEFT_SECOND), 0);
    weft_autoclose int again = weft_tcp_connect("server:7878");
    expect((int)ask(again, 'd'), 1);
    expect(weft_sim_restart(sim, "server"), 0); // which crashes it
    expect((int)ask(again, 'e'), -ECONNRESET);
    return 0;
}

static int crash_world(weft_sim *sim, void *hash) {
    expect(weft_sim_host(sim, "server", "10.0.0.1", server, NULL), 0);
    expect(weft_sim_host(sim, "client", "10.0.0.2", crash_client, sim), 0);
    expect(weft_sim_wait(sim, "server"), -EHOSTDOWN);
    expect(weft_sim_wait(sim, "client"), 0);
    *(uint64_t *)hash = weft_sim_hash(sim);
    return 0;
}

static void a_crash_is_silent_and_a_restart_answers(void **unused) {
    (void)unused;
    run_twice(crash_world);
}

// ---- Keep-alive ----

// Waits for what never comes; answers what ended that, and sets how many seconds it took.
static int wait_in_vain(int conn, int64_t *ret_s) {
    char byte;
    int64_t start_ns = weft_now();
    int error = (int)weft_read(conn, &byte, 1);
    *ret_s = (weft_now() - start_ns) / WEFT_SECOND;
    return error;
}

static int connect_with(int idle_s) {
    weft_tcp_options options = {
        .keepalive_idle_s = idle_s, .keepalive_interval_s = 5, .keepalive_count = 3};
    weft_addr addr;
    expect(weft_addr_parse_ip("10.0.0.1", 7878, &addr), 0);
    return opened(weft_tcp_connect_with(&addr, &options));
}

static int cut_soon(void *sim) {
    expect(weft_sleep(160 * WEFT_MICROSECOND), 0); // SYN is there, SYN+ACK is under way
    return weft_sim_partition_one_way(sim, "client", "server");
}

static int keepalive_client(void *arg) {
    weft_sim *sim = arg;
    int64_t took_s;
    {
        weft_autojoin weft_scope scope = {0};
        expect(weft_go(&scope, cut_soon, arg), 0);
        weft_autoclose int conn = connect_with(60);
        expect(wait_in_vain(conn, &took_s), -ETIMEDOUT);
        expect(took_s >= 74 && took_s <= 75, 1);
        expect(weft_join(&scope), 0);
        expect(weft_sim_heal(sim, "client", "server"), 0);
    }
    weft_autoclose int conn = connect_with(60);
    expect(weft_sim_partition(sim, "client", "server"), 0);
    expect(weft_sleep(74 * WEFT_SECOND), 0); // three probes, and the fourth would be the last
    expect(weft_sim_heal(sim, "client", "server"), 0);
    expect((int)ask(conn, 'a'), 1);
    expect(weft_sim_partition_one_way(sim, "server", "client"), 0); // the answers are lost
    expect(wait_in_vain(conn, &took_s), -ETIMEDOUT);
    expect(weft_timed_out(), 0);
    expect(took_s >= 74 && took_s <= 75, 1);
    expect(weft_sim_heal(sim, "client", "server"), 0);
    weft_autoclose int again = connect_with(60);
    expect(weft_sleep(90 * WEFT_SECOND), 0); // one probe has been answered
    expect(weft_sim_crash(sim, "server"), 0);
    expect(weft_sleep(40 * WEFT_SECOND), 0); // and two were not
    expect(weft_sim_restart(sim, "server"), 0);
    expect(wait_in_vain(again, &took_s), -ECONNRESET);
    expect(took_s <= 5, 1);
    expect(weft_sleep(WEFT_SECOND), 0);
    weft_autoclose int late = opened(weft_tcp_connect("server:7878"));
    expect(weft_sim_crash(sim, "server"), 0);
    expect(weft_tcp_keepalive(late, 10, 1, 2), 0); // turned on when it is needed
    expect(wait_in_vain(late, &took_s), -ETIMEDOUT);
    expect(took_s >= 11 && took_s <= 12, 1);
    return 0;
}

static int keepalive_world(weft_sim *sim, void *hash) {
    expect(weft_sim_host(sim, "server", "10.0.0.1", server, NULL), 0);
    expect(weft_sim_host(sim, "client", "10.0.0.2", keepalive_client, sim), 0);
    expect(weft_sim_wait(sim, "client"), 0);
    *(uint64_t *)hash = weft_sim_hash(sim);
    return 0;
}

static void keepalive_notices_who_is_gone(void **unused) {
    (void)unused;
    run_twice(keepalive_world);
}

// ---- Everything that a task can wait for ----

static int sleeper(void *unused) {
    (void)unused;
    return weft_sleep(WEFT_HOUR);
}

static int reader(void *conn) {
    char byte;
    return (int)weft_read(*(int *)conn, &byte, 1);
}

static int writer(void *conn) {
    static const char data[65536];
    ssize_t n;
    while ((n = weft_write_all(*(int *)conn, data, sizeof data)) >= 0)
        ;
    return (int)n;
}

static int receiver(void *unused) {
    char byte;
    (void)unused;
    weft_autoclose int udp = weft_udp_bind("0.0.0.0:9");
    return (int)weft_recv_from(udp, &byte, 1, NULL);
}

static int caller(void *unused) {
    (void)unused;
    weft_autoclose int conn = weft_tcp_connect("away:1");
    return conn;
}

static int closer(void *conn) {
    return weft_close(*(int *)conn);
}

static int joiner(void *unused) {
    weft_scope scope = {0};
    expect(weft_go(&scope, sleeper, unused), 0);
    expect(weft_go(&scope, sleeper, unused), 0);
    return weft_join(&scope);
}

static int shielded(void *unused) {
    (void)unused;
    weft_within(WEFT_HOUR);
    weft_shield(WEFT_HOUR);
    return weft_sleep(WEFT_HOUR);
}

static int starts; // of the busy program

static int busy(void *unused) {
    (void)unused;
    starts++;
    // Lost with the host, which LeakSanitizer can be told, and Valgrind cannot.
    int *conn = test_under_valgrind() ? weft_sim_alloc(sizeof *conn) : malloc(sizeof *conn);
    int *listener = weft_sim_alloc(sizeof *listener);
    expect(*listener, 0);
    *listener = weft_tcp_listen("0.0.0.0:80");
    *conn = weft_tcp_connect("peer:7878");
    weft_scope scope = {0};
    int (*const fns[])(void *) = {sleeper,  reader, reader, writer,  writer,
                                  receiver, caller, joiner, nothing, shielded};
    for (size_t i = 0; i < sizeof fns / sizeof *fns; i++)
        expect(weft_go(&scope, fns[i], conn), 0);
    weft_task_options here = {.worker = WEFT_WORKER_HERE, .name = "pinned"};
    expect(weft_go_with(&scope, reader, conn, &here), 0);
    if (starts % 2 == 0)
        expect(weft_go(&scope, closer, conn), 0);
    (void)weft_accept(*listener);
    weft_close(*listener);
    int error = weft_join(&scope);
    weft_close(*conn);
    if (!test_under_valgrind())
        free(conn);
    return error;
}

// At a moment by seed: before anything has started, in the middle, when all wait.
static int busy_world(weft_sim *sim, void *hash) {
    uint64_t chance;
    starts = 0;
    expect(weft_sim_host(sim, "peer", "10.0.0.1", server, NULL), 0);
    expect(weft_sim_host(sim, "busy", "10.0.0.2", busy, NULL), 0);
    for (int i = 0; i < 5; i++) {
        expect(weft_random(&chance, sizeof chance), 0);
        expect(weft_sleep((int64_t)(chance % 4) * (int64_t)(chance % 1000) * WEFT_MICROSECOND), 0);
        if (chance % 5 == 0)
            expect(weft_sim_pause(sim, "busy"), 0);
        expect(weft_sim_crash(sim, "busy"), 0);
        if (chance % 3 == 0)
            expect(weft_sleep(WEFT_HOUR), 0);
        expect(weft_sim_restart(sim, "busy"), 0);
    }
    expect(weft_sleep(WEFT_SECOND), 0);
    expect(starts >= 1, 1);
    if (weft_sim_step(sim) % 2)
        expect(weft_sim_crash(sim, "busy"), 0);
    *(uint64_t *)hash = weft_sim_hash(sim);
    return 0;
}

static void a_crash_leaves_nothing(void **unused) {
    (void)unused;
    run_twice(busy_world);
}

// ---- By itself ----

static int suicide(void *sim) {
    weft_autojoin weft_scope scope = {0};
    expect(weft_go(&scope, sleeper, NULL), 0);
    starts++;
    expect(weft_sim_pause(sim, "self"), -EDEADLK);
    expect(weft_sim_restart(sim, "self"), -EDEADLK);
    if (starts < 3)
        weft_sim_crash(sim, "self");
    return 7;
}

static int own_world(weft_sim *sim, void *hash) {
    starts = 0;
    expect(weft_sim_host(sim, "self", "10.0.0.1", suicide, sim), 0);
    for (int i = 0; i < 2; i++) {
        expect(weft_sim_wait(sim, "self"), -EHOSTDOWN);
        expect(weft_sim_restart(sim, "self"), 0);
    }
    expect(weft_sim_wait(sim, "self"), 7);
    expect(weft_sim_restart(sim, "self"), 0); // one that has ended, without a crash
    expect(weft_sim_wait(sim, "self"), 7);
    expect(starts, 4);
    *(uint64_t *)hash = weft_sim_hash(sim);
    return 0;
}

static void a_host_crashes_itself(void **unused) {
    (void)unused;
    run_twice(own_world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(what_stands_still_waits),       CASE(a_crash_is_silent_and_a_restart_answers),
        CASE(keepalive_notices_who_is_gone), CASE(a_crash_leaves_nothing),
        CASE(a_host_crashes_itself),
    };
    return RUN(tests);
}
