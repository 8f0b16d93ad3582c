// SPDX-License-Identifier: MIT
// Unit tests of io/time.c: sleeping, yielding, looking, on a clock that only waiting moves.
#include "fake_driver.h"

static weft_scope scope;

static void a_sleep_lasts_exactly_as_long_as_asked(void **state) {
    (void)state;
    static const int64_t times_ns[] = {1, 999, WEFT_MILLISECOND, WEFT_HOUR, 365 * 24 * WEFT_HOUR};
    for (size_t i = 0; i < sizeof times_ns / sizeof times_ns[0]; i++) {
        int64_t begun = weft_now();
        expect(weft_sleep(times_ns[i]), 0);
        assert_int_equal(weft_now(), begun + times_ns[i]);
    }
}

static void a_sleep_of_nothing_only_looks(void **state) {
    (void)state;
    int64_t begun = weft_now();
    uint64_t turns = weft__runtime_now()->workers[0]->stats.turns;
    expect(weft_sleep(0), 0);
    expect(weft_sleep(-1), 0);
    expect(weft_sleep(INT64_MIN), 0);
    assert_int_equal(weft__runtime_now()->workers[0]->stats.turns, turns);
    weft_within(0);
    expect(weft_sleep(0), -ETIMEDOUT);
    assert_int_equal(weft_now(), begun);
}

static void its_own_time_is_told_from_the_deadline(void **state) {
    (void)state;
    int64_t begun = weft_now();
    {
        weft_within(10);
        expect(weft_sleep(9), 0);
        expect(weft_sleep(2), -ETIMEDOUT);
        expect(weft_timed_out(), 1);
        assert_int_equal(weft_now(), begun + 10);
        expect(weft_sleep(2), -ETIMEDOUT);
        assert_int_equal(weft_now(), begun + 10);
    }
    {
        weft_within(10);
        expect(weft_sleep(10), 0); // both at once: its own time has passed
    }
    {
        weft_within(INT64_MAX);
        expect(weft_sleep(10), 0);
    }
}

static int sleep_for_ever(void *arg) {
    (void)arg;
    return weft_sleep(INT64_MAX);
}

static void a_sleep_for_ever_ends_with_a_cancel(void **state) {
    (void)state;
    expect(weft_go(&scope, sleep_for_ever, NULL), 0);
    expect(weft_sleep(WEFT_HOUR), 0);
    weft_cancel(&scope);
    expect(weft_join(&scope), -ECANCELED);
}

static int sleep_behind_a_shield(void *arg) {
    int64_t begun = weft_now();
    (void)arg;
    weft_shield(WEFT_SECOND);
    expect(weft_sleep(WEFT_MILLISECOND), 0); // cancelled, but held back
    int code = weft_sleep(WEFT_HOUR);
    assert_int_equal(weft_now(), begun + WEFT_SECOND);
    return code;
}

static void a_shield_gives_way_in_the_middle_of_a_sleep(void **state) {
    (void)state;
    weft_cancel(&scope);
    expect(weft_go(&scope, sleep_behind_a_shield, NULL), 0);
    expect(weft_join(&scope), -ECANCELED);
}

static int be_cancelled_in_the_middle(void *arg) {
    int64_t *cancelled_at = arg;
    weft_shield(WEFT_SECOND);
    int code = weft_sleep(WEFT_HOUR); // the cancel comes while it sleeps
    assert_int_equal(weft_now(), *cancelled_at + WEFT_SECOND);
    return code;
}

static void a_shield_holds_from_the_arrival_on(void **state) {
    (void)state;
    int64_t cancelled_at = 0;
    expect(weft_go(&scope, be_cancelled_in_the_middle, &cancelled_at), 0);
    expect(weft_sleep(30 * WEFT_SECOND), 0);
    cancelled_at = weft_now();
    weft_cancel(&scope);
    expect(weft_join(&scope), -ECANCELED);
}

static int wake_somebody(void *arg) {
    for (int i = 0; i < 20; i++) {
        weft__unpark(arg);
        expect(weft_sleep(3), 0);
    }
    return 0;
}

static void a_wake_for_no_reason_ends_no_sleep(void **state) {
    (void)state;
    int64_t begun = weft_now();
    expect(weft_go(&scope, wake_somebody, weft__self()), 0);
    expect(weft_sleep(1000), 0);
    assert_int_equal(weft_now(), begun + 1000);
    expect(weft_join(&scope), 0);
}

// ---- Yield and check ------------------------------------------------------------------------

static int count_to_ten(void *arg) {
    while (++*(int *)arg < 10)
        expect(weft_yield(), 0);
    return 0;
}

static void a_yield_lets_the_others_run(void **state) {
    (void)state;
    int counts[5] = {0};
    for (int i = 0; i < 5; i++)
        expect(weft_go(&scope, count_to_ten, &counts[i]), 0);
    for (int i = 0; i < 200; i++)
        expect(weft_yield(), 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(counts[i], 10);
    expect(weft_join(&scope), 0);
}

static bool may_end;

// Has been cancelled, and goes on until another task says that it may end.
static int yield_all_the_same(void *arg) {
    (void)arg;
    while (!may_end)
        expect(weft_yield(), -ECANCELED);
    return 0;
}

static int let_it_end(void *arg) {
    (void)arg;
    may_end = true;
    return 0;
}

static void who_is_cancelled_and_yields_for_ever_does_not_stop_the_others(void **state) {
    (void)state;
    weft_scope other = {0};
    may_end = false;
    weft_cancel(&scope);
    expect(weft_go(&other, let_it_end, NULL), 0);
    expect(weft_go(&scope, yield_all_the_same, NULL), 0); // the newest runs first
    expect(weft_join(&scope), 0);
    expect(weft_join(&other), 0);
}

static int be_refused(void *arg) {
    (void)arg;
    expect(weft_check(), -ECANCELED);
    expect(weft_yield(), -ECANCELED);
    expect(weft_sleep(-1), -ECANCELED);
    expect_explained("sleep: canceled");
    weft_within(0);
    expect(weft_check(), -ECANCELED);
    return 0;
}

static void check_says_what_the_next_wait_would_answer(void **state) {
    (void)state;
    expect(weft_check(), 0);
    {
        weft_within(100);
        fake.now += 99;
        expect(weft_check(), 0);
        fake.now += 1; // nobody has waited: a check reads the clock
        expect(weft_check(), -ETIMEDOUT);
        expect(weft_timed_out(), 1);
        expect(weft_yield(), -ETIMEDOUT);
        expect_explained("yield: the deadline passed");
    }
    weft_cancel(&scope);
    expect(weft_go(&scope, be_refused, NULL), 0);
    expect(weft_join(&scope), 0);
}

// ---- A plain thread -------------------------------------------------------------------------

static void a_plain_thread_sleeps_and_yields_too(void **state) {
    (void)state;
    int64_t begun = weft_now();
    expect(weft_sleep(WEFT_MILLISECOND), 0);
    assert_true(weft_now() >= begun + WEFT_MILLISECOND);
    expect(weft_yield(), 0);
    weft_within(WEFT_MILLISECOND);
    expect(weft_sleep(WEFT_HOUR), -ETIMEDOUT);
    expect(weft_timed_out(), 1);
    expect(weft_yield(), -ETIMEDOUT);
    expect(weft_check(), -ETIMEDOUT);
    weft_shield(WEFT_HOUR);
    expect(weft_sleep(1), 0);
}

int main(void) {
    const struct CMUnitTest cases[] = {
        CASE_ON_FAKE(a_sleep_lasts_exactly_as_long_as_asked),
        CASE_ON_FAKE(a_sleep_of_nothing_only_looks),
        CASE_ON_FAKE(its_own_time_is_told_from_the_deadline),
        CASE_ON_FAKE(a_sleep_for_ever_ends_with_a_cancel),
        CASE_ON_FAKE(a_shield_gives_way_in_the_middle_of_a_sleep),
        CASE_ON_FAKE(a_shield_holds_from_the_arrival_on),
        CASE_ON_FAKE(a_wake_for_no_reason_ends_no_sleep),
        CASE_ON_FAKE(a_yield_lets_the_others_run),
        CASE_ON_FAKE(who_is_cancelled_and_yields_for_ever_does_not_stop_the_others),
        CASE_ON_FAKE(check_says_what_the_next_wait_would_answer),
        CASE_ON_SIM(a_sleep_lasts_exactly_as_long_as_asked),
        CASE_ON_SIM(its_own_time_is_told_from_the_deadline),
        CASE_ON_SIM(a_sleep_for_ever_ends_with_a_cancel),
        CASE_ON_SIM(a_shield_gives_way_in_the_middle_of_a_sleep),
        CASE_ON_SIM(a_shield_holds_from_the_arrival_on),
        CASE_ON_SIM(a_wake_for_no_reason_ends_no_sleep),
        CASE(a_plain_thread_sleeps_and_yields_too),
    };
    return RUN(cases);
}
