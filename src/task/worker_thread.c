// SPDX-License-Identifier: MIT
//
// 1. A thread makes its driver and its stacks itself, because a driver belongs to the thread that
//    started it. Until all threads have done so none runs tasks: they read the list of workers.
// 2. At the end each leaves its scheduler first, and frees what is its own only when all have left
//    theirs and nobody stops them any more: until then somebody may look into its queues, or be
//    about to wake it. `threads` counts them and the one that stops them.
#include "task/worker_thread.h"

#include "driver/driver.h"
#include "os/os.h"

#include <errno.h>
#include <stdio.h>

enum { WAITING, GO, END }; // runtime->up

struct launch { // lives until `state` says how it went
    struct weft__runtime *runtime;
    struct weft__worker *worker;
    const struct weft__worker_plan *plan;
    int error;
    WEFT__ATOMIC(uint32_t) state; // 1: known
};

static int make_driver(struct launch *launch, struct weft__driver **ret_driver) {
    const struct weft__worker_plan *plan = launch->plan;
    char note[WEFT__SUBJECT_SIZE * 2] = "";
    int error = weft__driver_start(plan->driver, ret_driver, note, sizeof note);
    if (error < 0 && plan->may_fall_back && weft__driver_start("epoll", ret_driver, NULL, 0) == 0) {
        weft__log(WEFT__LOG_WARN, "driver of worker %u: epoll (%s)",
                  weft__worker_number(launch->worker), note);
        return 0;
    }
    if (error < 0 || launch->worker->index == 0)
        (void)snprintf(error < 0 ? plan->cause : plan->note, plan->text_size, "%s", note);
    return error;
}

static int make(struct launch *launch) {
    struct weft__driver *driver;
    int error = make_driver(launch, &driver);
    if (error < 0)
        return error;
    error = weft__worker_init(launch->worker, launch->runtime, driver, launch->plan->stack_size,
                              launch->runtime->worker_count);
    if (error < 0)
        driver->class->stop(driver);
    return error;
}

static void await_go(struct weft__runtime *runtime) {
    while (weft__load(&runtime->up, acquire) == WAITING)
        weft__futex_wait(&runtime->up, WAITING, INT64_MAX);
}

// Rule 2.
static void leave(struct weft__runtime *runtime) {
    if (weft__fetch_sub(&runtime->threads, 1, acq_rel) == 1)
        weft__futex_wake(&runtime->threads, UINT32_MAX);
}

static void await_others(struct weft__runtime *runtime) {
    uint32_t left;
    leave(runtime);
    while ((left = weft__load(&runtime->threads, acquire)) > 0)
        weft__futex_wait(&runtime->threads, left, INT64_MAX);
}

static void thread_main(void *arg) {
    struct launch *launch = arg;
    struct weft__worker *worker = launch->worker;
    struct weft__runtime *runtime = launch->runtime;
    void *signal_stack = NULL;
    int error = launch->error = make(launch);
    if (error == 0) {
        signal_stack = weft__overflow_stack_give();
        weft__fetch_add(&runtime->threads, 1, relaxed);
    }
    weft__store(&launch->state, 1, release);
    weft__futex_wake(&launch->state, 1); // a wake of an address that may be gone is harmless
    if (error < 0)
        return;
    weft__store(&worker->thread, weft__os_thread_id(), relaxed);
    await_go(runtime);
    if (weft__load(&runtime->up, acquire) == GO)
        weft__worker_run(worker);
    await_others(runtime);
    weft__worker_destroy(worker);
    weft__overflow_stack_take(signal_stack);
}

int weft__worker_thread_start(struct weft__runtime *runtime, struct weft__worker *worker,
                              const struct weft__worker_plan *plan) {
    struct launch launch = {.runtime = runtime, .worker = worker, .plan = plan};
    char name[16];
    if (weft__worker_is_virtual(runtime))
        return weft__worker_virtual_start(runtime, worker, plan->stack_size);
    (void)snprintf(name, sizeof name, "weft-%u", weft__worker_number(worker));
    plan->cause[0] = '\0';
    struct weft__os_thread thread;
    int error = weft__os_thread_create(&thread, name, thread_main, &launch);
    if (error == -EAGAIN)
        (void)snprintf(plan->cause, plan->text_size,
                       "no thread for a worker (raise ulimit -u, or the pids limit of the control "
                       "group)");
    if (error < 0)
        return error;
    while (!weft__load(&launch.state, acquire))
        weft__futex_wait(&launch.state, 0, INT64_MAX);
    if (launch.error < 0)
        weft__os_thread_join(&thread);
    else
        runtime->os_threads[worker->index] = thread;
    return launch.error;
}

static void let(struct weft__runtime *runtime, uint32_t what) {
    weft__store(&runtime->up, what, release);
    weft__futex_wake(&runtime->up, UINT32_MAX);
}

void weft__worker_threads_go(struct weft__runtime *runtime) {
    let(runtime, GO);
}

void weft__worker_threads_end(struct weft__runtime *runtime, uint32_t count) {
    uint32_t first = runtime->has_own_threads ? 0 : 1;
    if (weft__worker_is_virtual(runtime)) {
        for (uint32_t i = first; i < count; i++)
            weft__worker_virtual_end(runtime->workers[i]);
        return;
    }
    if (weft__load(&runtime->up, relaxed) == WAITING)
        let(runtime, END);
    else
        for (uint32_t i = first; i < count; i++)
            weft__worker_stop(runtime->workers[i]);
    leave(runtime);
    for (uint32_t i = first; i < count; i++)
        weft__os_thread_join(&runtime->os_threads[i]);
}
