// SPDX-License-Identifier: MIT
//
// weft_rwlock: one writer or any number of readers. In order: a reader that comes while somebody
// waits goes to the end of the queue, so that writers do not starve; and the readers at the front
// of the queue get in together.
#include "task/entry.h"
#include "task/misuse.h"
#include "task/wait_queue.h"

#include <errno.h>
#include <weft/sync.h>

enum access { TO_READ, TO_WRITE }; // what a seat wants

struct rwlock { // guarded by the queue's lock
    struct weft__wait_queue queue;
    struct weft__waiter *writer;
    uint64_t readers;
};

_Static_assert(sizeof(struct rwlock) <= sizeof(weft_rwlock), "weft_rwlock is too small");

static bool give(struct rwlock *lock, struct weft__waiter *waiter, enum access access) {
    if (lock->writer || (access == TO_WRITE && lock->readers > 0))
        return false;
    if (access == TO_WRITE)
        lock->writer = waiter;
    else
        lock->readers++;
    return true;
}

static void serve(struct rwlock *lock) {
    struct weft__seat *first;
    while ((first = weft__wait_queue_first(&lock->queue)) &&
           give(lock, first->waiter, (enum access)first->wants))
        weft__wait_queue_grant(first);
}

// A writer that gives up may have been all that stood before the readers behind it.
static int take(struct rwlock *lock, struct weft__waiter *self, enum access access) {
    struct weft__seat seat = {.wants = access};
    int error = 0;
    weft__wait_queue_enter(&lock->queue, self);
    if (lock->writer == self) {
        error = -EDEADLK;
    } else if (weft__wait_queue_first(&lock->queue) || !give(lock, self, access)) {
        error = weft__wait_queue_wait(&lock->queue, &seat, self,
                                      access == TO_WRITE ? "lock to write" : "lock to read");
        if (error < 0)
            serve(lock);
    }
    weft__wait_queue_leave(&lock->queue);
    return error;
}

static int try_take(struct rwlock *lock, struct weft__waiter *self, enum access access) {
    weft__wait_queue_enter(&lock->queue, self);
    bool is_taken = !weft__wait_queue_first(&lock->queue) && give(lock, self, access);
    weft__wait_queue_leave(&lock->queue);
    return is_taken ? 0 : -EAGAIN;
}

static int lock(weft_rwlock *public, enum access access, const char *name) {
    struct weft__waiter *self = weft__self();
    if (!self)
        return -ENOMEM;
    int error = public ? weft__enter(self) : -EINVAL;
    if (error == 0)
        error = take((struct rwlock *)public, self, access);
    return weft__leave(self, name, error);
}

static int try_lock(weft_rwlock *public, enum access access, const char *name) {
    struct weft__waiter *self = weft__self();
    if (!self)
        return -ENOMEM;
    int error = public ? weft__enter_at_once(self) : -EINVAL;
    if (error == 0)
        error = try_take((struct rwlock *)public, self, access);
    return weft__leave(self, name, error);
}

int weft_rwlock_read(weft_rwlock *public) {
    return lock(public, TO_READ, "rwlock_read");
}

int weft_rwlock_write(weft_rwlock *public) {
    return lock(public, TO_WRITE, "rwlock_write");
}

int weft_rwlock_try_read(weft_rwlock *public) {
    return try_lock(public, TO_READ, "rwlock_try_read");
}

int weft_rwlock_try_write(weft_rwlock *public) {
    return try_lock(public, TO_WRITE, "rwlock_try_write");
}

void weft_rwlock_unlock(weft_rwlock *public) {
    struct rwlock *lock = (struct rwlock *)public;
    struct weft__waiter *self = weft__self();
    if (!lock || !self || weft__is_orphan())
        return;
    weft__wait_queue_enter(&lock->queue, self);
    bool is_held = lock->writer == self || lock->readers > 0;
    if (lock->writer == self)
        lock->writer = NULL;
    else if (is_held)
        lock->readers--;
    serve(lock);
    weft__wait_queue_leave(&lock->queue);
    if (!is_held)
        weft__misuse(self, "unlocks a weft_rwlock that it does not hold");
}
