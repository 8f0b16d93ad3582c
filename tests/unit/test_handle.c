// SPDX-License-Identifier: MIT
// Unit tests of task/handle.c: the numbers, the reuse of slots, turns and closing, on handles over
// descriptors that do not exist. What many threads do at the same time: test_handle_storm.c.
#include "fake_driver.h"

#include <sys/wait.h>

enum { SLOT_MASK = WEFT__SLOT_COUNT - 1, NO_FD = 1 << 29 };

static int open_one(void) {
    return weft__handle_open(NO_FD, WEFT__KIND_STREAM, weft__handle_serial());
}

// weft_close without the close(2).
static void close_one(int h) {
    struct weft__handle *handle;
    assert_int_equal(weft__handle_close(weft__self(), h, &handle), 0);
    weft__handle_free(handle);
}

static int use(int h) {
    struct weft__turn turn;
    int error = weft__turn_begin(&turn, weft__self(), h, WEFT__SIDE_NONE, WEFT__KIND_ANY);
    if (error == 0)
        weft__turn_end(&turn);
    return error;
}

// ---- Numbers --------------------------------------------------------------------------------

static void a_handle_is_no_descriptor_and_not_zero(void **state) {
    (void)state;
    int h = open_one();
    assert_true(h >= WEFT__SLOT_COUNT);
    assert_int_equal(use(h), 0);
    assert_int_equal(use(0), -EBADF);
    assert_int_equal(use(h & SLOT_MASK), -EBADF);
    assert_int_equal(use(h + WEFT__SLOT_COUNT), -EBADF);
    assert_int_equal(use(h + 1), -EBADF);
    assert_int_equal(use(INT32_MAX), -EBADF);
    for (int fd = 0; fd < 3000; fd++)
        assert_int_equal(use(fd), -EBADF);
    close_one(h);
    assert_int_equal(use(h), -EBADF);
}

static void slots_are_reused_oldest_first_and_not_before_4096_are_free(void **state) {
    (void)state;
    enum { COUNT = 20000 };
    static int freed[COUNT];
    static int last_freed[WEFT__SLOT_COUNT]; // 1 + when the slot was given back
    int reused = 0, next = 0;
    for (int i = 0; i < COUNT; i++) {
        int h = open_one();
        int slot = h & SLOT_MASK;
        if (last_freed[slot] > 0) {
            assert_true(i - (last_freed[slot] - 1) > WEFT__FREE_BEFORE_REUSE);
            assert_int_equal(slot, freed[next++]);
            reused++;
        }
        close_one(h);
        freed[i] = slot;
        last_freed[slot] = i + 1;
    }
    assert_true(reused > COUNT / 2);
}

static void a_number_comes_back_only_after_eight_million_others(void **state) {
    (void)state;
    size_t limit = times(8000000) < 8000000 ? times(8000000) : 8000000;
    int first = open_one();
    close_one(first);
    for (size_t i = 0; i < limit; i++) {
        int h = open_one();
        assert_int_not_equal(h, first);
        close_one(h);
    }
    assert_int_equal(use(first), -EBADF);
}

static void generations_go_from_1_to_2047_and_begin_again(void **state) {
    (void)state;
    if (times(1000) < 1000)
        skip(); // nine million opens
    int slot = open_one();
    close_one(slot);
    int last = slot >> WEFT__SLOT_BITS, seen = 0, wraps = 0;
    slot &= SLOT_MASK;
    while (seen < WEFT__GENERATION_MAX + 10) {
        int h = open_one();
        close_one(h);
        if ((h & SLOT_MASK) != slot)
            continue;
        int generation = h >> WEFT__SLOT_BITS;
        assert_int_equal(generation, last == WEFT__GENERATION_MAX ? 1 : last + 1);
        wraps += last == WEFT__GENERATION_MAX;
        last = generation;
        seen++;
    }
    assert_true(wraps >= 1);
}

static void every_handle_has_a_serial_of_its_own(void **state) {
    (void)state;
    uint64_t last = weft__handle_serial();
    for (int i = 0; i < 1000; i++) {
        uint64_t serial = weft__handle_serial();
        assert_true(serial > last);
        last = serial;
    }
}

// ---- Shortage -------------------------------------------------------------------------------

static void without_memory_no_handle_is_opened(void **state) {
    (void)state;
    size_t open = weft__handles_open();
    static int opened_ones[WEFT__FREE_BEFORE_REUSE + 2048];
    int count = 0, h;
    fault_every("alloc", 1, -ENOMEM);
    while ((h = open_one()) > 0)
        opened_ones[count++] = h;
    assert_int_equal(h, -ENOMEM);
    assert_int_equal(weft__handles_open(), open + (size_t)count);
    fault_none();
    close_one(open_one());
    while (count > 0)
        close_one(opened_ones[--count]);
}

static int one_more(void) {
    weft_addr addr = weft_addr_ipv4(127, 0, 0, 1, 0);
    return weft_udp_bind_with(&addr, NULL);
}

static char last_line[512];

static void keep_line(int level, const char *text, void *context) {
    (void)level;
    (void)context;
    strncpy(last_line, text, sizeof last_line - 1);
}

// In a child, whose memory goes with it: a million handles are 250 MB.
static void fill_the_table(void) {
    static int opened_ones[WEFT__SLOT_COUNT];
    struct leftovers full, now;
    int count = 0, h;
    weft_addr addr;
    int listener = listen_anywhere(&addr);
    expect(weft_close(opened(weft_tcp_connect_with(&addr, NULL))), 0); // waits to be accepted
    while ((h = open_one()) > 0)
        opened_ones[count++] = h;
    assert_int_equal(h, -EMFILE);
    assert_true(count >= WEFT__SLOT_COUNT - 1 - WEFT__FREE_BEFORE_REUSE);
    leftovers_count(&full);
    expect(one_more(), -EMFILE);
    expect_explained("handles are open");
    weft__log_to(keep_line, NULL);
    {
        weft_within(WEFT_MILLISECOND);
        expect(weft_accept(listener), -ETIMEDOUT);
    }
    assert_non_null(strstr(last_line, "all handles are open"));
    leftovers_count(&now);
    assert_int_equal(now.descriptors, full.descriptors);
    // What becomes free counts from the 4,097th on.
    int freed = 0;
    while ((h = open_one()) < 0)
        close_one(opened_ones[freed++]);
    assert_in_range(freed, 1, WEFT__FREE_BEFORE_REUSE + 1);
    expect(weft_close(one_more()), -EMFILE);
}

static void a_full_table_is_emfile_with_its_own_cause(void **state) {
    (void)state;
    if (times(1000) < 1000)
        skip(); // a million of anything
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        fill_the_table();
        _exit(0);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

// ---- Turns ----------------------------------------------------------------------------------

enum { QUEUERS = 40 };
static int handle, order[QUEUERS], order_count;
static weft_scope scope;

static int handle_begin(void **state) {
    fake_begin(state);
    handle = open_one();
    order_count = 0;
    return 0;
}

static int handle_end(void **state) {
    if (use(handle) == 0)
        close_one(handle);
    return fake_end(state);
}

#define CASE_OF_TURNS(fn) cmocka_unit_test_setup_teardown(fn, handle_begin, handle_end)

static int queue_up(void *arg) {
    struct weft__turn turn;
    int error = weft__turn_begin(&turn, weft__self(), handle, WEFT__SIDE_READ, WEFT__KIND_ANY);
    if (error < 0)
        return error;
    order[order_count++] = (int)(intptr_t)arg;
    expect(weft_yield(), 0); // others come in between, if they can
    weft__turn_end(&turn);
    return 0;
}

static void begin_queuer(weft_scope *where, int id) {
    expect(weft_go(where, queue_up, (void *)(intptr_t)id), 0);
    expect(weft_sleep(1), 0);
}

static void a_turn_is_handed_on_in_the_order_of_asking(void **state) {
    (void)state;
    struct weft__turn turn;
    expect(weft__turn_begin(&turn, weft__self(), handle, WEFT__SIDE_READ, WEFT__KIND_ANY), 0);
    for (int i = 0; i < QUEUERS; i++)
        begin_queuer(&scope, i);
    assert_int_equal(weft__handle_waiting(handle, WEFT__SIDE_READ), QUEUERS);
    assert_int_equal(order_count, 0);
    weft__turn_end(&turn);
    expect(weft_join(&scope), 0);
    assert_int_equal(order_count, QUEUERS);
    for (int i = 0; i < QUEUERS; i++)
        assert_int_equal(order[i], i);
}

static void the_sides_are_independent_and_readiness_takes_no_turn(void **state) {
    (void)state;
    struct weft__turn reading, writing, watching[2];
    struct weft__waiter *self = weft__self();
    expect(weft__turn_begin(&reading, self, handle, WEFT__SIDE_READ, WEFT__KIND_ANY), 0);
    expect(weft__turn_begin(&writing, self, handle, WEFT__SIDE_WRITE, WEFT__KIND_ANY), 0);
    for (int i = 0; i < 2; i++)
        expect(weft__turn_begin(&watching[i], self, handle, WEFT__SIDE_NONE, WEFT__KIND_ANY), 0);
    weft__turn_end(&reading);
    expect(weft__turn_begin(&reading, self, handle, WEFT__SIDE_READ, WEFT__KIND_ANY), 0);
    weft__turn_end(&watching[0]);
    weft__turn_end(&writing);
    weft__turn_end(&reading);
    weft__turn_end(&watching[1]);
}

static void the_wrong_kind_leaves_the_turn_alone(void **state) {
    (void)state;
    struct weft__turn turn, wrong;
    struct weft__waiter *self = weft__self();
    for (int side = WEFT__SIDE_READ; side <= WEFT__SIDE_NONE; side++)
        expect(weft__turn_begin(&wrong, self, handle, side, WEFT__KIND_LISTENER), -ENOTSUP);
    expect(weft__turn_begin(&turn, self, handle, WEFT__SIDE_READ, WEFT__KIND_STREAM), 0);
    expect(weft__turn_begin(&wrong, self, handle, WEFT__SIDE_READ, WEFT__KIND_LISTENER), -ENOTSUP);
    weft__turn_end(&turn);
    expect(weft__turn_begin(&turn, self, handle, WEFT__SIDE_READ, WEFT__KIND_STREAM), 0);
    weft__turn_end(&turn);
}

static void who_is_cancelled_in_the_queue_leaves_it_and_the_others_move_up(void **state) {
    (void)state;
    struct weft__turn turn;
    weft_scope cancelled[3] = {{{0}}};
    expect(weft__turn_begin(&turn, weft__self(), handle, WEFT__SIDE_READ, WEFT__KIND_ANY), 0);
    for (int i = 0; i < 9; i++) // 0, 4, 8 will leave: the first, one inside, the last
        begin_queuer(i % 4 == 0 ? &cancelled[i / 4] : &scope, i);
    for (int i = 0; i < 3; i++) {
        weft_cancel(&cancelled[i]);
        expect(weft_join(&cancelled[i]), -ECANCELED);
    }
    assert_int_equal(weft__handle_waiting(handle, WEFT__SIDE_READ), 6);
    weft__turn_end(&turn);
    expect(weft_join(&scope), 0);
    static const int left[] = {1, 2, 3, 5, 6, 7};
    assert_int_equal(order_count, 6);
    assert_memory_equal(order, left, sizeof left);
    expect(weft__turn_begin(&turn, weft__self(), handle, WEFT__SIDE_READ, WEFT__KIND_ANY), 0);
    weft__turn_end(&turn); // nothing of them is left behind
}

static void a_deadline_ends_the_wait_for_a_turn(void **state) {
    (void)state;
    struct weft__turn turn, mine;
    struct weft__waiter *self = weft__self();
    expect(weft__turn_begin(&turn, self, handle, WEFT__SIDE_READ, WEFT__KIND_ANY), 0);
    {
        int64_t begun = weft_now();
        weft_within(5 * WEFT_SECOND);
        expect(weft__turn_begin(&mine, self, handle, WEFT__SIDE_READ, WEFT__KIND_ANY), -ETIMEDOUT);
        assert_int_equal(weft_now(), begun + 5 * WEFT_SECOND);
    }
    weft__turn_end(&turn);
}

// ---- Closing --------------------------------------------------------------------------------

static int close_and_note(void *arg) {
    (void)arg;
    close_one(handle);
    order[order_count++] = -1;
    return 0;
}

static void a_close_waits_until_the_last_use_has_ended(void **state) {
    (void)state;
    struct weft__turn turn;
    expect(weft__turn_begin(&turn, weft__self(), handle, WEFT__SIDE_NONE, WEFT__KIND_ANY), 0);
    expect(weft_go(&scope, close_and_note, NULL), 0);
    expect(weft_sleep(1), 0);
    assert_int_equal(order_count, 0);
    assert_true(weft__turn_is_closing(&turn));
    expect(use(handle), -EBADF);
    struct weft__handle *ignored;
    expect(weft__handle_close(weft__self(), handle, &ignored), -EBADF);
    expect(weft__handle_waiting(handle, WEFT__SIDE_READ), -EBADF);
    weft__turn_end(&turn);
    expect(weft_join(&scope), 0);
    assert_int_equal(order_count, 1);
}

static int expect_bad(void *arg) {
    return queue_up(arg) == -EBADF ? 0 : -EIO;
}

static void a_close_ends_those_who_queue(void **state) {
    (void)state;
    struct weft__turn turn;
    weft_scope closer = {0};
    expect(weft__turn_begin(&turn, weft__self(), handle, WEFT__SIDE_READ, WEFT__KIND_ANY), 0);
    for (int i = 0; i < 10; i++) {
        expect(weft_go(&scope, expect_bad, NULL), 0);
        expect(weft_sleep(1), 0);
    }
    expect(weft_go(&closer, close_and_note, NULL), 0);
    expect(weft_join(&scope), 0); // all but ours have ended, and the close waits for us
    assert_int_equal(order_count, 0);
    weft__turn_end(&turn);
    expect(weft_join(&closer), 0);
    assert_int_equal(order_count, 1);
}

static void *close_from_outside(void *arg) {
    (void)arg;
    close_one(handle);
    return NULL;
}

static void a_turn_handed_on_at_a_closing_handle_is_refused(void **state) {
    (void)state;
    struct weft__turn turn;
    expect(weft__turn_begin(&turn, weft__self(), handle, WEFT__SIDE_READ, WEFT__KIND_ANY), 0);
    expect(weft_go(&scope, expect_bad, NULL), 0);
    expect(weft_sleep(1), 0);
    pthread_t closer = thread_start(close_from_outside, NULL);
    while (!weft__turn_is_closing(&turn)) // and the task, which is woken, does not run meanwhile
        weft__os_yield();
    weft__turn_end(&turn);
    expect(weft_join(&scope), 0);
    thread_join(closer);
}

static void the_child_of_a_fork_finds_closed_what_another_thread_was_closing(void **state) {
    (void)state;
    int kept = open_one(), gone = open_one();
    size_t open_count = weft__handles_open();
    struct weft__handle *closing;
    assert_int_equal(weft__handle_close(weft__self(), gone, &closing), 0);
    assert_int_equal(weft__handle_take_fd(closing), NO_FD);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(use(kept) != 0 || use(gone) != -EBADF || weft__handles_open() != open_count - 1);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    weft__handle_free(closing);
    close_one(kept);
}

// ---- Waiting for a close, somewhere ---------------------------------------------------------

static int await_a_close(void *arg) {
    weft__handle_await_close(weft__self(), *(int64_t *)arg);
    order[order_count++] = (int)(weft_now() / WEFT_SECOND);
    return 0;
}

static void who_is_short_of_handles_wakes_when_one_closes_or_at_its_time(void **state) {
    (void)state;
    int64_t soon = 10 * WEFT_SECOND, never = INT64_MAX;
    expect(weft_go(&scope, await_a_close, &never), 0);
    expect(weft_go(&scope, await_a_close, &soon), 0);
    expect(weft_sleep(19 * WEFT_SECOND), 0);
    assert_int_equal(order_count, 1);
    assert_int_equal(order[0], 10);
    close_one(open_one());
    expect(weft_join(&scope), 0);
    assert_int_equal(order_count, 2);
    assert_int_equal(order[1], 20);
}

int main(void) {
    const struct CMUnitTest cases[] = {
        CASE(a_handle_is_no_descriptor_and_not_zero),
        CASE(a_full_table_is_emfile_with_its_own_cause), // while the table is small
        CASE(slots_are_reused_oldest_first_and_not_before_4096_are_free),
        CASE(a_number_comes_back_only_after_eight_million_others),
        CASE(generations_go_from_1_to_2047_and_begin_again),
        CASE(every_handle_has_a_serial_of_its_own),
        CASE(without_memory_no_handle_is_opened),
        CASE_OF_TURNS(a_turn_is_handed_on_in_the_order_of_asking),
        CASE_OF_TURNS(the_sides_are_independent_and_readiness_takes_no_turn),
        CASE_OF_TURNS(the_wrong_kind_leaves_the_turn_alone),
        CASE_OF_TURNS(who_is_cancelled_in_the_queue_leaves_it_and_the_others_move_up),
        CASE_OF_TURNS(a_deadline_ends_the_wait_for_a_turn),
        CASE_OF_TURNS(a_close_waits_until_the_last_use_has_ended),
        CASE_OF_TURNS(a_close_ends_those_who_queue),
        CASE_OF_TURNS(a_turn_handed_on_at_a_closing_handle_is_refused),
        CASE(the_child_of_a_fork_finds_closed_what_another_thread_was_closing),
        CASE_OF_TURNS(who_is_short_of_handles_wakes_when_one_closes_or_at_its_time),
    };
    return RUN(cases);
}
