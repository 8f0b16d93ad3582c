// SPDX-License-Identifier: MIT
//
// The life of a task between weft_go and its scope: made, prepared on a stack, ended; and the pool
// its record comes from. Which task runs when is worker.c.
#ifndef WEFT__TASK_H
#define WEFT__TASK_H

#include "os/lock.h"
#include "task/worker.h"

// Records of tasks, in chunks that live as long as the runtime. The lock guards both lists: tasks
// are started from any thread.
struct weft__task_pool {
    struct weft__lock lock;
    struct weft__list free;
    struct weft__task_chunk *chunks;
};

void weft__task_pool_init(struct weft__task_pool *pool);
void weft__task_pool_destroy(struct weft__task_pool *pool);
struct weft__task *weft__task_take(struct weft__task_pool *pool); // NULL: no memory
void weft__task_give(struct weft__task_pool *pool, struct weft__task *task);

// Lays the first frame on the stack that the task was given.
void weft__task_prepare(struct weft__task *task);
// The function has returned and the stack is gone: tells the scope, releases the record.
void weft__task_end(struct weft__task *task);

#endif
