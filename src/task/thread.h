// SPDX-License-Identifier: MIT
//
// The record of a plain thread, which is also task zero's when that thread started the runtime.
#ifndef WEFT__THREAD_H
#define WEFT__THREAD_H

#include "task/worker.h"

struct weft__thread {
    struct weft__task zero; // first: the thread as a waiter
    struct weft__notes notes;
    struct weft__driver *driver; // a thread driver of its own
    struct weft__list link;      // in the pool
};

// The calling thread's record as task zero; its waiter must be weft__self's.
struct weft__task *weft__thread_zero(struct weft__waiter *self);
// The thread's own driver, for when there is no runtime.
struct weft__driver *weft__thread_driver(struct weft__task *zero);
// In the child of a fork: only the calling thread is left.
void weft__thread_after_fork(void);

// Installs what runs in the child of every fork (fork.c), the first time it is called.
int weft__fork_hook(void);

#endif
