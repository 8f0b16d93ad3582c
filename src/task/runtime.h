// SPDX-License-Identifier: MIT
//
// The runtime: workers, the pool of tasks, the root of the scopes. One at a time; the pointer to it
// is the only global.
#ifndef WEFT__RUNTIME_H
#define WEFT__RUNTIME_H

#include "task/scope.h"
#include "task/task.h"

struct weft__runtime {
    struct weft__worker *workers[1];
    struct weft__task *zero; // of worker 0
    struct weft__task_pool pool;
    struct weft__scope root;
    WEFT__ATOMIC(uint32_t) living; // tasks not yet ended, or CLOSED (runtime.c)
    WEFT__ATOMIC(uint32_t) stopping;
    bool reports_overflow;
};

// Counts a coming task in, starting the runtime if there is none. Returns 0 or why it did not
// start.
int weft__runtime_enter(struct weft__runtime **ret_runtime);
void weft__runtime_task_ended(struct weft__runtime *runtime);

// The one that runs, or NULL. For tests and reports.
struct weft__runtime *weft__runtime_now(void);

// In the child of a fork there is none.
void weft__runtime_after_fork(void);

// Starts with a driver that the caller made, on defaults; takes it, even on failure.
int weft__runtime_start_on(struct weft__waiter *self, struct weft__driver *driver);

#endif
