// SPDX-License-Identifier: MIT
// From one worker to another, and from plain threads to all of them: closing, cancelling, joining,
// deadlines, streams. With 1, 2 and 8 workers, whatever WEFT_WORKERS says.
#include "under.h"

#include <pthread.h>

// What a plain thread does while task zero waits inside weft.
struct errand {
    void (*fn)(void *context);
    void *context;
    pthread_t thread;
    struct flag done;
};

static void *run_errand(void *arg) {
    struct errand *errand = arg;
    errand->fn(errand->context);
    flag_raise(&errand->done);
    return NULL;
}

static void errand_start(struct errand *errand, void (*fn)(void *context), void *context) {
    *errand = (struct errand){.fn = fn, .context = context};
    expect(-pthread_create(&errand->thread, NULL, run_errand, errand), 0);
}

static void errand_finish(struct errand *errand) {
    await_flag(&errand->done, 1);
    expect(-pthread_join(errand->thread, NULL), 0);
}

static void in_a_thread(void (*fn)(void *context), void *context) {
    struct errand errand;
    errand_start(&errand, fn, context);
    errand_finish(&errand);
}

// ---- Closing --------------------------------------------------------------------------------

struct ends {
    struct tcp_pair pair;
    ssize_t result;
};

static int read_byte(void *context) {
    struct ends *ends = context;
    char byte;
    ends->result = weft_read(ends->pair.server, &byte, 1);
    return 0;
}

static void close_server_end(void *context) {
    struct ends *ends = context;
    expect(weft_close(ends->pair.server), 0);
}

static int close_in_task(void *context) {
    close_server_end(context);
    return 0;
}

static void expect_closes_to_end_reads(int workers) {
    for (int i = 0; i < rounds(20) * workers; i++) {
        struct ends ends = {.pair = tcp_pair_open(), .result = 7};
        weft_scope scope = {0};
        go_on(1 + i % workers, &scope, read_byte, &ends);
        if (i % 3 > 0)
            await_waiting(ends.pair.server, WEFT_READ, 1);
        if (i % 2 == 0)
            in_a_thread(close_server_end, &ends);
        else
            go_on(workers - i % workers, &scope, close_in_task, &ends);
        expect(weft_join(&scope), 0);
        expect(ends.result, -EBADF);
        expect(weft_close(ends.pair.client), 0);
    }
}

CASE(a_close_from_any_thread_ends_a_read_on_any_worker, .is_bare = true) {
    under_1_2_and_8(expect_closes_to_end_reads);
}
CASE_NEEDS_PUBLIC_DRIVER(a_close_from_any_thread_ends_a_read_on_any_worker)

// ---- Cancelling -----------------------------------------------------------------------------

static int sleep_for_ever(void *context) {
    flag_raise(context);
    return weft_sleep(INT64_MAX);
}

struct tree {
    int workers;
    struct flag begun;
};

// A scope of its own below the caller's, with one task on each worker.
static int sleep_everywhere(void *context) {
    struct tree *tree = context;
    weft_scope scope = {0};
    for (int i = 1; i <= tree->workers; i++)
        go_on(i, &scope, sleep_for_ever, &tree->begun);
    int error = weft_join(&scope);
    expect(error, -ECANCELED);
    return error;
}

static void cancel_scope(void *context) {
    weft_cancel(context);
}

static int cancel_in_task(void *context) {
    weft_cancel(context);
    return 0;
}

static void expect_cancels_to_reach_all(int workers) {
    for (int i = 0; i < rounds(20); i++) {
        struct tree tree = {.workers = workers};
        weft_scope scope = {0}, other = {0};
        for (int k = 1; k <= workers; k++)
            go_on(k, &scope, sleep_everywhere, &tree);
        if (i % 2)
            await_flag(&tree.begun, workers * workers);
        if (i % 4 < 2)
            in_a_thread(cancel_scope, &scope);
        else
            go_on(workers, &other, cancel_in_task, &scope);
        expect(weft_join(&other), 0);
        expect(weft_join(&scope), -ECANCELED);
        expect(flag_value(&tree.begun), workers * workers); // also those not begun before: they run
    }
}

// "Any thread may cancel it, as often as it likes."
CASE(a_cancel_from_any_thread_reaches_the_tasks_of_all_workers, .is_bare = true) {
    under_1_2_and_8(expect_cancels_to_reach_all);
}
CASE_NEEDS_PUBLIC_DRIVER(a_cancel_from_any_thread_reaches_the_tasks_of_all_workers)

struct late {
    int sleep, timed_out;
};

static int sleep_past_the_deadline(void *context) {
    struct late *late = context;
    late->sleep = weft_sleep(WEFT_HOUR);
    late->timed_out = weft_timed_out();
    return late->sleep;
}

static void expect_deadlines_everywhere(int workers) {
    struct late late[WORKERS_MAX];
    weft_scope scope = {0};
    {
        weft_within(20 * WEFT_MILLISECOND);
        for (int i = 0; i < workers; i++)
            go_on(i + 1, &scope, sleep_past_the_deadline, &late[i]);
    }
    expect(weft_join(&scope), -ETIMEDOUT); // the tasks' own, not the joiner's
    expect(weft_check(), 0);
    for (int i = 0; i < workers; i++) {
        expect(late[i].sleep, -ETIMEDOUT);
        expect(late[i].timed_out, 1);
    }
}

// "A task inherits the deadline in force at weft_go", whatever worker it goes to.
CASE(a_deadline_goes_with_a_task_to_another_worker, .is_bare = true) {
    under_1_2_and_8(expect_deadlines_everywhere);
}
CASE_NEEDS_PUBLIC_DRIVER(a_deadline_goes_with_a_task_to_another_worker)

// ---- Joining --------------------------------------------------------------------------------

static int add_later(void *context) {
    expect(weft_yield(), 0);
    flag_raise(context);
    return 0;
}

struct joiner {
    int workers;
    struct flag ran;
};

static void start_everywhere_and_join(void *context) {
    struct joiner *joiner = context;
    for (int i = 0; i < rounds(50); i++) {
        weft_scope scope = {0};
        for (int k = 0; k <= joiner->workers; k++) // 0: anywhere
            go_on(k, &scope, add_later, &joiner->ran);
        expect(weft_join(&scope), 0);
        expect(flag_value(&joiner->ran), (i + 1) * (joiner->workers + 1));
    }
}

static int start_everywhere_in_task(void *context) {
    start_everywhere_and_join(context);
    return 0;
}

static void expect_joins_to_wait_for_all(int workers) {
    struct joiner thread = {.workers = workers}, tasks[WORKERS_MAX];
    weft_scope scope = {0};
    for (int i = 0; i < workers; i++) {
        tasks[i] = (struct joiner){.workers = workers};
        go_on(i + 1, &scope, start_everywhere_in_task, &tasks[i]);
    }
    in_a_thread(start_everywhere_and_join, &thread);
    expect(weft_join(&scope), 0);
}

CASE(threads_and_tasks_join_scopes_whose_tasks_are_on_all_workers, .is_bare = true) {
    under_1_2_and_8(expect_joins_to_wait_for_all);
}
CASE_NEEDS_PUBLIC_DRIVER(threads_and_tasks_join_scopes_whose_tasks_are_on_all_workers)

// ---- Streams --------------------------------------------------------------------------------

enum { CHUNK = 4096 };

struct stream {
    int conn;
    uint64_t size;
};

static int write_stream(void *context) {
    struct stream *stream = context;
    unsigned char bytes[CHUNK];
    for (uint64_t at = 0; at < stream->size; at += CHUNK) {
        bytes_fill(bytes, CHUNK, at);
        expect(weft_write_all(stream->conn, bytes, CHUNK), CHUNK);
    }
    return weft_shutdown(stream->conn, WEFT_WRITE);
}

static int read_stream(void *context) {
    struct stream *stream = context;
    unsigned char bytes[3000];
    uint64_t at = 0;
    for (ssize_t n; (n = weft_read(stream->conn, bytes, sizeof bytes)) != 0; at += (uint64_t)n) {
        expect_that(n > 0);
        expect_that(bytes_are_right(bytes, (size_t)n, at));
    }
    expect(at, stream->size);
    return 0;
}

static void write_in_thread(void *context) {
    (void)write_stream(context);
}

static void read_in_thread(void *context) {
    (void)read_stream(context);
}

// Of each connection both ends are written on one worker and read on another; and now and then a
// plain thread does it.
static void expect_streams_to_cross(int workers) {
    uint64_t size = (uint64_t)rounds(50) * CHUNK;
    for (int i = 0; i < workers; i++) {
        struct tcp_pair pair = tcp_pair_open_small();
        struct stream client = {pair.client, size}, server = {pair.server, size};
        struct errand writer, reader;
        weft_scope scope = {0};
        go_on(1 + i, &scope, read_stream, &client);
        go_on(workers - i, &scope, write_stream, &server);
        go_on(1 + (i + 1) % workers, &scope, write_stream, &client);
        go_on(1 + (i + 2) % workers, &scope, read_stream, &server);
        expect(weft_join(&scope), 0);
        tcp_pair_close(&pair);
        pair = tcp_pair_open_small();
        client.conn = pair.client;
        server.conn = pair.server;
        errand_start(&writer, write_in_thread, &client);
        errand_start(&reader, read_in_thread, &client);
        go_on(1 + i, &scope, read_stream, &server);
        go_on(workers - i, &scope, write_stream, &server);
        errand_finish(&writer);
        errand_finish(&reader);
        expect(weft_join(&scope), 0);
        tcp_pair_close(&pair);
    }
}

CASE(both_ends_of_a_connection_are_used_from_all_workers, .is_bare = true) {
    under_1_2_and_8(expect_streams_to_cross);
}
CASE_NEEDS_PUBLIC_DRIVER(both_ends_of_a_connection_are_used_from_all_workers)
