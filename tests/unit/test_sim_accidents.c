// SPDX-License-Identifier: MIT
// What strikes whole hosts and tasks by chance: partitions, pauses, jumping clocks, crashes,
// cancellations. Programs live through all of it, and each run can be repeated.
#include "task_tools.h"

#include "sim/world.h"
#include <weft/sim.h>

enum { SEEDS = 60, TALKS = 200 };

static int boots, talked, cancelled;
static uint64_t hits[WEFT__SIM_FAULTS];

static int echo_one(int conn) {
    char buf[256];
    ssize_t n;
    while ((n = weft_read(conn, buf, sizeof buf)) > 0)
        if ((n = weft_write_all(conn, buf, (size_t)n)) < 0)
            break;
    cancelled += n == -ECANCELED;
    return weft_close(conn);
}

static int server(void *unused) {
    (void)unused;
    boots++;
    weft_autojoin weft_scope clients = {0};
    weft_autoclose int listener = weft_tcp_listen("0.0.0.0:7878");
    int error = 0;
    while (error >= 0)
        error = weft_go(&clients, echo_one, weft_accept(listener));
    cancelled += error == -ECANCELED;
    return error;
}

static int talk(char letter) {
    weft_within(WEFT_MINUTE);
    weft_autoclose int conn = weft_tcp_connect("server:7878");
    char answer = 0;
    ssize_t n = weft_write_all(conn, &letter, 1);
    if (n >= 0)
        n = weft_read_exact(conn, &answer, 1);
    weft_sim_check(n <= 0 || answer == letter);
    return (int)n;
}

static int client(void *unused) {
    (void)unused;
    for (int i = 0; i < TALKS && weft_check() == 0; i++)
        talked += talk((char)i) == 1;
    return weft_check();
}

static int end_of(weft_sim *sim, const char *name) {
    int result;
    while ((result = weft_sim_wait(sim, name)) == -EHOSTDOWN)
        expect(weft_sleep(WEFT_SECOND), 0);
    return result;
}

static int world(weft_sim *sim, void *hash) {
    boots = talked = cancelled = 0;
    expect(weft_sim_host(sim, "server", "10.0.0.1", server, NULL), 0);
    expect(weft_sim_host(sim, "client", "10.0.0.2", client, NULL), 0);
    int result = end_of(sim, "client");
    expect(result == 0 || result == -ECANCELED, 1);
    *(uint64_t *)hash = weft_sim_hash(sim);
    for (int i = 0; i < WEFT__SIM_FAULTS; i++)
        hits[i] += weft__sim_fault_hits(weft__world.driver, (enum weft__sim_fault)i);
    return 0;
}

// Twice, with one worker or more. The seed is set in the options.
static void run(weft_sim options) {
    uint64_t one = 0, other = 0;
    options.workers = 1 + (int)(options.seed % 3);
    expect(weft_sim_run(&options, world, &one), 0);
    expect(weft_sim_run(&options, world, &other), 0);
    assert_true(one != 0 && one == other);
}

static void what_stops_is_waited_for(void **unused) {
    (void)unused;
    memset(hits, 0, sizeof hits);
    for (uint64_t seed = 1; seed <= times(SEEDS); seed++) {
        run((weft_sim){.seed = seed, .pauses = 0.01, .partitions = 0.01, .clock_jumps = 0.01});
        expect(talked, TALKS); // ten seconds at a time, and a minute for each talk
        expect(boots, 1);
    }
    assert_true(hits[WEFT__SIM_PAUSES] > 0 && hits[WEFT__SIM_PARTITIONS] > 0 &&
                hits[WEFT__SIM_CLOCK_JUMPS] > 0);
}

static void who_crashes_starts_again(void **unused) {
    (void)unused;
    int all_boots = 0;
    memset(hits, 0, sizeof hits);
    for (uint64_t seed = 1; seed <= times(SEEDS); seed++) {
        run((weft_sim){.seed = seed, .crashes = 0.005, .pauses = 0.005, .short_reads = 0.1});
        assert_true(talked > TALKS / 2);
        all_boots += boots;
    }
    assert_true(hits[WEFT__SIM_CRASHES] > 0 && all_boots > (int)times(SEEDS));
}

static void a_scope_is_cancelled_where_a_task_waits(void **unused) {
    (void)unused;
    int all = 0;
    memset(hits, 0, sizeof hits);
    for (uint64_t seed = 1; seed <= times(SEEDS); seed++) {
        run((weft_sim){.seed = seed, .cancels = 0.01});
        all += cancelled;
    }
    assert_true(hits[WEFT__SIM_CANCELS] > 0 && all > 0);
}

// The first wait of all, the second, and so on.
static void each_wait_is_cancelled_once(void **unused) {
    (void)unused;
    uint64_t n = 0;
    int was_met = 1, all = 0;
    while (was_met && n < times(300)) {
        uint64_t hash;
        n++;
        expect(weft_sim_run((&(weft_sim){.fail = "cancel", .fail_nth = n}), world, &hash), 0);
        was_met = weft_sim_fail_was_met();
        all += cancelled;
    }
    assert_true(all > 0 && n > 20);
}

// Chaos leaves the two alone that a program does not survive by being correct.
static void chaos_neither_crashes_nor_cancels(void **unused) {
    (void)unused;
    memset(hits, 0, sizeof hits);
    for (uint64_t seed = 1; seed <= times(SEEDS); seed++)
        run((weft_sim){.seed = seed, .chaos = 1, .buffer_shortages = -1, .fd_shortages = -1});
    assert_true(hits[WEFT__SIM_CRASHES] == 0 && hits[WEFT__SIM_CANCELS] == 0);
    assert_true(hits[WEFT__SIM_PAUSES] > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(what_stops_is_waited_for),
        CASE(who_crashes_starts_again),
        CASE(a_scope_is_cancelled_where_a_task_waits),
        CASE(each_wait_is_cancelled_once),
        CASE(chaos_neither_crashes_nor_cancels),
    };
    return RUN(tests);
}
