// SPDX-License-Identifier: MIT
// Simulations as programs make them: hosts, links, partitions, and what a failed run says.
#include "task_tools.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <weft/sim.h>

static weft_sim plain = {.seed = 7};

// ---- Programs ----

static int serve_one(int conn) {
    char buf[512];
    ssize_t n;
    while ((n = weft_read(conn, buf, sizeof buf)) > 0)
        if ((n = weft_write_all(conn, buf, (size_t)n)) < 0)
            break;
    weft_close(conn);
    return 0;
}

static int server(void *unused) {
    (void)unused;
    weft_autojoin weft_scope clients = {0};
    weft_autoclose int listener = weft_tcp_listen("0.0.0.0:7878");
    int error = 0;
    while (error == 0)
        error = weft_go(&clients, serve_one, weft_accept(listener));
    return error;
}

// Sends `size` bytes and reads them back; 0 or an error.
static int echo(const char *where, size_t size) {
    weft_autoclose int conn = weft_tcp_connect(where);
    char out[4096], in[4096];
    for (size_t done = 0; done < size; done += sizeof out) {
        for (size_t i = 0; i < sizeof out; i++)
            out[i] = (char)(done + i * 7);
        ssize_t error = weft_write_all(conn, out, sizeof out);
        if (error >= 0)
            error = weft_read_exact(conn, in, sizeof in);
        if (error < 0)
            return (int)error;
        weft_sim_check(memcmp(in, out, sizeof in) == 0);
    }
    return 0;
}

static int client(void *unused) {
    (void)unused;
    return echo("server:7878", 100000);
}

static void add_both(weft_sim *sim) {
    expect(weft_sim_host(sim, "server", "10.0.0.1,fd00::1", server, NULL), 0);
    expect(weft_sim_host(sim, "client", "10.0.0.2,fd00::2", client, NULL), 0);
}

// ---- Runs ----

struct outcome {
    uint64_t hash, steps;
    int64_t took_ns;
};

static int echo_world(weft_sim *sim, void *arg) {
    struct outcome *outcome = arg;
    int64_t begin = weft_now();
    add_both(sim);
    int result = weft_sim_wait(sim, "client");
    *outcome = (struct outcome){weft_sim_hash(sim), weft_sim_step(sim), weft_now() - begin};
    return result;
}

static struct outcome run_echo(weft_sim sim) {
    struct outcome outcome;
    expect(weft_sim_run(&sim, echo_world, &outcome), 0);
    return outcome;
}

static void two_hosts_talk(void **state) {
    (void)state;
    struct outcome outcome = run_echo(plain);
    expect_that(outcome.steps > 100);
    expect_that(outcome.took_ns > 25 * 200 * WEFT_MICROSECOND); // as many round trips
    expect_that(outcome.took_ns < WEFT_SECOND);
}

static void one_seed_is_one_run(void **state) {
    (void)state;
    weft_sim lossy = {.loss = 0.05, .jitter_ns = WEFT_MILLISECOND};
    for (uint64_t seed = 1; seed <= 20; seed++) {
        lossy.seed = seed;
        struct outcome one = run_echo(lossy), again = run_echo(lossy);
        expect_that(one.hash == again.hash && one.steps == again.steps);
        lossy.seed = seed + 1000;
        expect_that(run_echo(lossy).hash != one.hash);
    }
}

static void latency_and_bandwidth_take_their_time(void **state) {
    (void)state;
    struct outcome slow = run_echo((weft_sim){.latency_ns = 10 * WEFT_MILLISECOND});
    expect_that(slow.took_ns > 25 * 20 * WEFT_MILLISECOND);
    struct outcome narrow = run_echo((weft_sim){.bytes_per_second = 100000});
    expect_that(narrow.took_ns < 3 * WEFT_SECOND);
    struct outcome quick = run_echo((weft_sim){.latency_ns = -1, .jitter_ns = -1});
    expect_that(quick.took_ns < 25 * 200 * WEFT_MICROSECOND);
}

static void what_is_lost_is_sent_again(void **state) {
    (void)state;
    struct outcome outcome = run_echo((weft_sim){.loss = 0.2});
    expect_that(outcome.took_ns > WEFT_SECOND);
}

enum { TEXT_SIZE = 128 };

static int who_am_i(void *arg) {
    weft_addr local, peer;
    weft_autoclose int listener = weft_tcp_listen("0.0.0.0:1");
    weft_autoclose int conn = weft_accept_from(listener, &peer);
    char one[WEFT_ADDR_TEXT_SIZE], other[WEFT_ADDR_TEXT_SIZE];
    expect(weft_local_addr(conn, &local), 0);
    snprintf(arg, TEXT_SIZE, "%s > %s", weft_addr_ip_text(&peer, one),
             weft_addr_text(&local, other));
    return 0;
}

static int ask(void *where) {
    weft_autoclose int conn = weft_tcp_connect(where);
    return conn < 0 ? conn : 0;
}

static int names_world(weft_sim *sim, void *unused) {
    (void)unused;
    char text[TEXT_SIZE] = "";
    expect(weft_sim_host(sim, "server", "10.0.0.1", who_am_i, text), 0);
    expect(weft_sim_host(sim, "client", "10.0.0.2", ask, "server:1"), 0);
    expect(weft_sim_wait(sim, "server"), 0);
    assert_string_equal(text, "10.0.0.2 > 10.0.0.1:1");
    expect(weft_sim_host(sim, "lonely", "10.0.0.3", ask, "10.9.9.9:1"), 0);
    expect(weft_sim_wait(sim, "lonely"), -EHOSTUNREACH);
    expect(weft_sim_host(sim, "late", "10.0.0.4", ask, "server:2"), 0);
    expect(weft_sim_wait(sim, "late"), -ECONNREFUSED);
    expect(weft_sim_host(sim, "six", "fd00::6", ask, "10.0.0.1:1"), 0);
    expect(weft_sim_wait(sim, "six"), -ENETUNREACH);
    expect(weft_sim_host(sim, "own", "10.0.0.5", ask, "127.0.0.1:1"), 0);
    expect(weft_sim_wait(sim, "own"), -ECONNREFUSED); // each host has its own
    return 1;
}

static void addresses_and_names_are_the_hosts(void **state) {
    (void)state;
    expect(weft_sim_run(&plain, names_world, NULL), 1);
}

// ---- Partitions ----

static int partition_world(weft_sim *sim, void *arg) {
    int64_t *ret_ns = arg, begin = weft_now();
    expect(weft_sim_host(sim, "server", "10.0.0.1", server, NULL), 0);
    expect(weft_sim_host(sim, "client", "10.0.0.2", client, NULL), 0);
    expect(weft_sleep(WEFT_MILLISECOND), 0);
    expect(weft_sim_partition(sim, "client", "server"), 0);
    expect(weft_sleep(10 * WEFT_SECOND), 0);
    expect(weft_sim_heal(sim, "client", NULL), 0);
    int result = weft_sim_wait(sim, "client");
    *ret_ns = weft_now() - begin;
    return result;
}

static void a_partition_stalls_and_heals(void **state) {
    (void)state;
    int64_t took_ns;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        expect(weft_sim_run(&(weft_sim){.seed = seed}, partition_world, &took_ns), 0);
        expect_that(took_ns > 10 * WEFT_SECOND && took_ns < 60 * WEFT_SECOND);
    }
}

static int one_way_world(weft_sim *sim, void *unused) {
    (void)unused;
    add_both(sim);
    expect(weft_sleep(WEFT_MILLISECOND), 0);
    expect(weft_sim_partition_one_way(sim, "client", "server"), 0);
    return weft_sim_wait(sim, "client");
}

// The client gets the answer to what was heard; its next bytes are not, and time it out.
static void a_partition_for_ever_times_out(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++)
        expect(weft_sim_run(&(weft_sim){.seed = seed}, one_way_world, NULL), -ETIMEDOUT);
}

// ---- Datagrams ----

enum { SENT = 1000 };
static int received[SENT];
static int out_of_order;

static int receive_all(void *unused) {
    (void)unused;
    weft_autoclose int sock = weft_udp_bind("0.0.0.0:5");
    int number, last = -1;
    weft_within(WEFT_MINUTE);
    while (weft_recv_from(sock, &number, sizeof number, NULL) == sizeof number) {
        received[number]++;
        out_of_order += number < last;
        last = number;
    }
    return 0;
}

static int send_all(void *unused) {
    (void)unused;
    weft_autoclose int sock = weft_udp_connect("10.0.0.1:5");
    for (int i = 0; i < SENT; i++) {
        expect(weft_write(sock, &i, sizeof i), sizeof i);
        expect(weft_sleep(20 * WEFT_MICROSECOND), 0);
    }
    return 0;
}

static int datagram_world(weft_sim *sim, void *unused) {
    (void)unused;
    memset(received, 0, sizeof received);
    out_of_order = 0;
    expect(weft_sim_host(sim, "to", "10.0.0.1", receive_all, NULL), 0);
    expect(weft_sleep(WEFT_MILLISECOND), 0);
    expect(weft_sim_host(sim, "from", "10.0.0.2", send_all, NULL), 0);
    return weft_sim_wait(sim, "to");
}

static void count_received(const weft_sim *sim, int *ret_lost, int *ret_doubled) {
    weft_sim copy = *sim;
    expect(weft_sim_run(&copy, datagram_world, NULL), 0);
    *ret_lost = *ret_doubled = 0;
    for (int i = 0; i < SENT; i++) {
        *ret_lost += received[i] == 0;
        *ret_doubled += received[i] == 2;
        expect_that(received[i] <= 2);
    }
}

static void datagrams_are_lost_doubled_and_overtaken_as_asked(void **state) {
    (void)state;
    int lost, doubled;
    count_received(&plain, &lost, &doubled);
    expect_that(lost == 0 && doubled == 0 && out_of_order == 0);
    count_received(&(weft_sim){.loss = 0.1}, &lost, &doubled);
    expect_that(lost > 50 && lost < 200 && doubled == 0 && out_of_order == 0);
    count_received(&(weft_sim){.duplication = 0.1}, &lost, &doubled);
    expect_that(lost == 0 && doubled > 50 && doubled < 200);
    count_received(&(weft_sim){.reordering = 0.1}, &lost, &doubled);
    expect_that(lost == 0 && doubled == 0 && out_of_order > 20);
}

// ---- What is refused ----

static int nothing(void *unused) {
    (void)unused;
    return 0;
}

static int call_host(void *sim) {
    return weft_sim_host(sim, "other", "10.0.0.9", nothing, NULL);
}

static int refusals_world(weft_sim *sim, void *unused) {
    (void)unused;
    weft_sim other = plain;
    expect(weft_sim_run(&other, refusals_world, NULL), -EALREADY);
    expect(weft_sim_host(sim, "", "10.0.0.1", nothing, NULL), -EINVAL);
    expect(weft_sim_host(sim, "a name of more than thirty-one by", "10.0.0.1", nothing, NULL),
           -EINVAL);
    static const char *const bad[] = {"",
                                      "10.0.0",
                                      "127.0.0.1",
                                      "0.0.0.0",
                                      "224.0.0.1",
                                      "10.0.0.1,",
                                      "::",
                                      "::1",
                                      "ff02::1",
                                      "10.0.0.1:80",
                                      "server",
                                      "10.0.0.1,10.0.0.2",
                                      "10.0.0.1,fd00::1,fd00::2"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        expect(weft_sim_host(sim, "a", bad[i], nothing, NULL), -EINVAL);
    expect(weft_sim_host(&other, "a", "10.0.0.1", nothing, NULL), -ENOENT);
    expect(weft_sim_host(sim, "a", "10.0.0.1", nothing, NULL), 0);
    expect(weft_sim_host(sim, "a", "10.0.0.2", nothing, NULL), -EEXIST);
    expect(weft_sim_host(sim, "b", "10.0.0.1", nothing, NULL), -EEXIST);
    expect(weft_sim_host(sim, "b", "10.0.0.2", call_host, sim), 0);
    expect(weft_sim_wait(sim, "b"), -EPERM);
    expect(weft_sim_wait(sim, "c"), -ENOENT);
    expect(weft_sim_partition(sim, "a", "c"), -ENOENT);
    expect(weft_sim_link(sim, "a", "c", NULL), -ENOENT);
    expect(weft_sim_link(sim, "a", "a", NULL), -EINVAL);
    expect(weft_sim_link(sim, "a", "b", &(weft_sim_link_options){.loss = 1.5}), -EINVAL);
    expect(weft_sim_link(sim, "a", "b", &(weft_sim_link_options){.mtu_bytes = 100}), -EINVAL);
    expect(weft_sim_link(sim, "a", "b", NULL), 0);
    return 5;
}

static void misuse_is_refused(void **state) {
    (void)state;
    expect(weft_sim_run(&plain, refusals_world, NULL), 5);
    expect(weft_sim_run(&(weft_sim){.loss = -2}, refusals_world, NULL), -EINVAL);
    expect(weft_sim_run(&(weft_sim){.latency_ns = -5}, refusals_world, NULL), -EINVAL);
    expect(weft_sim_host(&plain, "a", "10.0.0.1", nothing, NULL), -ENOENT);
    expect_that(weft_sim_step(&plain) == 0 && weft_sim_hash(&plain) == 0);
    expect(weft_start(NULL), 0);
    expect(weft_sim_run(&plain, refusals_world, NULL), -EALREADY);
    expect(weft_stop(INT64_MAX), 0);
}

static void *call_from_thread(void *unused) {
    (void)unused;
    char byte;
    weft_scope scope = {0};
    expect(weft_tcp_listen("127.0.0.1:0"), -ENOTSUP);
    expect(weft_tcp_connect("127.0.0.1:1"), -ENOTSUP);
    expect(weft_udp_bind("127.0.0.1:0"), -ENOTSUP);
    expect(weft_sleep(1), -ENOTSUP);
    expect(weft_go(&scope, nothing, NULL), -ENOTSUP);
    expect(weft_read(12345, &byte, 1), -ENOTSUP);
    return NULL;
}

static int threads_world(weft_sim *sim, void *unused) {
    (void)sim, (void)unused;
    thread_join(thread_start(call_from_thread, NULL));
    return 0;
}

static void other_threads_are_refused(void **state) {
    (void)state;
    expect(weft_sim_run(&plain, threads_world, NULL), 0);
    weft_autoclose int listener = weft_tcp_listen("127.0.0.1:0"); // again
    expect_that(listener > 0);
}

static int fail_host(void *code) {
    return (int)(intptr_t)code;
}

static int failing_world(weft_sim *sim, void *unused) {
    (void)unused;
    expect(weft_sim_host(sim, "well", "10.0.0.1", server, NULL), 0);
    expect(weft_sim_host(sim, "ill", "10.0.0.2", fail_host, (void *)(intptr_t)-EPROTO), 0);
    return 0;
}

// The server's -ECANCELED is how it was ended.
static void a_programs_error_is_the_runs(void **state) {
    (void)state;
    expect(weft_sim_run(&plain, failing_world, NULL), -EPROTO);
}

// ---- Failures ----

struct death {
    int status;
    char said[16384];
};

// What a run in a child process says on stderr and how it ends.
static void die_of(int (*world)(weft_sim *, void *), struct death *ret_death) {
    int ends[2];
    expect(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL); // cmocka's
        signal(SIGSEGV, SIG_DFL);
        (void)weft_sim_run(&plain, world, NULL);
        _exit(0);
    }
    close(ends[1]);
    size_t length = 0;
    ssize_t n;
    while ((n = read(ends[0], ret_death->said + length, sizeof ret_death->said - 1 - length)) > 0)
        length += (size_t)n;
    ret_death->said[length] = '\0';
    close(ends[0]);
    expect(waitpid(child, &ret_death->status, 0), child);
}

static void expect_death(int (*world)(weft_sim *, void *), int number, const char *pattern) {
    static struct death death;
    die_of(world, &death);
    char *line = strstr(death.said, "weft sim: ");
    if (!WIFSIGNALED(death.status) || WTERMSIG(death.status) != number || !line ||
        !strstr(line, pattern) || !strstr(line, "; replay: WEFT_SIM_SEED=7 ") ||
        strstr(line + 1, "weft sim: "))
        fail_msg("status %d, \"%s\" not in: %s", death.status, pattern, death.said);
}

static int check_fails(void *unused) {
    (void)unused;
    weft_sleep(1250003 * WEFT_MICROSECOND);
    weft_sim_check(1 + 1 == 3);
    return 0;
}

static int check_world(weft_sim *sim, void *unused) {
    (void)unused;
    weft_sim_host(sim, "calculator", "10.0.0.1", check_fails, NULL);
    return weft_sim_wait(sim, "calculator");
}

static int abort_world(weft_sim *sim, void *unused) {
    (void)sim, (void)unused;
    abort();
}

static int fault_world(weft_sim *sim, void *unused) {
    (void)sim;
    *(volatile int *)unused = 1;
    return 0;
}

static int deadlock_world(weft_sim *sim, void *unused) {
    (void)sim, (void)unused;
    weft_autoclose int listener = weft_tcp_listen("127.0.0.1:0");
    return weft_accept(listener);
}

static int leak_world(weft_sim *sim, void *unused) {
    (void)sim, (void)unused;
    return weft_tcp_listen("127.0.0.1:0") < 0;
}

static void a_failed_run_says_how_to_replay_it(void **state) {
    (void)state;
    expect_death(check_world, SIGABRT, "check failed: 1 + 1 == 3 (");
    expect_death(check_world, SIGABRT, ") on host calculator at 1.250");
    expect_death(abort_world, SIGABRT, "SIGABRT at 0.000");
    expect_death(deadlock_world, SIGABRT, "(deadlock)");
    expect_death(leak_world, SIGABRT, "1 handle is still open after all programs have ended at ");
#if !WEFT__UNDER_ASAN && !WEFT__UNDER_TSAN
    expect_death(fault_world, SIGSEGV, "SIGSEGV at ");
#endif
}

static void a_deadlock_shows_every_task(void **state) {
    (void)state;
    static struct death death;
    die_of(deadlock_world, &death);
    if (!strstr(death.said, "accept") || !strstr(death.said, "deadlock_world"))
        fail_msg("no task in: %s", death.said);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(two_hosts_talk),
        CASE(one_seed_is_one_run),
        CASE(latency_and_bandwidth_take_their_time),
        CASE(what_is_lost_is_sent_again),
        CASE(addresses_and_names_are_the_hosts),
        CASE(a_partition_stalls_and_heals),
        CASE(a_partition_for_ever_times_out),
        CASE(datagrams_are_lost_doubled_and_overtaken_as_asked),
        CASE(misuse_is_refused),
        CASE(other_threads_are_refused),
        CASE(a_programs_error_is_the_runs),
        CASE(a_failed_run_says_how_to_replay_it),
        CASE(a_deadlock_shows_every_task),
    };
    return RUN(tests);
}
