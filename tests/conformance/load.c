// SPDX-License-Identifier: MIT
// Order and budgets under load, shown on counts of the scheduler's own, not on time: new tasks
// start though many are always ready, and a connection that is always ready does not hold up the
// others of its worker. With 1, 2 and 8 workers, whatever WEFT_WORKERS says.
#include "under.h"

#include <sys/resource.h>

enum { MANY = 1000 };

// ---- Always-ready tasks ---------------------------------------------------------------------

static struct flag ready, over;

static int be_always_ready(void *unused) {
    (void)unused;
    flag_raise(&ready);
    while (flag_value(&over) == 0)
        expect(weft_yield(), 0);
    return 0;
}

struct newcomers {
    int worker;
    uint64_t picks; // when they came
    uint64_t last;  // when the last one started
    int started;    // all on one thread
};

static int note_start(void *context) {
    struct newcomers *new = context;
    new->last = stats_of(new->worker).switches;
    new->started++;
    return 0;
}

static int start_many(void *context) {
    struct newcomers *new = context;
    weft_scope scope = {0};
    for (int i = 0; i < MANY; i++)
        expect(weft_go(&scope, note_start, context), 0);
    new->picks = stats_of(new->worker).switches;
    return weft_join(&scope);
}

static uint64_t steals_of_all(void) {
    uint64_t steals = 0;
    for (int i = 1; i <= weft_worker_count(); i++)
        steals += stats_of(i).steals;
    return steals;
}

// The other workers have something to do as well, so that none steals.
static void expect_all_to_start(int worker) {
    struct newcomers new = {.worker = worker};
    weft_scope busy = {0}, scope = {0};
    int others = weft_worker_count() - 1;
    ready = over = (struct flag){0};
    for (int i = 0; i < MANY; i++)
        go_on(worker, &busy, be_always_ready, NULL);
    for (int i = 1; i <= others; i++)
        go_on(i, &busy, be_always_ready, NULL);
    await_flag(&ready, MANY + others);
    uint64_t steals = steals_of_all();
    go_on(worker, &scope, start_many, &new);
    expect(weft_join(&scope), 0);
    expect(new.started, MANY);
    expect(steals_of_all(), steals);
    if (new.last - new.picks > 9 * MANY)
        fail_msg("%d tasks needed %d picks to start", MANY, (int)(new.last - new.picks));
    flag_raise(&over);
    expect(weft_join(&busy), 0);
}

CASE(beside_1000_ready_tasks_1000_new_ones_start_within_9000_picks, .is_bare = true,
     .slow_factor = 2) {
    under_1_2_and_8(expect_all_to_start);
}
CASE_NEEDS_PUBLIC_DRIVER(beside_1000_ready_tasks_1000_new_ones_start_within_9000_picks)

// ---- An always-ready connection -------------------------------------------------------------

static atomic_int busy_operations;

// The byte is never taken, so the connection is ready each time.
static int look_again_and_again(void *context) {
    int conn = *(int *)context;
    char byte;
    while (flag_value(&over) == 0) {
        expect(weft_peek(conn, &byte, 1), 1);
        atomic_fetch_add(&busy_operations, 1);
    }
    return 0;
}

struct other {
    struct tcp_pair pair;
    int at_write, at_read; // operations of the busy one so far
};

static int read_once(void *context) {
    struct other *other = context;
    char byte;
    expect(weft_read(other->pair.server, &byte, 1), 1);
    other->at_read = atomic_load(&busy_operations);
    return 0;
}

static struct other others[MANY - 1];

static void write_to_all(void) {
    for (int i = 0; i < MANY - 1; i++) {
        expect(weft_write(others[i].pair.client, "x", 1), 1);
        others[i].at_write = atomic_load(&busy_operations);
    }
}

// Each of the others may cost one budget of the busy one at most, and in fact costs far less.
static void expect_all_to_be_served(int worker) {
    struct tcp_pair pair = tcp_pair_open();
    weft_scope busy = {0}, scope = {0};
    over = (struct flag){0};
    atomic_store(&busy_operations, 0);
    for (int i = 0; i < MANY - 1; i++) {
        others[i].pair = tcp_pair_open();
        go_on(worker, &scope, read_once, &others[i]);
    }
    await_parked_tasks(MANY - 1);
    expect(weft_write(pair.client, "x", 1), 1);
    go_on(worker, &busy, look_again_and_again, &pair.server);
    for (struct await await = {0}; atomic_load(&busy_operations) < MANY;)
        await_pause(&await, "the busy one is at it");
    write_to_all();
    expect(weft_join(&scope), 0);
    flag_raise(&over);
    expect(weft_join(&busy), 0);
    int most = 0;
    for (int i = 0; i < MANY - 1; i++) {
        int waited = others[i].at_read - others[i].at_write;
        most = waited > most ? waited : most;
        tcp_pair_close(&others[i].pair);
    }
    if (most > 64 * MANY)
        fail_msg("one waited for %d operations of another", most);
    tcp_pair_close(&pair);
}

// "An op budget (about 64 calls, inline successes included) keeps one busy connection from starving
// the rest."
CASE(a_connection_always_ready_does_not_hold_up_999_others, .is_bare = true, .slow_factor = 2) {
    struct rlimit limit;
    expect(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    if (limit.rlim_cur < 2 * MANY + 100 || setrlimit(RLIMIT_NOFILE, &limit) < 0) {
        case_skip("2,000 descriptors are not to be had (ulimit -Hn)");
        return;
    }
    under_1_2_and_8(expect_all_to_be_served);
}
CASE_NEEDS_PUBLIC_DRIVER(a_connection_always_ready_does_not_hold_up_999_others)
