// SPDX-License-Identifier: MIT
// Unit tests of task/block.c: the arithmetic of weft_within and weft_shield, on a clock that stands
// still unless a test moves it. Not what a call does about it: test_time.c, test_call.c.
#include "fake_driver.h"

#include "task/block.h"

enum { MAX_BLOCKS = 8 };
#define NEVER INT64_MAX

// The thread of the test, looking at the fake clock, which begins at 1,000.
static struct weft__driver *own_driver;

static int clock_begin(void **state) {
    case_begin(state);
    fake_reset();
    fake.now = 1000;
    own_driver = weft__self()->driver;
    weft__self()->driver = &fake.driver;
    return 0;
}

static int clock_end(void **state) {
    struct weft__waiter *self = weft__self();
    assert_null(self->blocks);
    assert_int_equal(self->shields, 0);
    assert_int_equal(self->deadline, NEVER);
    self->inherited = NEVER;
    weft__store(&self->cancelled, 0, relaxed);
    self->driver = own_driver;
    return case_end(state);
}

#define CASE_ON_CLOCK(fn) cmocka_unit_test_setup_teardown(fn, clock_begin, clock_end)

// One block, and how far the clock moves after it was opened.
struct step {
    char kind; // 'w'ithin, 's'hield, 0: none
    int64_t ns, then;
};

// Opens the blocks, outermost first, and hands the innermost state to `look`.
static void open_and_look(const struct step *step, void (*look)(void *), void *arg) {
    if (step->kind == 0) {
        look(arg);
    } else if (step->kind == 'w') {
        weft_within(step->ns);
        fake.now += step->then;
        open_and_look(step + 1, look, arg);
    } else {
        weft_shield(step->ns);
        fake.now += step->then;
        open_and_look(step + 1, look, arg);
    }
}

static void note_deadline(void *arg) {
    *(int64_t *)arg = weft__self()->deadline;
}

static int64_t deadline_inside(const struct step *steps) {
    int64_t deadline = 0;
    fake.now = 1000;
    open_and_look(steps, note_deadline, &deadline);
    return deadline;
}

// ---- Deadlines ------------------------------------------------------------------------------

static const struct {
    struct step steps[MAX_BLOCKS];
    int64_t deadline; // the one in force inside the last block; opened at 1,000
} rows[] = {
    {{{0}}, NEVER},
    {{{'w', 50, 0}}, 1050},
    {{{'w', 1, 0}}, 1001},
    // At once, on every clock.
    {{{'w', 0, 0}}, INT64_MIN},
    {{{'w', -1, 0}}, INT64_MIN},
    {{{'w', INT64_MIN, 0}}, INT64_MIN},
    // A sum beyond INT64_MAX means never; so does the sum that is INT64_MAX.
    {{{'w', INT64_MAX, 0}}, NEVER},
    {{{'w', INT64_MAX - 999, 0}}, NEVER},
    {{{'w', INT64_MAX - 1000, 0}}, NEVER},
    {{{'w', INT64_MAX - 1001, 0}}, INT64_MAX - 1},
    // The earliest of nested ones counts.
    {{{'w', 50, 0}, {'w', 60, 0}}, 1050},
    {{{'w', 60, 0}, {'w', 50, 0}}, 1050},
    {{{'w', 50, 30}, {'w', 10, 0}}, 1040},
    {{{'w', 50, 0}, {'w', INT64_MAX, 0}}, 1050},
    {{{'w', 50, 0}, {'w', 0, 0}, {'w', 5, 0}}, INT64_MIN},
    // A shield alone limits nothing.
    {{{'s', 50, 0}}, NEVER},
    {{{'s', 0, 0}}, NEVER},
    {{{'s', INT64_MAX, 0}}, NEVER},
    // It holds a deadline from outside for its time from the deadline on, if that is the later...
    {{{'w', 50, 0}, {'s', 7, 0}}, 1057},
    {{{'w', 50, 20}, {'s', 7, 0}}, 1057},
    {{{'w', 50, 0}, {'s', 0, 0}}, 1050},
    // ...and from its entry on, if the deadline had passed.
    {{{'w', 50, 80}, {'s', 7, 0}}, 1087},
    {{{'w', 0, 0}, {'s', 7, 0}}, 1007},
    {{{'w', 50, 50}, {'s', 7, 0}}, 1057},
    // A negative time is none.
    {{{'w', 50, 80}, {'s', -5, 0}}, 1080},
    {{{'w', 50, 0}, {'s', INT64_MIN, 0}}, 1050},
    // Sums beyond INT64_MAX: for ever.
    {{{'w', 50, 0}, {'s', INT64_MAX, 0}}, NEVER},
    {{{'w', 50, 0}, {'s', INT64_MAX - 1050, 0}}, NEVER},
    {{{'w', 50, 0}, {'s', INT64_MAX - 1051, 0}}, INT64_MAX - 1},
    {{{'w', INT64_MAX - 1001, 0}, {'s', 5, 0}}, NEVER},
    // A within inside the shield still counts.
    {{{'w', 50, 0}, {'s', 100, 0}, {'w', 30, 0}}, 1030},
    {{{'w', 50, 0}, {'s', 100, 0}, {'w', 300, 0}}, 1150},
    {{{'w', 50, 0}, {'s', 100, 0}, {'w', 0, 0}}, INT64_MIN},
    {{{'s', 100, 0}, {'w', 30, 0}}, 1030},
    // Nested shields do not add up: the one that holds longest.
    {{{'w', 50, 0}, {'s', 7, 0}, {'s', 5, 0}}, 1057},
    {{{'w', 50, 0}, {'s', 5, 0}, {'s', 7, 0}}, 1057},
    {{{'w', 50, 60}, {'s', 7, 3}, {'s', 5, 0}}, 1068},
    {{{'w', 50, 60}, {'s', 9, 3}, {'s', 5, 0}}, 1069},
    // A shield holds what is outside of it, not what is inside.
    {{{'w', 50, 0}, {'s', 7, 0}, {'w', 20, 0}, {'s', 3, 0}}, 1023},
    {{{'w', 10, 0}, {'s', 7, 0}, {'w', 20, 0}, {'s', 1, 0}}, 1017},
    {{{'w', 10, 0}, {'w', 5, 0}, {'s', 7, 0}}, 1012},
    {{{'w', 10, 0}, {'s', 100, 0}, {'w', 90, 0}, {'s', 50, 0}}, 1110},
};

static void the_deadline_in_force_is_the_earliest_that_is_not_held_back(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t deadline = deadline_inside(rows[i].steps);
        if (deadline != rows[i].deadline)
            fail_msg("row %zu: %lld instead of %lld", i, (long long)deadline,
                     (long long)rows[i].deadline);
    }
}

static void an_inherited_deadline_is_outside_of_all_blocks(void **state) {
    (void)state;
    struct weft__waiter *self = weft__self();
    self->inherited = self->deadline = 1100;
    assert_int_equal(deadline_inside((struct step[]){{'w', 200, 0}, {0}}), 1100);
    assert_int_equal(deadline_inside((struct step[]){{'w', 20, 0}, {0}}), 1020);
    assert_int_equal(deadline_inside((struct step[]){{'s', 30, 0}, {0}}), 1130);
    assert_int_equal(deadline_inside((struct step[]){{'s', 30, 0}, {'w', 5, 0}, {0}}), 1005);
    assert_int_equal(deadline_inside((struct step[]){{'s', 30, 500}, {'s', 40, 0}, {0}}), 1540);
    self->deadline = self->inherited = NEVER;
}

// ---- Cancellation ---------------------------------------------------------------------------

static void note_cancel_at(void *arg) {
    *(int64_t *)arg = weft__block_cancel_at(weft__self());
}

static void a_shield_holds_a_cancellation_from_the_later_of_entry_and_arrival(void **state) {
    (void)state;
    static const struct {
        int64_t arrival;
        struct step steps[MAX_BLOCKS];
        int64_t effective;
    } cancels[] = {
        {900, {{0}}, 900},
        {900, {{'s', 7, 0}}, 1007},
        {1000, {{'s', 7, 0}}, 1007},
        {1030, {{'s', 7, 50}}, 1037},
        {900, {{'s', 0, 0}}, 1000},
        {900, {{'s', 7, 0}, {'s', 5, 0}}, 1007},
        {900, {{'s', 7, 4}, {'s', 5, 0}}, 1009},
        {1030, {{'s', 7, 4}, {'s', 5, 40}}, 1037},
        {900, {{'s', INT64_MAX, 0}}, NEVER},
        // A within bounds nothing here.
        {900, {{'w', 3, 0}, {'s', 7, 0}, {'w', 1, 0}}, 1007},
    };
    for (size_t i = 0; i < sizeof cancels / sizeof cancels[0]; i++) {
        int64_t effective = 0;
        fake.now = 1000;
        weft__store(&weft__self()->cancel_at, cancels[i].arrival, relaxed);
        open_and_look(cancels[i].steps, note_cancel_at, &effective);
        assert_int_equal(effective, cancels[i].effective);
    }
}

static void a_held_cancellation_is_answered_when_the_shield_gives_way(void **state) {
    (void)state;
    struct weft__waiter *self = weft__self();
    {
        weft_shield(100);
        expect(weft_check(), 0);
        assert_int_equal(weft__interrupt_at(self), NEVER); // nothing has arrived
        fake.now = 1500;
        weft__store(&self->cancel_at, 1500, relaxed);
        weft__store(&self->cancelled, 1, relaxed);
        expect(weft_check(), 0);
        assert_int_equal(weft__interrupt_at(self), 1600);
        fake.now = 1599;
        expect(weft_check(), 0);
        fake.now = 1600;
        expect(weft_check(), -ECANCELED);
        expect(weft_timed_out(), 0);
    }
    expect(weft_check(), -ECANCELED);
}

static void a_cancellation_goes_before_a_deadline(void **state) {
    (void)state;
    weft_within(0);
    expect(weft_check(), -ETIMEDOUT);
    expect(weft_timed_out(), 1);
    weft__store(&weft__self()->cancel_at, fake.now, relaxed);
    weft__store(&weft__self()->cancelled, 1, relaxed);
    expect(weft_check(), -ECANCELED);
    expect(weft_timed_out(), 0);
    weft_shield(10);
    expect(weft_check(), 0);
    weft_within(5);
    fake.now += 5;
    expect(weft_check(), -ETIMEDOUT); // its own inside the shield, whose ten are not over
    fake.now += 5;
    expect(weft_check(), -ECANCELED);
}

// ---- Lexical --------------------------------------------------------------------------------

static int leave_by_return(void) {
    weft_within(10);
    if (weft__self()->deadline == 1010)
        return 1;
    return 0;
}

static void a_block_ends_however_it_is_left(void **state) {
    (void)state;
    assert_int_equal(leave_by_return(), 1);
    assert_int_equal(weft__self()->deadline, NEVER);
    for (int i = 0; i < 3; i++) {
        weft_within(10 + i);
        assert_int_equal(weft__self()->deadline, 1010 + i);
        if (i == 0)
            continue;
        break;
    }
    assert_int_equal(weft__self()->deadline, NEVER);
    weft_within(100);
    {
        weft_shield(20);
        weft_within(30);
        goto out;
    }
out:
    assert_int_equal(weft__self()->deadline, 1100);
    assert_int_equal(weft__self()->shields, 0);
}

static void a_deadline_outside_is_in_force_again_behind_a_shield(void **state) {
    (void)state;
    weft_within(50);
    fake.now = 1060;
    expect(weft_check(), -ETIMEDOUT);
    {
        weft_shield(20);
        expect(weft_check(), 0);
    }
    expect(weft_check(), -ETIMEDOUT);
}

// Random nests against the definition, worked out anew for each: every deadline, held back by the
// shields inside it.
static int64_t capped(int64_t a, int64_t b) {
    return a > INT64_MAX - b ? INT64_MAX : a + b;
}

static int64_t defined_deadline(const struct step *steps, size_t count, const int64_t *entries) {
    int64_t earliest = NEVER;
    for (size_t i = 0; i < count; i++) {
        if (steps[i].kind != 'w')
            continue;
        int64_t at = steps[i].ns <= 0 ? INT64_MIN : capped(entries[i], steps[i].ns);
        int64_t effective = at;
        for (size_t k = i + 1; k < count; k++) {
            if (steps[k].kind != 's')
                continue;
            int64_t from = entries[k] > at ? entries[k] : at;
            int64_t end = capped(from, steps[k].ns > 0 ? steps[k].ns : 0);
            effective = end > effective ? end : effective;
        }
        earliest = effective < earliest ? effective : earliest;
    }
    return earliest;
}

static void random_nests_are_as_defined(void **state) {
    (void)state;
    struct dice dice = {7};
    for (size_t n = 0; n < times(20000); n++) {
        struct step steps[MAX_BLOCKS] = {{0}};
        int64_t entries[MAX_BLOCKS], now = 1000;
        size_t count = dice_roll(&dice, MAX_BLOCKS);
        for (size_t i = 0; i < count; i++) {
            entries[i] = now;
            steps[i].kind = dice_roll(&dice, 2) ? 'w' : 's';
            steps[i].ns = (int64_t)dice_roll(&dice, 60) - 3;
            if (dice_roll(&dice, 20) == 0)
                steps[i].ns = INT64_MAX - (int64_t)dice_roll(&dice, 1200);
            now += steps[i].then = (int64_t)dice_roll(&dice, 30);
        }
        int64_t expected = defined_deadline(steps, count, entries);
        int64_t deadline = deadline_inside(steps);
        if (deadline != expected)
            fail_msg("nest %zu: %lld instead of %lld", n, (long long)deadline, (long long)expected);
    }
}

int main(void) {
    const struct CMUnitTest cases[] = {
        CASE_ON_CLOCK(the_deadline_in_force_is_the_earliest_that_is_not_held_back),
        CASE_ON_CLOCK(an_inherited_deadline_is_outside_of_all_blocks),
        CASE_ON_CLOCK(a_shield_holds_a_cancellation_from_the_later_of_entry_and_arrival),
        CASE_ON_CLOCK(a_held_cancellation_is_answered_when_the_shield_gives_way),
        CASE_ON_CLOCK(a_cancellation_goes_before_a_deadline),
        CASE_ON_CLOCK(a_block_ends_however_it_is_left),
        CASE_ON_CLOCK(a_deadline_outside_is_in_force_again_behind_a_shield),
        CASE_ON_CLOCK(random_nests_are_as_defined),
    };
    return RUN(cases);
}
