// SPDX-License-Identifier: MIT
// weft_rwlock, weft_semaphore, weft_event, weft_barrier, weft_once: who gets in when, and that a
// wait which ends early leaves nothing behind.
#include "case.h"

enum { PLENTY = 5 };

// A party that makes one call, and says what came of it.
struct user {
    int (*call)(void *object);
    void *object;
    int result;
    struct flag done;
};

static void make_call(void *context) {
    struct user *user = context;
    user->result = user->call(user->object);
    flag_raise(&user->done);
}

static void make_call_briefly(void *context) {
    weft_within(check_patience_ns());
    make_call(context);
}

// Starts one, and waits until it waits: as the n-th.
static void start_waiting(struct parties *parties, struct user *user, size_t n) {
    party_start(parties, "waits", make_call, user);
    await_queued(user->object, n);
}

// ---- Readers and writers --------------------------------------------------------------------

static int read_lock(void *lock) {
    return weft_rwlock_read(lock);
}

static int write_lock(void *lock) {
    return weft_rwlock_write(lock);
}

// The call, and the unlock at once.
static int write_and_unlock(void *lock) {
    int result = weft_rwlock_write(lock);
    if (result == 0)
        weft_rwlock_unlock(lock);
    return result;
}

static int read_and_unlock(void *lock) {
    int result = weft_rwlock_read(lock);
    if (result == 0)
        weft_rwlock_unlock(lock);
    return result;
}

CASE(readers_share_and_a_writer_is_alone) {
    weft_rwlock lock = {0};
    expect(weft_rwlock_read(&lock), 0);
    expect(weft_rwlock_try_read(&lock), 0);
    expect(weft_rwlock_try_write(&lock), -EAGAIN);
    expect_waits(weft_rwlock_write(&lock));
    weft_rwlock_unlock(&lock);
    expect_waits(weft_rwlock_write(&lock));
    weft_rwlock_unlock(&lock);
    expect(weft_rwlock_write(&lock), 0);
    expect(weft_rwlock_try_read(&lock), -EAGAIN);
    expect(weft_rwlock_try_write(&lock), -EAGAIN);
    expect(weft_rwlock_write(&lock), -EDEADLK);
    expect(weft_rwlock_read(&lock), -EDEADLK);
    weft_rwlock_unlock(&lock);
    expect(weft_rwlock_try_write(&lock), 0);
    weft_rwlock_unlock(&lock);
    expect(weft_rwlock_read(NULL), -EINVAL);
    expect(weft_rwlock_write(NULL), -EINVAL);
    expect(weft_rwlock_try_read(NULL), -EINVAL);
    expect(weft_rwlock_try_write(NULL), -EINVAL);
    weft_rwlock_unlock(NULL);
}

struct shared {
    weft_rwlock lock;
    int value; // guarded by it
};

static int write_value(void *arg) {
    struct shared *shared = arg;
    int result = weft_rwlock_write(&shared->lock);
    if (result == 0) {
        shared->value++;
        weft_rwlock_unlock(&shared->lock);
    }
    return result;
}

static int read_value(void *arg) {
    struct shared *shared = arg;
    int result = weft_rwlock_read(&shared->lock);
    if (result == 0) {
        result = shared->value;
        weft_rwlock_unlock(&shared->lock);
    }
    return result;
}

// "A reader that comes while a writer waits goes behind it, so that nobody starves."
CASE(readers_do_not_overtake_a_writer_that_waits) {
    struct shared shared = {.value = 0};
    struct user writer = {.call = write_value, .object = &shared.lock};
    struct user reader = {.call = read_value, .object = &shared.lock};
    struct parties parties = {0};
    expect(weft_rwlock_read(&shared.lock), 0);
    start_waiting(&parties, &writer, 1);
    expect(weft_rwlock_try_read(&shared.lock), -EAGAIN);
    start_waiting(&parties, &reader, 2);
    weft_rwlock_unlock(&shared.lock);
    parties_join(&parties);
    expect(writer.result, 0);
    expect(reader.result, 1);
}

CASE(the_readers_at_the_front_get_in_together) {
    weft_rwlock lock = {0};
    struct user readers[PLENTY], writer = {.call = write_and_unlock, .object = &lock};
    struct user late = {.call = read_and_unlock, .object = &lock};
    struct parties parties = {0};
    expect(weft_rwlock_write(&lock), 0);
    for (size_t i = 0; i < PLENTY; i++) {
        readers[i] = (struct user){.call = read_lock, .object = &lock};
        start_waiting(&parties, &readers[i], i + 1);
    }
    start_waiting(&parties, &writer, PLENTY + 1);
    start_waiting(&parties, &late, PLENTY + 2);
    weft_rwlock_unlock(&lock);
    for (size_t i = 0; i < PLENTY; i++) {
        await_flag(&readers[i].done, 1);
        expect(readers[i].result, 0);
    }
    await_queued(&lock, 2);
    for (size_t i = 0; i < PLENTY; i++) {
        expect(flag_value(&writer.done), 0);
        weft_rwlock_unlock(&lock);
    }
    parties_join(&parties);
    expect(writer.result, 0);
    expect(late.result, 0);
}

// A writer that gives up was all that stood before the reader behind it.
CASE(when_a_writer_gives_up_the_readers_behind_it_get_in) {
    weft_rwlock lock = {0};
    struct user writer = {.call = write_lock, .object = &lock};
    struct user reader = {.call = read_and_unlock, .object = &lock};
    struct parties parties = {0};
    expect(weft_rwlock_read(&lock), 0);
    party_start(&parties, "gives up", make_call_briefly, &writer);
    party_start(&parties, "reads", make_call, &reader);
    await_flag(&writer.done, 1);
    await_flag(&reader.done, 1);
    parties_join(&parties);
    expect(writer.result, -ETIMEDOUT);
    expect(reader.result, 0);
    weft_rwlock_unlock(&lock);
    expect(weft_rwlock_try_write(&lock), 0);
    weft_rwlock_unlock(&lock);
}

// ---- Semaphore ------------------------------------------------------------------------------

static int acquire_one(void *semaphore) {
    return weft_semaphore_acquire(semaphore, 1);
}

static int acquire_three(void *semaphore) {
    return weft_semaphore_acquire(semaphore, 3);
}

CASE(a_semaphore_has_as_many_permits_as_were_given) {
    weft_semaphore semaphore = {0};
    expect(weft_semaphore_try_acquire(&semaphore, 1), -EAGAIN);
    expect(weft_semaphore_release(&semaphore, 3), 0);
    expect(weft_semaphore_acquire(&semaphore, 2), 0);
    expect(weft_semaphore_try_acquire(&semaphore, 2), -EAGAIN);
    expect_waits(weft_semaphore_acquire(&semaphore, 2));
    expect(weft_semaphore_acquire(&semaphore, 1), 0);
    expect_waits(weft_semaphore_acquire(&semaphore, 1));
}

CASE(a_semaphore_says_what_is_wrong_with_a_call) {
    weft_semaphore semaphore = {0};
    expect(weft_semaphore_acquire(NULL, 1), -EINVAL);
    expect(weft_semaphore_acquire(&semaphore, 0), -EINVAL);
    expect(weft_semaphore_acquire(&semaphore, WEFT_SEMAPHORE_MAX + 1U), -EINVAL);
    expect(weft_semaphore_try_acquire(&semaphore, 0), -EINVAL);
    expect(weft_semaphore_release(NULL, 1), -EINVAL);
    expect(weft_semaphore_release(&semaphore, 0), -EINVAL);
    expect(weft_semaphore_release(&semaphore, WEFT_SEMAPHORE_MAX), 0);
    expect(weft_semaphore_release(&semaphore, 1), -EOVERFLOW);
    expect(weft_semaphore_acquire(&semaphore, WEFT_SEMAPHORE_MAX), 0);
    expect(weft_semaphore_try_acquire(&semaphore, 1), -EAGAIN); // nothing was given then
}

// "Who waits for many is not overtaken by those that came later and want few."
CASE(who_wants_many_permits_is_not_overtaken) {
    weft_semaphore semaphore = {0};
    struct user many = {.call = acquire_three, .object = &semaphore};
    struct user few = {.call = acquire_one, .object = &semaphore};
    struct parties parties = {0};
    start_waiting(&parties, &many, 1);
    start_waiting(&parties, &few, 2);
    expect(weft_semaphore_release(&semaphore, 2), 0);
    expect(weft_semaphore_try_acquire(&semaphore, 1), -EAGAIN);
    await_queued(&semaphore, 2);
    expect(weft_semaphore_release(&semaphore, 1), 0);
    await_flag(&many.done, 1);
    expect(many.result, 0);
    await_queued(&semaphore, 1);
    expect(flag_value(&few.done), 0);
    expect(weft_semaphore_release(&semaphore, 1), 0);
    parties_join(&parties);
    expect(few.result, 0);
}

CASE(when_who_wants_many_permits_gives_up_the_next_one_is_served) {
    weft_semaphore semaphore = {0};
    struct user many = {.call = acquire_three, .object = &semaphore};
    struct user few = {.call = acquire_one, .object = &semaphore};
    struct parties parties = {0};
    expect(weft_semaphore_release(&semaphore, 2), 0);
    party_start(&parties, "gives up", make_call_briefly, &many);
    await_queued(&semaphore, 1);
    party_start(&parties, "waits", make_call, &few);
    parties_join(&parties);
    expect(many.result, -ETIMEDOUT);
    expect(few.result, 0);
    expect(weft_semaphore_try_acquire(&semaphore, 1), 0);
    expect(weft_semaphore_try_acquire(&semaphore, 1), -EAGAIN);
}

// ---- Event ----------------------------------------------------------------------------------

static int wait_for_event(void *event) {
    return weft_event_wait(event);
}

CASE(a_set_event_lets_all_pass_until_it_is_reset) {
    weft_event event = {0};
    struct user users[PLENTY];
    struct parties parties = {0};
    expect_waits(weft_event_wait(&event));
    for (size_t i = 0; i < PLENTY; i++) {
        users[i] = (struct user){.call = wait_for_event, .object = &event};
        start_waiting(&parties, &users[i], i + 1);
    }
    weft_event_set(&event);
    weft_event_reset(&event); // "those that have been let go are not called back"
    parties_join(&parties);
    for (size_t i = 0; i < PLENTY; i++)
        expect(users[i].result, 0);
    expect_waits(weft_event_wait(&event));
    weft_event_set(&event);
    weft_event_set_one(&event); // which is no effect
    expect(weft_event_wait(&event), 0);
    expect(weft_event_wait(&event), 0);
    weft_event_reset(&event);
    expect_waits(weft_event_wait(&event));
}

CASE(an_event_that_is_set_for_one_ends_the_first_wait) {
    weft_event event = {0};
    struct user users[3];
    struct parties parties = {0};
    for (size_t i = 0; i < 3; i++) {
        users[i] = (struct user){.call = wait_for_event, .object = &event};
        start_waiting(&parties, &users[i], i + 1);
    }
    for (size_t i = 0; i < 3; i++) {
        weft_event_set_one(&event);
        await_flag(&users[i].done, 1);
        for (size_t later = i + 1; later < 3; later++)
            expect(flag_value(&users[later].done), 0);
    }
    parties_join(&parties);
    weft_event_set_one(&event); // kept for the next one
    weft_event_set_one(&event); // "several of these count once"
    expect(weft_event_wait(&event), 0);
    expect_waits(weft_event_wait(&event));
    weft_event_set_one(&event);
    weft_event_reset(&event);
    expect_waits(weft_event_wait(&event));
}

CASE(calls_on_no_event_do_nothing) {
    expect(weft_event_wait(NULL), -EINVAL);
    weft_event_set(NULL);
    weft_event_set_one(NULL);
    weft_event_reset(NULL);
}

// ---- Barrier --------------------------------------------------------------------------------

struct rounds {
    weft_barrier barrier;
    struct flag arrived, last;
};

enum { ROUNDS = 20 };

static void meet(void *context) {
    struct rounds *rounds = context;
    for (int i = 0; i < ROUNDS; i++) {
        flag_raise(&rounds->arrived);
        int result = weft_barrier_wait(&rounds->barrier, PLENTY);
        expect_that(result == 0 || result == 1);
        if (result == 1)
            flag_raise(&rounds->last);
        expect_that(flag_value(&rounds->arrived) >= (i + 1) * PLENTY);
    }
}

CASE(nobody_passes_a_barrier_before_all_are_there) {
    struct rounds rounds = {0};
    struct parties parties = {0};
    for (int i = 0; i < PLENTY; i++)
        party_start(&parties, "meets", meet, &rounds);
    parties_join(&parties);
    expect(flag_value(&rounds.last), ROUNDS); // one of each round
}

static int meet_one(void *barrier) {
    return weft_barrier_wait(barrier, 2);
}

CASE(who_gives_up_at_a_barrier_does_not_count) {
    weft_barrier barrier = {0};
    struct user other = {.call = meet_one, .object = &barrier};
    struct parties parties = {0};
    expect_waits(weft_barrier_wait(&barrier, 2));
    start_waiting(&parties, &other, 1);
    expect(flag_value(&other.done), 0);
    expect(weft_barrier_wait(&barrier, 3), -EINVAL);
    expect(weft_barrier_wait(&barrier, 2), 1);
    parties_join(&parties);
    expect(other.result, 0);
    expect(weft_barrier_wait(&barrier, 1), 1);
    expect(weft_barrier_wait(&barrier, 0), -EINVAL);
    expect(weft_barrier_wait(NULL, 1), -EINVAL);
}

// ---- Once -----------------------------------------------------------------------------------

struct work {
    weft_once once;
    struct flag runs, may_go_on;
    int failures; // left to make
};

static int do_work(void *arg) {
    struct work *work = arg;
    flag_raise(&work->runs);
    await_flag(&work->may_go_on, 1);
    return work->failures-- > 0 ? -EIO : 7;
}

static int run_work(void *arg) {
    struct work *work = arg;
    return weft_once_run(&work->once, do_work, work);
}

static void several_run(struct work *work, struct user *users) {
    struct parties parties = {0};
    for (size_t i = 0; i < PLENTY; i++) {
        users[i] = (struct user){.call = run_work, .object = work};
        party_start(&parties, "runs", make_call, &users[i]);
    }
    await_flag(&work->runs, 1);
    await_queued(&work->once, PLENTY - 1);
    flag_raise(&work->may_go_on);
    parties_join(&parties);
}

static int count_result(const struct user *users, int result) {
    int count = 0;
    for (size_t i = 0; i < PLENTY; i++)
        count += users[i].result == result;
    return count;
}

CASE(once_is_run_once_and_the_others_wait_for_it) {
    struct work work = {.failures = 0};
    struct user users[PLENTY];
    several_run(&work, users);
    expect(flag_value(&work.runs), 1);
    expect(count_result(users, 0), PLENTY);
    expect(run_work(&work), 0);
    expect(flag_value(&work.runs), 1);
}

CASE(when_once_fails_the_next_one_tries) {
    struct work work = {.failures = 2};
    struct user users[PLENTY];
    several_run(&work, users);
    expect(flag_value(&work.runs), 3);
    expect(count_result(users, -EIO), 2);
    expect(count_result(users, 0), PLENTY - 2);
}

static int run_again(void *arg) {
    struct work *work = arg;
    expect(weft_once_run(&work->once, run_again, work), -EDEADLK);
    expect_waits(weft_sleep(WEFT_HOUR));
    return 0;
}

CASE(once_says_what_is_wrong_with_a_call) {
    struct work work = {.failures = 0};
    expect(weft_once_run(NULL, run_again, &work), -EINVAL);
    expect(weft_once_run(&work.once, NULL, &work), -EINVAL);
    expect(weft_once_run(&work.once, run_again, &work), 0);
    {
        weft_within(0);
        expect(weft_once_run(&work.once, run_again, &work), -ETIMEDOUT); // also when it is done
    }
}

// ---- All of them ----------------------------------------------------------------------------

struct objects {
    weft_mutex mutex;
    weft_rwlock lock;
    weft_semaphore semaphore;
    weft_event event;
    weft_barrier barrier;
    int results[6];
};

static void wait_at_all(void *context) {
    struct objects *all = context;
    all->results[0] = weft_lock(&all->mutex);
    all->results[1] = weft_rwlock_read(&all->lock);
    all->results[2] = weft_rwlock_write(&all->lock);
    all->results[3] = weft_semaphore_acquire(&all->semaphore, 1);
    all->results[4] = weft_event_wait(&all->event);
    all->results[5] = weft_barrier_wait(&all->barrier, 1); // which would not have to wait
}

// "Look at cancellation and deadline first, also when they need not wait."
CASE(a_cancelled_task_is_refused_by_all_of_them) {
    struct objects all = {.results = {0}};
    struct parties parties = {0};
    expect(weft_semaphore_release(&all.semaphore, 1), 0);
    weft_event_set(&all.event);
    parties_cancel(&parties);
    party_start(&parties, "is cancelled", wait_at_all, &all);
    parties_join(&parties);
    for (size_t i = 0; i < 6; i++)
        expect(all.results[i], -ECANCELED);
    expect(weft_try_lock(&all.mutex), 0);
    expect(weft_rwlock_try_write(&all.lock), 0);
    expect(weft_semaphore_try_acquire(&all.semaphore, 1), 0);
    weft_unlock(&all.mutex);
    weft_rwlock_unlock(&all.lock);
}
CASE_NEEDS_SCOPE(a_cancelled_task_is_refused_by_all_of_them)
