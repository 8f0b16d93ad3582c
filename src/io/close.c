// SPDX-License-Identifier: MIT
//
// Closing, aborting, shutting down. None of these is ever refused or cut short by a cancellation.
#include "io/call.h"

#include "task/park.h"

#include <errno.h>
#include <weft/io.h>

int weft_close(int h) {
    struct weft__handle *handle;
    if (h < 0)
        return h;
    struct weft__waiter *self = weft__self();
    if (!self)
        return -ENOMEM;
    int error = weft__handle_close(self, h, &handle);
    if (error < 0)
        return error;
    weft__ctl_close(self, weft__handle_take_fd(handle));
    weft__handle_free(handle);
    return 0;
}

// At worst, when the option cannot be set, it is closed as weft_close does; and so are other kinds.
int weft_abort(int h) {
    struct weft__turn turn;
    if (h < 0)
        return h;
    struct weft__waiter *self = weft__self();
    if (!self)
        return -ENOMEM;
    if (weft__is_orphan())
        return (int)weft__failed(self, "abort", h, -ECHILD);
    if (weft__turn_begin(&turn, self, h, WEFT__SIDE_NONE, WEFT__KIND_STREAM) == 0) {
        struct weft__ctl ctl = {.kind = WEFT__CTL_SET,
                                .fd = turn.handle->fd,
                                .option = WEFT__OPT_LINGER_ZERO,
                                .value = 1};
        (void)weft__ctl(self, &ctl);
        weft__turn_end(&turn);
    }
    return weft_close(h); // which leaves the record of the last failure as it is
}

void weft_priv_autoclose(int *h) {
    (void)weft_close(*h);
}

int weft_shutdown(int h, int how) {
    struct weft__call call;
    if (h < 0)
        return h;
    int error = weft__call_enter(&call, "shutdown", h, WEFT__KIND_STREAM);
    if (error < 0)
        return error;
    if (how == 0 || how & ~(WEFT_READ | WEFT_WRITE))
        return (int)weft__call_end(&call, -EINVAL);
    struct weft__ctl ctl = {.kind = WEFT__CTL_SHUTDOWN, .fd = call.turn.handle->fd, .value = how};
    int64_t result = weft__ctl(call.self, &ctl);
    if (result == 0 && how & WEFT_READ)
        weft__store(&call.turn.handle->is_read_shut, 1, relaxed);
    return (int)weft__call_end(&call, result);
}
