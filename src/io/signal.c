// SPDX-License-Identifier: MIT
//
// The public calls about signals. What becomes of those is task/signals.c.
#include "io/call.h"

#include "os/signals.h"
#include "task/signals.h"

#include <errno.h>
#include <weft/task.h>

static int refuse(struct weft__waiter *self, const char *call, int code) {
    const char *detail = NULL;
    if (code == -EINVAL)
        detail = "no signal, or one that nobody can wait for";
    if (code == -ENOTSUP)
        detail = "the simulator has no signals";
    if (code == -EAGAIN)
        detail = "no thread is to be had: raise ulimit -u";
    (void)weft__failed_text(self, call, "", detail, code);
    weft__failed_by_deadline(self, code);
    return code;
}

// 0: there is none, or one of them cannot be waited for.
static uint64_t set_of(const int *signals, int count) {
    uint64_t set = 0;
    for (int i = 0; signals && i < count; i++) {
        if (!weft__signal_is_awaitable(signals[i]))
            return 0;
        set |= weft__signal_bit(signals[i]);
    }
    return set;
}

int weft_signal_hold(const int *signals, int count) {
    struct weft__waiter *self = weft__self();
    if (!self)
        return -ENOMEM;
    uint64_t wanted = set_of(signals, count);
    int code = weft__is_orphan() ? -ECHILD : 0;
    if (code == 0 && wanted == 0)
        code = -EINVAL;
    if (code == 0)
        code = self->driver->class->is_virtual ? -ENOTSUP : weft__signals_keep(wanted);
    return code < 0 ? refuse(self, "signal_hold", code) : 0;
}

int weft_signal_wait(const int *signals, int count) {
    struct weft__waiter *self = weft__self();
    if (!self)
        return -ENOMEM;
    uint64_t wanted = set_of(signals, count);
    int code = wanted == 0 ? -EINVAL : weft__enter(self);
    if (code == 0 && self->driver->class->is_virtual)
        code = -ENOTSUP;
    if (code == 0)
        code = self->may_not_wait ? -ENOMEM : weft__signals_await(self, wanted);
    return code < 0 ? refuse(self, "signal_wait", code) : code;
}
