// SPDX-License-Identifier: MIT
//
// weft_barrier: who comes last lets all go, and the barrier is as new for the next round.
#include "task/entry.h"
#include "task/wait_queue.h"

#include <errno.h>
#include <weft/sync.h>

struct barrier { // guarded by the queue's lock
    struct weft__wait_queue queue;
    uint32_t arrived; // and waiting, in this round
    uint32_t count;   // for how many they wait, if any does
};

_Static_assert(sizeof(struct barrier) <= sizeof(weft_barrier), "weft_barrier is too small");

static void let_all_go(struct barrier *barrier) {
    struct weft__seat *first;
    barrier->arrived = 0;
    while ((first = weft__wait_queue_first(&barrier->queue)))
        weft__wait_queue_grant(first);
}

static int arrive(struct barrier *barrier, struct weft__waiter *self, uint32_t count) {
    struct weft__seat seat;
    if (barrier->arrived > 0 && barrier->count != count)
        return -EINVAL;
    if (barrier->arrived + 1 == count) {
        let_all_go(barrier);
        return 1;
    }
    barrier->count = count;
    barrier->arrived++;
    int error = weft__wait_queue_wait(&barrier->queue, &seat, self, "barrier");
    if (error < 0) // not granted: this is still the round in which it arrived
        barrier->arrived--;
    return error;
}

int weft_barrier_wait(weft_barrier *public, uint32_t count) {
    struct barrier *barrier = (struct barrier *)public;
    struct weft__waiter *self = weft__self();
    if (!self)
        return -ENOMEM;
    int result = barrier && count > 0 ? weft__enter(self) : -EINVAL;
    if (result == 0) {
        weft__wait_queue_enter(&barrier->queue, self);
        result = arrive(barrier, self, count);
        weft__wait_queue_leave(&barrier->queue);
    }
    return weft__leave(self, "barrier_wait", result);
}
