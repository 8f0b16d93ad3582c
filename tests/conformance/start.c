// SPDX-License-Identifier: MIT
// The runtime's life: starting, stopping, starting again, what options it takes. These cases start
// it themselves. What becomes of tasks at the end of the process is in endings.c.
#include "case.h"
#include "fault.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct stopper {
    int result;
};

static int stop_in_task(void *context) {
    struct stopper *stopper = context;
    stopper->result = weft_stop(0);
    return 0;
}

static void *stop_in_thread(void *context) {
    stop_in_task(context);
    return NULL;
}

CASE(a_runtime_starts_once, .is_bare = true) {
    expect(world_start(), 0);
    expect(weft_start(NULL), -EALREADY);
    expect(world_start(), -EALREADY);
    expect(weft_yield(), 0);
    expect(weft_stop(WEFT_SECOND), 0);
}
CASE_NEEDS_RUNTIME(a_runtime_starts_once)

CASE(stopping_where_nothing_runs_is_enoent, .is_bare = true) {
    expect(weft_stop(0), -ENOENT);
    if (!world_has_tasks())
        return;
    expect(world_start(), 0);
    expect(weft_stop(0), 0);
    expect(weft_stop(0), -ENOENT);
}

// "-EPERM: not called by task zero."
CASE(only_task_zero_stops_the_runtime) {
    struct stopper stopper = {.result = 0};
    weft_scope scope = {0};
    expect(weft_go(&scope, stop_in_task, (void *)&stopper), 0);
    expect(weft_join(&scope), 0);
    expect(stopper.result, -EPERM);
    if (world_is("sim")) // "single-threaded"
        return;
    pthread_t thread;
    stopper.result = 0;
    expect(-pthread_create(&thread, NULL, stop_in_thread, &stopper), 0);
    expect(-pthread_join(thread, NULL), 0);
    expect(stopper.result, -EPERM);
}
CASE_NEEDS_RUNTIME(only_task_zero_stops_the_runtime)

static int echo_once(int conn) {
    char byte;
    expect(weft_read(conn, &byte, 1), 1);
    expect(weft_write(conn, &byte, 1), 1);
    return weft_close(conn);
}

static void round_trip(void) {
    struct tcp_pair pair = tcp_pair_open();
    weft_scope scope = {0};
    char byte;
    expect(weft_go(&scope, echo_once, pair.server), 0);
    expect(weft_write(pair.client, "r", 1), 1);
    expect(weft_read(pair.client, &byte, 1), 1);
    expect(weft_join(&scope), 0);
    expect(weft_close(pair.client), 0);
}

CASE(a_runtime_starts_again_after_it_was_stopped, .is_bare = true) {
    struct leftovers before;
    for (int i = 0; i < 10; i++) {
        leftovers_count(&before);
        assert_string_equal(weft_driver_name(), "thread");
        expect(world_start(), 0);
        assert_string_equal(weft_driver_name(), world_driver());
        round_trip();
        expect(weft_stop(WEFT_SECOND), 0);
        if (i > 0) // the first round makes what a thread keeps for ever
            leftovers_expect_none(&before);
    }
}
CASE_NEEDS_RUNTIME(a_runtime_starts_again_after_it_was_stopped)

struct sleeper {
    int seen;
    struct flag begun, release;
};

static int sleep_long(void *context) {
    struct sleeper *sleeper = context;
    flag_raise(&sleeper->begun);
    sleeper->seen = weft_sleep(WEFT_HOUR);
    return 0;
}

// weft_stop: "cancels every scope, waits until all tasks have ended". The scopes are joined
// afterwards: they "go with it", empty.
CASE(stop_cancels_all_tasks_and_waits_for_them, .is_bare = true) {
    struct sleeper sleepers[10];
    weft_scope scopes[2] = {{{0}}, {{0}}};
    expect(world_start(), 0);
    for (int i = 0; i < 10; i++) {
        sleepers[i] = (struct sleeper){.seen = 0};
        expect(weft_go(&scopes[i % 2], sleep_long, (void *)&sleepers[i]), 0);
    }
    await_flag(&sleepers[0].begun, 1); // some have started, perhaps not all
    expect(weft_stop(INT64_MAX), 0);
    for (int i = 0; i < 10; i++)
        expect(sleepers[i].seen, -ECANCELED);
    expect(weft_join(&scopes[0]), 0);
    expect(weft_join(&scopes[1]), 0);
}
CASE_NEEDS_RUNTIME(stop_cancels_all_tasks_and_waits_for_them)

static int resist(void *context) {
    struct sleeper *sleeper = context;
    weft_shield(INT64_MAX);
    flag_raise(&sleeper->begun);
    await_flag(&sleeper->release, 1);
    sleeper->seen = 1;
    return 0;
}

// "-ETIMEDOUT: tasks were still alive after the grace; the runtime goes on and they stay cancelled:
// call again."
CASE(stop_gives_up_after_the_grace_and_may_be_called_again, .is_bare = true) {
    struct sleeper resisting = {.seen = 0}, sleeper = {.seen = 0};
    weft_scope scope = {0};
    expect(world_start(), 0);
    expect(weft_go(&scope, resist, (void *)&resisting), 0);
    expect(weft_go(&scope, sleep_long, (void *)&sleeper), 0);
    await_flag(&resisting.begun, 1);
    expect(weft_stop(0), -ETIMEDOUT);
    expect(weft_stop(20 * WEFT_MILLISECOND), -ETIMEDOUT);
    expect(sleeper.seen, -ECANCELED);
    expect(weft_start(NULL), -EALREADY); // it goes on
    flag_raise(&resisting.release);
    expect(weft_stop(INT64_MAX), 0);
    expect(resisting.seen, 1);
    expect(weft_join(&scope), 0);
}
CASE_NEEDS_RUNTIME(stop_gives_up_after_the_grace_and_may_be_called_again)

// "When a thread becomes task zero, or a plain thread again after weft_stop, its open blocks,
// shields and scopes go with it": what bounds the rest of a block goes on doing so.
CASE(blocks_that_are_open_go_along_through_start_and_stop, .is_bare = true) {
    {
        weft_within(0);
        expect(world_start(), 0);
        expect(weft_check(), -ETIMEDOUT);
        {
            weft_shield(WEFT_HOUR);
            expect(weft_check(), 0);
            expect(weft_stop(WEFT_SECOND), 0); // "neither cancelled nor cut short by a deadline"
            expect(weft_check(), 0);
        }
        expect(weft_check(), -ETIMEDOUT);
    }
    expect(weft_check(), 0);
    expect(world_start(), 0);
    {
        weft_within(0);
        expect(weft_stop(WEFT_SECOND), 0);
        expect(weft_check(), -ETIMEDOUT);
    }
    expect(weft_check(), 0);
}
CASE_NEEDS_RUNTIME(blocks_that_are_open_go_along_through_start_and_stop)

// So a deadline from before is inherited by the tasks that are started in its block.
CASE(a_deadline_from_before_the_start_is_inherited, .is_bare = true) {
    weft_scope scope = {0};
    struct sleeper sleeper = {.seen = 0};
    {
        weft_within(20 * WEFT_MILLISECOND);
        expect(world_start(), 0);
        expect(weft_go(&scope, sleep_long, (void *)&sleeper), 0);
    }
    expect(weft_join(&scope), 0);
    expect(sleeper.seen, -ETIMEDOUT);
    expect(weft_stop(WEFT_SECOND), 0);
}
CASE_NEEDS_RUNTIME(a_deadline_from_before_the_start_is_inherited)

// "Open handles stay open"; "a handle belongs to no driver".
CASE(handles_stay_open_through_start_and_stop, .is_bare = true) {
    struct tcp_pair pair = tcp_pair_open();
    weft_scope scope = {0};
    char byte;
    for (int i = 0; i < 3; i++) {
        expect(weft_write(pair.client, "a", 1), 1);
        expect(world_start(), 0);
        expect(weft_read(pair.server, &byte, 1), 1);
        expect(weft_write(pair.client, "b", 1), 1);
        expect_waits(weft_read(pair.client, &byte, 1)); // a driver keeps something about it now
        expect(weft_stop(WEFT_SECOND), 0);
        expect(weft_read(pair.server, &byte, 1), 1);
        expect_waits(weft_read(pair.client, &byte, 1));
    }
    expect(world_start(), 0);
    expect(weft_write(pair.client, "c", 1), 1);
    expect(weft_go(&scope, echo_once, pair.server), 0);
    expect(weft_join(&scope), 0);
    expect(weft_stop(WEFT_SECOND), 0);
    expect(weft_read(pair.client, &byte, 1), 1);
    expect(weft_close(pair.client), 0);
}
CASE_NEEDS_RUNTIME(handles_stay_open_through_start_and_stop)
CASE_NOT_ON(handles_stay_open_through_start_and_stop, "sim", NO_REAL_DESCRIPTORS)

// weft_start: "-EINVAL: an unknown driver; one of alloc and free without the other".
CASE(wrong_options_are_einval_and_start_nothing, .is_bare = true) {
    weft_options odd = {.driver = world_driver(), .alloc = NULL, .free = NULL};
    expect(weft_start((&(weft_options){.driver = "carrier pigeon"})), -EINVAL);
    expect_explained("carrier pigeon");
    odd.free = (void (*)(void *, size_t, void *))abort;
    expect(weft_start(&odd), -EINVAL);
    odd.free = NULL;
    odd.alloc = (void *(*)(size_t, void *))abort;
    expect(weft_start(&odd), -EINVAL);
    expect(weft_stop(0), -ENOENT);
}

// "... or the first weft_go, which starts it with defaults": here, with the driver that WEFT_DRIVER
// names.
CASE(the_first_go_starts_the_runtime, .is_bare = true) {
    weft_scope scope = {0};
    struct sleeper sleeper = {.seen = 0};
    setenv("WEFT_DRIVER", world_driver(), 1);
    assert_string_equal(weft_driver_name(), "thread");
    expect(weft_go(&scope, sleep_long, (void *)&sleeper), 0);
    assert_string_equal(weft_driver_name(), world_driver());
    expect(weft_start(NULL), -EALREADY);
    weft_cancel(&scope);
    expect(weft_join(&scope), 0);
    expect(sleeper.seen, -ECANCELED);
    expect(weft_stop(WEFT_SECOND), 0);
}
CASE_NEEDS_PUBLIC_DRIVER(the_first_go_starts_the_runtime)

// ---- Options ----------------------------------------------------------------------------------

struct accounts { // every worker takes and gives back
    atomic_size_t taken, returned, bytes;
};

static void *take(size_t size, void *context) {
    struct accounts *accounts = context;
    accounts->taken++;
    accounts->bytes += size;
    return aligned_alloc(16, (size + 15) / 16 * 16);
}

static void give_back(void *block, size_t size, void *context) {
    struct accounts *accounts = context;
    accounts->returned++;
    accounts->bytes -= size;
    free(block);
}

// "Allocation goes through weft_options.alloc": what was taken there comes back, with its size.
CASE(memory_comes_from_the_options_and_goes_back_there, .is_bare = true) {
    struct accounts accounts = {0};
    weft_options options = {
        .driver = world_driver(), .alloc = take, .free = give_back, .alloc_context = &accounts};
    struct tcp_pair pair = tcp_pair_open(); // the handle table is the process's, not the runtime's
    tcp_pair_close(&pair);
    expect(weft_start(&options), 0);
    round_trip();
    expect(weft_stop(WEFT_SECOND), 0);
    expect_that(accounts.taken > 0);
    expect(accounts.returned, accounts.taken);
    expect(accounts.bytes, 0);
}
CASE_NEEDS_PUBLIC_DRIVER(memory_comes_from_the_options_and_goes_back_there)

struct lines {
    int count, level;
    char last[512];
};

static void keep_line(int level, const char *text, void *context) {
    struct lines *lines = context;
    lines->count++;
    lines->level = level;
    strncpy(lines->last, text, sizeof lines->last - 1);
}

// "Log lines go to weft_options.log": here the one about a shortage at accept.
CASE(log_lines_go_to_the_options, .is_bare = true) {
    struct lines lines = {0};
    weft_addr addr;
    weft_options options = {.driver = world_driver(), .log = keep_line, .log_context = &lines};
    expect(weft_start(&options), 0);
    int listener = listen_anywhere(&addr), before = lines.count;
    stderr_catch_begin();
    fault_every("accept", 1, -EMFILE);
    expect_waits(weft_accept(listener));
    fault_none();
    expect(stderr_catch_count("weft"), 0);
    stderr_catch_end();
    expect(lines.count - before, 1);
    expect(lines.level, 1); // "level 1 warns"
    expect_that(strstr(lines.last, "accept") != NULL);
    expect_that(strchr(lines.last, '\n') == NULL);
    expect(weft_close(listener), 0);
    expect(weft_stop(WEFT_SECOND), 0);
}
CASE_NEEDS_PUBLIC_DRIVER(log_lines_go_to_the_options)

CASE(the_version_is_that_of_the_headers) {
    assert_string_equal(weft_version(), "0.1.0");
}
