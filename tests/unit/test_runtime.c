// SPDX-License-Identifier: MIT
// Unit tests of task/runtime.c: starting and stopping, what each refuses, want of memory at every
// step. From many threads at the same time: test_runtime_races.c; across fork: test_fork.c.
#include "task_tools.h"

#include "in_child.h"

static int no_error(void *arg) {
    (void)arg;
    return 0;
}

static int wait_for_ever(void *arg) {
    (void)arg;
    return weft_sleep(INT64_MAX);
}

static int start_on_epoll(void) {
    return weft_start(&(weft_options){.driver = "epoll"});
}

// ---- What each refuses ----------------------------------------------------------------------

static void *start_and_stop_elsewhere(void *arg) {
    (void)arg;
    expect(weft_start(NULL), -EALREADY);
    expect_explained("weft_stop");
    expect(weft_stop(0), -EPERM);
    assert_string_equal(weft_driver_name(), "thread");
    return NULL;
}

static int start_and_stop_in_a_task(void *arg) {
    (void)arg;
    expect(weft_start(NULL), -EALREADY);
    expect(weft_stop(0), -EPERM);
    expect_explained("task zero");
    assert_string_equal(weft_driver_name(), "epoll");
    return 0;
}

static void there_is_one_runtime_and_task_zero_stops_it(void **state) {
    (void)state;
    weft_scope scope = {0};
    expect(weft_stop(0), -ENOENT);
    assert_string_equal(weft_driver_name(), "thread");
    expect(start_on_epoll(), 0);
    assert_string_equal(weft_driver_name(), "epoll");
    expect(weft_start(NULL), -EALREADY);
    expect(weft_go(&scope, start_and_stop_in_a_task, NULL), 0);
    expect(weft_join(&scope), 0);
    thread_join(thread_start(start_and_stop_elsewhere, NULL));
    expect(weft_stop(-1), -EINVAL);
    expect(weft_stop(0), 0);
    expect(weft_stop(0), -ENOENT);
    assert_string_equal(weft_driver_name(), "thread");
}

static void *alloc_never(size_t size, void *context) {
    (void)size;
    (void)context;
    return NULL;
}

static void options_that_make_no_sense_are_refused(void **state) {
    (void)state;
    expect(weft_start(&(weft_options){.driver = "carrier pigeon"}), -EINVAL);
    expect_explained("carrier pigeon");
    expect(weft_start(&(weft_options){.driver = "epoll", .alloc = alloc_never}), -EINVAL);
    expect_explained("alloc and free");
    expect(weft_start(&(weft_options){.driver = "epoll", .stack_size = SIZE_MAX}), -ENOMEM);
    expect(weft_stop(0), -ENOENT);
}

static void the_first_go_starts_it(void **state) {
    (void)state;
    weft_scope scope = {0};
    expect(weft_go(&scope, no_error, NULL), 0);
    assert_string_not_equal(weft_driver_name(), "thread");
    expect(weft_join(&scope), 0);
    expect(weft_stop(INT64_MAX), 0);
}

static void a_first_go_that_cannot_start_it_says_why(void **state) {
    (void)state;
    weft_scope scope = {0};
    fault_every("pages", 1, -ENOMEM);
    expect(weft_go(&scope, no_error, NULL), -ENOMEM);
    expect_explained("start");
    fault_none();
    expect(weft_join(&scope), 0);
    expect(weft_stop(0), -ENOENT);
}

// ---- Options --------------------------------------------------------------------------------

struct memory {
    size_t blocks, calls;
};

static void *count_alloc(size_t size, void *context) {
    struct memory *memory = context;
    memory->blocks++;
    memory->calls++;
    return calloc(1, size);
}

static void count_free(void *block, size_t size, void *context) {
    struct memory *memory = context;
    assert_true(size > 0);
    memory->blocks--;
    free(block);
}

static void memory_comes_from_the_options_and_goes_back_there(void **state) {
    (void)state;
    struct memory memory = {0};
    weft_options options = {
        .driver = "epoll", .alloc = count_alloc, .free = count_free, .alloc_context = &memory};
    weft_scope scope = {0};
    expect(weft_start(&options), 0);
    for (int i = 0; i < 200; i++)
        expect(weft_go_with(&scope, wait_for_ever, NULL, &(weft_task_options){.name = "a"}), 0);
    weft_cancel(&scope);
    expect(weft_join(&scope), -ECANCELED);
    assert_true(memory.calls > 200);
    expect(weft_stop(INT64_MAX), 0);
    assert_int_equal(memory.blocks, 0);
}

static void count_lines(int level, const char *text, void *context) {
    assert_in_range(level, 1, 2);
    assert_null(strchr(text, '\n'));
    ++*(int *)context;
}

static void log_lines_go_where_the_options_say_until_the_stop(void **state) {
    (void)state;
    int lines = 0;
    weft_options options = {.driver = "epoll", .log = count_lines, .log_context = &lines};
    expect(weft_start(&options), 0);
    assert_int_equal(lines, 1); // which driver
    weft__log(WEFT__LOG_INFO, "one more");
    assert_int_equal(lines, 2);
    expect(weft_stop(0), 0);
    weft__log(WEFT__LOG_INFO, "nobody hears this");
    assert_int_equal(lines, 2);
}

static void older_and_newer_options_are_understood(void **state) {
    (void)state;
    struct {
        weft_options known;
        char future[32];
    } newer = {.known = {.driver = "epoll"}};
    memset(newer.future, 0xff, sizeof newer.future);
    expect(weft_priv_start(&newer.known, sizeof newer), 0);
    expect(weft_stop(0), 0);
    weft_options garbage;
    memset(&garbage, 0xff, sizeof garbage);
    garbage.driver = "epoll";
    expect(weft_priv_start(&garbage, sizeof garbage.driver), 0);
    expect(weft_stop(0), 0);
    expect(weft_priv_start(&garbage, 0), 0);
    expect(weft_stop(0), 0);
}

static size_t stack_left(void *arg) {
    return *(size_t *)arg;
}

static int touch_stack(void *arg) {
    volatile char deep[192 * 1024];
    memset((char *)deep, 1, stack_left(arg));
    return deep[0] == 1 ? 0 : -EIO;
}

static void stacks_are_as_large_as_asked_for(void **state) {
    (void)state;
    size_t size = 192 * 1024;
    weft_scope scope = {0};
    expect(weft_start(&(weft_options){.driver = "epoll", .stack_size = 256 * 1024}), 0);
    expect(weft_go(&scope, touch_stack, &size), 0);
    expect(weft_join(&scope), 0);
    expect(weft_stop(0), 0);
    expect(start_on_epoll(), 0);
    expect(weft_go_with(&scope, touch_stack, &size, &(weft_task_options){.stack_size = 256 * 1024}),
           0);
    expect(weft_join(&scope), 0);
    expect(weft_stop(0), 0);
}

// ---- Stopping -------------------------------------------------------------------------------

static int outlast(void *arg) {
    weft_shield(WEFT_HOUR);
    while (!*(volatile bool *)arg)
        expect(weft_sleep(WEFT_MILLISECOND), 0);
    return weft_check();
}

static void a_stop_whose_grace_is_over_can_be_called_again(void **state) {
    (void)state;
    bool may_end = false;
    int lines = 0;
    weft_scope scope = {0};
    weft_options options = {.driver = "epoll", .log = count_lines, .log_context = &lines};
    expect(weft_start(&options), 0);
    for (int i = 0; i < 3; i++)
        expect(weft_go(&scope, outlast, &may_end), 0);
    lines = 0;
    expect(weft_stop(2 * WEFT_MILLISECOND), -ETIMEDOUT);
    expect(weft_timed_out(), 0);
    expect_explained("still alive");
    assert_int_equal(lines, 1);
    expect(weft_stop(0), -ETIMEDOUT);
    // It goes on, and all stay cancelled, those that come later, too.
    expect(weft_go(&scope, wait_for_ever, NULL), 0);
    may_end = true;
    expect(weft_stop(INT64_MAX), 0);
    expect(weft_join(&scope), -ECANCELED); // after the runtime: all its tasks have ended
    expect(weft_stop(0), -ENOENT);
}

static void a_stop_is_not_cut_short_by_a_deadline(void **state) {
    (void)state;
    weft_scope scope = {0};
    expect(start_on_epoll(), 0);
    expect(weft_go(&scope, wait_for_ever, NULL), 0);
    {
        weft_within(0);
        expect(weft_stop(INT64_MAX), 0);
    }
    expect(weft_join(&scope), -ECANCELED);
}

static void handles_outlive_the_runtime(void **state) {
    (void)state;
    char buf[8] = "";
    expect(start_on_epoll(), 0);
    struct tcp_pair pair = tcp_pair_open();
    expect(weft_write(pair.client, "before", 6), 6);
    expect(weft_stop(0), 0);
    expect(weft_read_exact(pair.server, buf, 6), 6);
    expect(weft_write(pair.server, "after", 5), 5);
    expect(start_on_epoll(), 0);
    expect(weft_read_exact(pair.client, buf, 5), 5);
    assert_memory_equal(buf, "after", 5);
    expect_waits(weft_read(pair.client, buf, 1));
    tcp_pair_close(&pair);
    expect(weft_stop(0), 0);
}

static void a_block_open_at_the_start_goes_with_the_thread(void **state) {
    (void)state;
    weft_within(WEFT_HOUR);
    expect(start_on_epoll(), 0);
    {
        weft_within(WEFT_MILLISECOND);
        expect(weft_sleep(WEFT_MINUTE), -ETIMEDOUT);
        expect(weft_stop(0), 0);
        expect(weft_check(), -ETIMEDOUT);
    }
    expect(weft_check(), 0);
}

static void it_can_be_started_and_stopped_for_ever(void **state) {
    (void)state;
    for (size_t i = 0; i < times(300); i++) {
        weft_scope scope = {0};
        expect(start_on_epoll(), 0);
        expect(weft_go(&scope, no_error, NULL), 0);
        if (i % 2)
            expect(weft_join(&scope), 0);
        expect(weft_stop(INT64_MAX), 0);
        expect(weft_join(&scope), 0);
    }
}

// ---- Want of memory -------------------------------------------------------------------------

static int start_go_and_stop(const char *driver) {
    weft_scope scope = {0};
    int error = weft_start(&(weft_options){.driver = driver});
    if (error < 0)
        return error;
    error = weft_go_with(&scope, no_error, NULL, &(weft_task_options){.name = "named"});
    expect(weft_join(&scope), 0);
    expect(weft_stop(INT64_MAX), 0);
    return error;
}

// The n-th call of a kind fails, for each n until none is left to fail.
static void fail_each(const char *kind, const char *driver) {
    struct leftovers left;
    size_t n = 0;
    int error, failures = 0;
    bool was_reached = true;
    expect(start_go_and_stop(driver), 0); // what stays for good is there
    size_t living = weft__alloc_living();
    while (was_reached) {
        leftovers_count(&left);
        fault_nth(kind, ++n, -ENOMEM);
        error = start_go_and_stop(driver);
        was_reached = error < 0 || n < 40;
        fault_none();
        assert_true(error == 0 || error == -ENOMEM);
        failures += error < 0;
        leftovers_expect_none(&left);
        assert_int_equal(weft__alloc_living(), living);
        expect(weft_stop(0), -ENOENT);
    }
    assert_true(failures > 0);
}

static void whatever_memory_is_wanting_nothing_is_left_behind(void **state) {
    (void)state;
    stderr_catch_begin();
    fail_each("alloc", "epoll");
    fail_each("pages", "epoll");
    fail_each("alloc", "auto"); // falls back to epoll, if it can
    stderr_catch_end();
}

// ---- At exit --------------------------------------------------------------------------------

static void exit_with_tasks(void *arg) {
    weft_scope scope = {0};
    dup2(*(int *)arg, STDERR_FILENO);
    expect(start_on_epoll(), 0);
    for (int i = 0; i < 3; i++)
        expect(weft_go(&scope, wait_for_ever, NULL), 0);
    exit(0);
}

static void a_process_that_ends_says_how_many_tasks_were_alive(void **state) {
    (void)state;
    int fds[2];
    char line[256] = "";
    assert_int_equal(pipe(fds), 0);
    expect(signal_that_ends_child(exit_with_tasks, &fds[1]), 0);
    close(fds[1]);
    assert_true(read(fds[0], line, sizeof line - 1) > 0);
    close(fds[0]);
    assert_non_null(strstr(line, "3 tasks were alive"));
}

int main(void) {
    const struct CMUnitTest cases[] = {
        CASE(there_is_one_runtime_and_task_zero_stops_it),
        CASE(options_that_make_no_sense_are_refused),
        CASE(the_first_go_starts_it),
        CASE(a_first_go_that_cannot_start_it_says_why),
        CASE(memory_comes_from_the_options_and_goes_back_there),
        CASE(log_lines_go_where_the_options_say_until_the_stop),
        CASE(older_and_newer_options_are_understood),
        CASE(stacks_are_as_large_as_asked_for),
        CASE(a_stop_whose_grace_is_over_can_be_called_again),
        CASE(a_stop_is_not_cut_short_by_a_deadline),
        CASE(handles_outlive_the_runtime),
        CASE(a_block_open_at_the_start_goes_with_the_thread),
        CASE(it_can_be_started_and_stopped_for_ever),
        CASE(whatever_memory_is_wanting_nothing_is_left_behind),
        CASE(a_process_that_ends_says_how_many_tasks_were_alive),
    };
    return RUN(cases);
}
