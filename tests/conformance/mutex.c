// SPDX-License-Identifier: MIT
// weft_mutex: one holder, handed over in order, taken or not. "A lock is taken (0) or not." The
// other objects of weft/sync.h: sync.c, those of several workers: sync_workers.c.
#include "case.h"

#include <pthread.h>

enum { PLENTY = 6 };

struct user {
    weft_mutex *mutex;
    int *turn; // guarded by the mutex
    int result, second, got_at;
    struct flag done;
};

static void lock_and_note(void *context) {
    struct user *user = context;
    user->result = weft_lock(user->mutex);
    if (user->result == 0) {
        user->got_at = (*user->turn)++;
        weft_unlock(user->mutex);
    }
    flag_raise(&user->done);
}

CASE(a_zeroed_mutex_is_free) {
    weft_mutex mutex = {0};
    for (int i = 0; i < 3; i++) {
        expect(weft_lock(&mutex), 0);
        expect(weft_try_lock(&mutex), -EAGAIN);
        weft_unlock(&mutex);
        expect(weft_try_lock(&mutex), 0);
        weft_unlock(&mutex);
    }
    weft_unlock(NULL);
}

CASE(a_mutex_says_what_is_wrong_with_a_call) {
    weft_mutex mutex = {0};
    expect(weft_lock(NULL), -EINVAL);
    expect(weft_try_lock(NULL), -EINVAL);
    expect(weft_lock(&mutex), 0);
    expect(weft_lock(&mutex), -EDEADLK);
    expect_explained("lock");
    weft_unlock(&mutex);
    expect(weft_lock(&mutex), 0); // the refused one has left nothing behind
    weft_unlock(&mutex);
}

CASE(those_that_wait_get_the_mutex_in_order) {
    weft_mutex mutex = {0};
    int turn = 0;
    struct user users[PLENTY];
    struct parties parties = {0};
    expect(weft_lock(&mutex), 0);
    for (int i = 0; i < PLENTY; i++) {
        users[i] = (struct user){.mutex = &mutex, .turn = &turn};
        party_start(&parties, "user", lock_and_note, &users[i]);
        await_queued(&mutex, (size_t)i + 1);
    }
    weft_unlock(&mutex);
    parties_join(&parties);
    for (int i = 0; i < PLENTY; i++) {
        expect(users[i].result, 0);
        expect(users[i].got_at, i);
    }
}

static void *lock_in_thread(void *context) {
    lock_and_note(context);
    return NULL;
}

// "Any task of any worker and any plain thread may use the same one."
CASE(tasks_and_a_plain_thread_wait_in_one_queue) {
    weft_mutex mutex = {0};
    int turn = 0;
    struct user users[3];
    struct parties parties = {0};
    pthread_t thread;
    for (int i = 0; i < 3; i++)
        users[i] = (struct user){.mutex = &mutex, .turn = &turn};
    expect(weft_lock(&mutex), 0);
    party_start(&parties, "first", lock_and_note, &users[0]);
    await_queued(&mutex, 1);
    expect(-pthread_create(&thread, NULL, lock_in_thread, &users[1]), 0);
    await_queued(&mutex, 2);
    party_start(&parties, "last", lock_and_note, &users[2]);
    await_queued(&mutex, 3);
    weft_unlock(&mutex);
    await_flag(&users[1].done, 1); // the worker of this thread may be the first one's
    expect(-pthread_join(thread, NULL), 0);
    parties_join(&parties);
    for (int i = 0; i < 3; i++)
        expect(users[i].got_at, i);
}
CASE_NOT_ON(tasks_and_a_plain_thread_wait_in_one_queue, "sim", NO_THREADS)

// "What is given away belongs to the first that waits from that moment."
CASE(who_comes_by_does_not_take_what_was_handed_over) {
    weft_mutex mutex = {0};
    int turn = 0;
    for (int round = 0; round < 50; round++) {
        struct user waits = {.mutex = &mutex, .turn = &turn};
        struct parties parties = {0};
        expect(weft_lock(&mutex), 0);
        party_start(&parties, "waits", lock_and_note, &waits);
        await_queued(&mutex, 1);
        int before = turn;
        weft_unlock(&mutex);
        expect(weft_lock(&mutex), 0); // after the one that waited has had it
        expect(turn, before + 1);
        weft_unlock(&mutex);
        parties_join(&parties);
    }
}

static void lock_briefly(void *context) {
    struct user *user = context;
    weft_within(check_patience_ns());
    user->result = weft_lock(user->mutex);
    user->second = weft_timed_out();
    flag_raise(&user->done);
}

CASE(a_deadline_ends_the_wait_for_a_mutex) {
    weft_mutex mutex = {0};
    struct user waits = {.mutex = &mutex};
    struct parties parties = {0};
    expect(weft_lock(&mutex), 0);
    party_start(&parties, "waits", lock_briefly, &waits);
    parties_join(&parties);
    expect(waits.result, -ETIMEDOUT);
    expect(waits.second, 1);
    weft_unlock(&mutex);
    expect(weft_try_lock(&mutex), 0); // it was not handed to who has gone
    weft_unlock(&mutex);
}

CASE(one_that_gives_up_does_not_disturb_the_queue) {
    weft_mutex mutex = {0};
    int turn = 0;
    struct user users[3];
    struct parties parties = {0};
    expect(weft_lock(&mutex), 0);
    for (int i = 0; i < 3; i++)
        users[i] = (struct user){.mutex = &mutex, .turn = &turn};
    party_start(&parties, "first", lock_and_note, &users[0]);
    await_queued(&mutex, 1);
    party_start(&parties, "gives up", lock_briefly, &users[1]);
    party_start(&parties, "last", lock_and_note, &users[2]);
    await_flag(&users[1].done, 1);
    expect(users[1].result, -ETIMEDOUT);
    expect(users[1].second, 1);
    await_queued(&mutex, 2);
    weft_unlock(&mutex);
    parties_join(&parties);
    expect(users[0].got_at, 0);
    expect(users[2].got_at, 1);
}

CASE(an_expired_deadline_refuses_a_free_mutex) {
    weft_mutex mutex = {0};
    {
        weft_within(0);
        expect(weft_lock(&mutex), -ETIMEDOUT);
        expect(weft_timed_out(), 1);
        expect(weft_try_lock(&mutex), 0); // which is no call that waits
        weft_unlock(&mutex);              // "never refused"
    }
    expect(weft_lock(&mutex), 0);
    weft_unlock(&mutex);
}

// ---- Cancellation ---------------------------------------------------------------------------

CASE(cancel_ends_the_wait_for_a_mutex) {
    weft_mutex mutex = {0};
    int turn = 0;
    struct user waits = {.mutex = &mutex, .turn = &turn};
    struct parties parties = {0};
    expect(weft_lock(&mutex), 0);
    party_start(&parties, "waits", lock_and_note, &waits);
    await_queued(&mutex, 1);
    parties_cancel(&parties);
    parties_join(&parties);
    expect(waits.result, -ECANCELED);
    weft_unlock(&mutex);
    expect(weft_try_lock(&mutex), 0);
    weft_unlock(&mutex);
}
CASE_NEEDS_SCOPE(cancel_ends_the_wait_for_a_mutex)

static void hold_then_try_again(void *context) {
    struct user *user = context;
    user->result = weft_lock(user->mutex);
    user->second = weft_lock(user->mutex); // cancelled: looked at before anything else
    if (user->result == 0)
        weft_unlock(user->mutex);
}

// "If that was granted, the wait has succeeded, whatever else has happened; the next call reports
// the cancellation." Where the waiter runs on another thread, it may be through before the cancel.
CASE(a_waiter_keeps_what_it_was_given_before_it_was_cancelled) {
    weft_mutex mutex = {0};
    struct user waits = {.mutex = &mutex};
    struct parties parties = {0};
    expect(weft_lock(&mutex), 0);
    party_start(&parties, "waits", hold_then_try_again, &waits);
    await_queued(&mutex, 1);
    weft_unlock(&mutex);
    parties_cancel(&parties);
    parties_join(&parties);
    expect(waits.result, 0);
    expect_either(waits.second, -ECANCELED, -EDEADLK);
    expect(weft_try_lock(&mutex), 0);
    weft_unlock(&mutex);
}
CASE_NEEDS_SCOPE(a_waiter_keeps_what_it_was_given_before_it_was_cancelled)

CASE(a_waiter_keeps_what_it_was_given_after_it_was_cancelled) {
    weft_mutex mutex = {0};
    struct parties parties = {0};
    struct user waits = {.mutex = &mutex};
    expect(weft_lock(&mutex), 0);
    party_start(&parties, "waits", hold_then_try_again, &waits);
    await_queued(&mutex, 1);
    parties_cancel(&parties);
    weft_unlock(&mutex);
    parties_join(&parties);
    // Either it had left the queue already, or the mutex was its own.
    expect_either(waits.result, 0, -ECANCELED);
    expect(waits.second, -ECANCELED);
    expect(weft_try_lock(&mutex), 0);
    weft_unlock(&mutex);
}
CASE_NEEDS_SCOPE(a_waiter_keeps_what_it_was_given_after_it_was_cancelled)

// ---- Many -----------------------------------------------------------------------------------

struct counter {
    weft_mutex mutex;
    int holders, sum; // guarded by it
    int each;
};

static void count_up(void *context) {
    struct counter *counter = context;
    for (int i = 0; i < counter->each; i++) {
        expect(weft_lock(&counter->mutex), 0);
        expect(++counter->holders, 1);
        if (i % 4 == 0)
            expect(weft_yield(), 0);
        counter->sum++;
        counter->holders--;
        weft_unlock(&counter->mutex);
    }
}

CASE(there_is_one_holder_at_a_time) {
    struct counter counter = {.each = 200};
    struct parties parties = {0};
    for (int i = 0; i < PLENTY; i++)
        party_start(&parties, "counts", count_up, &counter);
    parties_join(&parties);
    expect(counter.sum, PLENTY * counter.each);
}
