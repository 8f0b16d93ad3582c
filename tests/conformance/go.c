// SPDX-License-Identifier: MIT
// Starting tasks: what weft_go does with handles, refusals and options; the same function called
// and started. Joining is in scope.c.
#include "case.h"
#include "fault.h"

#include <string.h>

static struct flag started;

static int count_start(int handle) {
    flag_raise(&started);
    return weft_close(handle);
}

static int count_start_of(void *unused) {
    (void)unused;
    flag_raise(&started);
    return 0;
}

// "An int argument is a handle: a negative one starts nothing and is returned."
CASE(go_with_a_negative_handle_starts_nothing_and_returns_it) {
    static const int negatives[] = {-1, -EBADF, -ECONNREFUSED, -WEFT_EADDRESS, INT32_MIN};
    weft_scope scope = {0};
    weft_task_options options = {.name = "never"};
    for (size_t i = 0; i < sizeof negatives / sizeof negatives[0]; i++) {
        expect(weft_go(&scope, count_start, negatives[i]), negatives[i]);
        expect(weft_go_with(&scope, count_start, negatives[i], &options), negatives[i]);
    }
    expect(weft_join(&scope), 0);
    expect(flag_value(&started), 0);
}
CASE_NEEDS_TASKS(go_with_a_negative_handle_starts_nothing_and_returns_it)

// ... which leaves the record behind weft_explain as it is.
CASE(go_with_a_negative_handle_keeps_the_first_error) {
    weft_scope scope = {0};
    weft_addr addr = unused_address();
    char text[WEFT_ADDR_TEXT_SIZE];
    expect(weft_go(&scope, count_start, weft_tcp_connect_with(&addr, NULL)), -ECONNREFUSED);
    expect_explained("connect");
    expect_explained(weft_addr_text(&addr, text));
}
CASE_NEEDS_TASKS(go_with_a_negative_handle_keeps_the_first_error)

CASE(go_gives_its_handle_to_the_task) {
    struct tcp_pair pair = tcp_pair_open();
    weft_scope scope = {0};
    char byte;
    expect(weft_go(&scope, count_start, pair.server), 0);
    expect(weft_join(&scope), 0);
    expect(flag_value(&started), 1);
    expect(weft_read(pair.client, &byte, 1), 0);
    expect(weft_close(pair.client), 0);
}
CASE_NEEDS_TASKS(go_gives_its_handle_to_the_task)

// "weft_go takes a handle argument, even when it fails": it closes it.
CASE(go_that_is_refused_closes_its_handle) {
    weft_addr addr;
    weft_scope scope = {0};
    int sock = udp_anywhere(&addr);
    expect(weft_go(NULL, count_start, sock), -EINVAL);
    expect(weft_close(sock), -EBADF);
    sock = udp_anywhere(&addr);
    expect(weft_go(&scope, (int (*)(int))NULL, sock), -EINVAL);
    expect(weft_close(sock), -EBADF);
    expect(weft_go(NULL, count_start_of, NULL), -EINVAL);
    expect(weft_go(&scope, (int (*)(void *))NULL, NULL), -EINVAL);
    expect(weft_join(&scope), 0);
    expect(flag_value(&started), 0);
}
CASE_NEEDS_TASKS(go_that_is_refused_closes_its_handle)

// "Go (which may fail with -ENOMEM)."
CASE(go_without_memory_closes_its_handle_or_starts) {
    for (uint64_t n = 1; n <= 4; n++) {
        weft_addr addr;
        weft_scope scope = {0};
        int sock = udp_anywhere(&addr), before = flag_value(&started);
        fault_nth("alloc", n, -ENOMEM);
        int result = weft_go(&scope, count_start, sock);
        fault_none();
        expect_either(result, 0, -ENOMEM); // it may need less than n allocations
        expect(weft_join(&scope), 0);
        expect(flag_value(&started) - before, result == 0);
        expect(weft_close(sock), -EBADF);
    }
}
CASE_NEEDS_TASKS(go_without_memory_closes_its_handle_or_starts)

struct outsider {
    weft_scope *scope;
    int result, sock;
    struct flag done;
};

static int go_into_busy_scope(void *context) {
    struct outsider *outsider = context;
    outsider->result = weft_go(outsider->scope, count_start, outsider->sock);
    flag_raise(&outsider->done);
    return 0;
}

static int wait_for_outsider(void *context) {
    struct outsider *outsider = context;
    await_flag(&outsider->done, 1);
    return 0;
}

CASE(go_into_a_scope_being_joined_closes_its_handle) {
    weft_addr addr;
    weft_scope scope = {0}, others = {0};
    struct outsider outsider = {.scope = &scope, .sock = udp_anywhere(&addr)};
    expect(weft_go(&scope, wait_for_outsider, (void *)&outsider), 0);
    expect(weft_go(&others, go_into_busy_scope, (void *)&outsider), 0);
    expect(weft_join(&scope), 0);
    expect(weft_join(&others), 0);
    expect(outsider.result, -EBUSY);
    expect(flag_value(&started), 0);
    expect(weft_close(outsider.sock), -EBADF);
}
CASE_NEEDS_TASKS(go_into_a_scope_being_joined_closes_its_handle)

static int use_much_stack(void *context) {
    char big[300000];
    memset(big, 7, sizeof big);
    expect(weft_yield(), 0);
    *(int *)context = big[sizeof big / 2];
    return 0;
}

// weft_task_options.stack_size.
CASE(a_task_may_ask_for_a_larger_stack) {
    weft_scope scope = {0};
    int result = 0;
    weft_task_options options = {.name = "a name that is much longer than thirty-one bytes",
                                 .stack_size = 512 << 10};
    expect(weft_go_with(&scope, use_much_stack, (void *)&result, &options), 0);
    expect(weft_join(&scope), 0);
    expect(result, 7);
}
CASE_NEEDS_TASKS(a_task_may_ask_for_a_larger_stack)

CASE(thousands_of_tasks_run_and_end) {
    enum { TASKS = 5000 };
    weft_scope scope = {0};
    for (int i = 0; i < TASKS; i++)
        expect(weft_go(&scope, count_start_of, NULL), 0);
    expect(weft_join(&scope), 0);
    expect(flag_value(&started), TASKS);
}
CASE_NEEDS_TASKS(thousands_of_tasks_run_and_end)

// An echo as README.md begins with.
static int echo(int conn) {
    char buf[1024];
    ssize_t n;
    while ((n = weft_read(conn, buf, sizeof buf)) > 0)
        if ((n = weft_write_all(conn, buf, n)) < 0)
            break;
    weft_close(conn);
    return (int)n;
}

struct client {
    int conn;
};

static void ask_and_compare(void *context) {
    struct client *client = context;
    unsigned char out[3000], in[3000];
    bytes_fill(out, sizeof out, 0);
    for (int i = 0; i < 20; i++) {
        expect(weft_write_all(client->conn, out, sizeof out), sizeof out);
        expect(weft_read_exact(client->conn, in, sizeof in), sizeof in);
        expect_that(bytes_are_right(in, sizeof in, 0));
    }
    expect(weft_close(client->conn), 0);
}

// The same function blocks when it is called and suspends under weft_go. Here it is called,
// whatever the caller is.
CASE(the_echo_works_when_it_is_called) {
    struct tcp_pair pair = tcp_pair_open();
    struct client client = {pair.client};
    struct parties parties = {0};
    party_start(&parties, "client", ask_and_compare, &client);
    expect(echo(pair.server), 0);
    parties_join(&parties);
}

CASE(the_same_echo_works_as_a_task_for_many_clients) {
    enum { CLIENTS = 50 };
    struct client clients[CLIENTS];
    struct parties parties = {0};
    weft_scope echoes = {0};
    for (int i = 0; i < CLIENTS; i++) {
        struct tcp_pair pair = tcp_pair_open();
        clients[i].conn = pair.client;
        expect(weft_go(&echoes, echo, pair.server), 0);
        party_start(&parties, "client", ask_and_compare, &clients[i]);
    }
    parties_join(&parties);
    expect(weft_join(&echoes), 0);
}
CASE_NEEDS_TASKS(the_same_echo_works_as_a_task_for_many_clients)
