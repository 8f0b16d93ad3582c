// SPDX-License-Identifier: MIT
// Unit tests of task/unstarted.c: which task comes next, what may be stolen, what happens without
// memory, and a storm in which each task is taken once.
#define UNIT_WORKERS "2" // it is about races
#include "task_tools.h"

#include "task/unstarted.h"

enum { TASKS = 1000 };
static struct weft__task tasks[TASKS];
static struct weft__unstarted *unstarted;

static int unstarted_begin(void **state) {
    case_begin(state);
    memset(tasks, 0, sizeof tasks);
    unstarted = weft__unstarted_new();
    return unstarted ? 0 : -1;
}

static int unstarted_end(void **state) {
    assert_int_equal(weft__unstarted_count(unstarted), 0);
    weft__unstarted_free(unstarted);
    return case_end(state);
}

#define CASE_OF_UNSTARTED(fn) cmocka_unit_test_setup_teardown(fn, unstarted_begin, unstarted_end)

static void push(int i) {
    weft__unstarted_push(unstarted, &tasks[i]);
}

static void place(int i) {
    weft__unstarted_place(unstarted, &tasks[i]);
}

static void pin(int i) {
    tasks[i].is_pinned = true;
    weft__unstarted_pin(unstarted, &tasks[i]);
}

static int number(const struct weft__task *task) {
    return task ? (int)(task - tasks) : -1;
}

static int take(void) {
    return number(weft__unstarted_take(unstarted));
}

static int steal(void) {
    return number(weft__unstarted_steal(unstarted));
}

// The next ones are these, and -1 ends the list.
#define expect_taken(...)                                                                          \
    do {                                                                                           \
        static const int expected_[] = {__VA_ARGS__};                                              \
        for (size_t i_ = 0; i_ < sizeof expected_ / sizeof expected_[0]; i_++)                     \
            assert_int_equal(take(), expected_[i_]);                                               \
    } while (0)

// ---- Order ----------------------------------------------------------------------------------

static void an_empty_one_gives_nothing(void **state) {
    (void)state;
    assert_int_equal(take(), -1);
    assert_int_equal(steal(), -1);
    assert_int_equal(weft__unstarted_count(unstarted), 0);
    assert_int_equal(weft__unstarted_free_count(unstarted), 0);
}

static void of_its_own_the_newest_starts_first(void **state) {
    (void)state;
    for (int i = 0; i < 5; i++)
        push(i);
    assert_int_equal(weft__unstarted_count(unstarted), 5);
    expect_taken(4, 3, 2, 1, 0, -1);
}

static void now_and_then_it_is_the_oldest(void **state) {
    (void)state;
    int oldest = 0, newest = TASKS - 1;
    for (int i = 0; i < TASKS; i++)
        push(i);
    for (int n = 1; n <= TASKS; n++) {
        bool is_oldest = n % WEFT__OLDEST_EVERY == 0;
        assert_int_equal(take(), is_oldest ? oldest++ : newest--);
    }
    assert_true(oldest > 0);
}

static void what_is_placed_starts_in_order(void **state) {
    (void)state;
    for (int i = 0; i < 5; i++)
        place(i);
    expect_taken(0, 1, 2, 3, 4, -1);
}

static void what_is_pinned_starts_in_order(void **state) {
    (void)state;
    for (int i = 0; i < 5; i++)
        pin(i);
    assert_int_equal(weft__unstarted_count(unstarted), 5);
    expect_taken(0, 1, 2, 3, 4, -1);
}

// Neither its own tasks' children nor those from elsewhere starve the other, however many there
// are.
static void its_own_and_those_from_elsewhere_take_turns(void **state) {
    (void)state;
    for (int i = 0; i < 4; i++) {
        push(i);
        place(10 + i);
    }
    expect_taken(10, 3, 11, 2, 12, 1, 13, 0, -1);
    for (int i = 0; i < 3; i++) {
        push(i);
        pin(20 + i);
    }
    expect_taken(20, 2, 21, 1, 22, 0, -1);
}

static void of_those_from_elsewhere_the_pinned_come_first(void **state) {
    (void)state;
    for (int i = 0; i < 2; i++) {
        place(10 + i);
        pin(20 + i);
        push(i);
    }
    expect_taken(20, 1, 21, 0, 10, 11, -1);
}

static void what_is_left_alone_goes_on_by_itself(void **state) {
    (void)state;
    push(0);
    for (int i = 10; i < 14; i++)
        place(i);
    expect_taken(10, 0, 11, 12);
    push(1);
    push(2);
    expect_taken(13, 2, 1, -1);
}

// A take that finds nothing does not shift the turns.
static void many_takes_in_vain_change_nothing(void **state) {
    (void)state;
    for (int vain = 0; vain < 5; vain++) {
        expect_taken(-1);
        push(0);
        place(1);
        assert_int_equal(take() + take(), 0 + 1);
    }
}

static void what_could_not_be_started_comes_first_again(void **state) {
    (void)state;
    place(0);
    place(1);
    pin(2);
    pin(3);
    assert_int_equal(take(), 2);
    weft__unstarted_put_back(unstarted, &tasks[2]);
    assert_int_equal(weft__unstarted_count(unstarted), 4);
    expect_taken(2, 3, 0);
    weft__unstarted_put_back(unstarted, &tasks[0]);
    expect_taken(0, 1, -1);
    push(4);
    expect_taken(4);
    weft__unstarted_put_back(unstarted, &tasks[4]); // where it came from does not matter
    expect_taken(4, -1);
}

// The simulator chooses any place: its own from the newest, the pinned, the placed.
static void any_place_can_be_taken(void **state) {
    (void)state;
    static const int order[] = {2, 1, 0, 10, 11, 20, 21};
    enum { COUNT = sizeof order / sizeof order[0] };
    for (size_t at = 0; at < COUNT; at++) {
        for (int i = 0; i < 3; i++)
            push(i);
        for (int i = 0; i < 2; i++) {
            pin(10 + i);
            place(20 + i);
        }
        assert_int_equal(number(weft__unstarted_take_at(unstarted, at)), order[at]);
        assert_int_equal(weft__unstarted_count(unstarted), COUNT - 1);
        for (size_t i = 0; i < COUNT; i++)
            if (i != at)
                assert_int_equal(number(weft__unstarted_take_at(unstarted, 0)), order[i]);
    }
}

// ---- Stealing -------------------------------------------------------------------------------

static void a_thief_takes_the_oldest_and_of_the_placed_first(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++) {
        push(i);
        place(10 + i);
    }
    assert_int_equal(steal(), 10);
    assert_int_equal(steal(), 11);
    assert_int_equal(steal(), 12);
    assert_int_equal(steal(), 0);
    expect_taken(2);
    assert_int_equal(steal(), 1);
    assert_int_equal(steal(), -1);
}

static void what_is_pinned_is_never_stolen(void **state) {
    (void)state;
    pin(0);
    assert_int_equal(weft__unstarted_free_count(unstarted), 0);
    assert_int_equal(steal(), -1);
    assert_int_equal(take(), 0);
    weft__unstarted_put_back(unstarted, &tasks[0]);
    assert_int_equal(weft__unstarted_free_count(unstarted), 0);
    assert_int_equal(steal(), -1);
    expect_taken(0, -1);
}

// By the stamp a thief knows whether somebody has got round to what it has seen.
static void the_stamp_changes_when_one_is_taken_at_an_old_end(void **state) {
    (void)state;
    for (int i = 0; i < 4; i++) {
        push(i);
        place(10 + i);
    }
    uint64_t stamp = weft__unstarted_stamp(unstarted);
    pin(20);
    push(4);
    place(14);
    assert_int_equal(weft__unstarted_stamp(unstarted), stamp);
    expect_taken(20, 4);
    assert_int_equal(weft__unstarted_stamp(unstarted), stamp); // neither was at such an end
    expect_taken(10);
    assert_int_not_equal(weft__unstarted_stamp(unstarted), stamp);
    while (weft__unstarted_count(unstarted) > 0) {
        stamp = weft__unstarted_stamp(unstarted);
        assert_int_not_equal(steal(), -1);
        assert_int_not_equal(weft__unstarted_stamp(unstarted), stamp);
    }
}

// ---- Want of memory -------------------------------------------------------------------------

static void without_memory_for_the_deque_a_task_is_placed(void **state) {
    (void)state;
    fault_every("alloc", 1, -ENOMEM);
    for (int i = 0; i < 3; i++)
        push(i);
    assert_int_equal(weft__unstarted_count(unstarted), 3);
    assert_int_equal(weft__unstarted_free_count(unstarted), 3);
    expect_taken(0);
    fault_none();
    push(3);
    expect_taken(3);
    assert_int_equal(steal(), 1);
    expect_taken(2, -1);
}

static void without_memory_to_grow_none_is_lost(void **state) {
    (void)state;
    static bool was_taken[TASKS];
    memset(was_taken, 0, sizeof was_taken);
    push(0);
    fault_every("alloc", 1, -ENOMEM);
    for (int i = 1; i < TASKS; i++)
        push(i);
    fault_none();
    assert_int_equal(weft__unstarted_count(unstarted), TASKS);
    for (int i = 0; i < TASKS; i++) {
        int n = i % 3 ? take() : steal();
        assert_true(n >= 0 && !was_taken[n]);
        was_taken[n] = true;
    }
}

static void without_memory_there_is_none(void **state) {
    (void)state;
    fault_nth("alloc", 1, -ENOMEM);
    assert_null(weft__unstarted_new());
    fault_none();
    weft__unstarted_free(NULL);
}

// ---- The storm ------------------------------------------------------------------------------

enum { PLACERS = 2, THIEVES = 2, EACH = TASKS / (PLACERS + 2) };

static atomic_int taken[TASKS];
static atomic_size_t taken_count;
static struct barrier barrier;

static void note(int n) {
    if (n < 0)
        return;
    assert_int_equal(atomic_fetch_add(&taken[n], 1), 0);
    assert_int_equal(tasks[n].stack_size, n); // what was written before it was handed over
    atomic_fetch_add(&taken_count, 1);
}

static void *place_many(void *arg) {
    int first = *(int *)arg;
    barrier_meet(&barrier, PLACERS + THIEVES + 1);
    for (int i = first; i < first + EACH; i++) {
        tasks[i].stack_size = (uint32_t)i;
        place(i);
    }
    return NULL;
}

static void *steal_many(void *arg) {
    (void)arg;
    barrier_meet(&barrier, PLACERS + THIEVES + 1);
    while (atomic_load(&taken_count) < TASKS) {
        int n = steal();
        assert_true(n < 0 || !tasks[n].is_pinned);
        note(n);
        if (n < 0)
            weft__os_yield();
    }
    return NULL;
}

// The owner: starts tasks and pins some, and now and then takes one, or cannot start it.
static void own(struct dice *dice) {
    barrier_meet(&barrier, PLACERS + THIEVES + 1);
    for (int i = PLACERS * EACH; i < TASKS; i++) {
        tasks[i].stack_size = (uint32_t)i;
        if (dice_roll(dice, 4) == 0)
            pin(i);
        else
            push(i);
        struct weft__task *task = dice_roll(dice, 2) ? weft__unstarted_take(unstarted) : NULL;
        if (task && dice_roll(dice, 4) == 0)
            weft__unstarted_put_back(unstarted, task);
        else
            note(number(task));
    }
    while (atomic_load(&taken_count) < TASKS) {
        note(take());
        weft__os_yield();
    }
}

static void each_task_is_taken_once_by_whomever(void **state) {
    (void)state;
    struct dice dice = {3};
    for (size_t round = 0; round < times(1000); round++) {
        pthread_t threads[PLACERS + THIEVES];
        static int firsts[PLACERS] = {0, EACH};
        memset(tasks, 0, sizeof tasks);
        for (int i = 0; i < TASKS; i++)
            atomic_store(&taken[i], 0);
        atomic_store(&taken_count, 0);
        barrier = (struct barrier){0};
        for (int i = 0; i < PLACERS + THIEVES; i++)
            threads[i] =
                i < PLACERS ? thread_start(place_many, &firsts[i]) : thread_start(steal_many, NULL);
        own(&dice);
        for (int i = 0; i < PLACERS + THIEVES; i++)
            thread_join(threads[i]);
        assert_int_equal(weft__unstarted_count(unstarted), 0);
    }
}

int main(void) {
    const struct CMUnitTest cases[] = {
        CASE_OF_UNSTARTED(an_empty_one_gives_nothing),
        CASE_OF_UNSTARTED(of_its_own_the_newest_starts_first),
        CASE_OF_UNSTARTED(now_and_then_it_is_the_oldest),
        CASE_OF_UNSTARTED(what_is_placed_starts_in_order),
        CASE_OF_UNSTARTED(what_is_pinned_starts_in_order),
        CASE_OF_UNSTARTED(its_own_and_those_from_elsewhere_take_turns),
        CASE_OF_UNSTARTED(of_those_from_elsewhere_the_pinned_come_first),
        CASE_OF_UNSTARTED(what_is_left_alone_goes_on_by_itself),
        CASE_OF_UNSTARTED(many_takes_in_vain_change_nothing),
        CASE_OF_UNSTARTED(what_could_not_be_started_comes_first_again),
        CASE_OF_UNSTARTED(any_place_can_be_taken),
        CASE_OF_UNSTARTED(a_thief_takes_the_oldest_and_of_the_placed_first),
        CASE_OF_UNSTARTED(what_is_pinned_is_never_stolen),
        CASE_OF_UNSTARTED(the_stamp_changes_when_one_is_taken_at_an_old_end),
        CASE_OF_UNSTARTED(without_memory_for_the_deque_a_task_is_placed),
        CASE_OF_UNSTARTED(without_memory_to_grow_none_is_lost),
        CASE_OF_UNSTARTED(without_memory_there_is_none),
        CASE_OF_UNSTARTED(each_task_is_taken_once_by_whomever),
    };
    return RUN(cases);
}
