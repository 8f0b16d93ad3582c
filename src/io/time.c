// SPDX-License-Identifier: MIT
//
// Sleeping, yielding, the clock and chance: the calls that wait for nothing but time or the others.
#include "io/call.h"

#include "os/os.h"
#include "task/park.h"
#include "task/worker.h"

#include <errno.h>
#include <weft/task.h>

// Its own time counts as reached when it is not later than the ambient deadline.
static int sleep_until(struct weft__waiter *self, int64_t until) {
    for (;;) {
        int code = weft__interrupted(self);
        if (code == -ETIMEDOUT && until <= self->deadline)
            code = 0;
        if (code < 0 || weft__coarse_now(self) >= until)
            return code;
        if (self->may_not_wait)
            return -ENOMEM;
        int64_t at = weft__interrupt_at(self);
        weft__park(self, at < until ? at : until);
    }
}

int weft_sleep(int64_t ns) {
    struct weft__waiter *self = weft__self();
    if (!self)
        return -ENOMEM;
    int code = weft__enter(self);
    if (code == 0 && ns > 0) {
        weft__waits(self, "sleep", 0, NULL);
        int64_t now = weft__fresh_now(self);
        code = sleep_until(self, ns > INT64_MAX - now ? INT64_MAX : now + ns);
    }
    return weft__leave(self, "sleep", code);
}

int weft_yield(void) {
    struct weft__worker *worker = weft__this_worker();
    struct weft__waiter *self = weft__self_of(worker);
    if (!self)
        return -ENOMEM;
    int code = weft__interrupted(self);
    if (worker) // also when it is refused: one that goes on all the same stops nobody
        weft__worker_yield(worker);
    else
        weft__os_yield();
    return weft__leave(self, "yield", code);
}

int64_t weft_now(void) {
    struct weft__waiter *self = weft__self();
    return self ? weft__fresh_now(self) : weft__clock_monotonic_ns();
}

int64_t weft_wall_now(void) {
    struct weft__waiter *self = weft__self();
    struct weft__ctl ctl = {.kind = WEFT__CTL_WALL};
    if (!self)
        return weft__clock_wall_ns();
    ctl.host = self->host;
    return self->driver->class->ctl(self->driver, &ctl);
}

int weft_check(void) {
    struct weft__waiter *self = weft__self();
    if (!self)
        return -ENOMEM;
    (void)weft__fresh_now(self);
    return weft__leave(self, "check", weft__interrupted(self));
}

int weft_random(void *buf, size_t size) {
    struct weft__waiter *self = weft__self();
    struct weft__ctl ctl = {.kind = WEFT__CTL_RANDOM, .data = buf, .size = size};
    if (!self)
        return -ENOMEM;
    int code = (int)weft__ctl(self, &ctl);
    return weft__leave(self, "random", code);
}
