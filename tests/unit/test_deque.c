// SPDX-License-Identifier: MIT
// Unit tests of task/deque.c: what each end gives, growth, want of memory, and the storm of an
// owner against thieves, in which each item is taken exactly once.
#define UNIT_WORKERS "2" // it is about races
#include "task_tools.h"

#include "task/deque.h"

static struct weft__deque deque;

static int deque_begin(void **state) {
    case_begin(state);
    deque = (struct weft__deque){0};
    return 0;
}

static int deque_end(void **state) {
    assert_int_equal(weft__deque_size(&deque), 0);
    weft__deque_free(&deque);
    return case_end(state);
}

#define CASE_OF_DEQUE(fn) cmocka_unit_test_setup_teardown(fn, deque_begin, deque_end)

static void *item(size_t i) {
    return (void *)(uintptr_t)(i + 1);
}

static void push(size_t i) {
    assert_true(weft__deque_push(&deque, item(i)));
}

// ---- One thread -----------------------------------------------------------------------------

static void an_empty_one_gives_nothing(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_null(weft__deque_take_newest(&deque));
        assert_null(weft__deque_take_oldest(&deque));
        assert_int_equal(weft__deque_size(&deque), 0);
        push(1);
        assert_ptr_equal(i % 2 ? weft__deque_take_newest(&deque) : weft__deque_take_oldest(&deque),
                         item(1));
    }
    assert_null(weft__deque_take_newest(&deque));
}

static void each_end_gives_its_own(void **state) {
    (void)state;
    for (size_t i = 0; i < 6; i++)
        push(i);
    assert_int_equal(weft__deque_size(&deque), 6);
    assert_ptr_equal(weft__deque_take_newest(&deque), item(5));
    assert_ptr_equal(weft__deque_take_oldest(&deque), item(0));
    assert_ptr_equal(weft__deque_take_newest(&deque), item(4));
    assert_ptr_equal(weft__deque_take_oldest(&deque), item(1));
    push(6);
    assert_ptr_equal(weft__deque_take_newest(&deque), item(6));
    assert_int_equal(weft__deque_size(&deque), 2);
    assert_ptr_equal(weft__deque_take_newest(&deque), item(3));
    assert_ptr_equal(weft__deque_take_newest(&deque), item(2));
}

static void the_old_end_moves_when_the_oldest_goes(void **state) {
    (void)state;
    push(0);
    push(1);
    int64_t top = weft__deque_top(&deque);
    assert_ptr_equal(weft__deque_take_newest(&deque), item(1));
    assert_int_equal(weft__deque_top(&deque), top);
    assert_ptr_equal(weft__deque_take_oldest(&deque), item(0));
    assert_int_equal(weft__deque_top(&deque), top + 1);
}

static void any_place_can_be_taken(void **state) {
    (void)state;
    for (size_t i = 0; i < 5; i++)
        push(i);
    assert_ptr_equal(weft__deque_take_at(&deque, 0), item(4));
    assert_ptr_equal(weft__deque_take_at(&deque, 3), item(0));
    assert_ptr_equal(weft__deque_take_at(&deque, 1), item(2));
    assert_ptr_equal(weft__deque_take_oldest(&deque), item(1));
    assert_ptr_equal(weft__deque_take_newest(&deque), item(3));
}

// The array wraps around and grows in every position of its content.
static void growth_keeps_the_order_wherever_the_content_begins(void **state) {
    (void)state;
    for (size_t shift = 0; shift < 600; shift += 37) {
        struct weft__deque d = {0};
        for (size_t i = 0; i < shift; i++) {
            assert_true(weft__deque_push(&d, item(i)));
            assert_ptr_equal(weft__deque_take_oldest(&d), item(i));
        }
        for (size_t i = 0; i < 3000; i++)
            assert_true(weft__deque_push(&d, item(i)));
        assert_int_equal(weft__deque_size(&d), 3000);
        for (size_t i = 0; i < 1500; i++) {
            assert_ptr_equal(weft__deque_take_oldest(&d), item(i));
            assert_ptr_equal(weft__deque_take_newest(&d), item(2999 - i));
        }
        assert_null(weft__deque_take_oldest(&d));
        weft__deque_free(&d);
    }
}

// Against a plain array, in which everything moves.
static void random_use_is_that_of_a_plain_array(void **state) {
    (void)state;
    enum { MAX = 2000 };
    static void *model[MAX];
    size_t count = 0, next = 0;
    struct dice dice = {5};
    for (size_t i = 0; i < times(200000); i++) {
        uint64_t what = dice_roll(&dice, i / 1000 % 2 ? 6 : 10); // grows and shrinks in turn
        if (what >= 4 && count < MAX) {
            push(next);
            model[count++] = item(next++);
        } else if (count == 0) {
            assert_null(weft__deque_take_newest(&deque));
        } else if (what % 2) {
            assert_ptr_equal(weft__deque_take_newest(&deque), model[--count]);
        } else {
            assert_ptr_equal(weft__deque_take_oldest(&deque), model[0]);
            memmove(model, model + 1, --count * sizeof *model);
        }
        assert_int_equal(weft__deque_size(&deque), count);
    }
    while (count > 0)
        assert_ptr_equal(weft__deque_take_newest(&deque), model[--count]);
}

// ---- Want of memory -------------------------------------------------------------------------

static void without_memory_nothing_is_pushed_and_nothing_lost(void **state) {
    (void)state;
    size_t count = 0;
    fault_nth("alloc", 1, -ENOMEM);
    assert_false(weft__deque_push(&deque, item(0)));
    assert_int_equal(weft__deque_size(&deque), 0);
    assert_null(weft__deque_take_newest(&deque));
    push(count++);
    fault_every("alloc", 1, -ENOMEM);
    while (weft__deque_push(&deque, item(count)))
        count++;
    assert_int_equal(weft__deque_size(&deque), count);
    assert_false(weft__deque_push(&deque, item(count)));
    assert_ptr_equal(weft__deque_take_oldest(&deque), item(0)); // which makes room
    push(count++);
    assert_false(weft__deque_push(&deque, item(count)));
    fault_none();
    push(count++);
    for (size_t i = 1; i < count; i++)
        assert_ptr_equal(weft__deque_take_oldest(&deque), item(i));
}

static void what_it_has_allocated_is_freed(void **state) {
    (void)state;
    size_t living = weft__alloc_living();
    for (size_t i = 0; i < 5000; i++)
        push(i);
    assert_true(weft__alloc_living() > living + 1); // the old arrays are still there
    while (weft__deque_take_newest(&deque))
        ;
    weft__deque_free(&deque);
    assert_int_equal(weft__alloc_living(), living);
    push(0); // and it may be used again
    assert_ptr_equal(weft__deque_take_newest(&deque), item(0));
}

// ---- The storm ------------------------------------------------------------------------------

enum { THIEVES = 3, BURST_MAX = 1000 };

struct thing {
    uint64_t value; // plain: who takes the thing must see what its maker wrote
    atomic_int taken;
};

static struct thing *things;
static struct barrier barrier;
static atomic_bool is_over;
static atomic_size_t taken_count;

static void take(struct thing *thing) {
    assert_int_equal(thing->value, (uint64_t)(thing - things) * 7);
    assert_int_equal(atomic_fetch_add(&thing->taken, 1), 0);
    atomic_fetch_add(&taken_count, 1);
}

static void *steal(void *arg) {
    (void)arg;
    barrier_meet(&barrier, THIEVES + 1);
    while (!atomic_load(&is_over)) {
        struct thing *thing = weft__deque_take_oldest(&deque);
        if (thing)
            take(thing);
        else if (weft__deque_size(&deque) == 0)
            weft__os_yield();
    }
    return NULL;
}

static void take_newest(uint64_t count) {
    for (uint64_t i = 0; i < count; i++) {
        struct thing *thing = weft__deque_take_newest(&deque);
        if (thing)
            take(thing);
    }
}

static void take_rest(void) {
    struct thing *thing;
    while ((thing = weft__deque_take_newest(&deque)))
        take(thing);
}

// Makes `count` things, at most `burst` before it takes some itself.
static void storm(size_t count, size_t burst) {
    pthread_t threads[THIEVES];
    struct dice dice = {count + burst};
    barrier = (struct barrier){0};
    atomic_store(&is_over, false);
    atomic_store(&taken_count, 0);
    things = calloc(count, sizeof *things);
    assert_non_null(things);
    for (int i = 0; i < THIEVES; i++)
        threads[i] = thread_start(steal, NULL);
    barrier_meet(&barrier, THIEVES + 1);
    for (size_t made = 0; made < count;) {
        for (uint64_t n = 1 + dice_roll(&dice, burst); n > 0 && made < count; n--, made++) {
            things[made].value = made * 7;
            assert_true(weft__deque_push(&deque, &things[made]));
        }
        take_newest(dice_roll(&dice, burst + 1));
        if (dice_roll(&dice, 64) == 0)
            weft__os_yield(); // on one processor the thieves need it
    }
    take_rest();
    await_that(atomic_load(&taken_count) == count);
    atomic_store(&is_over, true);
    for (int i = 0; i < THIEVES; i++)
        thread_join(threads[i]);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(atomic_load(&things[i].taken), 1);
    free(things);
}

static void owner_and_thieves_take_each_item_once(void **state) {
    (void)state;
    storm(times(1000000), 8);
}

// The last item is the one that owner and thief both want.
static void of_a_single_item_there_is_one_taker(void **state) {
    (void)state;
    storm(times(1000000), 1);
}

static void thieves_take_from_an_array_that_grows(void **state) {
    (void)state;
    for (size_t i = 0; i < times(100); i++) {
        storm(5000, BURST_MAX);
        weft__deque_free(&deque);
        deque = (struct weft__deque){0};
    }
}

int main(void) {
    const struct CMUnitTest cases[] = {
        CASE_OF_DEQUE(an_empty_one_gives_nothing),
        CASE_OF_DEQUE(each_end_gives_its_own),
        CASE_OF_DEQUE(the_old_end_moves_when_the_oldest_goes),
        CASE_OF_DEQUE(any_place_can_be_taken),
        CASE_OF_DEQUE(growth_keeps_the_order_wherever_the_content_begins),
        CASE_OF_DEQUE(random_use_is_that_of_a_plain_array),
        CASE_OF_DEQUE(without_memory_nothing_is_pushed_and_nothing_lost),
        CASE_OF_DEQUE(what_it_has_allocated_is_freed),
        CASE_OF_DEQUE(owner_and_thieves_take_each_item_once),
        CASE_OF_DEQUE(of_a_single_item_there_is_one_taker),
        CASE_OF_DEQUE(thieves_take_from_an_array_that_grows),
    };
    return RUN(cases);
}
