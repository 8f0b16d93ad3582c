// SPDX-License-Identifier: MIT
// Simulations as programs make them: hosts, links, partitions, faults.
#include "task_tools.h"

#include "sim_echo.h"

#include <stdio.h>
#include <weft/sim.h>

static weft_sim plain = {.seed = 7};

// ---- Programs ----

// Sends `size` bytes and reads them back; 0 or an error. A peer that has given up says nothing.
static int echo(const char *where, size_t size) {
    weft_within(WEFT_HOUR);
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

// ---- Faults ----

// What is on, and how often it struck, from the line for `weft sim run`.
static void run_reported(weft_sim sim, int (*world)(weft_sim *, void *), char *ret_line,
                         size_t size) {
    int ends[2];
    char number[16];
    struct outcome outcome;
    expect(pipe(ends), 0);
    snprintf(number, sizeof number, "%d", ends[1]);
    setenv("WEFT_SIM_REPORT_FD", number, 1);
    (void)weft_sim_run(&sim, world, &outcome);
    unsetenv("WEFT_SIM_REPORT_FD");
    close(ends[1]);
    ssize_t length = read(ends[0], ret_line, size - 1);
    ret_line[length > 0 ? length : 0] = '\0';
    close(ends[0]);
}

static void expect_in(const char *line, const char *part) {
    if (!strstr(line, part))
        fail_msg("\"%s\" is not in: %s", part, line);
}

static void a_report_tells_what_was_on_and_what_struck(void **state) {
    (void)state;
    char line[1024];
    run_reported(plain, echo_world, line, sizeof line);
    expect_in(line, "seed=7 result=0 steps=");
    expect_in(line, " faults=yields,suspensions,late_cancels hits=yields:");
    run_reported((weft_sim){.yields = -1, .suspensions = -1, .late_cancels = -1}, echo_world, line,
                 sizeof line);
    expect_in(line, " faults=none hits=none\n");
    run_reported((weft_sim){.seed = 3, .short_reads = 0.5, .resets = 1}, echo_world, line,
                 sizeof line);
    expect_in(line, "seed=3 result=-");
    expect_in(line, " faults=short_reads,resets,yields,suspensions,late_cancels hits=");
    expect_in(line, "resets:1,");
}

static void the_environment_limits_faults_and_sets_the_seed(void **state) {
    (void)state;
    char line[1024];
    weft_sim sim = {.seed = 3, .short_reads = 0.5, .resets = 1};
    setenv("WEFT_SIM_FAULTS", "short_reads,loss", 1);
    setenv("WEFT_SIM_SEED", "12", 1);
    run_reported(sim, echo_world, line, sizeof line);
    expect_in(line, "seed=12 result=0 ");
    expect_in(line, " faults=short_reads hits=short_reads:");
    setenv("WEFT_SIM_FAULTS", "none", 1);
    run_reported(sim, echo_world, line, sizeof line);
    expect_in(line, " faults=none hits=none");
    setenv("WEFT_SIM_FAULTS", "short_reads,storms", 1);
    expect(weft_sim_run(&sim, echo_world, NULL), -EINVAL);
    unsetenv("WEFT_SIM_FAULTS");
    setenv("WEFT_SIM_SEED", "12x", 1);
    expect(weft_sim_run(&sim, echo_world, NULL), -EINVAL);
    unsetenv("WEFT_SIM_SEED");
}

static void chaos_turns_on_about_half_of_what_may_be(void **state) {
    (void)state;
    char line[1024];
    int resets = 0, reads = 0;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        run_reported((weft_sim){.seed = seed, .chaos = 1, .short_writes = -1}, echo_world, line,
                     sizeof line);
        resets += strstr(line, "resets,") != NULL;
        reads += strstr(line, "short_reads,") != NULL;
        if (strstr(line, "short_writes"))
            fail_msg("on, though it must not be: %s", line);
    }
    expect_that(resets > 8 && resets < 32 && reads > 8 && reads < 32);
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
        CASE(a_report_tells_what_was_on_and_what_struck),
        CASE(the_environment_limits_faults_and_sets_the_seed),
        CASE(chaos_turns_on_about_half_of_what_may_be),
    };
    return RUN(tests);
}
