// SPDX-License-Identifier: MIT
// Two worker objects side by side, each with its thread and its driver, and tasks that wake each
// other across: nothing of a worker is global. Unit tests of the inbox and of run and stop.
#include "task_tools.h"

// A runtime made by hand, which the rest of the library does not know.
struct pair {
    struct weft__runtime runtime;
    struct weft__worker workers[2];
    struct weft__worker *list[2];
    pthread_t threads[2];
    struct barrier barrier, end; // nobody goes while another may still look at it
};

struct seat {
    struct pair *pair;
    int index;
};

static void *work(void *arg) {
    struct seat *seat = arg;
    struct weft__worker *worker = &seat->pair->workers[seat->index];
    struct weft__driver *driver;
    assert_int_equal(weft__epoll_start(&driver, NULL), 0);
    assert_int_equal(weft__worker_init(worker, &seat->pair->runtime, driver, 0, 2), 0);
    barrier_meet(&seat->pair->barrier, 3);
    weft__worker_run(worker);
    barrier_meet(&seat->pair->end, 3);
    weft__foreign_drain(); // who wakes us has to be through with that
    weft__worker_destroy(worker);
    return NULL;
}

static void pair_start(struct pair *pair, struct seat seats[2]) {
    static struct weft__task zero; // nobody's
    *pair = (struct pair){.runtime = {.zero = &zero, .worker_count = 2}};
    pair->runtime.workers = pair->list;
    weft__scope_init_root(&pair->runtime.root);
    for (int i = 0; i < 2; i++) {
        pair->list[i] = &pair->workers[i];
        pair->workers[i].index = (uint32_t)i;
        seats[i] = (struct seat){pair, i};
        pair->threads[i] = thread_start(work, &seats[i]);
    }
    barrier_meet(&pair->barrier, 3);
}

static void pair_stop(struct pair *pair) {
    for (int i = 0; i < 2; i++) {
        weft__foreign_enter();
        weft__worker_stop(&pair->workers[i]);
        weft__foreign_leave();
    }
    barrier_meet(&pair->end, 3);
    for (int i = 0; i < 2; i++)
        thread_join(pair->threads[i]);
    weft__scope_orphan_children(&pair->runtime.root, weft__self());
    weft__task_pool_destroy(&pair->runtime.pool);
}

// weft_go on a worker of our choice.
static void go_on(struct pair *pair, int index, weft_scope *scope, int (*fn)(void *), void *arg) {
    struct weft__worker *worker = &pair->workers[index];
    struct weft__task *task = weft__task_take(&pair->runtime.pool, NULL);
    assert_non_null(task);
    weft__store(&task->waiter.cancelled, 0, relaxed);
    task->is_started = false;
    task->is_pinned = true;
    task->waiter.deadline = task->waiter.inherited = INT64_MAX;
    task->wake_at = INT64_MAX;
    task->fn = fn;
    task->arg = arg;
    weft__fetch_add(&pair->runtime.outside, 1, seq_cst);
    assert_int_equal(
        weft__scope_add((struct weft__scope *)scope, weft__self(), task, &pair->runtime.root), 0);
    weft__worker_place(worker, task);
}

// ---- Wakes across ---------------------------------------------------------------------------

struct baton {
    _Atomic(struct weft__waiter *) party[2];
    atomic_int holder;
    size_t rounds;
};

struct player {
    struct baton *baton;
    int me;
    struct weft__worker *worker; // where it runs, as it sees it
};

static int play(void *arg) {
    struct player *player = arg;
    struct baton *baton = player->baton;
    int me = player->me;
    player->worker = weft__this_worker();
    atomic_store(&baton->party[me], weft__self());
    while (!atomic_load(&baton->party[!me]))
        expect(weft_yield(), 0);
    for (size_t i = 0; i < baton->rounds; i++) {
        while (atomic_load(&baton->holder) != me)
            weft__park(weft__self(), INT64_MAX);
        assert_ptr_equal(weft__this_worker(), player->worker);
        atomic_store(&baton->holder, !me);
        weft__unpark(atomic_load(&baton->party[!me]));
    }
    return 0;
}

enum { GAMES = 8 };

static void tasks_of_two_workers_wake_each_other(void **state) {
    (void)state;
    static struct pair pair;
    struct seat seats[2];
    static struct baton batons[GAMES];
    static struct player players[GAMES][2];
    weft_scope scope = {0};
    pair_start(&pair, seats);
    for (int i = 0; i < GAMES; i++) {
        batons[i] = (struct baton){.rounds = times(20000)};
        for (int side = 0; side < 2; side++) {
            players[i][side] = (struct player){&batons[i], side, NULL};
            go_on(&pair, side, &scope, play, &players[i][side]);
        }
    }
    expect(weft_join(&scope), 0);
    for (int i = 0; i < GAMES; i++)
        for (int side = 0; side < 2; side++)
            assert_ptr_equal(players[i][side].worker, &pair.workers[side]);
    await_that(weft__runtime_living(&pair.runtime) == 0);
    assert_true(pair.workers[0].stats.inbox > 0 && pair.workers[1].stats.inbox > 0);
    pair_stop(&pair);
}

// ---- A handle across ------------------------------------------------------------------------

struct stream {
    int h;
    size_t size;
    uint64_t sum;
};

static int write_stream(void *arg) {
    struct stream *stream = arg;
    unsigned char buf[4096];
    for (size_t done = 0; done < stream->size; done += sizeof buf) {
        bytes_fill(buf, sizeof buf, done);
        expect(weft_write_all(stream->h, buf, sizeof buf), sizeof buf);
    }
    return weft_shutdown(stream->h, WEFT_WRITE);
}

static int read_stream(void *arg) {
    struct stream *stream = arg;
    unsigned char buf[3000];
    size_t done = 0;
    ssize_t n;
    while ((n = weft_read(stream->h, buf, sizeof buf)) > 0) {
        assert_true(bytes_are_right(buf, (size_t)n, done));
        done += (size_t)n;
    }
    assert_int_equal(n, 0);
    assert_int_equal(done, stream->size);
    return 0;
}

// Both ends are used on both workers: a reads at one end and writes at the other.
static void connections_carry_bytes_between_two_workers(void **state) {
    (void)state;
    static struct pair pair;
    struct seat seats[2];
    weft_scope scope = {0};
    struct tcp_pair conns = tcp_pair_open_small();
    struct stream streams[4];
    pair_start(&pair, seats);
    for (int i = 0; i < 4; i++) {
        int h = i == 0 || i == 3 ? conns.client : conns.server;
        streams[i] = (struct stream){.h = h, .size = times(200) * 4096};
        go_on(&pair, i % 2, &scope,
              i < 2 ? (i == 0 ? write_stream : read_stream) : (i == 2 ? write_stream : read_stream),
              &streams[i]);
    }
    expect(weft_join(&scope), 0);
    pair_stop(&pair);
    tcp_pair_close(&conns);
}

static int read_until_closed(void *arg) {
    char byte;
    expect(weft_read(*(int *)arg, &byte, 1), -EBADF);
    return 0;
}

static int close_it(void *arg) {
    return weft_close(*(int *)arg);
}

// The operation is submitted on one worker's driver and the close comes from the other's task.
static void a_close_on_one_worker_ends_a_read_on_the_other(void **state) {
    (void)state;
    static struct pair pair;
    struct seat seats[2];
    pair_start(&pair, seats);
    for (size_t i = 0; i < times(300); i++) {
        weft_scope scope = {0};
        struct tcp_pair conns = tcp_pair_open();
        go_on(&pair, 0, &scope, read_until_closed, &conns.client);
        if (i % 2 == 0)
            await_waiting(conns.client, WEFT_READ, 1);
        go_on(&pair, 1, &scope, close_it, &conns.client);
        expect(weft_join(&scope), 0);
        expect(weft_close(conns.server), 0);
    }
    pair_stop(&pair);
}

static int sleep_for_ever(void *arg) {
    (void)arg;
    return weft_sleep(INT64_MAX);
}

static void a_scope_spans_two_workers_and_is_cancelled_from_a_third_thread(void **state) {
    (void)state;
    static struct pair pair;
    struct seat seats[2];
    pair_start(&pair, seats);
    for (size_t i = 0; i < times(300); i++) {
        weft_scope scope = {0};
        for (int k = 0; k < 10; k++)
            go_on(&pair, k % 2, &scope, sleep_for_ever, NULL);
        weft_cancel(&scope);
        expect(weft_join(&scope), -ECANCELED);
    }
    pair_stop(&pair);
}

int main(void) {
    const struct CMUnitTest cases[] = {
        CASE(tasks_of_two_workers_wake_each_other),
        CASE(connections_carry_bytes_between_two_workers),
        CASE(a_close_on_one_worker_ends_a_read_on_the_other),
        CASE(a_scope_spans_two_workers_and_is_cancelled_from_a_third_thread),
    };
    return RUN(cases);
}
