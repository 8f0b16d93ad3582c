// SPDX-License-Identifier: MIT
// Out of memory anywhere: "-ENOMEM, nothing leaked". Every allocation of a round trip is made to
// fail once, from the start of the runtime to its end.
#include "case.h"
#include "fault.h"

#include <pthread.h>

// Everything that one task does with a connection to itself, until something fails. Negative: the
// error.
static ssize_t talk(int client, int server) {
    char buf[2048];
    ssize_t n;
    if ((n = weft_write_all(client, "hello", 5)) < 0 || (n = weft_read(server, buf, 64)) < 0)
        return n;
    if ((n = weft_printf(server, "%1500d", 1)) < 0) // too long for the stack
        return n;
    return weft_read_exact(client, buf, 1500);
}

static ssize_t tcp_round_trip(void) {
    weft_addr addr = weft_addr_ipv4(127, 0, 0, 1, 0);
    int listener = weft_tcp_listen_with(&addr, NULL);
    int error = weft_local_addr(listener, &addr);
    int client = error < 0 ? error : weft_tcp_connect_with(&addr, NULL);
    int server = client < 0 ? client : weft_accept(listener);
    ssize_t n = server < 0 ? server : talk(client, server);
    weft_close(server);
    weft_close(client);
    weft_close(listener);
    return n;
}

static ssize_t udp_round_trip(void) {
    char buf[8];
    weft_addr addr = weft_addr_ipv4(127, 0, 0, 1, 0), peer;
    int sock = weft_udp_bind_with(&addr, NULL);
    ssize_t n = weft_local_addr(sock, &addr);
    if (n >= 0 && (n = weft_send_to(sock, "x", 1, &addr)) >= 0)
        n = weft_recv_from(sock, buf, sizeof buf, &peer);
    weft_close(sock);
    return n;
}

static int round_trips(void *context) {
    (void)context;
    ssize_t n = tcp_round_trip();
    return n < 0 ? (int)n : (int)udp_round_trip();
}

static int two_tasks(void) {
    weft_scope scope = {0};
    int started = weft_go(&scope, round_trips, NULL);
    if (started >= 0)
        started = weft_go(&scope, round_trips, NULL);
    int joined = weft_join(&scope);
    return started < 0 ? started : joined;
}

// The answer, and whether the fault was met at all is not known: -ENOMEM or success.
static void *whole_life(void *ret_result) {
    int *result = ret_result;
    if (!world_has_tasks()) {
        *result = round_trips(NULL);
        return NULL;
    }
    *result = world_start();
    if (*result < 0)
        return NULL;
    *result = two_tasks();
    int stopped = weft_stop(10 * WEFT_SECOND);
    expect(stopped, 0);
    return NULL;
}

static int life_in_a_thread(void) {
    pthread_t thread;
    int result = 1;
    expect(-pthread_create(&thread, NULL, whole_life, &result), 0);
    expect(-pthread_join(thread, NULL), 0);
    return result;
}

static void fail_each(const char *kind, uint64_t count) {
    struct leftovers before;
    expect_that(life_in_a_thread() >= 0); // what a process makes once is made
    for (uint64_t n = 1; n <= count; n++) {
        leftovers_count(&before);
        fault_nth(kind, n, -ENOMEM);
        int result = life_in_a_thread();
        fault_none();
        if (result < 0)
            expect(result, -ENOMEM);
        leftovers_expect_none(&before);
    }
    expect_that(life_in_a_thread() >= 0); // and all is well again
}

CASE(every_allocation_may_fail_and_nothing_is_lost, .is_bare = true, .sim_seeds = 2) {
    fail_each("alloc", 60);
}

CASE(every_page_may_be_refused_and_nothing_is_lost, .is_bare = true, .sim_seeds = 2) {
    fail_each("pages", 12);
}

// From the n-th allocation on there is no memory at all. In the simulator the peer's kernel has
// none either, so that it loses packets, which is the network's -ETIMEDOUT in the
// end.
CASE(all_allocations_may_fail_from_any_moment_on, .is_bare = true, .sim_seeds = 1) {
    for (uint64_t n = 1; n <= 40; n++) {
        struct leftovers before;
        leftovers_count(&before);
        fault_every("alloc", n, -ENOMEM);
        int result = life_in_a_thread();
        fault_none();
        if (result < 0)
            expect_either(result, -ENOMEM, world_is("sim") ? -ETIMEDOUT : -ENOMEM);
        if (n > 1) // what a process makes once
            leftovers_expect_none(&before);
    }
    expect_that(life_in_a_thread() >= 0);
}

struct starving {
    ssize_t slept, wrote;
    int conn;
};

static int try_to_wait(void *context) {
    struct starving *starving = context;
    starving->slept = weft_sleep(WEFT_MILLISECOND);
    starving->wrote = weft_write(starving->conn, "x", 1);
    return 0;
}

// "If no stack can be had ... if none is in use, the worker runs them one at a time on its reserve
// stack, where every call that would wait returns -ENOMEM." What need not wait works, such as a
// write into an empty connection; on the simulator the seed may choose that it has to ("whether an
// operation that could succeed at once has to wait").
CASE(without_stacks_tasks_run_on_the_reserve_stack) {
    struct tcp_pair pair = tcp_pair_open();
    struct starving starving[3];
    weft_scope scope = {0};
    // Larger than any that are kept; on one worker, because two would write at once, and one of
    // them wait for its turn.
    weft_task_options large = {.stack_size = 1 << 20, .worker = WEFT_WORKER_HERE};
    fault_every("pages", 1, -ENOMEM);
    for (int i = 0; i < 3; i++) {
        starving[i] = (struct starving){.conn = pair.client};
        expect(weft_go_with(&scope, try_to_wait, (void *)&starving[i], &large), 0);
    }
    expect(weft_join(&scope), 0);
    fault_none();
    for (int i = 0; i < 3; i++) {
        expect(starving[i].slept, -ENOMEM);
        expect_either(starving[i].wrote, 1, world_is("sim") ? -ENOMEM : 1);
    }
    expect(weft_go_with(&scope, try_to_wait, (void *)&starving[0], &large), 0); // with a stack
    expect(weft_join(&scope), 0);
    expect(starving[0].slept, 0);
    expect(starving[0].wrote, 1);
    tcp_pair_close(&pair);
}
CASE_NEEDS_TASKS(without_stacks_tasks_run_on_the_reserve_stack)

// A lookup without a helper thread says -ENOMEM, or waits for one that is there.
CASE(a_lookup_without_a_helper_thread_fails_cleanly) {
    weft_addr list[2];
    fault_every("thread", 1, -ENOMEM);
    int result = weft_resolve("localhost:1", list, 2);
    fault_none();
    if (result < 0)
        expect(result, -ENOMEM);
    expect_that(weft_resolve("localhost:1", list, 2) >= 1);
}
