// SPDX-License-Identifier: MIT
// Unit tests of driver/sim.c: the driver contract, virtual time, choices, deadlocks; that a seed
// decides all that happens; that no failed allocation leaves anything.
#include <stdlib.h>

#include "driver_contract.h"
#include "in_child.h"
#include "sim_script.h"

// ---- Virtual time ----

static void time_moves_in_wait_alone_and_exactly_to_its_end(void **state) {
    (void)state;
    int64_t start_ns = now_ns(), wall_ns = d->class->now(d, WEFT__WALL);
    assert_int_equal(start_ns, 1000000000);
    assert_int_equal(wall_ns / 1000000000, 1767225600); // 2026-01-01 00:00:00 UTC
    struct pair pair = open_pair();
    int64_t after_ns = now_ns();
    assert_true(after_ns > start_ns);
    assert_int_equal(write_text(pair.client, "x"), 1);
    d->class->wait(d, 0);
    assert_int_equal(now_ns(), after_ns);
    d->class->wait(d, after_ns + 3600 * INT64_C(1000000000));
    assert_int_equal(now_ns(), after_ns + 3600 * INT64_C(1000000000));
    assert_int_equal(d->class->now(d, WEFT__WALL) - wall_ns, now_ns() - start_ns);
    d->class->wait(d, 5); // long past
    assert_int_equal(now_ns(), after_ns + 3600 * INT64_C(1000000000));
    close_pair(pair);
}

static void data_takes_a_few_microseconds(void **state) {
    (void)state;
    struct pair pair = open_pair();
    for (int i = 0; i < 100; i++) {
        int64_t start_ns = now_ns();
        assert_int_equal(write_text(pair.client, "x"), 1);
        assert_reads(pair.server, "x");
        assert_in_range(now_ns() - start_ns, 5000, 15000);
    }
    close_pair(pair);
}

static void time_stands_while_something_can_complete(void **state) {
    (void)state;
    struct pair pair = open_pair();
    assert_int_equal(write_text(pair.client, "x"), 1);
    settle();
    char byte;
    struct call call;
    prepare_io(&call, WEFT__OP_READ, pair.server, &byte, 1);
    submit(&call);
    int64_t start_ns = now_ns();
    d->class->wait(d, INT64_MAX);
    assert_int_equal(call.done_count, 1);
    assert_int_equal(now_ns(), start_ns);
    close_pair(pair);
}

// ---- Deadlocks ----

static char last_report[512];
static int report_count;

static void keep_report(struct weft__driver *driver, const char *report) {
    assert_ptr_equal(driver, d);
    strncpy(last_report, report, sizeof last_report - 1);
    report_count++;
}

static void a_wait_for_nothing_reports_a_deadlock(void **state) {
    (void)state;
    struct pair pair = open_pair();
    char byte;
    struct call call;
    prepare_io(&call, WEFT__OP_READ, pair.server, &byte, 1);
    submit(&call);
    weft__sim_deadlock = keep_report;
    report_count = 0;
    d->class->wait(d, INT64_MAX);
    weft__sim_deadlock = NULL;
    assert_int_equal(report_count, 1);
    assert_non_null(strstr(last_report, "simulation: nothing can run and no timer is set"
                                        " (deadlock) at virtual time 0.0000"));
    assert_non_null(strstr(last_report, "seed 1, 1 operations wait; read on descriptor 1677721"));
    assert_int_equal(cancel(&call), -ECANCELED);
    close_pair(pair);
}

static void wait_for_ever(void *arg) {
    (void)arg;
    d->class->wait(d, INT64_MAX);
}

static void a_deadlock_that_nobody_handles_ends_the_process(void **state) {
    (void)state;
    assert_int_equal(signal_that_ends_child(wait_for_ever, NULL), SIGABRT);
}

// What a timer of the network's will do is no deadlock: here the third SYN, and a TIME_WAIT.
static void a_timer_of_the_network_is_no_deadlock(void **state) {
    (void)state;
    weft_addr addr;
    struct sock listener = open_listener(0, &addr), first = open_socket(WEFT__STREAM);
    assert_int_equal(connect_to(first, addr), 0);
    struct sock second = open_socket(WEFT__STREAM);
    struct call call;
    prepare_connect(&call, second, &addr);
    submit(&call);
    while (call.op.is_pending)
        d->class->wait(d, INT64_MAX);
    assert_int_equal(call.op.result, -ETIMEDOUT);
    close_socket(first);
    close_socket(second);
    close_socket(listener);
}

// ---- Choices ----

static void choices_have_their_chances(void **state) {
    (void)state;
    enum { ROLLS = 16000, SIDES = 4 };
    int counts[SIDES] = {0}, yields = 0, suspensions = 0;
    for (int i = 0; i < ROLLS; i++) {
        counts[d->class->choose(d, WEFT__PICK_READY, SIDES)]++;
        yields += (int)d->class->choose(d, WEFT__PICK_YIELD, 2);
        suspensions += (int)d->class->choose(d, WEFT__PICK_INLINE, 2);
        assert_int_equal(d->class->choose(d, WEFT__PICK_UNSTARTED, 1), 0);
        assert_int_equal(d->class->choose(d, WEFT__PICK_YIELD, 1), 0);
    }
    for (int i = 0; i < SIDES; i++)
        assert_in_range(counts[i], ROLLS / SIDES - 400, ROLLS / SIDES + 400);
    assert_in_range(yields, ROLLS / 20 - 150, ROLLS / 20 + 150);
    assert_in_range(suspensions, ROLLS / 4 - 400, ROLLS / 4 + 400);
}

// ---- One seed, one history ----

struct history {
    uint64_t hash;
    int64_t end_ns;
    size_t completed;
};

static struct history live(uint64_t seed, uint64_t script_seed, int steps) {
    struct weft__driver *mine = d;
    assert_int_equal(weft__sim_start(seed, &d, NULL), 0);
    struct history history = {.completed = run_script(script_seed, steps)};
    history.hash = weft__sim_trace_hash(d);
    history.end_ns = now_ns();
    d->class->stop(d);
    d = mine;
    return history;
}

static void the_same_seed_gives_the_same_history(void **state) {
    (void)state;
    enum { SEEDS = 25, STEPS = 2000 };
    static uint64_t hashes[SEEDS];
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct history first = live(seed, 7, STEPS);
        void *shift = weft__alloc(100 + 16 * seed); // other addresses the second time
        struct history second = live(seed, 7, STEPS);
        weft__free(shift);
        assert_true(first.hash == second.hash);
        assert_int_equal(first.end_ns, second.end_ns);
        assert_int_equal(first.completed, second.completed);
        assert_true(first.completed > STEPS / 20);
        hashes[seed] = first.hash;
        for (uint64_t other = 0; other < seed; other++)
            assert_true(hashes[other] != first.hash);
    }
}

static void any_step_changes_the_history(void **state) {
    (void)state;
    struct history whole = live(3, 7, 2000);
    assert_true(live(3, 7, 1999).hash != whole.hash);
    assert_true(live(3, 8, 2000).hash != whole.hash);
}

static void many_scripts_break_nothing(void **state) {
    (void)state;
    for (uint64_t seed = 100; seed < 200; seed++)
        (void)live(seed, seed, 1000);
}

// ---- Out of memory ----

static bool completes(struct call *call) {
    int error = d->class->submit(d, &call->op);
    assert_true(error == 0 || error == -ENOMEM);
    while (call->op.is_pending)
        d->class->wait(d, INT64_MAX);
    return error == 0 && call->op.result >= 0;
}

// A connection and a datagram, each step of which may fail. Closes what it opened. True: all went
// well.
static bool exchange(struct sock listener, struct sock client, struct sock udp) {
    weft_addr any = loopback(0), addr;
    if (ctl(WEFT__CTL_BIND, listener, 0, &any) < 0 ||
        ctl(WEFT__CTL_LISTEN, listener, 1, NULL) < 0 || ctl(WEFT__CTL_BIND, udp, 0, &any) < 0)
        return false;
    addr = name_of(listener, WEFT__CTL_LOCAL);
    struct call connect_call, accept_call, read_call, write_call;
    prepare_connect(&connect_call, client, &addr);
    prepare(&accept_call, WEFT__OP_ACCEPT, listener);
    if (!completes(&connect_call) || !completes(&accept_call))
        return false;
    struct sock server = sock_of(accept_call.op.result);
    char byte;
    prepare_io(&read_call, WEFT__OP_READ, server, &byte, 1);
    prepare_io(&write_call, WEFT__OP_WRITE, client, "x", 1);
    bool is_well = completes(&write_call) && completes(&read_call);
    close_socket(server);
    addr = name_of(udp, WEFT__CTL_LOCAL);
    prepare_io(&write_call, WEFT__OP_SENDMSG, udp, "x", 1);
    write_call.op.peer = &addr;
    return d->class->try(d, &write_call.op) == 1 && is_well;
}

static bool scenario(void) {
    struct sock socks[3] = {{.fd = -1}, {.fd = -1}, {.fd = -1}};
    bool is_well = true;
    for (int i = 0; i < 3; i++) {
        struct weft__ctl make = {.kind = WEFT__CTL_SOCKET,
                                 .family = WEFT_IPV4,
                                 .type = i == 2 ? WEFT__DATAGRAM : WEFT__STREAM};
        int64_t fd = d->class->ctl(d, &make);
        assert_true(fd >= 0 || fd == -ENOMEM);
        socks[i] = (struct sock){.fd = (int)fd, .serial = 1};
        is_well &= fd >= 0;
    }
    is_well = is_well && exchange(socks[0], socks[1], socks[2]);
    for (int i = 0; i < 3; i++)
        close_socket(socks[i]);
    return is_well;
}

// With the n-th allocation failing, and all later ones if `every`. Nothing may be left either way.
static bool is_well_without(uint64_t n, bool every) {
    struct weft__driver *mine = d;
    size_t blocks = weft__alloc_living();
    weft__fail_arm(WEFT__FAIL_ALLOC, n, every, -ENOMEM);
    const char *why = NULL;
    bool is_well = weft__sim_start(5, &d, &why) == 0;
    if (!is_well)
        assert_string_equal(why, "memory");
    if (is_well) {
        is_well = scenario();
        d->class->stop(d);
    }
    weft__fail_disarm();
    assert_int_equal(weft__alloc_living(), blocks);
    d = mine;
    return is_well;
}

static void no_failed_allocation_leaves_anything(void **state) {
    (void)state;
    uint64_t count = 1;
    while (!is_well_without(count, true))
        assert_true(++count < 100);
    assert_true(count >= 12); // sockets, ports, streams, bytes: all of them failed once
    int well = 0;
    for (uint64_t n = 1; n <= count; n++)
        well += is_well_without(n, false);
    assert_int_equal(well, 1 + 2); // a SYN whose connection finds no memory comes again
}

// A listener with connections that nobody accepted, data unread and on its way, a handshake begun.
static void stop_frees_whatever_is_open(void **state) {
    (void)state;
    weft_addr addr, udp_addr;
    struct sock listener = open_listener(3, &addr);
    struct sock udp = open_bound(WEFT__DATAGRAM, &udp_addr);
    assert_int_equal(connect_to(udp, udp_addr), 0);
    for (int i = 0; i < 3; i++) {
        struct sock client = open_socket(WEFT__STREAM);
        assert_int_equal(connect_to(client, addr), 0);
        assert_int_equal(write_text(client, "unread"), 6);
        assert_int_equal(write_text(udp, "unread"), 6);
        settle();
        assert_int_equal(write_text(client, "on its way"), 10);
        assert_int_equal(write_text(udp, "on its way"), 10);
        if (i == 0)
            close_socket(client);
    }
    assert_int_equal(try_connect(open_socket(WEFT__STREAM), addr), -EAGAIN);
    assert_int_equal(weft__sim_name_add(d, "name", &addr, 1, 0), 0);
    (void)listener;
}

static const struct CMUnitTest cases[] = {
    CASE(time_moves_in_wait_alone_and_exactly_to_its_end),
    CASE(data_takes_a_few_microseconds),
    CASE(time_stands_while_something_can_complete),
    CASE(a_wait_for_nothing_reports_a_deadlock),
    CASE(a_deadlock_that_nobody_handles_ends_the_process),
    CASE(a_timer_of_the_network_is_no_deadlock),
    CASE(choices_have_their_chances),
    CASE(the_same_seed_gives_the_same_history),
    CASE(any_step_changes_the_history),
    CASE(many_scripts_break_nothing),
    CASE(stop_frees_whatever_is_open),
    CASE(no_failed_allocation_leaves_anything),
};

int main(void) {
    int failed = 0;
    for (sim_seed = 1; sim_seed <= 5; sim_seed++)
        failed += contract_run(&sim_contract);
    sim_seed = 1;
    return failed + cmocka_run_group_tests_name("sim", cases, NULL, NULL);
}
