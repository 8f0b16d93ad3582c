// SPDX-License-Identifier: MIT
//
// The queue of wait_queue.h: waiting and granting.
#include "task/wait_queue.h"

#include "task/park.h"

#include <errno.h>

static void sit_down(struct weft__wait_queue *queue, struct weft__seat *seat,
                     struct weft__waiter *self) {
    if (weft__list_is_empty(&queue->waiting))
        weft__list_init(&queue->waiting);
    seat->link = (struct weft__list){0};
    seat->waiter = self;
    seat->is_granted = false;
    weft__list_push_back(&queue->waiting, &seat->link);
}

int weft__wait_queue_wait(struct weft__wait_queue *queue, struct weft__seat *seat,
                          struct weft__waiter *self, const char *what) {
    if (self->may_not_wait)
        return -ENOMEM;
    sit_down(queue, seat, self);
    weft__waits(self, what, 0, NULL);
    for (;;) {
        weft__wait_queue_leave(queue);
        weft__park(self, weft__interrupt_at(self));
        weft__wait_queue_enter(queue, self);
        if (seat->is_granted)
            return 0;
        int error = weft__interrupted(self);
        if (error < 0) {
            weft__list_remove(&seat->link);
            return error;
        }
    }
}

void weft__wait_queue_grant(struct weft__seat *seat) {
    weft__list_remove(&seat->link);
    seat->is_granted = true;
    weft__unpark(seat->waiter);
}

size_t weft__wait_queue_length(struct weft__wait_queue *queue, const struct weft__waiter *self) {
    size_t length = 0;
    weft__wait_queue_enter(queue, self);
    struct weft__list *link = weft__list_first(&queue->waiting);
    for (; link; link = weft__list_next(&queue->waiting, link))
        length++;
    weft__wait_queue_leave(queue);
    return length;
}
