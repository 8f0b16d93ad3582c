// SPDX-License-Identifier: MIT
//
// What every public call that may wait begins and ends with.
#include "task/entry.h"

#include "driver/driver.h"
#include "task/park.h"
#include "task/worker.h"

#include <errno.h>

// Each operation, inline successes included, costs one of the budget; without any left the others
// go first.
static void charge(struct weft__waiter *self) {
    if (!self->worker)
        return;
    if (--self->budget > 0 && weft__driver_choose(self->driver, WEFT__PICK_YIELD, 2) != 1)
        return;
    self->budget = WEFT__BUDGET;
    weft__worker_end_turn(self->worker);
}

int weft__enter(struct weft__waiter *self) {
    if (!weft__is_orphan())
        charge(self);
    int error = weft__interrupted(self);
    return error < 0 ? error : weft__barred(self);
}

int weft__enter_at_once(struct weft__waiter *self) {
    return weft__is_orphan() ? -ECHILD : weft__barred(self);
}

static WEFT__COLD int refused(struct weft__waiter *self, const char *name, int code) {
    (void)weft__failed(self, name, 0, code);
    weft__failed_by_deadline(self, code);
    return code;
}

int weft__leave(struct weft__waiter *self, const char *name, int code) {
    return code < 0 ? refused(self, name, code) : code;
}
