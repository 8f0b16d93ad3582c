// SPDX-License-Identifier: MIT
//
// Tasks: weft_go, the first frame, the end, and the pool of records.
#include "task/task.h"

#include "os/os.h"
#include "task/runtime.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weft/io.h>
#include <weft/task.h>

enum { CHUNK_COUNT = 64, BATCH = 512, STACK_ALIGNMENT = 16 };

struct weft__task_chunk {
    struct weft__task_chunk *next;
    struct weft__task *tasks; // CHUNK_COUNT of them, in `memory`
    char memory[CHUNK_COUNT * sizeof(struct weft__task) + WEFT__CACHE_LINE];
};

#if !WEFT__UNDER_ASAN && !WEFT__UNDER_TSAN
_Static_assert(sizeof(struct weft__task) % WEFT__CACHE_LINE == 0, "each in an array is aligned");
#endif

// ---- The pool -------------------------------------------------------------------------------

void weft__task_pool_destroy(struct weft__task_pool *pool) {
    while (pool->chunks) {
        struct weft__task_chunk *next = pool->chunks->next;
        weft__free(pool->chunks);
        pool->chunks = next;
    }
    pool->free = (struct weft__queue){0};
}

static bool grow(struct weft__task_pool *pool) {
    struct weft__task_chunk *chunk = weft__alloc(sizeof *chunk);
    if (!chunk)
        return false;
    uintptr_t first = (uintptr_t)chunk->memory + WEFT__CACHE_LINE - 1;
    chunk->tasks = (struct weft__task *)(first - first % WEFT__CACHE_LINE);
    chunk->next = pool->chunks;
    pool->chunks = chunk;
    for (int i = 0; i < CHUNK_COUNT; i++) {
        weft__list_init(&chunk->tasks[i].waiter.scopes);
        weft__queue_push(&pool->free, &chunk->tasks[i].node);
    }
    return true;
}

// Returns one and puts a few more at hand.
static WEFT__NOINLINE struct weft__node *fetch(struct weft__task_pool *pool,
                                               struct weft__queue *cache) {
    weft__lock(&pool->lock);
    struct weft__node *node = NULL;
    if (pool->free.count > 0 || grow(pool))
        node = weft__queue_pop(&pool->free);
    while (cache && cache->count < BATCH && pool->free.count > 0)
        weft__queue_push(cache, weft__queue_pop(&pool->free));
    weft__unlock(&pool->lock);
    return node;
}

struct weft__task *weft__task_take(struct weft__task_pool *pool, struct weft__queue *cache) {
    struct weft__node *node = cache ? weft__queue_pop(cache) : NULL;
    if (!node)
        node = fetch(pool, cache);
    return node ? WEFT__CONTAINER(node, struct weft__task, node) : NULL;
}

// Where more tasks end than start, what is too much goes back for the others.
static WEFT__NOINLINE void give_back(struct weft__task_pool *pool, struct weft__queue *cache) {
    weft__lock(&pool->lock);
    while (cache->count > BATCH)
        weft__queue_push(&pool->free, weft__queue_pop(cache));
    weft__unlock(&pool->lock);
}

void weft__task_give(struct weft__task_pool *pool, struct weft__queue *cache,
                     struct weft__task *task) {
    if (task->name) {
        weft__lock(&pool->lock); // the monitor may be reading it
        weft__free(task->name);
        task->name = NULL;
        weft__unlock(&pool->lock);
    }
    weft__store(&task->number, 0, relaxed);
    if (!cache) {
        weft__lock(&pool->lock);
        weft__queue_push_front(&pool->free, &task->node);
        weft__unlock(&pool->lock);
        return;
    }
    weft__queue_push_front(cache, &task->node);
    if (cache->count > 2 * BATCH)
        give_back(pool, cache);
}

void weft__task_pool_walk(struct weft__task_pool *pool,
                          void (*visit)(struct weft__task *task, void *arg), void *arg) {
    for (struct weft__task_chunk *chunk = pool->chunks; chunk; chunk = chunk->next)
        for (int i = 0; i < CHUNK_COUNT; i++)
            visit(&chunk->tasks[i], arg);
}

// ---- The first frame and the last -----------------------------------------------------------

static _Noreturn void forgotten(const struct weft__task *task, const void *place) {
    char who[WEFT__NAME_SIZE + sizeof "task  returned"];
    (void)snprintf(who, sizeof who, "task %s returned", task->name ? task->name : "(no name)");
    weft__scope_forgotten(who, place);
}

static void weft__task_main(void *arg) {
    struct weft__task *task = arg;
    int result;
    weft__worker_arrived(task->waiter.worker);
    if (task->takes_handle)
        result = task->handle_fn((int)(intptr_t)task->arg);
    else
        result = task->fn(task->arg);
    if (weft__this_worker() != task->waiter.worker)
        PANIC("a task returned in the child of a fork, where nobody waits for it (call _exit)");
    if (!weft__list_is_empty(&task->waiter.scopes))
        forgotten(task, weft__scope_forgotten_place(&task->waiter));
    weft__worker_count_end(task->waiter.worker);
    weft__scope_remove(task->waiter.scope, task, result);
    weft__worker_finish(task->waiter.worker, task);
}

// The notes lie at the top of the stack, in a page that is touched anyway.
void weft__task_prepare(struct weft__task *task, struct weft__worker *worker) {
    task->waiter.worker = worker;
    task->waiter.driver = worker->driver;
    struct weft__notes *notes;
    uintptr_t top = (uintptr_t)task->stack.top - sizeof *notes;
    top &= ~(uintptr_t)(STACK_ALIGNMENT - 1);
    notes = (struct weft__notes *)top;
    notes->failure.call = NULL;
    notes->wait.what = NULL;
    notes->refused = 0;
    notes->place = task->waiter.place;
    task->waiter.failure = &notes->failure;
    weft__store(&task->waiter.started_on, (uint16_t)weft__worker_number(worker), release);
    task->is_started = true;
    weft__context_make(&task->context, task->stack.low, task->stack.size, (void *)top,
                       weft__task_main, task);
}

void weft__task_end(struct weft__task *task, struct weft__worker *worker) {
    weft__task_give(&worker->runtime->pool, &worker->cache, task);
}

// ---- weft_go --------------------------------------------------------------------------------

struct what { // to run
    union {
        int (*fn)(void *);
        int (*handle_fn)(int); // if `takes_handle`
    };
    void *arg;
    bool takes_handle;
    const void *place; // where weft_go returns to
};

// The record may be one that a late waker still knows: only what such a one does not touch is
// written plainly.
static void reset(struct weft__task *task, const struct what *what, struct weft__waiter *self) {
    struct weft__waiter *waiter = &task->waiter;
    waiter->seen = weft__load(&waiter->word, relaxed); // goes on: a late waker may be counting
    weft__store(&waiter->cancelled, 0, relaxed);
    waiter->worker = NULL;
    waiter->driver = NULL;
    waiter->place = what->place;
    waiter->blocks = NULL;
    waiter->shields = 0;
    waiter->inherited = waiter->deadline = self->deadline;
    waiter->host = self->host;
    waiter->may_not_wait = false;
    weft__store(&waiter->started_on, 0, relaxed);
    task->is_started = task->is_pinned = false;
    task->wake_at = INT64_MAX;
    task->stack_size = 0;
    task->fn = what->fn;
    task->takes_handle = what->takes_handle;
    task->arg = what->arg;
}

static int apply(struct weft__task *task, const weft_task_options *options) {
    task->stack_size = (uint32_t)options->stack_size;
    task->is_pinned = options->worker != 0;
    if (!options->name)
        return 0;
    task->name = weft__alloc(WEFT__NAME_SIZE);
    if (!task->name)
        return -ENOMEM;
    strncpy(task->name, options->name, WEFT__NAME_SIZE - 1);
    return 0;
}

// A connection is placed where there are the fewest tasks, since it will stay there. Any other task
// begins near the one that starts it, and may be stolen.
static void place(struct weft__runtime *runtime, struct weft__waiter *self, struct weft__task *task,
                  int wanted) {
    if (wanted > 0)
        weft__worker_place(runtime->workers[wanted - 1], task);
    else if (wanted == WEFT_WORKER_HERE)
        weft__worker_place(self->worker, task);
    else if (self->worker && !task->takes_handle)
        weft__worker_spawn(self->worker, task);
    else
        weft__worker_place(weft__balance_place(runtime), task);
}

static int launch(struct weft__runtime *runtime, struct weft__waiter *self, weft_scope *scope,
                  const struct what *what, const weft_task_options *options) {
    struct weft__queue *cache = self->worker ? &self->worker->cache : NULL;
    if (options->worker > (int)runtime->worker_count || options->worker < WEFT_WORKER_HERE ||
        (options->worker == WEFT_WORKER_HERE && !self->worker))
        return -EINVAL;
    struct weft__task *task = weft__task_take(&runtime->pool, cache);
    if (!task)
        return -ENOMEM;
    reset(task, what, self);
    weft__store(&task->number, weft__runtime_number(runtime, self), relaxed);
    int error = apply(task, options);
    if (error == 0)
        error = weft__scope_add((struct weft__scope *)scope, self, task, &runtime->root);
    if (error < 0) {
        weft__task_give(&runtime->pool, cache, task);
        return error;
    }
    weft__runtime_count(runtime, self);
    place(runtime, self, task, options->worker);
    return 0;
}

static int go(weft_scope *scope, const struct what *what, const weft_task_options *given,
              size_t size) {
    struct weft__waiter *self = weft__self();
    weft_task_options options = {0};
    if (!self)
        return -ENOMEM;
    if (given)
        memcpy(&options, given, size < sizeof options ? size : sizeof options);
    int error = weft__is_orphan() ? -ECHILD : weft__barred(self);
    if (error < 0)
        return (int)weft__failed(self, "go", 0, error);
    if (!scope || !what->fn || options.stack_size > UINT32_MAX)
        return (int)weft__failed(self, "go", 0, -EINVAL);
    if (self->may_not_wait) // on the reserve stack: there is none for a child either
        return (int)weft__failed(self, "go", 0, -ENOMEM);
    struct weft__runtime *runtime;
    error = weft__runtime_enter(self, &runtime);
    if (error < 0)
        return error;
    error = launch(runtime, self, scope, what, &options);
    weft__runtime_leave(runtime, self);
    return error < 0 ? (int)weft__failed(self, "go", 0, error) : 0;
}

int weft_priv_go(weft_scope *scope, int (*fn)(void *), void *arg, const weft_task_options *options,
                 size_t size) {
    struct what what = {.fn = fn, .arg = arg, .place = __builtin_return_address(0)};
    return go(scope, &what, options, size);
}

int weft_priv_go_handle(weft_scope *scope, int (*fn)(int), int handle,
                        const weft_task_options *options, size_t size) {
    if (handle < 0)
        return handle;
    struct what what = {.handle_fn = fn,
                        .arg = (void *)(intptr_t)handle,
                        .takes_handle = true,
                        .place = __builtin_return_address(0)};
    int error = go(scope, &what, options, size);
    if (error < 0)
        (void)weft_close(handle); // taken, even on failure; it leaves the record of the failure
    return error;
}
