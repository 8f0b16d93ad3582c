// SPDX-License-Identifier: MIT
//
// Who is calling: the record of each thread, made at its first call and given back when it ends.
// Records are never freed, because a late waker may still know one (park.c, rule 4).
#include "task/thread.h"

#include "driver/driver.h"
#include "os/os.h"
#include "task/park.h"
#include "task/scope.h"

#include <errno.h>
#include <weft/task.h>

static WEFT__THREAD_LOCAL struct weft__thread *this_thread;
WEFT__THREAD_LOCAL struct weft__worker *weft__worker_here;

WEFT__ATOMIC(uint32_t) weft__threads_barred; // 1; 2: and the log has said so

static struct weft__lock pool_lock;
static struct weft__thread *pool; // LIFO through zero.node; guarded by pool_lock

static void pool_push(struct weft__thread *thread) {
    weft__lock(&pool_lock);
    thread->zero.node.next = pool ? &pool->zero.node : NULL;
    pool = thread;
    weft__unlock(&pool_lock);
}

static struct weft__thread *pool_pop(void) {
    weft__lock(&pool_lock);
    struct weft__thread *thread = pool;
    if (thread)
        pool = thread->zero.node.next
                   ? WEFT__CONTAINER(thread->zero.node.next, struct weft__thread, zero.node)
                   : NULL;
    weft__unlock(&pool_lock);
    return thread;
}

// The thread ends. Task zero leaves its runtime behind only if that is empty.
static void end(void *arg) {
    struct weft__thread *thread = arg;
    if (thread->zero.waiter.worker && weft_stop(0) < 0)
        PANIC("the thread that started the runtime ended while tasks were alive (call weft_stop)");
    if (!weft__list_is_empty(&thread->zero.waiter.scopes))
        weft__scope_forgotten("a thread ended", weft__scope_forgotten_place(&thread->zero.waiter));
    weft__wakers_drain(&thread->zero.waiter);
    thread->driver->class->stop(thread->driver);
    thread->driver = thread->zero.waiter.driver = NULL;
    this_thread = NULL;
    pool_push(thread);
}

static void reset(struct weft__thread *thread) {
    struct weft__waiter *waiter = &thread->zero.waiter;
    weft__list_init(&waiter->scopes);
    waiter->driver = thread->driver;
    waiter->failure = &thread->notes.failure;
    waiter->failure->call = NULL;
    waiter->seen = weft__load(&waiter->word, relaxed);
    waiter->blocks = NULL;
    waiter->shields = 0;
    waiter->deadline = waiter->inherited = INT64_MAX;
    thread->zero.node.next = NULL;
}

// A new record. What a late waker reads at any time is written here once, before it can be known.
static struct weft__thread *allocate(void) {
    struct weft__thread *thread = weft__alloc_lasting(sizeof *thread);
    if (thread)
        thread->zero.waiter.is_thread = true;
    return thread;
}

static WEFT__COLD struct weft__thread *make(void) {
    struct weft__thread *thread = pool_pop();
    if (!thread)
        thread = allocate();
    if (!thread)
        return NULL;
    if (weft__fork_hook() < 0 || weft__thread_start(&thread->driver, NULL) < 0 ||
        weft__os_at_thread_exit(end, thread) < 0) {
        if (thread->driver)
            thread->driver->class->stop(thread->driver);
        thread->driver = NULL;
        pool_push(thread);
        return NULL;
    }
    reset(thread);
    this_thread = thread;
    return thread;
}

struct weft__waiter *weft__self(void) {
    struct weft__worker *worker = weft__this_worker();
    struct weft__task *task = worker ? weft__load(&worker->current, relaxed) : NULL;
    if (task)
        return &task->waiter;
    if (worker)
        PANIC("a call was made in a signal handler, while worker %u looked for the next task",
              weft__worker_number(worker));
    struct weft__thread *thread = this_thread;
    if (!thread)
        thread = make();
    return thread ? &thread->zero.waiter : NULL;
}

WEFT__COLD int weft__thread_refused(void) {
    uint32_t barred = 1;
    if (weft__cas(&weft__threads_barred, &barred, 2, acquire))
        weft__log(WEFT__LOG_WARN, "a thread of the program calls weft while a simulation runs: "
                                  "refused (let the simulated program use tasks: weft_go)");
    return -ENOTSUP;
}

struct weft__task *weft__thread_zero(struct weft__waiter *self) {
    ASSERT(self->is_thread);
    return weft__task_of(self);
}

struct weft__driver *weft__thread_driver(struct weft__task *zero) {
    return ((struct weft__thread *)zero)->driver;
}

void weft__thread_after_fork(void) {
    struct weft__thread *thread = this_thread;
    struct weft__worker *worker = weft__this_worker();
    pool_lock = (struct weft__lock){0};
    weft__this_worker_set(NULL);
    weft__foreign_after_fork();
    if (!thread) // as is so on a worker's own thread
        return;
    struct weft__waiter *waiter = &thread->zero.waiter;
    bool was_task = worker && weft__load(&worker->current, relaxed) != &thread->zero;
    waiter->worker = NULL;
    waiter->driver = thread->driver; // which knows of forks: it will not use the parent's eventfd
    weft__store(&waiter->word, 0, relaxed);
    waiter->seen = 0;
    weft__store(&waiter->wakers, 0, relaxed);
    weft__list_init(&waiter->scopes);
    thread->zero.timer = 0;
    if (was_task) { // task zero's frames are gone, and with them its blocks
        waiter->blocks = NULL;
        waiter->shields = 0;
        waiter->deadline = INT64_MAX;
    }
}
