// SPDX-License-Identifier: MIT
// Unit tests of net/dial.c: connecting to one address, and the race of a name's addresses (RFC
// 8305, section 5), on a driver that connects when the test says, by virtual time to the
// nanosecond.
#include "fake_driver.h"

// What becomes of an attempt at the address whose last byte is the index.
struct plan {
    int64_t after_ns; // 0: at once, inline; INT64_MAX: never
    int64_t result;
};

enum { ADDRS = 12 };
static struct plan plans[ADDRS];
static weft_addr list[ADDRS]; // what the name stands for
static size_t list_count;
static int64_t resolve_result, resolve_after_ns;
static int64_t begun;           // when the case began
static int tried[ADDRS];        // in order: which addresses
static int64_t tried_at[ADDRS]; // when, since then
static size_t tried_count;
static int64_t socket_errors[ADDRS]; // of the n-th socket
static size_t sockets_made;
static weft_scope scope;

static int index_of(const weft_addr *addr) {
    size_t size;
    const uint8_t *bytes = weft_addr_bytes(addr, &size);
    assert_int_equal(weft_addr_port(addr), 80);
    return bytes[size - 1];
}

static int64_t try_op(struct fake *f, struct weft__op *op) {
    if (op->kind != WEFT__OP_CONNECT)
        return -EAGAIN;
    int i = index_of(op->peer);
    assert_true(tried_count < ADDRS);
    tried_at[tried_count] = f->now - begun;
    tried[tried_count++] = i;
    return plans[i].after_ns == 0 ? plans[i].result : -EAGAIN;
}

static void submit_op(struct fake *f, struct weft__op *op) {
    if (op->kind == WEFT__OP_RESOLVE) {
        size_t count = list_count < op->resolve->capacity ? list_count : op->resolve->capacity;
        for (size_t i = 0; i < count; i++)
            op->resolve->ret_list[i] = weft_addr_with_port(&list[i], op->resolve->port);
        if (resolve_after_ns != INT64_MAX)
            fake_at(f, op, f->now + resolve_after_ns,
                    resolve_result ? resolve_result : (int64_t)count);
        return;
    }
    const struct plan *plan = &plans[index_of(op->peer)];
    if (plan->after_ns != INT64_MAX)
        fake_at(f, op, f->now + plan->after_ns, plan->result);
}

static int64_t make_socket(struct fake *f, struct weft__ctl *ctl) {
    (void)f;
    return ctl->kind == WEFT__CTL_SOCKET ? socket_errors[sockets_made++ % ADDRS] : 0;
}

static int dial_begin(void **state) {
    fake_begin(state);
    fake.on_try = try_op;
    fake.on_submit = submit_op;
    fake.on_ctl = make_socket;
    memset(socket_errors, 0, sizeof socket_errors);
    memset(plans, 0, sizeof plans);
    resolve_result = resolve_after_ns = 0;
    list_count = tried_count = sockets_made = 0;
    begun = fake.now;
    return 0;
}

#define CASE_OF_DIAL(fn) cmocka_unit_test_setup_teardown(fn, dial_begin, fake_end)

// "6644": two IPv6 and two IPv4 addresses, numbered in that order.
static void name_stands_for(const char *families) {
    for (list_count = 0; families[list_count] != '\0'; list_count++) {
        uint8_t i = (uint8_t)list_count, ipv6[16] = {0x20, 1, 0xd, 0xb8, [15] = i};
        list[i] = families[i] == '6' ? weft_addr_ipv6(ipv6, 0, 0) : weft_addr_ipv4(10, 0, 0, i, 0);
    }
}

static void all_of_them(int64_t after_ns, int64_t result) {
    for (int i = 0; i < ADDRS; i++)
        plans[i] = (struct plan){after_ns, result};
}

static int dial(void) {
    return weft_tcp_connect("name.test:80");
}

static void expect_order(const char *digits) {
    assert_int_equal(tried_count, strlen(digits));
    for (size_t i = 0; i < tried_count; i++)
        assert_int_equal(tried[i], digits[i] - '0');
}

// ---- Order ----------------------------------------------------------------------------------

static void families_alternate_beginning_with_that_of_the_first(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        {"6", "0"},           {"66", "01"},
        {"64", "01"},         {"666444", "031425"},
        {"444666", "031425"}, {"6444", "0123"},
        {"4664", "0132"},     {"66664", "04123"},
        {"46464", "01234"},   {"66666444", "05162734"},
    };
    all_of_them(0, -ECONNREFUSED);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        name_stands_for(rows[i][0]);
        tried_count = 0;
        expect(dial(), -ECONNREFUSED);
        expect_order(rows[i][1]);
    }
    expect_explained("connect name.test:80: connection refused (is the server running?)");
    assert_int_equal(fake.fds_open, 0);
}

static void eight_addresses_are_tried_at_most(void **state) {
    (void)state;
    name_stands_for("666666666444");
    all_of_them(0, -ECONNREFUSED);
    expect(dial(), -ECONNREFUSED);
    assert_int_equal(tried_count, 8);
}

// ---- Time -----------------------------------------------------------------------------------

static void attempts_start_250_ms_apart(void **state) {
    (void)state;
    name_stands_for("6464");
    all_of_them(INT64_MAX, 0);
    plans[3] = (struct plan){10 * WEFT_MILLISECOND, 0};
    int h = opened(dial());
    expect_order("0123");
    for (int i = 0; i < 4; i++)
        assert_int_equal(tried_at[i], i * 250 * WEFT_MILLISECOND);
    assert_int_equal(weft_now() - begun, 760 * WEFT_MILLISECOND);
    assert_int_equal(fake.cancels, 3);
    assert_int_equal(fake.fds_open, 1); // the losers are closed
    expect(weft_close(h), 0);
}

static void the_first_to_connect_wins_not_the_last_to_start(void **state) {
    (void)state;
    name_stands_for("64");
    plans[0] = (struct plan){300 * WEFT_MILLISECOND, 0};
    plans[1] = (struct plan){100 * WEFT_MILLISECOND, 0};
    int h = opened(dial());
    assert_int_equal(weft_now() - begun, 300 * WEFT_MILLISECOND);
    assert_int_equal(fake.cancels, 1);
    expect(weft_close(h), 0);
}

static void a_failure_starts_the_next_attempt_at_once(void **state) {
    (void)state;
    name_stands_for("6464");
    plans[0] = (struct plan){0, -ENETUNREACH};
    plans[1] = (struct plan){20 * WEFT_MILLISECOND, -ECONNREFUSED};
    plans[2] = (struct plan){0, -EHOSTUNREACH};
    plans[3] = (struct plan){5 * WEFT_MILLISECOND, 0};
    int h = opened(dial());
    expect_order("0123");
    assert_int_equal(tried_at[1], 0);
    assert_int_equal(tried_at[2], 20 * WEFT_MILLISECOND);
    assert_int_equal(tried_at[3], 20 * WEFT_MILLISECOND);
    assert_int_equal(weft_now() - begun, 25 * WEFT_MILLISECOND);
    expect(weft_close(h), 0);
}

static void a_late_failure_of_an_earlier_attempt_starts_the_next_one_too(void **state) {
    (void)state;
    name_stands_for("646");
    plans[0] = (struct plan){260 * WEFT_MILLISECOND, -ECONNREFUSED};
    plans[1] = (struct plan){WEFT_HOUR, 0};
    plans[2] = (struct plan){WEFT_MILLISECOND, 0};
    int h = opened(dial());
    assert_int_equal(tried_at[1], 250 * WEFT_MILLISECOND);
    assert_int_equal(tried_at[2], 260 * WEFT_MILLISECOND);
    expect(weft_close(h), 0);
}

static void when_all_have_failed_the_last_failure_is_the_answer(void **state) {
    (void)state;
    name_stands_for("644");
    plans[0] = (struct plan){400 * WEFT_MILLISECOND, -ETIMEDOUT};
    plans[1] = (struct plan){0, -ECONNREFUSED};
    plans[2] = (struct plan){0, -EHOSTUNREACH};
    expect(dial(), -ETIMEDOUT);
    expect(weft_timed_out(), 0); // the network's
    assert_int_equal(weft_now() - begun, 400 * WEFT_MILLISECOND);
    assert_int_equal(fake.fds_open, 0);
}

static void a_spurious_wake_starts_nothing(void **state) {
    (void)state;
    name_stands_for("64");
    all_of_them(200 * WEFT_MILLISECOND, 0);
    weft__unpark(weft__self());
    int h = opened(dial());
    expect_order("0");
    expect(weft_close(h), 0);
}

// ---- Interruptions --------------------------------------------------------------------------

static void a_deadline_closes_all_attempts(void **state) {
    (void)state;
    name_stands_for("6464");
    all_of_them(INT64_MAX, 0);
    weft_within(600 * WEFT_MILLISECOND);
    expect(dial(), -ETIMEDOUT);
    expect(weft_timed_out(), 1);
    expect_explained("connect name.test:80: the deadline passed");
    assert_int_equal(tried_count, 3);
    assert_int_equal(fake.cancels, 3);
    assert_int_equal(fake.fds_open, 0);
}

static int dial_in_task(void *arg) {
    (void)arg;
    return dial();
}

static void a_cancel_closes_all_attempts(void **state) {
    (void)state;
    name_stands_for("6464");
    all_of_them(INT64_MAX, 0);
    expect(weft_go(&scope, dial_in_task, NULL), 0);
    expect(weft_sleep(300 * WEFT_MILLISECOND), 0);
    assert_int_equal(tried_count, 2);
    weft_cancel(&scope);
    expect(weft_join(&scope), -ECANCELED);
    assert_int_equal(fake.fds_open, 0);
}

static void let_go_later(struct fake *f, struct weft__op *op) {
    fake_at(f, op, f->now + WEFT_HOUR, op->kind == WEFT__OP_CONNECT ? 0 : -ECANCELED);
}

// The losers connect after all, in the moment in which they are cancelled.
static void nobody_is_left_who_connects_behind_our_back(void **state) {
    (void)state;
    name_stands_for("664");
    all_of_them(INT64_MAX, 0);
    plans[1] = (struct plan){WEFT_MILLISECOND, 0};
    fake.on_cancel = let_go_later;
    int h = opened(dial());
    assert_int_equal(fake.fds_open, 1);
    assert_true(weft_now() - begun >= WEFT_HOUR);
    expect(weft_close(h), 0);
}

// A cancel is a request: a connection that was made all the same is not thrown away.
static void who_connects_although_cancelled_is_the_answer(void **state) {
    (void)state;
    name_stands_for("64");
    all_of_them(INT64_MAX, 0);
    fake.on_cancel = let_go_later;
    weft_within(300 * WEFT_MILLISECOND);
    int h = opened(dial());
    assert_int_equal(fake.cancels, 2);
    assert_int_equal(fake.fds_open, 1);
    expect(weft_read(h, &(char){0}, 1), -ETIMEDOUT);
    expect(weft_close(h), 0);
}

static void on_entry_an_interruption_makes_no_attempt(void **state) {
    (void)state;
    weft_addr addr = weft_addr_ipv4(10, 0, 0, 1, 80);
    name_stands_for("6");
    weft_within(0);
    expect(dial(), -ETIMEDOUT);
    expect(weft_timed_out(), 1);
    expect(weft_tcp_connect_with(&addr, NULL), -ETIMEDOUT);
    expect(weft_timed_out(), 1);
    assert_int_equal(fake.driver.stats.submits + sockets_made, 0);
}

// ---- Names ----------------------------------------------------------------------------------

static void what_the_resolver_answers_is_the_answer(void **state) {
    (void)state;
    weft_addr found[2];
    name_stands_for("646");
    resolve_result = -WEFT_ENAME;
    expect(dial(), -WEFT_ENAME);
    expect_explained("check the spelling");
    resolve_result = -WEFT_ENAMEFAIL;
    expect(dial(), -WEFT_ENAMEFAIL);
    resolve_result = 0;
    expect(weft_resolve("name.test:80", found, 2), 2);
    assert_int_equal(index_of(&found[1]), 1);
    assert_int_equal(sockets_made, 0);
}

static void a_lookup_is_abandoned_at_the_deadline(void **state) {
    (void)state;
    resolve_after_ns = INT64_MAX;
    weft_within(WEFT_SECOND);
    expect(dial(), -ETIMEDOUT);
    expect(weft_timed_out(), 1);
    assert_int_equal(weft_now() - begun, WEFT_SECOND);
    assert_int_equal(fake.cancels, 1);
}

// ---- What goes wrong around it --------------------------------------------------------------

static void a_socket_that_cannot_be_made_counts_as_a_failed_attempt(void **state) {
    (void)state;
    name_stands_for("64");
    socket_errors[0] = -EAFNOSUPPORT;
    int h = opened(dial());
    expect_order("1");
    expect(weft_close(h), 0);
    sockets_made = 0;
    socket_errors[1] = -EMFILE;
    expect(dial(), -EMFILE);
    assert_int_equal(fake.fds_open, 0);
}

static void a_connection_without_memory_for_its_handle_is_closed(void **state) {
    (void)state;
    static int handles[WEFT__FREE_BEFORE_REUSE + 4096];
    weft_addr addr = weft_addr_ipv4(10, 0, 0, 1, 80);
    int count = 0, h;
    fault_every("alloc", 1, -ENOMEM);
    while ((h = weft__handle_open(1, WEFT__KIND_STREAM, weft__handle_serial())) > 0)
        handles[count++] = h;
    expect(weft_tcp_connect_with(&addr, NULL), -ENOMEM);
    expect_explained("connect 10.0.0.1:80");
    assert_int_equal(fake.fds_open, 0);
    fault_none();
    fake.fds_open += count;
    while (count > 0)
        expect(weft_close(handles[--count]), 0);
}

static int64_t refuse_bind(struct fake *f, struct weft__ctl *ctl) {
    (void)f;
    return ctl->kind == WEFT__CTL_BIND ? -EADDRNOTAVAIL : 0;
}

static void the_local_address_is_bound_first(void **state) {
    (void)state;
    weft_addr addr = weft_addr_ipv4(10, 0, 0, 1, 80), local = weft_addr_ipv4(10, 9, 9, 9, 0);
    int h = opened(weft_tcp_connect_with(&addr, &(weft_tcp_options){.local = &local}));
    expect(weft_close(h), 0);
    fake.on_ctl = refuse_bind;
    tried_count = 0;
    expect(weft_tcp_connect_with(&addr, &(weft_tcp_options){.local = &local}), -EADDRNOTAVAIL);
    expect_explained("the local address is not of this machine");
    assert_int_equal(tried_count, 0);
    assert_int_equal(fake.fds_open, 0);
}

static void an_address_that_connects_at_once_needs_no_wait(void **state) {
    (void)state;
    int h = opened(weft_tcp_connect("10.0.0.3:80"));
    expect_order("3");
    assert_int_equal(fake.driver.stats.submits, 0);
    expect(weft_close(h), 0);
}

int main(void) {
    const struct CMUnitTest cases[] = {
        CASE_OF_DIAL(families_alternate_beginning_with_that_of_the_first),
        CASE_OF_DIAL(eight_addresses_are_tried_at_most),
        CASE_OF_DIAL(attempts_start_250_ms_apart),
        CASE_OF_DIAL(the_first_to_connect_wins_not_the_last_to_start),
        CASE_OF_DIAL(a_failure_starts_the_next_attempt_at_once),
        CASE_OF_DIAL(a_late_failure_of_an_earlier_attempt_starts_the_next_one_too),
        CASE_OF_DIAL(when_all_have_failed_the_last_failure_is_the_answer),
        CASE_OF_DIAL(a_spurious_wake_starts_nothing),
        CASE_OF_DIAL(a_deadline_closes_all_attempts),
        CASE_OF_DIAL(a_cancel_closes_all_attempts),
        CASE_OF_DIAL(nobody_is_left_who_connects_behind_our_back),
        CASE_OF_DIAL(who_connects_although_cancelled_is_the_answer),
        CASE_OF_DIAL(on_entry_an_interruption_makes_no_attempt),
        CASE_OF_DIAL(what_the_resolver_answers_is_the_answer),
        CASE_OF_DIAL(a_lookup_is_abandoned_at_the_deadline),
        CASE_OF_DIAL(a_socket_that_cannot_be_made_counts_as_a_failed_attempt),
        CASE_OF_DIAL(a_connection_without_memory_for_its_handle_is_closed),
        CASE_OF_DIAL(the_local_address_is_bound_first),
        CASE_OF_DIAL(an_address_that_connects_at_once_needs_no_wait),
    };
    return RUN(cases);
}
