// SPDX-License-Identifier: MIT
//
// 1. A job lies on the stack of who waits for it. It is QUEUED, BEGUN, then DONE; its owner takes
//    it back, under the lock, as long as it is QUEUED, and else waits to the end, because the
//    function may use the owner's memory. DONE is the last that a thread writes to it.
// 2. A job goes straight to an idle thread, to the one that was busy last: so what is too many
//    falls idle for good and ends. Without an idle one a thread is made, up to the limit; beyond
//    that jobs wait in order. A thread is made under the lock, so that whoever queues a job knows
//    that there is a thread to come for it.
// 3. A thread that ends joins the one that ended before it, and leaves itself to the next; the end
//    of the pool joins the last. So no worker ever waits for a thread to end, whatever the
//    program's destructors of thread-local objects do there.
// 4. Inside a job the thread is a plain thread of weft's with the deadline of who waits, and what
//    failed there last is told to that one: weft's own calls in it behave as they do where the
//    function is called directly.
#include "task/blocking.h"

#include "os/os.h"
#include "task/park.h"
#include "task/runtime.h"

#include <errno.h>

static const int64_t NS_PER_SECOND = 1000000000;

enum job_state { QUEUED, BEGUN, DONE };

struct job {
    struct weft__list link; // in pool->jobs while QUEUED
    WEFT__ATOMIC(uint32_t) state;
    struct weft__waiter *waiter;
    int64_t deadline;
    int (*fn)(void *);
    void *arg;
    int result;
};

struct weft__blocking_thread {
    struct weft__os_thread handle;
    struct weft__blocking *pool;
    struct weft__list link;        // in pool->idle
    struct job *job;               // given while idle; guarded by the lock
    WEFT__ATOMIC(uint32_t) signal; // a futex: changes when a job was given or the pool ends
};

// ---- The threads ----------------------------------------------------------------------------

static void call(struct job *job) {
    struct weft__waiter *self = weft__self();
    if (!self) { // no memory for a record: the function's calls of weft will say so
        job->result = job->fn(job->arg);
        return;
    }
    self->deadline = self->inherited = job->deadline;
    self->failure->call = NULL;
    job->result = job->fn(job->arg);
    if (!weft__list_is_empty(&self->scopes))
        weft__scope_forgotten("a blocking call returned", weft__scope_forgotten_place(self));
    if (job->result < 0 && self->failure->call)
        *job->waiter->failure = *self->failure;
}

static void run(struct job *job) {
    uint32_t epoch = weft__fork_epoch;
    call(job);
    if (weft__fork_epoch != epoch) // nobody waits for it here
        PANIC("a blocking call returned in the child of a fork (end that by exec or _exit)");
    struct weft__waiter *waiter = job->waiter;
    weft__store(&job->state, DONE, release);
    weft__unpark(waiter); // its runtime ends after this thread
}

static struct job *begin(struct weft__list *link) {
    struct job *job = WEFT__CONTAINER(link, struct job, link);
    weft__store(&job->state, BEGUN, relaxed);
    return job;
}

static void signal_thread(struct weft__blocking_thread *thread) {
    weft__fetch_add(&thread->signal, 1, release);
    weft__futex_wake(&thread->signal, 1);
}

// With the lock, which it gives up meanwhile: the next job, or NULL: it is time to end.
static struct job *await_job(struct weft__blocking *pool, struct weft__blocking_thread *thread) {
    int64_t until = weft__clock_monotonic_ns() + pool->idle_ns;
    weft__list_push_front(&pool->idle, &thread->link);
    while (!thread->job && !pool->is_ending && weft__clock_monotonic_ns() < until) {
        uint32_t seen = weft__load(&thread->signal, relaxed); // changes under the lock alone
        weft__unlock(&pool->lock);
        weft__futex_wait(&thread->signal, seen, until);
        weft__lock(&pool->lock);
    }
    weft__list_remove(&thread->link);
    struct job *job = thread->job;
    thread->job = NULL;
    return job;
}

// With the lock, which it gives up: rule 3.
static void leave(struct weft__blocking *pool, struct weft__blocking_thread *thread) {
    struct weft__blocking_thread *before = pool->ended;
    pool->ended = thread;
    pool->count--;
    weft__fetch_add(&pool->endings, 1, relaxed);
    weft__unlock(&pool->lock);
    weft__futex_wake(&pool->endings, 1); // the pool stays until this thread was joined
    if (before)
        weft__os_thread_join(&before->handle);
    weft__free(before);
}

static void run_thread(void *arg) {
    struct weft__blocking_thread *thread = arg;
    struct weft__blocking *pool = thread->pool;
    struct job *job = thread->job;
    thread->job = NULL;
    while (job) {
        run(job);
        weft__lock(&pool->lock);
        struct weft__list *link = weft__list_pop_front(&pool->jobs);
        job = link ? begin(link) : await_job(pool, thread);
        if (!job) {
            leave(pool, thread);
            return;
        }
        weft__unlock(&pool->lock);
    }
}

// With the lock: one more thread, with a job to begin with. Returns 0 or why there is none.
static int add_thread(struct weft__blocking *pool, struct job *job) {
    struct weft__blocking_thread *thread = weft__alloc(sizeof *thread);
    if (!thread)
        return -ENOMEM;
    thread->pool = pool;
    thread->job = job;
    weft__store(&job->state, BEGUN, relaxed);
    int error = weft__os_thread_create(&thread->handle, "weft-blocking", run_thread, thread);
    if (error == 0) {
        pool->count++;
        return 0;
    }
    weft__store(&job->state, QUEUED, relaxed);
    weft__free(thread);
    return error;
}

struct weft__blocking *weft__blocking_of(const struct weft__waiter *self) {
    return self->worker ? self->worker->runtime->blocking : NULL;
}

// ---- Who waits ------------------------------------------------------------------------------

// With the lock. Fails only when nobody would ever come for the job.
static int hand_over(struct weft__blocking *pool, struct job *job) {
    struct weft__list *link = weft__list_pop_front(&pool->idle);
    if (link) {
        struct weft__blocking_thread *thread =
            WEFT__CONTAINER(link, struct weft__blocking_thread, link);
        thread->job = job;
        weft__store(&job->state, BEGUN, relaxed);
        signal_thread(thread);
        return 0;
    }
    int error = pool->count < pool->limit ? add_thread(pool, job) : -EAGAIN;
    if (error == 0 || pool->count == 0)
        return error;
    weft__list_push_back(&pool->jobs, &job->link);
    return 0;
}

static bool take_back(struct weft__blocking *pool, struct job *job) {
    weft__lock(&pool->lock);
    bool is_queued = weft__load(&job->state, relaxed) == QUEUED;
    if (is_queued)
        weft__list_remove(&job->link);
    weft__unlock(&pool->lock);
    return is_queued;
}

int weft__blocking_call(struct weft__blocking *pool, struct weft__waiter *self, int (*fn)(void *),
                        void *arg, int *ret_result) {
    struct job job = {.waiter = self, .deadline = self->deadline, .fn = fn, .arg = arg};
    weft__lock(&pool->lock);
    int error = hand_over(pool, &job);
    weft__unlock(&pool->lock);
    if (error < 0)
        return error;
    int interruption = 0;
    weft__waits(self, "blocking", 0, NULL);
    while (weft__load(&job.state, acquire) != DONE) {
        if (interruption == 0 && (interruption = weft__interrupted(self)) < 0) {
            if (take_back(pool, &job))
                return interruption;
        } else {
            weft__park(self, interruption == 0 ? weft__interrupt_at(self) : INT64_MAX);
        }
    }
    *ret_result = job.result;
    return 0;
}

// ---- The pool -------------------------------------------------------------------------------

int weft__blocking_start(struct weft__runtime *runtime, uint32_t limit) {
    struct weft__blocking *pool = runtime->blocking = weft__alloc(sizeof *pool);
    if (!pool)
        return -ENOMEM;
    weft__list_init(&pool->idle);
    weft__list_init(&pool->jobs);
    pool->limit = limit;
    pool->idle_ns = WEFT__BLOCKING_IDLE_S * NS_PER_SECOND;
    return 0;
}

// With the lock: tells the idle ones, and waits until all have ended.
static void end_threads(struct weft__blocking *pool) {
    ASSERT(weft__list_is_empty(&pool->jobs));
    pool->is_ending = true;
    for (struct weft__list *link = weft__list_first(&pool->idle); link;
         link = weft__list_next(&pool->idle, link))
        signal_thread(WEFT__CONTAINER(link, struct weft__blocking_thread, link));
    while (pool->count > 0) {
        uint32_t seen = weft__load(&pool->endings, relaxed); // changes under the lock alone
        weft__unlock(&pool->lock);
        weft__futex_wait(&pool->endings, seen, INT64_MAX);
        weft__lock(&pool->lock);
    }
}

void weft__blocking_end(struct weft__runtime *runtime) {
    struct weft__blocking *pool = runtime->blocking;
    if (!pool)
        return;
    weft__lock(&pool->lock);
    end_threads(pool);
    weft__unlock(&pool->lock);
    if (pool->ended)
        weft__os_thread_join(&pool->ended->handle);
    weft__free(pool->ended);
    weft__free(pool);
    runtime->blocking = NULL;
}
