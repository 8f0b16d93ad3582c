// SPDX-License-Identifier: MIT
// Unit tests of task/park.c: no wake is lost, no wake does harm, and the look at cancellation and
// deadline. A lost wake shows as a hang, which the watchdog ends.
#define UNIT_WORKERS "2"
#include "fake_driver.h"

// ---- One waiter -----------------------------------------------------------------------------

static void a_wake_before_the_park_ends_it(void **state) {
    (void)state;
    struct weft__waiter *self = weft__self();
    weft__unpark(self);
    weft__park(self, INT64_MAX);
}

static void wakes_coalesce_into_one(void **state) {
    (void)state;
    struct weft__waiter *self = weft__self();
    for (int i = 0; i < 3; i++)
        weft__unpark(self);
    weft__park(self, INT64_MAX);
    int64_t until = weft_now() + WEFT_MILLISECOND;
    weft__park(self, until);
    assert_true(weft_now() >= until);
}

static void a_park_of_a_thread_does_not_end_before_its_time(void **state) {
    (void)state;
    for (int i = 0; i < 50; i++) {
        int64_t until = weft_now() + i * 20 * WEFT_MICROSECOND;
        weft__park(weft__self(), until);
        assert_true(weft_now() >= until);
    }
}

static int park_and_count(void *arg) {
    for (int i = 0; i < 3; i++) {
        weft__unpark(weft__self());
        weft__park(weft__self(), INT64_MAX);
        ++*(int *)arg;
    }
    return 0;
}

static void a_task_takes_its_own_wake(void **state) {
    (void)state;
    weft_scope scope = {0};
    int count = 0;
    expect(weft_go(&scope, park_and_count, &count), 0);
    expect(weft_join(&scope), 0);
    assert_int_equal(count, 3);
}

// ---- Races ----------------------------------------------------------------------------------

// One side posts, the other parks whenever it has taken all posts. The poster waits, without
// parking, until all but `lead` of its posts were taken: with 0 each post races with a park.
struct race {
    _Atomic(struct weft__waiter *) parker;
    atomic_size_t posted, taken;
    size_t rounds, lead;
};

static int take_posts(void *arg) {
    struct race *race = arg;
    atomic_store(&race->parker, weft__self());
    for (size_t seen = 0; seen < race->rounds;) {
        while (atomic_load(&race->posted) == seen)
            weft__park(weft__self(), INT64_MAX);
        atomic_store(&race->taken, ++seen);
    }
    return 0;
}

static void *take_posts_in_a_thread(void *arg) {
    take_posts(arg);
    return NULL;
}

// On one processor a spin would last a whole time slice.
static void *post(void *arg) {
    struct race *race = arg;
    await_that(atomic_load(&race->parker) != NULL);
    for (size_t i = 1; i <= race->rounds; i++) {
        atomic_store(&race->posted, i);
        weft__foreign_enter();
        weft__unpark(atomic_load(&race->parker));
        weft__foreign_leave();
        for (size_t spins = 0; atomic_load(&race->taken) + race->lead < i; spins++)
            if (spins % 64 == 63)
                weft__os_yield();
    }
    return NULL;
}

static void no_wake_is_lost_between_two_threads(void **state) {
    (void)state;
    static const struct { size_t rounds, lead; } rows[] = {{50000, 0}, {50000, 1}, {300000, 8}};
    for (int i = 0; i < 3; i++) {
        struct race race = {.rounds = times(rows[i].rounds), .lead = rows[i].lead};
        pthread_t parker = thread_start(take_posts_in_a_thread, &race);
        post(&race);
        thread_join(parker);
        assert_int_equal(atomic_load(&race.taken), race.rounds);
    }
}

static void no_wake_is_lost_between_a_thread_and_a_task(void **state) {
    (void)state;
    weft_scope scope = {0};
    needs_runtime();
    struct race race = {.rounds = times(150000), .lead = 1};
    expect(weft_go(&scope, take_posts, &race), 0);
    pthread_t poster = thread_start(post, &race);
    expect(weft_join(&scope), 0);
    thread_join(poster);
    assert_int_equal(atomic_load(&race.taken), race.rounds);
}

static void no_wake_is_lost_between_a_thread_and_task_zero(void **state) {
    (void)state;
    struct race race = {.rounds = times(100000)};
    pthread_t poster = thread_start(post, &race);
    take_posts(&race);
    thread_join(poster);
    assert_int_equal(atomic_load(&race.taken), race.rounds);
}

// A third party holds the task again and again while it parks and is woken.
struct holding {
    struct race race;
    atomic_bool is_held, is_over;
    size_t times;
};

static void *hold_often(void *arg) {
    struct holding *holding = arg;
    while (!atomic_load(&holding->is_over)) {
        uint32_t seen;
        weft__foreign_enter();
        struct weft__waiter *parker = atomic_load(&holding->race.parker);
        if (parker && weft__hold(weft__task_of(parker), &seen)) {
            atomic_store(&holding->is_held, true);
            holding->times++;
            if (holding->times % 4 == 0)
                weft__os_yield();
            atomic_store(&holding->is_held, false);
            weft__let_go(weft__task_of(parker), seen);
        }
        weft__foreign_leave();
        weft__os_yield();
    }
    return NULL;
}

static int take_posts_and_be_held(void *arg) {
    struct holding *holding = arg;
    struct race *race = &holding->race;
    atomic_store(&race->parker, weft__self());
    for (size_t seen = 0; seen < race->rounds;) {
        while (atomic_load(&race->posted) == seen) {
            weft__park(weft__self(), INT64_MAX);
            assert_false(atomic_load(&holding->is_held));
        }
        atomic_store(&race->taken, ++seen);
    }
    return 0;
}

// How often it was held.
static size_t run_held(int (*parker)(struct holding *)) {
    struct holding holding = {.race = {.rounds = times(50000)}};
    pthread_t holder = thread_start(hold_often, &holding);
    pthread_t poster = thread_start(post, &holding.race);
    expect(parker(&holding), 0);
    thread_join(poster);
    atomic_store(&holding.is_over, true);
    thread_join(holder);
    assert_int_equal(atomic_load(&holding.race.taken), holding.race.rounds);
    return holding.times;
}

static int be_held_in_a_task(struct holding *holding) {
    weft_scope scope = {0};
    expect(weft_go(&scope, take_posts_and_be_held, holding), 0);
    return weft_join(&scope);
}

static int be_held_as_task_zero(struct holding *holding) {
    return take_posts_and_be_held(holding);
}

static void a_task_that_is_held_does_not_run_and_loses_no_wake(void **state) {
    (void)state;
    needs_runtime();
    while (run_held(be_held_in_a_task) == 0) // the holder may have had no processor at all
        ;
    while (run_held(be_held_as_task_zero) == 0)
        ;
}

static void who_does_not_wait_cannot_be_held(void **state) {
    (void)state;
    uint32_t seen;
    assert_false(weft__hold(weft__task_of(weft__self()), &seen));
}

// Strict alternation: every hand-over parks on both sides.
struct baton {
    _Atomic(struct weft__waiter *) party[2];
    atomic_int holder;
    size_t rounds;
};

static void run_with_baton(struct baton *baton, int me) {
    atomic_store(&baton->party[me], weft__self());
    await_that(atomic_load(&baton->party[!me]) != NULL);
    for (size_t i = 0; i < baton->rounds; i++) {
        while (atomic_load(&baton->holder) != me)
            weft__park(weft__self(), INT64_MAX);
        atomic_store(&baton->holder, !me);
        weft__foreign_enter();
        weft__unpark(atomic_load(&baton->party[!me]));
        weft__foreign_leave();
    }
}

static int run_first(void *arg) {
    run_with_baton(arg, 0);
    return 0;
}

static int run_second(void *arg) {
    run_with_baton(arg, 1);
    return 0;
}

static void *run_first_in_a_thread(void *arg) {
    run_with_baton(arg, 0);
    return NULL;
}

static void two_threads_hand_a_baton_to_and_fro(void **state) {
    (void)state;
    struct baton baton = {.rounds = times(20000)};
    pthread_t other = thread_start(run_first_in_a_thread, &baton);
    run_with_baton(&baton, 1);
    thread_join(other);
}

static void two_tasks_hand_a_baton_to_and_fro(void **state) {
    (void)state;
    weft_scope scope = {0};
    struct baton baton = {.rounds = times(300000)};
    expect(weft_go(&scope, run_first, &baton), 0);
    expect(weft_go(&scope, run_second, &baton), 0);
    expect(weft_join(&scope), 0);
}

// ---- Records that are reused ----------------------------------------------------------------

struct haunted {
    _Atomic(struct weft__waiter *) record;
    atomic_bool is_over;
};

static void *haunt(void *arg) {
    struct haunted *haunted = arg;
    for (size_t i = 0; !atomic_load(&haunted->is_over); i++) {
        struct weft__waiter *record = atomic_load(&haunted->record);
        if (record)
            weft__unpark(record);
        if (i % 64 == 63)
            weft__os_yield();
    }
    return NULL;
}

// Says who it is, waits a little, and ends: its record then goes to the next one.
static void *live_shortly(void *arg) {
    struct haunted *haunted = arg;
    atomic_store(&haunted->record, weft__self());
    for (int i = 0; i < 5; i++) {
        int64_t until = weft_now() + 2000;
        expect(weft_sleep(2000), 0);
        assert_true(weft_now() >= until);
    }
    return NULL;
}

static void late_wakes_do_no_harm_to_whoever_uses_the_record_now(void **state) {
    (void)state;
    struct haunted haunted = {.is_over = false};
    pthread_t ghosts[2];
    for (int i = 0; i < 2; i++)
        ghosts[i] = thread_start(haunt, &haunted);
    for (size_t i = 0; i < times(500); i++)
        thread_join(thread_start(live_shortly, &haunted));
    atomic_store(&haunted.is_over, true);
    for (int i = 0; i < 2; i++)
        thread_join(ghosts[i]);
}

// The same record is a plain thread's and task zero's in turn, and is woken all the time.
static void late_wakes_do_no_harm_to_a_thread_that_starts_and_stops_the_runtime(void **state) {
    (void)state;
    struct haunted haunted = {.record = weft__self()};
    pthread_t ghost = thread_start(haunt, &haunted);
    for (size_t i = 0; i < times(200); i++) {
        expect(weft_start(&(weft_options){.driver = "epoll"}), 0);
        expect(weft_sleep(1000), 0);
        expect(weft_stop(INT64_MAX), 0);
        expect(weft_sleep(1000), 0);
    }
    atomic_store(&haunted.is_over, true);
    thread_join(ghost);
}

// ---- Foreign sections -----------------------------------------------------------------------

struct section {
    atomic_int entered, may_leave, left;
    atomic_int seen_left;
};

static void *stay_in_section(void *arg) {
    struct section *section = arg;
    weft__foreign_enter();
    weft__foreign_enter();
    atomic_store(&section->entered, 1);
    while (!atomic_load(&section->may_leave))
        weft__os_yield();
    weft__foreign_leave();
    atomic_store(&section->left, 1);
    weft__foreign_leave();
    return NULL;
}

static void *drain_sections(void *arg) {
    struct section *section = arg;
    weft__foreign_drain();
    atomic_store(&section->seen_left, atomic_load(&section->left) ? 1 : -1);
    return NULL;
}

static void a_drain_waits_for_those_in_a_section(void **state) {
    (void)state;
    for (size_t i = 0; i < times(200); i++) {
        struct section section = {0};
        pthread_t inside = thread_start(stay_in_section, &section);
        while (!atomic_load(&section.entered))
            weft__os_yield();
        pthread_t outside = thread_start(drain_sections, &section);
        for (int n = 0; n < 10; n++)
            weft__os_yield();
        atomic_store(&section.may_leave, 1);
        thread_join(inside);
        thread_join(outside);
        assert_int_equal(atomic_load(&section.seen_left), 1);
    }
}

// ---- Interruptions --------------------------------------------------------------------------

static void what_a_call_must_answer_on_entry(void **state) {
    (void)state;
    enum { NOW = 1000 };
    static const struct {
        bool is_orphan, is_cancelled;
        int64_t deadline;
        int expected;
    } rows[] = {
        {false, false, INT64_MAX, 0},          {false, false, NOW + 1, 0},
        {false, false, NOW, -ETIMEDOUT},       {false, false, NOW - 1, -ETIMEDOUT},
        {false, false, INT64_MIN, -ETIMEDOUT}, {false, true, INT64_MAX, -ECANCELED},
        {false, true, NOW, -ECANCELED},        {true, false, INT64_MAX, -ECHILD},
        {true, true, INT64_MIN, -ECHILD},
    };
    fake_reset();
    fake.now = NOW;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        weft__store(&weft__orphaned, rows[i].is_orphan, relaxed);
        struct weft__waiter waiter = {.driver = &fake.driver,
                                      .cancelled = rows[i].is_cancelled,
                                      .deadline = rows[i].deadline};
        assert_int_equal(weft__interrupted(&waiter), rows[i].expected);
        assert_int_equal(weft__interrupt_at(&waiter), rows[i].deadline);
    }
    weft__store(&weft__orphaned, 0, relaxed);
}

static int64_t look_at_clocks[3];

static int look(void *arg) {
    struct weft__waiter *self = weft__self();
    look_at_clocks[0] = weft__coarse_now(self);
    fake.now += 500;
    look_at_clocks[1] = weft__coarse_now(self);
    (void)weft__fresh_now(self);
    look_at_clocks[2] = weft__coarse_now(self);
    (void)arg;
    return 0;
}

static void a_task_sees_the_clock_move_when_somebody_reads_it(void **state) {
    (void)state;
    weft_scope scope = {0};
    expect(weft_go(&scope, look, NULL), 0);
    expect(weft_join(&scope), 0);
    assert_int_equal(look_at_clocks[1], look_at_clocks[0]);
    assert_int_equal(look_at_clocks[2], look_at_clocks[0] + 500);
}

int main(void) {
    const struct CMUnitTest cases[] = {
        CASE(a_wake_before_the_park_ends_it),
        CASE(wakes_coalesce_into_one),
        CASE(a_park_of_a_thread_does_not_end_before_its_time),
        CASE_IN_TASK(a_wake_before_the_park_ends_it),
        CASE_IN_TASK(a_task_takes_its_own_wake),
        CASE(no_wake_is_lost_between_two_threads),
        CASE_IN_TASK(no_wake_is_lost_between_a_thread_and_a_task),
        CASE_IN_TASK(no_wake_is_lost_between_a_thread_and_task_zero),
        CASE_ON_URING(no_wake_is_lost_between_a_thread_and_a_task),
        CASE_IN_TASK(a_task_that_is_held_does_not_run_and_loses_no_wake),
        CASE_ON_URING(a_task_that_is_held_does_not_run_and_loses_no_wake),
        CASE_IN_TASK(who_does_not_wait_cannot_be_held),
        CASE(two_threads_hand_a_baton_to_and_fro),
        CASE_IN_TASK(two_tasks_hand_a_baton_to_and_fro),
        CASE(late_wakes_do_no_harm_to_whoever_uses_the_record_now),
        CASE(late_wakes_do_no_harm_to_a_thread_that_starts_and_stops_the_runtime),
        CASE(a_drain_waits_for_those_in_a_section),
        CASE(what_a_call_must_answer_on_entry),
        CASE_ON_FAKE(a_task_sees_the_clock_move_when_somebody_reads_it),
    };
    return RUN(cases);
}
