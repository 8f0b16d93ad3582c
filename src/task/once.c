// SPDX-License-Identifier: MIT
//
// weft_once: one runs, the others wait for that; one that fails hands the attempt to the first of
// them.
#include "task/entry.h"
#include "task/wait_queue.h"

#include <errno.h>
#include <weft/sync.h>

struct once {
    struct weft__wait_queue queue;
    struct weft__waiter *runner;    // guarded by the queue's lock
    WEFT__ATOMIC(uint32_t) is_done; // set under it; what fn wrote is seen by who finds it set
};

_Static_assert(sizeof(struct once) <= sizeof(weft_once), "weft_once is too small");

enum { DONE, RUN };

// Returns DONE, RUN, or an error.
static int begin(struct once *once, struct weft__waiter *self) {
    struct weft__seat seat;
    int error = 0;
    weft__wait_queue_enter(&once->queue, self);
    if (once->runner == self)
        error = -EDEADLK;
    else if (once->runner) // if it fails and this one is the first, that is made the runner
        error = weft__wait_queue_wait(&once->queue, &seat, self, "once");
    else if (!weft__load(&once->is_done, relaxed))
        once->runner = self;
    bool is_runner = once->runner == self;
    weft__wait_queue_leave(&once->queue);
    if (error < 0)
        return error;
    return is_runner ? RUN : DONE;
}

static void end(struct once *once, struct weft__waiter *self, bool is_done) {
    struct weft__seat *first;
    weft__wait_queue_enter(&once->queue, self);
    once->runner = NULL;
    if (is_done)
        weft__store(&once->is_done, 1, release);
    while ((first = weft__wait_queue_first(&once->queue)) && !once->runner) {
        if (!is_done)
            once->runner = first->waiter;
        weft__wait_queue_grant(first);
    }
    weft__wait_queue_leave(&once->queue);
}

int weft_once_run(weft_once *public, int (*fn)(void *), void *arg) {
    struct once *once = (struct once *)public;
    struct weft__waiter *self = weft__self();
    if (!self)
        return -ENOMEM;
    int error = once && fn ? weft__enter(self) : -EINVAL;
    if (error == 0 && weft__load(&once->is_done, acquire))
        return 0;
    if (error == 0)
        error = begin(once, self);
    if (error <= 0)
        return weft__leave(self, "once_run", error);
    int result = fn(arg);
    end(once, self, result >= 0);
    return result < 0 ? result : 0; // a failure is what fn has recorded of it
}
