// SPDX-License-Identifier: MIT
// Races of weft/sync.h: tasks of eight workers and plain threads at the same objects, some of them
// cancelled or late. What must hold is counted; what must not happen is for the sanitizers to see.
#define UNIT_WORKERS "8"
#include "task_tools.h"

enum { TASKS = 24, THREADS = 3, PERMITS = 2, MEET = 4 };

static struct {
    weft_mutex mutex;
    weft_rwlock lock;
    weft_semaphore semaphore;
    weft_once once;
    size_t sum, value, made; // guarded by the first, the second, the last
    atomic_int permits_taken;
} shared;
static atomic_size_t sum, value; // what those must be in the end
static atomic_int threads_left;

static void add_under_mutex(void) {
    if (weft_lock(&shared.mutex) < 0)
        return;
    shared.sum++;
    weft_unlock(&shared.mutex);
    atomic_fetch_add(&sum, 1);
}

static void use_lock(size_t i) {
    if (i % 4 != 0 && weft_rwlock_read(&shared.lock) == 0) {
        assert_true(shared.value <= SIZE_MAX / 2);
        weft_rwlock_unlock(&shared.lock);
    } else if (i % 4 == 0 && weft_rwlock_write(&shared.lock) == 0) {
        shared.value++;
        weft_rwlock_unlock(&shared.lock);
        atomic_fetch_add(&value, 1);
    }
}

static void use_semaphore(size_t i) {
    int count = 1 + (int)(i % PERMITS);
    if (weft_semaphore_acquire(&shared.semaphore, (uint32_t)count) < 0)
        return;
    assert_true(atomic_fetch_add(&shared.permits_taken, count) + count <= PERMITS);
    atomic_fetch_sub(&shared.permits_taken, count);
    expect(weft_semaphore_release(&shared.semaphore, (uint32_t)count), 0);
}

static int make(void *unused) {
    (void)unused;
    shared.made++;
    return shared.made < 3 ? -EAGAIN : 0;
}

static void use_all(size_t count) {
    for (size_t i = 0; i < count; i++) {
        add_under_mutex();
        use_lock(i);
        use_semaphore(i);
        if (weft_once_run(&shared.once, make, NULL) == 0)
            assert_int_equal(shared.made, 3);
    }
}

static int use_all_as_task(void *arg) {
    weft_within((int64_t)(intptr_t)arg);
    use_all(times(400));
    return 0;
}

static void *use_all_as_thread(void *unused) {
    (void)unused;
    use_all(times(400));
    atomic_fetch_sub(&threads_left, 1);
    return NULL;
}

static void all_is_free(void) {
    assert_int_equal(shared.sum, atomic_load(&sum));
    assert_int_equal(shared.value, atomic_load(&value));
    expect(weft_try_lock(&shared.mutex), 0);
    weft_unlock(&shared.mutex);
    expect(weft_rwlock_try_write(&shared.lock), 0);
    weft_rwlock_unlock(&shared.lock);
    expect(weft_semaphore_acquire(&shared.semaphore, PERMITS), 0);
    expect(weft_semaphore_try_acquire(&shared.semaphore, 1), -EAGAIN);
    expect(weft_semaphore_release(&shared.semaphore, PERMITS), 0);
}

// The second half of the tasks is cancelled while it waits; every third has little time.
static void tasks_and_threads_share_all(void **state) {
    (void)state;
    pthread_t threads[THREADS];
    weft_scope stays = {0}, goes = {0};
    if (atomic_load(&sum) == 0)
        expect(weft_semaphore_release(&shared.semaphore, PERMITS), 0);
    atomic_store(&threads_left, THREADS);
    for (int i = 0; i < THREADS; i++)
        threads[i] = thread_start(use_all_as_thread, NULL);
    for (intptr_t i = 0; i < TASKS; i++) {
        intptr_t limit = i % 3 == 0 ? (intptr_t)(2 * WEFT_MILLISECOND) : (intptr_t)WEFT_HOUR;
        expect(weft_go(i % 2 ? &stays : &goes, use_all_as_task, (void *)limit), 0);
    }
    expect(weft_sleep(WEFT_MILLISECOND), 0);
    weft_cancel(&goes);
    expect(weft_join(&goes), 0);
    expect(weft_join(&stays), 0);
    while (atomic_load(&threads_left) > 0)
        expect(weft_sleep(100 * WEFT_MICROSECOND), 0);
    for (int i = 0; i < THREADS; i++)
        thread_join(threads[i]);
    all_is_free();
}

// ---- The memory goes with who leaves last ---------------------------------------------------

struct meeting {
    weft_barrier barrier;
    weft_event event;
    weft_mutex mutex;
    int users; // guarded by it
};

static int meet(void *arg) {
    struct meeting *meeting = arg;
    int last = weft_barrier_wait(&meeting->barrier, MEET);
    assert_true(last == 0 || last == 1);
    if (last)
        weft_event_set(&meeting->event);
    expect(weft_event_wait(&meeting->event), 0);
    expect(weft_lock(&meeting->mutex), 0);
    int left = --meeting->users;
    weft_unlock(&meeting->mutex);
    if (left == 0)
        free(meeting);
    return 0;
}

static void who_leaves_last_frees(void **state) {
    (void)state;
    weft_scope scope = {0};
    for (size_t i = 0; i < times(300); i++) {
        struct meeting *meeting = calloc(1, sizeof *meeting);
        assert_non_null(meeting);
        meeting->users = MEET;
        for (int k = 0; k < MEET; k++)
            expect(weft_go(&scope, meet, (void *)meeting), 0);
        expect(weft_join(&scope), 0);
    }
}

int main(void) {
    const struct CMUnitTest cases[] = {
        CASE_IN_TASK(tasks_and_threads_share_all),
        CASE_IN_TASK(who_leaves_last_frees),
    };
    return RUN(cases);
}
