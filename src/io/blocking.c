// SPDX-License-Identifier: MIT
//
// weft_blocking: in a task the call goes to the runtime's pool; elsewhere, and on the simulator,
// which has no threads, the function is called here and now.
#include "io/call.h"

#include "task/blocking.h"

#include <errno.h>
#include <weft/task.h>

static int refuse(struct weft__waiter *self, int code) {
    const char *detail = code == -EAGAIN ? "no thread is to be had: raise ulimit -u" : NULL;
    (void)weft__failed_text(self, "blocking", "", detail, code);
    weft__failed_by_deadline(self, code);
    return code;
}

int weft_blocking(int (*fn)(void *), void *arg) {
    struct weft__waiter *self = weft__self();
    int result;
    if (!self)
        return -ENOMEM;
    int code = fn ? weft__enter(self) : -EINVAL;
    if (code < 0)
        return refuse(self, code);
    struct weft__blocking *pool = weft__blocking_of(self);
    if (!pool)
        return fn(arg);
    if (self->may_not_wait)
        return refuse(self, -ENOMEM);
    code = weft__blocking_call(pool, self, fn, arg, &result);
    return code < 0 ? refuse(self, code) : result;
}
