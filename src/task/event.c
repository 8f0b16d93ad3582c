// SPDX-License-Identifier: MIT
//
// weft_event: open for all, for one, or for nobody.
#include "task/entry.h"
#include "task/wait_queue.h"

#include <errno.h>
#include <weft/sync.h>

enum state { CLOSED, OPEN_FOR_ONE, OPEN };

struct event { // guarded by the queue's lock; somebody waits only while it is closed
    struct weft__wait_queue queue;
    enum state state;
};

_Static_assert(sizeof(struct event) <= sizeof(weft_event), "weft_event is too small");

static int pass(struct event *event, struct weft__waiter *self) {
    struct weft__seat seat;
    int error = 0;
    weft__wait_queue_enter(&event->queue, self);
    if (event->state == CLOSED)
        error = weft__wait_queue_wait(&event->queue, &seat, self, "event");
    else if (event->state == OPEN_FOR_ONE)
        event->state = CLOSED;
    weft__wait_queue_leave(&event->queue);
    return error;
}

int weft_event_wait(weft_event *public) {
    struct weft__waiter *self = weft__self();
    if (!self)
        return -ENOMEM;
    int error = public ? weft__enter(self) : -EINVAL;
    if (error == 0)
        error = pass((struct event *)public, self);
    return weft__leave(self, "event_wait", error);
}

// What waits is let in as far as the new state goes; what that uses up is not kept.
static void change(weft_event *public, enum state state) {
    struct event *event = (struct event *)public;
    struct weft__waiter *self = weft__self();
    if (!event || !self || weft__enter_at_once(self) < 0)
        return;
    weft__wait_queue_enter(&event->queue, self);
    struct weft__seat *first = weft__wait_queue_first(&event->queue);
    if (state == OPEN_FOR_ONE && first)
        weft__wait_queue_grant(first);
    else if (state != OPEN_FOR_ONE || event->state == CLOSED)
        event->state = state;
    while (event->state == OPEN && (first = weft__wait_queue_first(&event->queue)))
        weft__wait_queue_grant(first);
    weft__wait_queue_leave(&event->queue);
}

void weft_event_set(weft_event *public) {
    change(public, OPEN);
}

void weft_event_set_one(weft_event *public) {
    change(public, OPEN_FOR_ONE);
}

void weft_event_reset(weft_event *public) {
    change(public, CLOSED);
}
