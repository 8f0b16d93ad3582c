// SPDX-License-Identifier: MIT
// The tasks of a simulated host: frozen, thawed, lost. The rules stand in freeze.h.
#include "task/freeze.h"

#include "os/leaks.h"
#include "task/park.h"
#include "task/runtime.h"

static void visit_tasks(void (*visit)(struct weft__task *task, void *arg), uint32_t host) {
    weft__task_pool_walk(&weft__runtime_now()->pool, visit, &host);
}

static bool is_on(const struct weft__task *task, const void *host) {
    return weft__load(&task->number, relaxed) != 0 && task->waiter.host == *(const uint32_t *)host;
}

static void freeze_one(struct weft__task *task, void *host) {
    uint32_t seen;
    if (is_on(task, host) && weft__hold(task, &seen))
        weft__store(&task->is_frozen, 1, relaxed);
}

void weft__freeze(uint32_t host) {
    struct weft__runtime *runtime = weft__runtime_now();
    for (uint32_t i = 0; i < runtime->worker_count; i++)
        weft__worker_freeze(runtime->workers[i], host);
    visit_tasks(freeze_one, host);
}

// The word of a task that waits is what it has seen, until it is woken.
static void thaw_one(struct weft__task *task, void *host) {
    if (!is_on(task, host) || !weft__load(&task->is_frozen, relaxed))
        return;
    weft__store(&task->is_frozen, 0, relaxed);
    weft__let_go(task, task->waiter.seen);
}

void weft__thaw(uint32_t host) {
    struct weft__runtime *runtime = weft__runtime_now();
    for (uint32_t i = 0; i < runtime->worker_count; i++)
        weft__worker_thaw(runtime->workers[i], host);
    visit_tasks(thaw_one, host);
}

static void lose_one(struct weft__task *task, void *host) {
    if (!is_on(task, host))
        return;
    task->waiter.host = (uint32_t)WEFT__HOST_GONE;
    task->waiter.scope = NULL;
    if (task->is_started)
        weft__worker_disarm(task->waiter.worker, task);
}

void weft__frozen_lose(uint32_t host, struct weft_scope *scope) {
    visit_tasks(lose_one, host);
    weft__scope_renew(scope);
}

void weft__scope_renew(struct weft_scope *scope) {
    weft__scope_abandon((struct weft__scope *)scope);
}

static void free_one(struct weft__task *task, void *host) {
    struct weft__worker *worker = weft__this_worker();
    if (!is_on(task, host))
        return;
    weft__list_init(&task->waiter.scopes);
    weft__store(&task->is_frozen, 0, relaxed);
    weft__let_lie(task);
    weft__worker_count_end(worker);
    if (!task->is_started) {
        weft__task_end(task, worker);
        return;
    }
    weft__leaks_forgive(task->context.sp, (size_t)(task->stack.top - (char *)task->context.sp));
    weft__worker_bury(task->waiter.worker, task);
}

void weft__frozen_free(void) {
    struct weft__runtime *runtime = weft__runtime_now();
    for (uint32_t i = 0; i < runtime->worker_count; i++)
        runtime->workers[i]->frozen = (struct weft__queue){0};
    visit_tasks(free_one, (uint32_t)WEFT__HOST_GONE);
}
