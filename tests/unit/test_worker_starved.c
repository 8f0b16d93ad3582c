// SPDX-License-Identifier: MIT
// Unit tests of task/worker.c when no stack can be had: tasks wait for one, or run one at a time on
// the worker's reserve, where nothing may wait. On a driver whose clock stands still.
#include "fake_driver.h"
#include "task/unstarted.h"

static weft_scope scope;
static int started, running, finished, lines;
static bool may_end;

static struct weft__worker *worker(void) {
    return weft__runtime_now()->workers[0];
}

static void count_lines(int level, const char *text, void *context) {
    (void)context;
    assert_int_equal(level, WEFT__LOG_WARN);
    lines += strstr(text, "no memory for another task's stack") != NULL;
}

static int starved_begin(void **state) {
    fake_begin(state);
    weft__log_to(count_lines, NULL);
    started = running = finished = lines = 0;
    may_end = false;
    return 0;
}

#define CASE_STARVED(fn) cmocka_unit_test_setup_teardown(fn, starved_begin, fake_end)

// So large that it needs pages of its own.
static const weft_task_options large = {.stack_size = 1 << 20};

// ---- Some stacks are in use -----------------------------------------------------------------

static int hold_a_stack(void *arg) {
    (void)arg;
    started++;
    while (!may_end)
        expect(weft_sleep(WEFT_MILLISECOND), 0);
    finished++;
    return 0;
}

static int end_at_once(void *arg) {
    (void)arg;
    finished++;
    return 0;
}

static void new_tasks_wait_until_a_stack_comes_back(void **state) {
    (void)state;
    enum { TASKS = 200 };
    fault_every("pages", 1, -ENOMEM);
    for (int i = 0; i < TASKS; i++)
        expect(weft_go(&scope, hold_a_stack, NULL), 0);
    for (int i = 0; i < 20; i++)
        expect(weft_sleep(WEFT_MILLISECOND), 0);
    assert_in_range(started, 1, TASKS - 1); // what was reserved before
    assert_int_equal(worker()->stacks.in_use, started);
    assert_int_equal(weft__unstarted_count(worker()->unstarted), TASKS - started);
    assert_int_equal(lines, 1);
    may_end = true;
    expect(weft_join(&scope), 0);
    assert_int_equal(finished, TASKS);
    assert_int_equal(lines, 1);
}

static void a_stack_is_asked_for_again_also_when_none_comes_back(void **state) {
    (void)state;
    fault_every("pages", 1, -ENOMEM);
    expect(weft_go(&scope, hold_a_stack, NULL), 0);
    expect(weft_sleep(WEFT_MILLISECOND), 0);
    assert_int_equal(started, 1);
    expect(weft_go_with(&scope, end_at_once, NULL, &large), 0);
    expect(weft_sleep(WEFT_SECOND), 0);
    assert_int_equal(finished, 0);
    fault_none();
    expect(weft_sleep(WEFT_SECOND), 0);
    assert_int_equal(finished, 1);
    assert_int_equal(lines, 1);
    may_end = true;
    expect(weft_join(&scope), 0);
}

static void those_that_wait_do_not_keep_the_others_from_running(void **state) {
    (void)state;
    fault_every("pages", 1, -ENOMEM);
    expect(weft_go(&scope, hold_a_stack, NULL), 0);
    expect(weft_sleep(WEFT_MILLISECOND), 0);
    assert_int_equal(started, 1);
    expect(weft_go_with(&scope, end_at_once, NULL, &large), 0);
    expect(weft_sleep(5 * WEFT_MILLISECOND), 0);
    assert_int_equal(finished, 0);
    assert_int_equal(weft__unstarted_count(worker()->unstarted), 1);
    fault_none();
    may_end = true; // the first gives its stack back, and with that the other is tried again
    expect(weft_join(&scope), 0);
    assert_int_equal(finished, 2);
}

static void they_are_tried_again_when_no_stack_comes_back(void **state) {
    (void)state;
    expect(weft_go(&scope, hold_a_stack, NULL), 0); // for as long as the other has not run
    expect(weft_sleep(WEFT_MILLISECOND), 0);
    fault_every("pages", 1, -ENOMEM);
    expect(weft_go_with(&scope, end_at_once, NULL, &large), 0);
    expect(weft_sleep(WEFT_SECOND), 0);
    assert_int_equal(finished, 0);
    uint64_t tries = worker()->stats.starved;
    assert_in_range(tries, 5, 20); // and not in every turn
    fault_none();
    expect(weft_sleep(WEFT_SECOND), 0);
    assert_int_equal(finished, 1);
    assert_int_equal(lines, 1);
    may_end = true;
    expect(weft_join(&scope), 0);
}

// ---- None is in use: the reserve ------------------------------------------------------------

static void expect_no_memory(int64_t result) {
    assert_int_equal(result, -ENOMEM);
}

static int64_t nothing_yet_but_room(struct fake *f, struct weft__op *op) {
    (void)f;
    return op->kind == WEFT__OP_WRITE ? (int64_t)op->iov[0].iov_len : -EAGAIN;
}

static int never_started(void *arg) {
    (void)arg;
    fail_msg("started without memory");
    return 0;
}

static int conn, sock, listener, taken; // `taken`: somebody has its turns

static int try_everything_that_waits(void *arg) {
    char byte;
    weft_addr addr = weft_addr_ipv4(127, 0, 0, 1, 7);
    weft_scope inner = {0};
    (void)arg;
    assert_int_equal(running++, 0);
    expect_no_memory(weft_sleep(1));
    expect_no_memory(weft_read(conn, &byte, 1));
    expect_no_memory(weft_read_exact(conn, &byte, 1));
    expect_no_memory(weft_peek(conn, &byte, 1));
    expect_no_memory(weft_ready(conn, WEFT_READ));
    expect_no_memory(weft_recv_from(sock, &byte, 1, NULL));
    expect_no_memory(weft_send_to(sock, &byte, 1, NULL));
    expect_no_memory(weft_accept(listener));
    expect_no_memory(weft_read(taken, &byte, 1));
    expect_no_memory(weft_write(taken, &byte, 1));
    expect_no_memory(weft_tcp_connect_with(&addr, NULL));
    expect_no_memory(weft_tcp_connect("localhost:7"));
    expect_no_memory(weft_resolve("localhost:7", &addr, 1));
    expect_no_memory(weft_go(&inner, never_started, NULL));
    // What need not wait works as ever.
    expect(weft_join(&inner), 0);
    expect(weft_sleep(0), 0);
    expect(weft_yield(), 0);
    expect(weft_check(), 0);
    expect(weft_write(conn, "x", 1), 1);
    expect(weft_write_all(conn, "abc", 3), 3);
    running--;
    finished++;
    return 0;
}

static void on_the_reserve_every_call_that_would_wait_answers_enomem(void **state) {
    (void)state;
    fake.on_try = nothing_yet_but_room;
    conn = fake_handle(WEFT__KIND_STREAM);
    sock = fake_handle(WEFT__KIND_DATAGRAM);
    listener = fake_handle(WEFT__KIND_LISTENER);
    taken = fake_handle(WEFT__KIND_STREAM);
    struct weft__turn turns[2];
    for (int side = 0; side < 2; side++)
        expect(weft__turn_begin(&turns[side], weft__self(), taken, side, WEFT__KIND_ANY), 0);
    fault_every("pages", 1, -ENOMEM);
    for (int i = 0; i < 5; i++)
        expect(weft_go_with(&scope, try_everything_that_waits, NULL, &large), 0);
    expect(weft_join(&scope), 0);
    assert_int_equal(finished, 5);
    assert_int_equal(lines, 1);
    for (int side = 0; side < 2; side++)
        weft__turn_end(&turns[side]);
    expect(weft_close(taken), 0);
    expect(weft_close(conn), 0);
    expect(weft_close(sock), 0);
    expect(weft_close(listener), 0);
}

// A close is never refused, so it waits also there; then nobody else may have the reserve.
static int close_and_look_at_the_stack(void *arg) {
    volatile char pattern[2048];
    memset((char *)pattern, 0x5a, sizeof pattern);
    running = 1;
    expect(weft_close(*(int *)arg), 0);
    for (size_t i = 0; i < sizeof pattern; i++)
        assert_int_equal(pattern[i], 0x5a);
    running = 0;
    return 0;
}

static int scribble_over_the_stack(void *arg) {
    volatile char junk[8192];
    (void)arg;
    memset((char *)junk, 0xa5, sizeof junk);
    assert_int_equal(running, 0);
    finished++;
    return 0;
}

static void the_reserve_belongs_to_one_task_until_it_ends(void **state) {
    (void)state;
    struct weft__turn turn;
    int h = fake_handle(WEFT__KIND_STREAM);
    fault_every("pages", 1, -ENOMEM);
    expect(weft__turn_begin(&turn, weft__self(), h, WEFT__SIDE_NONE, WEFT__KIND_ANY), 0);
    expect(weft_go_with(&scope, scribble_over_the_stack, NULL, &large), 0);
    expect(weft_go_with(&scope, close_and_look_at_the_stack, &h, &large), 0);
    expect(weft_sleep(WEFT_MILLISECOND), 0);
    assert_int_equal(running, 1); // it waits for us to let go of the handle
    assert_int_equal(finished, 0);
    weft__turn_end(&turn);
    expect(weft_join(&scope), 0);
    assert_int_equal(finished, 1);
}

static void a_task_has_a_stack_of_its_own_again_when_there_is_memory(void **state) {
    (void)state;
    fault_every("pages", 1, -ENOMEM);
    expect(weft_go_with(&scope, end_at_once, NULL, &large), 0);
    expect(weft_join(&scope), 0);
    fault_none();
    may_end = true;
    expect(weft_go_with(&scope, hold_a_stack, NULL, &large), 0);
    expect(weft_join(&scope), 0);
    assert_int_equal(finished, 2);
}

int main(void) {
    const struct CMUnitTest cases[] = {
        CASE_STARVED(new_tasks_wait_until_a_stack_comes_back),
        CASE_STARVED(a_stack_is_asked_for_again_also_when_none_comes_back),
        CASE_STARVED(those_that_wait_do_not_keep_the_others_from_running),
        CASE_STARVED(they_are_tried_again_when_no_stack_comes_back),
        CASE_STARVED(on_the_reserve_every_call_that_would_wait_answers_enomem),
        CASE_STARVED(the_reserve_belongs_to_one_task_until_it_ends),
        CASE_STARVED(a_task_has_a_stack_of_its_own_again_when_there_is_memory),
    };
    return RUN(cases);
}
