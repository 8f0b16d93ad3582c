// SPDX-License-Identifier: MIT
// Shields: "cancels and deadlines from outside are held back for ns from the later of entry and
// their arrival; until one has arrived it limits nothing; a weft_within inside still counts; nested
// shields do not add up." And which of the two goes first. Exact times are the simulator's.
#include "case.h"

enum { MS = WEFT_MILLISECOND };

// A deadline from outside that has passed before the shield began: held back from its entry on.
CASE(a_shield_holds_back_a_deadline_that_has_passed) {
    weft_within(0);
    expect(weft_check(), -ETIMEDOUT);
    {
        weft_shield(WEFT_HOUR);
        expect(weft_check(), 0);
        expect(weft_sleep(10 * MS), 0); // last words
        struct tcp_pair pair = tcp_pair_open();
        char byte;
        expect(weft_write(pair.client, "x", 1), 1);
        expect(weft_read(pair.server, &byte, 1), 1);
        tcp_pair_close(&pair);
    }
    expect(weft_check(), -ETIMEDOUT);
}

CASE(a_shield_does_not_hold_back_a_deadline_for_ever) {
    int64_t begin = weft_now();
    weft_within(0);
    weft_shield(20 * MS);
    expect(weft_sleep(WEFT_HOUR), -ETIMEDOUT);
    expect(weft_timed_out(), 1);
    assert_true(weft_now() - begin >= 20 * MS);
    expect(weft_check(), -ETIMEDOUT);
}

// "Until one has arrived it limits nothing."
CASE(a_shield_without_anything_to_hold_back_limits_nothing) {
    weft_shield(MS);
    expect(weft_sleep(30 * MS), 0);
    expect(weft_check(), 0);
}

// "A weft_within inside still counts."
CASE(a_deadline_inside_a_shield_counts) {
    weft_shield(WEFT_HOUR);
    {
        weft_within(10 * MS);
        expect(weft_sleep(WEFT_HOUR), -ETIMEDOUT);
        expect(weft_timed_out(), 1);
    }
    expect(weft_check(), 0);
}

CASE(a_shield_inside_a_deadline_inside_a_shield_holds_both_back) {
    weft_within(0);
    weft_shield(WEFT_HOUR);
    weft_within(0);
    expect(weft_check(), -ETIMEDOUT);
    {
        weft_shield(WEFT_HOUR);
        expect(weft_check(), 0);
        expect(weft_sleep(MS), 0);
    }
    expect(weft_check(), -ETIMEDOUT);
}

CASE(a_shield_of_zero_or_less_holds_nothing_back) {
    weft_within(0);
    weft_shield(0);
    expect(weft_check(), -ETIMEDOUT);
    weft_shield(-WEFT_HOUR);
    expect(weft_check(), -ETIMEDOUT);
}

CASE(a_shield_beyond_the_end_of_time_holds_back_for_ever) {
    weft_within(0);
    weft_shield(INT64_MAX);
    expect(weft_sleep(20 * MS), 0);
    expect(weft_check(), 0);
}

// ---- Exactly ----------------------------------------------------------------------------------

// The deadline passes inside the shield: held back for 100 ms from its arrival.
CASE(a_shield_holds_back_from_the_arrival_of_a_deadline) {
    int64_t began = weft_now();
    weft_within(50 * MS);
    weft_shield(100 * MS);
    expect(weft_sleep(40 * MS), 0);
    expect(weft_sleep(WEFT_HOUR), -ETIMEDOUT);
    expect(weft_now() - began, 150 * MS);
}
CASE_ONLY_ON_SIM(a_shield_holds_back_from_the_arrival_of_a_deadline)

// It passed before: held back for 100 ms from the entry.
CASE(a_shield_holds_back_from_its_entry_what_came_before) {
    int64_t began = weft_now();
    weft_within(10 * MS);
    expect(weft_sleep(WEFT_HOUR), -ETIMEDOUT);
    weft_shield(100 * MS);
    expect(weft_sleep(WEFT_HOUR), -ETIMEDOUT);
    expect(weft_now() - began, 110 * MS);
}
CASE_ONLY_ON_SIM(a_shield_holds_back_from_its_entry_what_came_before)

CASE(nested_shields_do_not_add_up) {
    int64_t began = weft_now();
    weft_within(0);
    {
        weft_shield(100 * MS);
        weft_shield(100 * MS);
        weft_shield(100 * MS);
        expect(weft_sleep(WEFT_HOUR), -ETIMEDOUT);
        expect(weft_now() - began, 100 * MS);
    }
    expect(weft_check(), -ETIMEDOUT);
}
CASE_ONLY_ON_SIM(nested_shields_do_not_add_up)

struct shielded {
    int64_t shield_ns, ended;
    int result, check_before, check_after;
    struct flag begun;
};

static void sleep_shielded(void *context) {
    struct shielded *shielded = context;
    weft_shield(shielded->shield_ns);
    flag_raise(&shielded->begun);
    shielded->result = weft_sleep(WEFT_HOUR);
    shielded->ended = weft_now();
    shielded->check_after = weft_check();
}

// A cancellation arrives inside the shield: held back for 100 ms from its arrival.
CASE(a_shield_holds_back_from_the_arrival_of_a_cancel) {
    struct shielded shielded = {.shield_ns = 100 * MS};
    struct parties parties = {0};
    party_start(&parties, "shielded", sleep_shielded, &shielded);
    await_flag(&shielded.begun, 1);
    expect(weft_sleep(70 * MS), 0);
    int64_t cancelled = weft_now();
    parties_cancel(&parties);
    expect(weft_sleep(20 * MS), 0);
    parties_cancel(&parties); // idempotent: its arrival is the first one
    parties_join(&parties);
    expect(shielded.result, -ECANCELED);
    expect(shielded.check_after, -ECANCELED);
    expect(shielded.ended - cancelled, 100 * MS);
}
CASE_ONLY_ON_SIM(a_shield_holds_back_from_the_arrival_of_a_cancel)

CASE(a_shield_does_not_hold_back_a_cancel_for_ever) {
    struct shielded shielded = {.shield_ns = 20 * MS};
    struct parties parties = {0};
    party_start(&parties, "shielded", sleep_shielded, &shielded);
    await_flag(&shielded.begun, 1);
    parties_cancel(&parties);
    parties_join(&parties);
    expect(shielded.result, -ECANCELED);
}
CASE_NEEDS_SCOPE(a_shield_does_not_hold_back_a_cancel_for_ever)

static void say_last_words(void *context) {
    const int *conn = context;
    expect(weft_sleep(WEFT_HOUR), -ECANCELED);
    weft_shield(WEFT_HOUR);
    expect(weft_check(), 0);
    expect(weft_write_all(*conn, "bye", 3), 3);
}

// What a shield is for.
CASE(a_cancelled_task_may_say_last_words_behind_a_shield) {
    struct tcp_pair pair = tcp_pair_open();
    struct parties parties = {0};
    char buf[8];
    party_start(&parties, "cancelled", say_last_words, &pair.client);
    await_parked_tasks(1);
    parties_cancel(&parties);
    parties_join(&parties);
    expect(weft_read_exact(pair.server, buf, 3), 3);
    tcp_pair_close(&pair);
}
CASE_NEEDS_SCOPE(a_cancelled_task_may_say_last_words_behind_a_shield)

static void be_late_and_cancelled(void *context) {
    struct shielded *shielded = context;
    weft_within(0);
    shielded->check_before = weft_check();
    flag_raise(&shielded->begun);
    {
        weft_shield(WEFT_HOUR);
        await_flag(&shielded->begun, 2);
    }
    shielded->check_after = weft_check();
    shielded->result = weft_yield();
    expect(weft_timed_out(), 0);
}

// "-ECANCELED goes before -ETIMEDOUT."
CASE(cancelled_goes_before_timed_out) {
    struct shielded late = {.result = 0};
    struct parties parties = {0};
    party_start(&parties, "late", be_late_and_cancelled, &late);
    await_flag(&late.begun, 1);
    parties_cancel(&parties);
    flag_raise(&late.begun);
    parties_join(&parties);
    expect(late.check_before, -ETIMEDOUT);
    expect(late.check_after, -ECANCELED);
    expect(late.result, -ECANCELED);
}
CASE_NEEDS_SCOPE(cancelled_goes_before_timed_out)
