// SPDX-License-Identifier: MIT
// Unit tests of weft_sim.workers (src/sim/world.c): how many there are, and that hosts and reports
// live with several. The workers themselves: test_sim_workers.c.
#include "dump_tools.h"
#include "in_child.h"

#include <weft/sim.h>

enum { WORKERS = 3, SEEDS = 40 };

static void go_on(int worker, weft_scope *scope, int (*fn)(void *), void *arg) {
    expect(weft_go_with(scope, fn, arg, &(weft_task_options){.worker = worker}), 0);
}

static int echo(int conn) {
    char buf[300];
    ssize_t n;
    while ((n = weft_read(conn, buf, sizeof buf)) > 0)
        expect(weft_write_all(conn, buf, (size_t)n), n);
    expect(n, 0);
    return weft_close(conn);
}

static int serve_at_7878(void *arg) {
    int listener = opened(weft_tcp_listen("0.0.0.0:7878"));
    weft_scope clients = {0};
    int error;
    (void)arg;
    while ((error = weft_go(&clients, echo, weft_accept(listener))) == 0)
        ;
    expect(error, -ECANCELED); // the run is over
    expect(weft_close(listener), 0);
    return weft_join(&clients);
}

static int ask_server(void *arg) {
    char back[5];
    (void)arg;
    int conn = opened(weft_tcp_connect("server:7878"));
    expect(weft_write_all(conn, "hello", 5), 5);
    expect(weft_read_exact(conn, back, 5), 5);
    return weft_close(conn);
}

static int ask_from_all_workers(void *arg) {
    weft_scope scope = {0};
    (void)arg;
    for (int i = 1; i <= WORKERS; i++)
        go_on(i, &scope, ask_server, NULL);
    return weft_join(&scope);
}

static int hosts_world(weft_sim *sim, void *arg) {
    expect(weft_worker_count(), WORKERS);
    expect(weft_sim_host(sim, "server", "10.0.0.1", serve_at_7878, NULL), 0);
    expect(weft_sim_host(sim, "client", "10.0.0.2", ask_from_all_workers, NULL), 0);
    expect(weft_sleep(WEFT_MILLISECOND), 0); // the server listens
    expect(weft_sim_wait(sim, "client"), 0);
    *(uint64_t *)arg = weft_sim_hash(sim);
    return 0;
}

static void a_simulation_has_as_many_as_it_asks_for(void **state) {
    (void)state;
    uint64_t hash, again;
    for (uint64_t seed = 1; seed <= times(SEEDS); seed++) {
        weft_sim sim = {.seed = seed, .workers = WORKERS};
        expect(weft_sim_run(&sim, hosts_world, &hash), 0);
        expect(weft_sim_run(&sim, hosts_world, &again), 0);
        expect_that(hash == again);
    }
    expect(weft_sim_run(&(weft_sim){.workers = -1}, hosts_world, &hash), -EINVAL);
    expect(weft_sim_run(&(weft_sim){.workers = 1025}, hosts_world, &hash), -EINVAL);
}

static int count_world(weft_sim *sim, void *arg) {
    (void)sim, (void)arg;
    return weft_worker_count();
}

// What is left out of the faults to find which of them matter leaves the workers as they are.
static void with_chaos_their_number_is_the_seeds(void **state) {
    (void)state;
    bool is_seen[5] = {false};
    for (uint64_t seed = 1; seed <= 30; seed++) {
        weft_sim sim = {.seed = seed, .chaos = 1};
        int count = weft_sim_run(&sim, count_world, NULL);
        expect_that(count >= 1 && count <= 4);
        is_seen[count] = true;
        expect(setenv("WEFT_SIM_FAULTS", "none", 1), 0);
        expect(weft_sim_run(&sim, count_world, NULL), count);
        expect(unsetenv("WEFT_SIM_FAULTS"), 0);
    }
    expect_that(is_seen[1] && is_seen[2] && is_seen[3] && is_seen[4]);
    weft_sim more = {.chaos = 1, .workers = 7};
    expect(weft_sim_run(&more, count_world, NULL), 7);
    expect(weft_sim_run(&(weft_sim){.seed = 2}, count_world, NULL), 1);
}

static int accept_in_vain(void *arg) {
    int listener = opened(weft_tcp_listen("127.0.0.1:0"));
    (void)arg;
    return weft_accept(listener);
}

static int stuck_world(weft_sim *sim, void *arg) {
    weft_scope scope = {0};
    (void)sim, (void)arg;
    for (int i = 1; i <= WORKERS; i++)
        go_on(i, &scope, accept_in_vain, NULL);
    return weft_join(&scope);
}

static void run_stuck_world(void) {
    (void)weft_sim_run(&(weft_sim){.workers = WORKERS}, stuck_world, NULL);
}

static void its_deadlock_report_has_the_tasks_of_all_workers(void **state) {
    (void)state;
    static char said[1 << 16];
    int status = status_of_child(run_stuck_world, said, sizeof said);
    (void)find(said, "3 operations wait; accept on descriptor");
    (void)find(said, "; replay: WEFT_SIM_SEED=1 ");
    for (int i = 1; i <= WORKERS; i++) {
        char waits[64];
        (void)snprintf(waits, sizeof waits, "waits on worker %d", i);
        (void)find(said, waits);
    }
    expect_that(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(a_simulation_has_as_many_as_it_asks_for),
        CASE(with_chaos_their_number_is_the_seeds),
        CASE(its_deadlock_report_has_the_tasks_of_all_workers),
    };
    return RUN(tests);
}
