// SPDX-License-Identifier: MIT
//
// weft_mutex: a holder, and those who wait to be the next. An unlock makes the first of them the
// holder before it returns.
#include "task/entry.h"
#include "task/misuse.h"
#include "task/wait_queue.h"

#include <errno.h>
#include <weft/sync.h>

struct mutex {
    struct weft__wait_queue queue;
    struct weft__waiter *holder; // guarded by the queue's lock
};

_Static_assert(sizeof(struct mutex) <= sizeof(weft_mutex), "weft_mutex is too small");

static int take(struct mutex *mutex, struct weft__waiter *self) {
    struct weft__seat seat;
    int error = 0;
    weft__wait_queue_enter(&mutex->queue, self);
    if (!mutex->holder)
        mutex->holder = self;
    else if (mutex->holder == self)
        error = -EDEADLK;
    else
        error = weft__wait_queue_wait(&mutex->queue, &seat, self, "lock");
    weft__wait_queue_leave(&mutex->queue);
    return error;
}

int weft_lock(weft_mutex *public) {
    struct weft__waiter *self = weft__self();
    if (!self)
        return -ENOMEM;
    int error = public ? weft__enter(self) : -EINVAL;
    if (error == 0)
        error = take((struct mutex *)public, self);
    return weft__leave(self, "lock", error);
}

static int try_take(struct mutex *mutex, struct weft__waiter *self) {
    weft__wait_queue_enter(&mutex->queue, self);
    bool is_free = !mutex->holder;
    if (is_free)
        mutex->holder = self;
    weft__wait_queue_leave(&mutex->queue);
    return is_free ? 0 : -EAGAIN;
}

int weft_try_lock(weft_mutex *public) {
    struct weft__waiter *self = weft__self();
    if (!self)
        return -ENOMEM;
    int error = public ? weft__enter_at_once(self) : -EINVAL;
    if (error == 0)
        error = try_take((struct mutex *)public, self);
    return weft__leave(self, "try_lock", error);
}

void weft_unlock(weft_mutex *public) {
    struct mutex *mutex = (struct mutex *)public;
    struct weft__waiter *self = weft__self();
    if (!mutex || !self || weft__is_orphan())
        return;
    weft__wait_queue_enter(&mutex->queue, self);
    bool is_held = mutex->holder == self;
    struct weft__seat *next = weft__wait_queue_first(&mutex->queue);
    if (is_held) {
        mutex->holder = next ? next->waiter : NULL;
        if (next)
            weft__wait_queue_grant(next);
    }
    weft__wait_queue_leave(&mutex->queue);
    if (!is_held)
        weft__misuse(self, "unlocks a weft_mutex that it does not hold");
}
