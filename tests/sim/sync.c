// SPDX-License-Identifier: MIT
// All of weft/sync.h between some tasks that hold, give up and are cancelled: never do two have
// what is for one, and when all is over nothing is held and no permit is lost.
#include "prove.h"

#include <errno.h>

enum { TASKS = 5, ROUNDS = 6, GAMES = 6, PERMITS = 3, ENOUGH = 3 };

struct table {
    weft_mutex mutex;
    weft_rwlock lock;
    weft_semaphore semaphore;
    weft_event event;
    weft_barrier barrier;
    weft_once once;
    int holders;          // of the mutex
    int readers, writers; // of the lock
    int permits_taken;
    int runs, is_run; // of what is to be done once
};

static int pause_somewhat(void) {
    return weft_sleep(below(300) * WEFT_MILLISECOND);
}

// What ended by the game's own deadline has not happened, and is no error.
static int unless_late(int result) {
    return result == -ETIMEDOUT && weft_timed_out() ? 0 : result;
}

static int use_mutex(struct table *table) {
    int result = below(4) == 0 ? weft_try_lock(&table->mutex) : weft_lock(&table->mutex);
    if (result == -EAGAIN)
        return 0;
    if (result < 0)
        return result;
    weft_sim_check(++table->holders == 1);
    result = pause_somewhat();
    table->holders--;
    weft_unlock(&table->mutex);
    return result;
}

static int use_lock(struct table *table) {
    int writes = below(3) == 0;
    int result = writes ? weft_rwlock_write(&table->lock) : weft_rwlock_read(&table->lock);
    if (result < 0)
        return result;
    int *mine = writes ? &table->writers : &table->readers;
    ++*mine;
    weft_sim_check(table->writers == 0 || (table->writers == 1 && table->readers == 0));
    result = pause_somewhat();
    --*mine;
    weft_rwlock_unlock(&table->lock);
    return result;
}

static int use_semaphore(struct table *table) {
    unsigned count = 1 + below(PERMITS);
    int result = weft_semaphore_acquire(&table->semaphore, count);
    if (result < 0)
        return result;
    table->permits_taken += (int)count;
    weft_sim_check(table->permits_taken <= PERMITS);
    result = pause_somewhat();
    table->permits_taken -= (int)count;
    weft_sim_check(weft_semaphore_release(&table->semaphore, count) == 0);
    return result;
}

static int use_event(struct table *table) {
    switch (below(4)) {
    case 0:
        weft_event_set(&table->event);
        return pause_somewhat();
    case 1:
        weft_event_set_one(&table->event);
        return 0;
    case 2:
        weft_event_reset(&table->event);
        return 0;
    default:
        return weft_event_wait(&table->event);
    }
}

static int use_barrier(struct table *table) {
    int result = weft_barrier_wait(&table->barrier, ENOUGH);
    weft_sim_check(result <= 1);
    return result < 0 ? result : 0;
}

static int run_it(void *arg) {
    struct table *table = arg;
    weft_sim_check(!table->is_run);
    int result = pause_somewhat();
    if (result == 0 && ++table->runs < ENOUGH)
        result = -EAGAIN;
    table->is_run = result == 0;
    return result;
}

static int use_once(struct table *table) {
    int result = weft_once_run(&table->once, run_it, table);
    weft_sim_check(result < 0 || table->is_run);
    return result == -EAGAIN ? 0 : result;
}

static int (*const games[GAMES])(struct table *) = {use_mutex, use_lock,    use_semaphore,
                                                    use_event, use_barrier, use_once};

static int play(void *arg) {
    for (int i = 0; i < ROUNDS; i++) {
        weft_within((1 + below(800)) * WEFT_MILLISECOND);
        int result = unless_late(games[below(GAMES)](arg));
        if (result < 0)
            return result;
    }
    return 0;
}

static void see_that_all_is_free(struct table *table) {
    weft_sim_check(weft_try_lock(&table->mutex) == 0);
    weft_sim_check(weft_rwlock_try_write(&table->lock) == 0);
    weft_sim_check(weft_semaphore_try_acquire(&table->semaphore, PERMITS) == 0);
    weft_sim_check(weft_semaphore_try_acquire(&table->semaphore, 1) == -EAGAIN);
    weft_unlock(&table->mutex);
    weft_rwlock_unlock(&table->lock);
}

static int play_all(void *unused) {
    (void)unused;
    struct table table = {.holders = 0};
    weft_scope players = {0};
    weft_sim_check(weft_semaphore_release(&table.semaphore, PERMITS) == 0);
    for (int i = 0; i < TASKS; i++)
        if (weft_go(&players, play, (void *)&table) < 0)
            break;
    int result = weft_join(&players);
    see_that_all_is_free(&table);
    return result;
}

int sync_world(weft_sim *sim, void *unused) {
    (void)unused;
    return run_alone(sim, play_all);
}
