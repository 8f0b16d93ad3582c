// SPDX-License-Identifier: MIT
//
// Simulated workers: all on the thread of task zero, one at a time.
//
// 1. Each has a driver of its own, made beside worker 0's, and a scheduler on a stack of its own. A
//    worker leaves the thread to another only there, in its driver's `wait`; the driver says to
//    whom (driver.h, rule 13). So a task, from one wait of its worker's to the next, has the thread
//    and all of the runtime to itself.
// 2. No lock is held across a wait. Hence no lock of the library is ever contended between them,
//    nobody sleeps on a futex, and no loop that gives up its time slice (weft__os_yield) finds what
//    it waits for undone: that would be for ever, since the other one does not run meanwhile. A
//    thief, who pauses between two looks, asks the driver's choice instead (balance.c).
// 3. All go on until weft_stop has found that no task is left. Then each stands in its driver's
//    wait, with nothing on its stack that would have to be given back, and is dropped there.
#include "task/worker_thread.h"

#include "driver/driver.h"
#include "os/os.h"

bool weft__worker_is_virtual(const struct weft__runtime *runtime) {
    return !runtime->has_own_threads && runtime->workers[0]->driver->class->beside != NULL;
}

static void relay(struct weft__driver *from, struct weft__driver *to) {
    struct weft__worker *left = from->owner, *entered = to->owner;
    weft__this_worker_set(entered);
    weft__context_switch(&left->context, &entered->context);
}

int weft__worker_virtual_start(struct weft__runtime *runtime, struct weft__worker *worker,
                               size_t stack_size) {
    struct weft__driver *first = runtime->workers[0]->driver, *driver;
    int error = first->class->beside(first, relay, &driver);
    if (error < 0)
        return error;
    error = weft__worker_init(worker, runtime, driver, stack_size, runtime->worker_count);
    if (error < 0) {
        driver->class->stop(driver);
        return error;
    }
    first->owner = runtime->workers[0];
    driver->owner = worker;
    weft__store(&worker->thread, weft__os_thread_id(), relaxed);
    weft__worker_make_scheduler(worker);
    return 0;
}

void weft__worker_virtual_end(struct weft__worker *worker) {
    weft__context_drop(&worker->context);
    weft__worker_destroy(worker);
}
