// SPDX-License-Identifier: MIT
// Deadlines: "weft_within(5 * WEFT_SECOND); bounds the rest of its block", at every kind of wait,
// nested, inherited, however the block is left. Shields are in shield.c.
#include "waits.h"

static void time_out_at(const struct wait *wait) {
    struct scene scene = {.handle = 0};
    wait->begin(&scene);
    {
        weft_within(check_patience_ns());
        expect(wait->call(&scene), -ETIMEDOUT);
        expect(weft_timed_out(), 1);
        expect(wait->call(&scene), -ETIMEDOUT); // level-triggered
        expect(weft_check(), -ETIMEDOUT);
    }
    expect(weft_check(), 0);
    wait->end(&scene);
}

CASE(a_deadline_ends_every_kind_of_wait_at_a_handle) {
    static const struct wait *const waits[] = {
        &wait_read,  &wait_peek,   &wait_read_exact, &wait_readv,     &wait_write,
        &wait_ready, &wait_accept, &wait_recv_from,  &wait_recv_with, &wait_datagram_read,
    };
    for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++)
        time_out_at(waits[i]);
}

CASE(a_deadline_ends_a_connect) {
    time_out_at(&wait_connect);
}
CASE(a_deadline_ends_a_read_queued_behind_another) {
    time_out_at(&wait_queued_read);
}
CASE(a_deadline_ends_an_accept_queued_behind_another) {
    time_out_at(&wait_queued_accept);
}
CASE(a_deadline_ends_a_loop_of_yields) {
    time_out_at(&wait_yield);
}

// "weft_sleep tells its own timer (0) from the ambient deadline (-ETIMEDOUT)."
CASE(sleep_tells_its_own_timer_from_the_deadline) {
    weft_within(20 * WEFT_MILLISECOND);
    expect(weft_sleep(WEFT_MICROSECOND), 0);
    expect(weft_sleep(WEFT_HOUR), -ETIMEDOUT);
    expect(weft_timed_out(), 1);
}

CASE(a_sleep_lasts_at_least_as_long_as_asked) {
    for (int64_t ns = 1; ns < 100 * WEFT_MILLISECOND; ns *= 10) {
        int64_t before = weft_now();
        expect(weft_sleep(ns), 0);
        expect_that(weft_now() - before >= ns);
    }
}

// "ns <= 0: only looks at cancellation and deadline."
CASE(a_sleep_of_zero_or_less_ends_at_once) {
    int64_t before = weft_now();
    expect(weft_sleep(0), 0);
    expect(weft_sleep(-1), 0);
    expect(weft_sleep(INT64_MIN), 0);
    expect_that(weft_now() - before < WEFT_HOUR);
}

// "Virtual time moves only when nothing can run", and then to where it has to.
CASE(an_hour_of_sleep_is_exactly_an_hour_of_virtual_time) {
    int64_t before = weft_now();
    expect(weft_sleep(WEFT_HOUR), 0);
    expect(weft_now() - before, WEFT_HOUR);
    {
        weft_within(90 * WEFT_MINUTE);
        expect(weft_sleep(2 * WEFT_HOUR), -ETIMEDOUT);
    }
    expect(weft_now() - before, WEFT_HOUR + 90 * WEFT_MINUTE);
}
CASE_ONLY_ON_SIM(an_hour_of_sleep_is_exactly_an_hour_of_virtual_time)

// "Nested ones: the earliest counts."
CASE(of_nested_deadlines_the_earliest_counts) {
    struct tcp_pair pair = tcp_pair_open();
    char byte;
    {
        weft_within(WEFT_HOUR);
        {
            weft_within(10 * WEFT_MILLISECOND);
            {
                weft_within(WEFT_MINUTE); // later than the one around it
                expect(weft_read(pair.server, &byte, 1), -ETIMEDOUT);
            }
            expect(weft_check(), -ETIMEDOUT);
        }
        expect(weft_check(), 0); // the outer hour goes on
        expect(weft_write(pair.client, "x", 1), 1);
        expect(weft_read(pair.server, &byte, 1), 1);
    }
    tcp_pair_close(&pair);
}

CASE(nested_deadlines_pass_at_their_exact_times) {
    int64_t began = weft_now();
    weft_within(300 * WEFT_MILLISECOND);
    {
        weft_within(100 * WEFT_MILLISECOND);
        expect(weft_sleep(WEFT_HOUR), -ETIMEDOUT);
        expect(weft_now() - began, 100 * WEFT_MILLISECOND);
    }
    weft_within(WEFT_MINUTE); // a second one in the same block
    expect(weft_sleep(WEFT_HOUR), -ETIMEDOUT);
    expect(weft_now() - began, 300 * WEFT_MILLISECOND);
}
CASE_ONLY_ON_SIM(nested_deadlines_pass_at_their_exact_times)

// "weft_within(ns <= 0) is expired at once on every driver", though there is something to read.
CASE(a_deadline_of_zero_or_less_is_expired_at_once) {
    static const int64_t times[] = {0, -1, -WEFT_HOUR, INT64_MIN};
    struct tcp_pair pair = tcp_pair_open();
    char byte;
    expect(weft_write(pair.client, "x", 1), 1);
    expect(weft_ready(pair.server, WEFT_READ), WEFT_READ);
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        weft_within(times[i]);
        expect(weft_read(pair.server, &byte, 1), -ETIMEDOUT);
        expect(weft_timed_out(), 1);
        expect(weft_write(pair.server, "y", 1), -ETIMEDOUT);
    }
    expect(weft_read(pair.server, &byte, 1), 1); // it was not consumed
    expect_waits(weft_read(pair.client, &byte, 1));
    tcp_pair_close(&pair);
}

// "A sum beyond INT64_MAX means never."
CASE(a_deadline_beyond_the_end_of_time_means_never) {
    static const int64_t times[] = {INT64_MAX, INT64_MAX - 1, INT64_MAX - WEFT_SECOND / 1000};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        weft_within(times[i]);
        expect(weft_sleep(WEFT_MILLISECOND), 0);
        expect(weft_check(), 0);
        weft_within(0); // and hides none inside it
        expect(weft_check(), -ETIMEDOUT);
    }
    expect(weft_check(), 0);
}

static int leave(int way) {
    for (int i = 0; i < 3; i++) {
        weft_within(0);
        expect(weft_check(), -ETIMEDOUT);
        if (way == 0)
            return 0;
        if (way == 1)
            break;
        if (way == 2)
            continue;
        if (way == 3)
            goto out;
    }
    expect(weft_check(), 0);
    return 0;
out:
    expect(weft_check(), 0);
    return 0;
}

// "Whatever is called there, however it is left": return, break, continue, goto, the end.
CASE(a_deadline_ends_with_its_block_however_that_is_left) {
    for (int way = 0; way < 5; way++) {
        expect(leave(way), 0);
        expect(weft_check(), 0);
    }
}

// In a loop each turn has its own.
CASE(a_deadline_in_a_loop_begins_anew_each_turn) {
    int64_t began = weft_now();
    for (int i = 1; i <= 5; i++) {
        weft_within(10 * WEFT_MILLISECOND);
        expect(weft_check(), 0);
        expect(weft_sleep(WEFT_HOUR), -ETIMEDOUT);
        expect_that(weft_now() - began >= i * 10 * WEFT_MILLISECOND);
    }
    expect(weft_check(), 0);
}

struct child {
    int conn;
    int64_t sleep_ns;
    ssize_t result;
    int timed_out;
    int64_t ended;
};

static int sleep_and_tell(void *context) {
    struct child *child = context;
    child->result = weft_sleep(child->sleep_ns);
    child->timed_out = weft_timed_out();
    child->ended = weft_now();
    return 0;
}

// "A task inherits the deadline in force at weft_go (not when it first runs)": the block has ended
// when it runs.
CASE(a_task_inherits_the_deadline_in_force_at_go) {
    struct child child = {.sleep_ns = WEFT_HOUR};
    weft_scope scope = {0};
    {
        weft_within(50 * WEFT_MILLISECOND);
        expect(weft_go(&scope, sleep_and_tell, (void *)&child), 0);
    }
    expect(weft_join(&scope), 0);
    expect(child.result, -ETIMEDOUT);
    expect(child.timed_out, 1);
}
CASE_NEEDS_TASKS(a_task_inherits_the_deadline_in_force_at_go)

// ... nor one that begins between its start and its first run.
CASE(a_task_does_not_inherit_a_later_deadline) {
    struct child child = {.sleep_ns = 100 * WEFT_MILLISECOND};
    weft_scope scope = {0};
    expect(weft_go(&scope, sleep_and_tell, (void *)&child), 0);
    {
        weft_within(20 * WEFT_MILLISECOND);
        expect(weft_sleep(WEFT_HOUR), -ETIMEDOUT);
    }
    expect(weft_join(&scope), 0);
    expect(child.result, 0);
}
CASE_NEEDS_TASKS(a_task_does_not_inherit_a_later_deadline)

CASE(inherited_deadlines_pass_at_their_exact_times) {
    struct child child = {.sleep_ns = WEFT_HOUR};
    weft_scope scope = {0};
    int64_t began = weft_now();
    {
        weft_within(50 * WEFT_MILLISECOND);
        expect(weft_sleep(20 * WEFT_MILLISECOND), 0);
        expect(weft_go(&scope, sleep_and_tell, (void *)&child), 0);
    }
    expect(weft_join(&scope), 0);
    expect(child.ended - began, 50 * WEFT_MILLISECOND);
}
CASE_ONLY_ON_SIM(inherited_deadlines_pass_at_their_exact_times)

// "weft_timed_out() tells a deadline from the network's ETIMEDOUT", and from any other failure.
CASE(timed_out_is_about_the_last_failure_only) {
    weft_addr addr = unused_address();
    {
        weft_within(0);
        expect(weft_yield(), -ETIMEDOUT);
    }
    expect(weft_timed_out(), 1);
    expect(weft_tcp_connect_with(&addr, NULL), -ECONNREFUSED);
    expect(weft_timed_out(), 0);
}

CASE(the_clock_never_goes_back) {
    int64_t last = weft_now();
    for (int i = 0; i < 1000; i++) {
        int64_t now = weft_now();
        expect_that(now >= last);
        last = now;
        if (i % 50 == 0)
            expect(weft_yield(), 0);
    }
}

static int never_wait(void *context) {
    struct child *child = context;
    weft_addr addr;
    char byte;
    int sock = udp_anywhere(&addr);
    {
        weft_within(5 * WEFT_MILLISECOND);
        do
            child->result = weft_send_to(sock, "x", 1, &addr);
        while (child->result == 1 && (child->result = weft_read(sock, &byte, 1)) == 1);
        child->timed_out = weft_timed_out();
    }
    return weft_close(sock);
}

// "In a task the deadline is compared with the clock that its worker reads once a turn; the op
// budget bounds the delay."
CASE(a_task_that_never_waits_meets_its_deadline) {
    struct child child = {.result = 0};
    weft_scope scope = {0};
    expect(weft_go(&scope, never_wait, (void *)&child), 0);
    expect(weft_join(&scope), 0);
    expect(child.result, -ETIMEDOUT);
    expect(child.timed_out, 1);
}
CASE_NEEDS_TASKS(a_task_that_never_waits_meets_its_deadline)
CASE_NOT_ON(a_task_that_never_waits_meets_its_deadline, "sim",
            "docs/semantics.md 9: \"Virtual time moves only when nothing can run\", and this task "
            "always can")
