// SPDX-License-Identifier: MIT
// Unit tests of net/tcp.c: what listening asks of the driver, accepting through errors and want of
// descriptors, the options of a connection. On a driver whose answers are the test's.
#include "fake_driver.h"

static weft_scope scope;
static weft_addr addr;

// ---- What the driver is asked ---------------------------------------------------------------

enum { ASKED_MAX = 64 };
static struct weft__ctl asked[ASKED_MAX];
static size_t asked_count;
static int64_t fail_at, fail_with; // the ctl of that number fails

static int64_t note_ctl(struct fake *f, struct weft__ctl *ctl) {
    (void)f;
    if (ctl->kind == WEFT__CTL_CLOSE)
        return 0;
    assert_true(asked_count < ASKED_MAX);
    asked[asked_count++] = *ctl;
    return (int64_t)asked_count == fail_at ? fail_with : 0;
}

static int tcp_begin(void **state) {
    fake_begin(state);
    fake.on_ctl = note_ctl;
    asked_count = 0;
    fail_at = 0;
    addr = weft_addr_ipv4(127, 0, 0, 1, 7);
    return 0;
}

#define CASE_OF_TCP(fn) cmocka_unit_test_setup_teardown(fn, tcp_begin, fake_end)

static bool was_set(enum weft__option option, int value) {
    for (size_t i = 0; i < asked_count; i++)
        if (asked[i].kind == WEFT__CTL_SET && asked[i].option == option)
            return asked[i].value == value;
    return false;
}

static bool was_touched(enum weft__option option) {
    for (size_t i = 0; i < asked_count; i++)
        if (asked[i].kind == WEFT__CTL_SET && asked[i].option == option)
            return true;
    return false;
}

// ---- Listening ------------------------------------------------------------------------------

static void listening_by_default_sets_one_option(void **state) {
    (void)state;
    int h = opened(weft_tcp_listen("127.0.0.1:7"));
    assert_int_equal(asked_count, 4);
    assert_int_equal(asked[0].kind, WEFT__CTL_SOCKET);
    assert_int_equal(asked[0].family, WEFT_IPV4);
    assert_int_equal(asked[0].type, WEFT__STREAM);
    assert_true(was_set(WEFT__OPT_REUSEADDR, 1));
    assert_int_equal(asked[2].kind, WEFT__CTL_BIND);
    assert_int_equal(asked[3].kind, WEFT__CTL_LISTEN);
    assert_int_equal(asked[3].value, 4096);
    expect(weft_close(h), 0);
}

static const weft_tcp_options all_options = {.backlog = 5,
                                             .reuse_port = 1,
                                             .v6_only = 1,
                                             .nodelay = 1,
                                             .keepalive_idle_s = 10,
                                             .keepalive_interval_s = 11,
                                             .keepalive_count = 12,
                                             .send_buffer_size = 13,
                                             .receive_buffer_size = 14};

static void listening_with_options_sets_them_before_it_binds(void **state) {
    (void)state;
    const uint8_t any[16] = {0};
    weft_addr ipv6 = weft_addr_ipv6(any, 7, 0);
    int h = opened(weft_tcp_listen_with(&ipv6, &all_options));
    assert_true(was_set(WEFT__OPT_REUSEPORT, 1) && was_set(WEFT__OPT_V6ONLY, 1));
    assert_true(was_set(WEFT__OPT_NODELAY, 1) && was_set(WEFT__OPT_KEEPALIVE, 1));
    assert_true(was_set(WEFT__OPT_KEEPALIVE_IDLE_S, 10));
    assert_true(was_set(WEFT__OPT_KEEPALIVE_INTERVAL_S, 11));
    assert_true(was_set(WEFT__OPT_KEEPALIVE_COUNT, 12));
    assert_true(was_set(WEFT__OPT_SEND_BUFFER, 13) && was_set(WEFT__OPT_RECEIVE_BUFFER, 14));
    assert_int_equal(asked[asked_count - 1].kind, WEFT__CTL_LISTEN);
    assert_int_equal(asked[asked_count - 1].value, 5);
    assert_int_equal(asked[asked_count - 2].kind, WEFT__CTL_BIND);
    expect(weft_close(h), 0);
    asked_count = 0;
    h = opened(weft_tcp_listen_with(&addr, &all_options));
    assert_false(was_touched(WEFT__OPT_V6ONLY)); // IPv4 has no such thing
    expect(weft_close(h), 0);
}

static void a_listener_for_each_worker_shares_its_port_and_a_connection_does_not(void **state) {
    (void)state;
    const weft_tcp_options options = {.per_worker_listen = 1};
    int h = opened(weft_tcp_listen_with(&addr, &options));
    assert_true(was_set(WEFT__OPT_REUSEPORT, 1));
    expect(weft_close(h), 0);
    asked_count = 0;
    weft_within(WEFT_SECOND); // nobody answers
    expect(weft_tcp_connect_with(&addr, &options), -ETIMEDOUT);
    assert_true(asked_count > 0);
    assert_false(was_touched(WEFT__OPT_REUSEPORT));
}

static void whatever_fails_the_descriptor_is_closed(void **state) {
    (void)state;
    fail_with = -ENOBUFS;
    for (fail_at = 1;; fail_at++) {
        asked_count = 0;
        int h = weft_tcp_listen_with(&addr, &all_options);
        if (h > 0) {
            expect(weft_close(h), 0);
            break;
        }
        expect(h, -ENOBUFS);
        expect_explained("listen 127.0.0.1:7: ");
        assert_int_equal(fake.fds_open, 0);
    }
    assert_true(fail_at > 10);
    asked_count = 0;
    fail_at = 2;
    expect(weft_tcp_listen("127.0.0.1:7"), -ENOBUFS);
    expect_explained("listen 127.0.0.1:7: ");
    assert_int_equal(fake.fds_open, 0);
}

static void no_address_is_refused(void **state) {
    (void)state;
    weft_addr none = {{0}};
    expect(weft_tcp_listen_with(&none, NULL), -EINVAL);
    expect_explained("no address was given");
    expect(weft_tcp_listen_with(NULL, NULL), -EINVAL);
    expect(weft_tcp_connect_with(&none, NULL), -EINVAL);
    expect(weft_tcp_connect_with(NULL, NULL), -EINVAL);
    expect(weft_udp_bind_with(&none, NULL), -EINVAL);
    expect(weft_udp_bind_with(NULL, NULL), -EINVAL);
    expect_explained("bind: invalid argument (no address was given)");
    expect(weft_tcp_listen(NULL), -WEFT_EADDRESS);
    expect(weft_tcp_connect(NULL), -WEFT_EADDRESS);
    expect(weft_udp_connect(NULL), -WEFT_EADDRESS);
    expect(weft_resolve(NULL, &addr, 1), -WEFT_EADDRESS);
    expect(weft_resolve("127.0.0.1:1", NULL, 1), -EINVAL);
    expect(weft_resolve("127.0.0.1:1", &addr, 0), -EINVAL);
    assert_int_equal(asked_count, 0);
}

// ---- Accepting ------------------------------------------------------------------------------

static const int64_t *answers;
static size_t answer_count, answer_at;

static int64_t new_conn(struct fake *f, struct weft__op *op) {
    *op->peer = weft_addr_ipv4(10, 0, 0, 9, 99);
    f->fds_open++;
    return f->next_fd++;
}

static int64_t answer_accept(struct fake *f, struct weft__op *op) {
    assert_int_equal(op->kind, WEFT__OP_ACCEPT);
    return answer_at < answer_count ? answers[answer_at++] : new_conn(f, op);
}

static void errors_of_the_connection_are_passed_over(void **state) {
    (void)state;
    static const int64_t list[] = {-ECONNABORTED, -EPROTO, -ENETDOWN,   -ENOPROTOOPT,
                                   -EHOSTDOWN,    -ENONET, -EOPNOTSUPP, -EHOSTUNREACH,
                                   -ENETUNREACH,  -EPERM};
    weft_addr peer = {{0}};
    int listener = fake_handle(WEFT__KIND_LISTENER);
    answers = list;
    answer_count = sizeof list / sizeof list[0];
    answer_at = 0;
    fake.on_try = answer_accept;
    int conn = opened(weft_accept_from(listener, &peer));
    assert_int_equal(answer_at, answer_count);
    assert_int_equal(weft_addr_port(&peer), 99);
    expect(weft_close(conn), 0);
    static const int64_t other[] = {-EINVAL};
    answers = other;
    answer_count = 1;
    answer_at = 0;
    peer = (weft_addr){{0}};
    expect(weft_accept_from(listener, &peer), -EINVAL);
    assert_int_equal(weft_addr_family(&peer), 0); // untouched on failure
    expect(weft_close(listener), 0);
}

static bool is_broken;

static int64_t abort_while_broken(struct fake *f, struct weft__op *op) {
    return is_broken ? -ECONNABORTED : new_conn(f, op);
}

static int repair(void *arg) {
    (void)arg;
    is_broken = false;
    return 0;
}

static int64_t abort_and_let_time_pass(struct fake *f, struct weft__op *op) {
    (void)op;
    f->now += WEFT_MILLISECOND;
    return -ECONNABORTED;
}

static void endless_errors_of_connections_end_with_a_deadline(void **state) {
    (void)state;
    int listener = fake_handle(WEFT__KIND_LISTENER);
    fake.on_try = abort_and_let_time_pass;
    {
        weft_within(WEFT_SECOND);
        expect(weft_accept(listener), -ETIMEDOUT);
        expect(weft_timed_out(), 1);
    }
    expect(weft_close(listener), 0);
}

static void endless_errors_of_connections_do_not_starve_the_others(void **state) {
    (void)state;
    int listener = fake_handle(WEFT__KIND_LISTENER);
    is_broken = true;
    fake.on_try = abort_while_broken;
    expect(weft_go(&scope, repair, NULL), 0);
    expect(weft_close(opened(weft_accept(listener))), 0);
    expect(weft_join(&scope), 0);
    expect(weft_close(listener), 0);
}

static int close_that(void *arg) {
    return weft_close(*(int *)arg);
}

static void endless_errors_of_connections_end_with_a_close(void **state) {
    (void)state;
    int listener = fake_handle(WEFT__KIND_LISTENER);
    is_broken = true;
    fake.on_try = abort_while_broken;
    expect(weft_go(&scope, close_that, &listener), 0);
    expect(weft_accept(listener), -EBADF);
    expect(weft_join(&scope), 0);
}

// ---- Out of descriptors ---------------------------------------------------------------------

static int64_t shortage; // 0: none
static int lines;
static char last_line[512];

static int64_t accept_unless_short(struct fake *f, struct weft__op *op) {
    return shortage ? shortage : new_conn(f, op);
}

static void keep_line(int level, const char *text, void *context) {
    (void)context;
    assert_int_equal(level, WEFT__LOG_WARN);
    strncpy(last_line, text, sizeof last_line - 1);
    lines++;
}

static int listener;

static int short_begin(void **state) {
    tcp_begin(state);
    weft__log_to(keep_line, NULL);
    listener = fake_handle(WEFT__KIND_LISTENER);
    fake.on_try = accept_unless_short;
    shortage = -EMFILE;
    lines = 0;
    return 0;
}

static int short_end(void **state) {
    (void)weft_close(listener);
    return fake_end(state);
}

#define CASE_OF_SHORTAGE(fn) cmocka_unit_test_setup_teardown(fn, short_begin, short_end)

static int end_shortage(void *arg) {
    expect(weft_sleep(*(int64_t *)arg), 0);
    shortage = 0;
    return 0;
}

static void accept_looks_again_every_100_ms_and_says_so_once(void **state) {
    (void)state;
    static const int64_t codes[] = {-EMFILE, -ENFILE, -ENOBUFS, -ENOMEM};
    for (int i = 0; i < 4; i++) {
        int64_t begun = weft_now(), pause = 950 * WEFT_MILLISECOND;
        uint64_t tries = fake.driver.stats.tries;
        shortage = codes[i];
        expect(weft_go(&scope, end_shortage, &pause), 0);
        expect(weft_close(opened(weft_accept(listener))), 0);
        assert_int_equal(weft_now(), begun + WEFT_SECOND);
        assert_in_range(fake.driver.stats.tries - tries, 10, 12);
        expect(weft_join(&scope), 0);
    }
    assert_int_equal(lines, 1); // there was always somebody waiting: one episode
    assert_non_null(strstr(last_line, "ulimit -n"));
}

static int64_t wait_unless_short(struct fake *f, struct weft__op *op) {
    (void)f;
    (void)op;
    return shortage ? shortage : -EAGAIN;
}

static void when_nobody_waits_any_more_the_episode_is_over(void **state) {
    (void)state;
    fake.on_try = wait_unless_short;
    for (int i = 1; i <= 3; i++) {
        int64_t pause = 1;
        shortage = -EMFILE;
        expect(weft_go(&scope, end_shortage, &pause), 0);
        {
            weft_within(WEFT_SECOND);
            expect(weft_accept(listener), -ETIMEDOUT);
        }
        expect(weft_join(&scope), 0);
        assert_int_equal(lines, i);
    }
}

static int close_something(void *arg) {
    expect(weft_sleep(30 * WEFT_MILLISECOND), 0);
    shortage = 0;
    return weft_close(*(int *)arg);
}

static void a_handle_that_closes_ends_the_pause(void **state) {
    (void)state;
    int64_t begun = weft_now();
    int other = fake_handle(WEFT__KIND_DATAGRAM);
    expect(weft_go(&scope, close_something, &other), 0);
    expect(weft_close(opened(weft_accept(listener))), 0);
    assert_int_equal(weft_now(), begun + 30 * WEFT_MILLISECOND);
    expect(weft_join(&scope), 0);
}

static int accept_one(void *arg) {
    (void)arg;
    return weft_accept(listener);
}

static int close_listener(void *arg) {
    (void)arg;
    expect(weft_sleep(30 * WEFT_MILLISECOND), 0);
    return weft_close(listener);
}

static void cancel_deadline_and_close_end_the_pause(void **state) {
    (void)state;
    int64_t begun = weft_now();
    expect(weft_go(&scope, accept_one, NULL), 0);
    expect(weft_sleep(20 * WEFT_MILLISECOND), 0);
    weft_cancel(&scope);
    expect(weft_join(&scope), -ECANCELED);
    assert_int_equal(weft_now(), begun + 20 * WEFT_MILLISECOND);
    {
        weft_within(40 * WEFT_MILLISECOND);
        expect(weft_accept(listener), -ETIMEDOUT);
        expect(weft_timed_out(), 1);
    }
    assert_int_equal(weft_now(), begun + 60 * WEFT_MILLISECOND);
    expect(weft_go(&scope, close_listener, NULL), 0);
    expect(weft_accept(listener), -EBADF);
    assert_int_equal(weft_now(), begun + 90 * WEFT_MILLISECOND);
    expect(weft_join(&scope), 0);
}

// Uses up the handles that need no memory.
static int64_t no_more_memory(struct fake *f, struct weft__op *op) {
    fault_every("alloc", 1, -ENOMEM);
    return new_conn(f, op);
}

static int memory_comes_back(void *arg) {
    (void)arg;
    expect(weft_sleep(250 * WEFT_MILLISECOND), 0);
    fault_none();
    return 0;
}

static void a_connection_for_which_there_is_no_handle_is_kept(void **state) {
    (void)state;
    static int handles[WEFT__FREE_BEFORE_REUSE + 4096];
    int count = 0, h;
    fault_every("alloc", 1, -ENOMEM);
    while ((h = weft__handle_open(1, WEFT__KIND_STREAM, weft__handle_serial())) > 0)
        handles[count++] = h;
    expect(h, -ENOMEM);
    fault_none();
    fake.on_try = no_more_memory;
    expect(weft_go(&scope, memory_comes_back, NULL), 0);
    expect(weft_sleep(1), 0); // its stack is there
    uint64_t tries = fake.driver.stats.tries;
    int conn = opened(weft_accept(listener));
    assert_int_equal(fake.driver.stats.tries, tries + 1); // accepted once
    assert_int_equal(lines, 1);
    expect(weft_join(&scope), 0);
    expect(weft_close(conn), 0);
    int fds_open = fake.fds_open;
    fault_every("alloc", 1, -ENOMEM);
    while ((h = weft__handle_open(1, WEFT__KIND_STREAM, weft__handle_serial())) > 0)
        handles[count++] = h;
    {
        weft_within(WEFT_SECOND);
        expect(weft_accept(listener), -ETIMEDOUT); // who gives up closes the connection
    }
    assert_int_equal(fake.fds_open, fds_open);
    fault_none();
    fake.fds_open += count; // which nobody had opened
    while (count > 0)
        expect(weft_close(handles[--count]), 0);
}

// ---- Options of a connection ----------------------------------------------------------------

static void nodelay_and_keepalive_ask_for_what_was_said(void **state) {
    (void)state;
    int conn = fake_handle(WEFT__KIND_STREAM);
    expect(weft_tcp_nodelay(conn, 1), 0);
    expect(weft_tcp_nodelay(conn, 0), 0);
    assert_int_equal(asked[0].value, 1);
    assert_int_equal(asked[1].value, 0);
    asked_count = 0;
    expect(weft_tcp_keepalive(conn, 10, 11, 12), 0);
    assert_true(was_set(WEFT__OPT_KEEPALIVE_IDLE_S, 10));
    assert_true(was_set(WEFT__OPT_KEEPALIVE_INTERVAL_S, 11));
    assert_true(was_set(WEFT__OPT_KEEPALIVE_COUNT, 12));
    assert_true(was_set(WEFT__OPT_KEEPALIVE, 1));
    asked_count = 0;
    expect(weft_tcp_keepalive(conn, 10, 0, 0), 0);
    assert_false(was_touched(WEFT__OPT_KEEPALIVE_INTERVAL_S));
    assert_false(was_touched(WEFT__OPT_KEEPALIVE_COUNT));
    asked_count = 0;
    expect(weft_tcp_keepalive(conn, 0, 0, 0), 0);
    assert_true(was_set(WEFT__OPT_KEEPALIVE, 0));
    expect(weft_tcp_keepalive(conn, -1, 0, 0), -EINVAL);
    expect(weft_tcp_keepalive(conn, 1, -1, 0), -EINVAL);
    expect(weft_tcp_keepalive(conn, 1, 0, -1), -EINVAL);
    asked_count = 0;
    fail_at = 2;
    fail_with = -EINVAL;
    expect(weft_tcp_keepalive(conn, 1, 100000, 1), -EINVAL);
    assert_false(was_touched(WEFT__OPT_KEEPALIVE)); // refused: nothing was turned on
    expect(weft_tcp_nodelay(listener, 1), -EBADF);
    expect(weft_close(conn), 0);
}

int main(void) {
    const struct CMUnitTest cases[] = {
        CASE_OF_TCP(listening_by_default_sets_one_option),
        CASE_OF_TCP(listening_with_options_sets_them_before_it_binds),
        CASE_OF_TCP(a_listener_for_each_worker_shares_its_port_and_a_connection_does_not),
        CASE_OF_TCP(whatever_fails_the_descriptor_is_closed),
        CASE_OF_TCP(no_address_is_refused),
        CASE_OF_TCP(errors_of_the_connection_are_passed_over),
        CASE_OF_TCP(endless_errors_of_connections_do_not_starve_the_others),
        CASE_OF_TCP(endless_errors_of_connections_end_with_a_close),
        CASE_OF_TCP(endless_errors_of_connections_end_with_a_deadline),
        CASE_OF_SHORTAGE(accept_looks_again_every_100_ms_and_says_so_once),
        CASE_OF_SHORTAGE(when_nobody_waits_any_more_the_episode_is_over),
        CASE_OF_SHORTAGE(a_handle_that_closes_ends_the_pause),
        CASE_OF_SHORTAGE(cancel_deadline_and_close_end_the_pause),
        CASE_OF_SHORTAGE(a_connection_for_which_there_is_no_handle_is_kept),
        CASE_OF_TCP(nodelay_and_keepalive_ask_for_what_was_said),
    };
    return RUN(cases);
}
