// SPDX-License-Identifier: MIT
// Unit tests of task/worker.c on a driver whose clock stands still: the order of the picks, the
// turn, the budget, the timers, and the stacks given back. Two workers: test_worker_pair.c; no
// stack to be had: test_worker_starved.c.
#include "fake_driver.h"

// What happened: 's' a task was started, 'r' one that was ready ran on, 't' the driver was asked.
struct entry {
    char what;
    int id;
};

enum { LOG_MAX = 200000, TASKS_MAX = 256 };
static struct entry entries[LOG_MAX], expected[LOG_MAX];
static size_t entry_count, expected_count;

static void note(char what, int id) {
    assert_true(entry_count < LOG_MAX);
    entries[entry_count++] = (struct entry){what, id};
}

static void note_turn(struct fake *f, int64_t until_ns) {
    (void)f;
    (void)until_ns;
    note('t', 0);
}

static struct weft__worker *worker(void) {
    return weft__runtime_now()->workers[0];
}

static int order_begin(void **state) {
    fake_begin(state);
    entry_count = expected_count = 0;
    return 0;
}

#define CASE_OF_ORDER(fn) cmocka_unit_test_setup_teardown(fn, order_begin, fake_end)

// A task that yields so many times; before it yields for the k-th time it may start others.
struct program {
    int id, yields;
    int child_count[4]; // started before the yields 0 to 3
};

static struct program programs[TASKS_MAX];
static int program_count, started_count;
static weft_scope scope;

static int run_program(void *arg) {
    const struct program *p = arg;
    note('s', p->id);
    for (int i = 0; i <= p->yields; i++) {
        if (i > 0)
            note('r', p->id);
        for (int k = 0; i < 4 && k < p->child_count[i] && started_count < program_count; k++)
            expect(weft_go(&scope, run_program, &programs[started_count++]), 0);
        if (i < p->yields)
            expect(weft_yield(), 0);
    }
    return 0;
}

// Starts the first so many programs and waits for all.
static void run_programs(int first) {
    fake.on_wait = note_turn;
    for (started_count = 0; started_count < first;)
        expect(weft_go(&scope, run_program, &programs[started_count++]), 0);
    expect(weft_join(&scope), 0);
    fake.on_wait = NULL;
}

static void make_programs(int count, int yields) {
    program_count = count;
    for (int i = 0; i < count; i++)
        programs[i] = (struct program){.id = i, .yields = yields};
}

// The ids of one kind of entry, in order.
static size_t collect(char what, int *ret_ids, size_t capacity) {
    size_t count = 0;
    for (size_t i = 0; i < entry_count && count < capacity; i++)
        if (entries[i].what == what)
            ret_ids[count++] = entries[i].id;
    return count;
}

// ---- Order ----------------------------------------------------------------------------------

static void the_newest_starts_and_every_64th_time_the_oldest(void **state) {
    (void)state;
    enum { COUNT = 200 };
    int ids[COUNT];
    make_programs(COUNT, 0);
    run_programs(COUNT);
    assert_int_equal(collect('s', ids, COUNT), COUNT);
    for (int i = 0, newest = COUNT - 1, oldest = 0; i < COUNT; i++)
        assert_int_equal(ids[i], i % 64 == 63 ? oldest++ : newest--);
}

static void ready_tasks_run_in_the_order_in_which_they_became_ready(void **state) {
    (void)state;
    int started[5], ran[100];
    make_programs(5, 60);
    run_programs(5);
    assert_int_equal(collect('s', started, 5), 5);
    size_t all_started = 0;
    for (size_t i = 0, n = 0; i < entry_count && n < 5; i++)
        if (entries[i].what == 's' && ++n == 5)
            all_started = i;
    size_t count = 0;
    for (size_t i = all_started; i < entry_count && count < 50; i++)
        if (entries[i].what == 'r')
            ran[count++] = entries[i].id;
    assert_int_equal(count, 50);
    for (size_t i = 5; i < count; i++)
        assert_int_equal(ran[i], ran[i - 5]);
}

static void after_every_eighth_ready_task_one_is_started(void **state) {
    (void)state;
    make_programs(30, 200);
    run_programs(30);
    int ready_between = 0, starts = 0;
    for (size_t i = 0; i < entry_count && starts < 30; i++) {
        if (entries[i].what == 'r')
            ready_between++;
        if (entries[i].what != 's')
            continue;
        if (starts > 0)
            assert_int_equal(ready_between, 8);
        ready_between = 0;
        starts++;
    }
    assert_int_equal(starts, 30);
}

static void a_turn_is_64_picks(void **state) {
    (void)state;
    make_programs(1, 640);
    run_programs(1);
    int picks = 0, turns = 0;
    for (size_t i = 0; i < entry_count; i++) {
        if (entries[i].what != 't') {
            picks++;
            continue;
        }
        if (++turns <= 10)
            assert_int_equal(picks, 64);
        picks = 0;
    }
    assert_true(turns >= 10);
}

// The same rules once more, as a model that runs no task.
struct model {
    int unstarted[TASKS_MAX], ready[TASKS_MAX];
    int unstarted_count, ready_count, placed;
    int ran[TASKS_MAX]; // how often each task has run on
    int since_start, starts;
};

static int take(int *list, int *count, int index) {
    int id = list[index];
    memmove(list + index, list + index + 1, (size_t)(--*count - index) * sizeof *list);
    return id;
}

static int model_pick(struct model *m, char *ret_what) {
    if (m->unstarted_count > 0 && (m->ready_count == 0 || m->since_start >= 8)) {
        m->since_start = 0;
        *ret_what = 's';
        return take(m->unstarted, &m->unstarted_count,
                    ++m->starts % 64 == 0 ? 0 : m->unstarted_count - 1);
    }
    if (m->ready_count == 0)
        return -1;
    m->since_start++;
    *ret_what = 'r';
    return take(m->ready, &m->ready_count, 0);
}

static void model_run(struct model *m, int id) {
    const struct program *p = &programs[id];
    int i = m->ran[id]++;
    for (int k = 0; i < 4 && k < p->child_count[i] && m->placed < program_count; k++)
        m->unstarted[m->unstarted_count++] = m->placed++;
    if (i < p->yields)
        m->ready[m->ready_count++] = id;
}

static void model_programs(int first) {
    struct model m = {.placed = first, .unstarted_count = first};
    for (int i = 0; i < first; i++)
        m.unstarted[i] = i;
    while (m.unstarted_count + m.ready_count > 0) {
        for (int i = 0; i < 64; i++) {
            char what;
            int id = model_pick(&m, &what);
            if (id < 0)
                break;
            expected[expected_count++] = (struct entry){what, id};
            model_run(&m, id);
        }
        expected[expected_count++] = (struct entry){'t', 0};
    }
}

static void random_tasks_run_in_exactly_that_order(void **state) {
    (void)state;
    struct dice dice = {11};
    for (int i = 0; i < TASKS_MAX; i++) {
        programs[i] = (struct program){.id = i, .yields = (int)dice_roll(&dice, 60)};
        for (int k = 0; k < 4; k++)
            programs[i].child_count[k] = (int)dice_roll(&dice, 4);
    }
    program_count = TASKS_MAX;
    run_programs(10);
    model_programs(10);
    assert_int_equal(started_count, TASKS_MAX);
    assert_true(expected_count > 5000);
    assert_true(entry_count >= expected_count - 1); // task zero runs on before the last turn ends
    assert_memory_equal(entries, expected, (expected_count - 1) * sizeof *entries);
}

static uint32_t choose_last(struct fake *f, enum weft__choice what, uint32_t n) {
    (void)f;
    return what == WEFT__PICK_READY ? n - 1 : 0;
}

static void the_driver_may_choose_otherwise(void **state) {
    (void)state;
    int ran[40];
    make_programs(4, 10);
    fake.on_choose = choose_last;
    run_programs(4);
    assert_int_equal(collect('r', ran, 40), 40);
    // Last in, first out: another one runs on only when one has started, or has ended.
    int changes = 0;
    for (int i = 1; i < 40; i++)
        changes += ran[i] != ran[i - 1];
    assert_in_range(changes, 3, 7);
}

static uint32_t choose_second(struct fake *f, enum weft__choice what, uint32_t n) {
    (void)f;
    return what == WEFT__PICK_UNSTARTED && n > 1 ? 1 : 0;
}

static void the_driver_may_choose_who_starts(void **state) {
    (void)state;
    static const int order[] = {3, 2, 1, 0, 4}; // counted from the newest
    int ids[5];
    make_programs(5, 0);
    fake.on_choose = choose_second;
    run_programs(5);
    assert_int_equal(collect('s', ids, 5), 5);
    assert_memory_equal(ids, order, sizeof order);
}

// ---- The budget -----------------------------------------------------------------------------

static int64_t one_byte_is_always_there(struct fake *f, struct weft__op *op) {
    (void)f;
    (void)op;
    return 1;
}

static bool is_reader_done;

static int read_a_thousand_times(int h) {
    char byte;
    for (int i = 0; i < 1000; i++) {
        expect(weft_read(h, &byte, 1), 1);
        note('r', 1);
    }
    is_reader_done = true;
    return 0;
}

static int look_on(void *arg) {
    (void)arg;
    while (!is_reader_done) {
        note('s', 2);
        expect(weft_yield(), 0);
    }
    return 0;
}

static void after_64_calls_that_succeed_at_once_the_others_have_their_turn(void **state) {
    (void)state;
    int h = fake_handle(WEFT__KIND_STREAM);
    fake.on_try = one_byte_is_always_there;
    is_reader_done = false;
    expect(weft_go(&scope, look_on, NULL), 0);
    while (entry_count == 0) // until it has started
        expect(weft_yield(), 0);
    expect(weft_go(&scope, read_a_thousand_times, h), 0);
    expect(weft_join(&scope), 0);
    int reads = 0, most = 0, looks = 0;
    for (size_t i = 0; i < entry_count; i++) {
        reads = entries[i].what == 'r' ? reads + 1 : 0;
        looks += entries[i].what == 's';
        most = reads > most ? reads : most;
    }
    assert_int_equal(most, 64);
    assert_true(looks >= 1000 / 64);
    expect(weft_close(h), 0);
}

static int read_until_the_deadline(int h) {
    char byte;
    weft_within(WEFT_SECOND);
    int reads = 0;
    while (weft_read(h, &byte, 1) == 1)
        if (++reads == 100)
            fake.now += 2 * WEFT_SECOND;
    expect(weft_timed_out(), 1);
    note('r', reads);
    return 0;
}

static void a_busy_task_alone_sees_its_deadline_within_about_64_calls(void **state) {
    (void)state;
    int h = fake_handle(WEFT__KIND_STREAM);
    fake.on_try = one_byte_is_always_there;
    expect(weft_go(&scope, read_until_the_deadline, h), 0);
    expect(weft_join(&scope), 0);
    assert_int_equal(entry_count, 1);
    assert_in_range(entries[0].id, 100, 100 + 2 * 64);
    expect(weft_close(h), 0);
}

// ---- Timers ---------------------------------------------------------------------------------

static int64_t waits[64];
static size_t wait_count;

static void note_wait(struct fake *f, int64_t until_ns) {
    (void)f;
    if (until_ns > 0 && wait_count < 64)
        waits[wait_count++] = until_ns;
}

static int park_twice(void *arg) {
    struct weft__waiter **who = arg;
    *who = weft__self();
    weft__park(*who, 5 * WEFT_SECOND);
    assert_int_equal(weft_now(), WEFT_SECOND); // woken long before that
    weft__park(*who, 9 * WEFT_SECOND);
    assert_int_equal(weft_now(), 9 * WEFT_SECOND);
    return 0;
}

static void a_timer_left_armed_fires_early_and_is_set_anew(void **state) {
    (void)state;
    struct weft__waiter *who = NULL;
    expect(weft_go(&scope, park_twice, &who), 0);
    while (!who)
        expect(weft_yield(), 0);
    weft__unpark(who);
    wait_count = 0;
    fake.on_wait = note_wait;
    expect(weft_join(&scope), 0);
    fake.on_wait = NULL;
    assert_int_equal(wait_count, 2);
    assert_int_equal(waits[0], 5 * WEFT_SECOND);
    assert_int_equal(waits[1], 9 * WEFT_SECOND);
}

// Tasks that park with changing deadlines, and one that wakes them at random: nobody ever wakes
// later than asked, and not earlier without a wake. The clock moves only to the next timer.
enum { SLEEPERS = 50 };
static struct weft__waiter *sleepers[SLEEPERS];
static bool is_poked[SLEEPERS];
static int sleepers_left;

static int park_at_random(void *arg) {
    int me = *(int *)arg;
    struct dice dice = {(uint64_t)me};
    sleepers[me] = weft__self();
    for (int i = 0; i < 200; i++) {
        int64_t until = weft_now() + (int64_t)dice_roll(&dice, 1000);
        is_poked[me] = false;
        weft__park(sleepers[me], until);
        if (!is_poked[me])
            assert_int_equal(weft_now(), until);
        assert_true(weft_now() <= until);
    }
    sleepers[me] = NULL;
    sleepers_left--;
    return 0;
}

static int poke_at_random(void *arg) {
    struct dice dice = {99};
    (void)arg;
    while (sleepers_left > 0) {
        expect(weft_sleep((int64_t)dice_roll(&dice, 30)), 0);
        size_t who = dice_roll(&dice, SLEEPERS);
        if (sleepers[who]) {
            is_poked[who] = true;
            weft__unpark(sleepers[who]);
        }
    }
    return 0;
}

static void no_timer_is_ever_late(void **state) {
    (void)state;
    static int ids[SLEEPERS];
    sleepers_left = SLEEPERS;
    for (int i = 0; i < SLEEPERS; i++) {
        ids[i] = i;
        expect(weft_go(&scope, park_at_random, &ids[i]), 0);
    }
    expect(weft_go(&scope, poke_at_random, NULL), 0);
    expect(weft_join(&scope), 0);
    assert_int_equal(worker()->timers.count, 0);
}

// ---- Stacks given back ----------------------------------------------------------------------

static int hold_a_stack(void *arg) {
    (void)arg;
    return weft_sleep(1);
}

static void memory_behind_stacks_unused_for_a_second_is_given_back(void **state) {
    (void)state;
    const struct weft__stacks *stacks = &worker()->stacks;
    for (int i = 0; i < 300; i++)
        expect(weft_go(&scope, hold_a_stack, NULL), 0);
    expect(weft_join(&scope), 0);
    assert_int_equal(stacks->idle_count, 300);
    assert_true(stacks->cold_count < 45);
    for (int wave = 0; wave < 5; wave++) { // used again within the second: kept
        expect(weft_sleep(WEFT_SECOND / 2), 0);
        assert_true(stacks->cold_count < 45);
        for (int i = 0; i < 300; i++)
            expect(weft_go(&scope, hold_a_stack, NULL), 0);
        expect(weft_join(&scope), 0);
    }
    expect(weft_sleep(2 * WEFT_SECOND + 1), 0);
    assert_int_equal(stacks->cold_count, stacks->idle_count);
}

int main(void) {
    const struct CMUnitTest cases[] = {
        CASE_OF_ORDER(the_newest_starts_and_every_64th_time_the_oldest),
        CASE_OF_ORDER(ready_tasks_run_in_the_order_in_which_they_became_ready),
        CASE_OF_ORDER(after_every_eighth_ready_task_one_is_started),
        CASE_OF_ORDER(a_turn_is_64_picks),
        CASE_OF_ORDER(random_tasks_run_in_exactly_that_order),
        CASE_OF_ORDER(the_driver_may_choose_otherwise),
        CASE_OF_ORDER(the_driver_may_choose_who_starts),
        CASE_OF_ORDER(after_64_calls_that_succeed_at_once_the_others_have_their_turn),
        CASE_OF_ORDER(a_busy_task_alone_sees_its_deadline_within_about_64_calls),
        CASE_OF_ORDER(a_timer_left_armed_fires_early_and_is_set_anew),
        CASE_OF_ORDER(no_timer_is_ever_late),
        CASE_OF_ORDER(memory_behind_stacks_unused_for_a_second_is_given_back),
    };
    return RUN(cases);
}
