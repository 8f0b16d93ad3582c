// SPDX-License-Identifier: MIT
//
// weft_semaphore: a number of permits. Who wants many is not overtaken by those behind it that want
// few.
#include "task/entry.h"
#include "task/wait_queue.h"

#include <errno.h>
#include <weft/sync.h>

struct semaphore { // guarded by the queue's lock
    struct weft__wait_queue queue;
    uint64_t permits;
};

_Static_assert(sizeof(struct semaphore) <= sizeof(weft_semaphore), "weft_semaphore is too small");

static bool give(struct semaphore *semaphore, uint64_t count) {
    if (semaphore->permits < count)
        return false;
    semaphore->permits -= count;
    return true;
}

static void serve(struct semaphore *semaphore) {
    struct weft__seat *first;
    while ((first = weft__wait_queue_first(&semaphore->queue)) && give(semaphore, first->wants))
        weft__wait_queue_grant(first);
}

// One that gives up may have wanted more than there was, and those behind it less.
static int take(struct semaphore *semaphore, struct weft__waiter *self, uint32_t count) {
    struct weft__seat seat = {.wants = count};
    int error = 0;
    weft__wait_queue_enter(&semaphore->queue, self);
    if (weft__wait_queue_first(&semaphore->queue) || !give(semaphore, count)) {
        error = weft__wait_queue_wait(&semaphore->queue, &seat, self, "semaphore");
        if (error < 0)
            serve(semaphore);
    }
    weft__wait_queue_leave(&semaphore->queue);
    return error;
}

static int try_take(struct semaphore *semaphore, struct weft__waiter *self, uint32_t count) {
    weft__wait_queue_enter(&semaphore->queue, self);
    bool is_taken = !weft__wait_queue_first(&semaphore->queue) && give(semaphore, count);
    weft__wait_queue_leave(&semaphore->queue);
    return is_taken ? 0 : -EAGAIN;
}

static int put(struct semaphore *semaphore, struct weft__waiter *self, uint32_t count) {
    weft__wait_queue_enter(&semaphore->queue, self);
    bool has_room = semaphore->permits + count <= WEFT_SEMAPHORE_MAX;
    if (has_room)
        semaphore->permits += count;
    serve(semaphore);
    weft__wait_queue_leave(&semaphore->queue);
    return has_room ? 0 : -EOVERFLOW;
}

static bool is_valid(const weft_semaphore *public, uint32_t count) {
    return public && count >= 1 && count <= WEFT_SEMAPHORE_MAX;
}

int weft_semaphore_acquire(weft_semaphore *public, uint32_t count) {
    struct weft__waiter *self = weft__self();
    if (!self)
        return -ENOMEM;
    int error = is_valid(public, count) ? weft__enter(self) : -EINVAL;
    if (error == 0)
        error = take((struct semaphore *)public, self, count);
    return weft__leave(self, "semaphore_acquire", error);
}

int weft_semaphore_try_acquire(weft_semaphore *public, uint32_t count) {
    struct weft__waiter *self = weft__self();
    if (!self)
        return -ENOMEM;
    int error = is_valid(public, count) ? weft__enter_at_once(self) : -EINVAL;
    if (error == 0)
        error = try_take((struct semaphore *)public, self, count);
    return weft__leave(self, "semaphore_try_acquire", error);
}

int weft_semaphore_release(weft_semaphore *public, uint32_t count) {
    struct weft__waiter *self = weft__self();
    if (!self)
        return -ENOMEM;
    int error = is_valid(public, count) ? weft__enter_at_once(self) : -EINVAL;
    if (error == 0)
        error = put((struct semaphore *)public, self, count);
    return weft__leave(self, "semaphore_release", error);
}
