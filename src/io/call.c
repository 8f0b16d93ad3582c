// SPDX-License-Identifier: MIT
//
// Calls and operations.
//
// An operation is tried inline; what would wait is submitted, and the caller parks until the driver
// says that it is done. Meanwhile an interruption (cancel, deadline, close of the handle) is
// answered once, by asking the driver to cancel; then the wait goes on, because the buffer is the
// driver's until its completion. If that says -ECANCELED, nothing happened and the interruption is
// the result; else the operation's own result is.
#include "io/call.h"

#include "os/os.h"
#include "task/park.h"
#include "task/worker.h"

#include <errno.h>

static void op_done(struct weft__op *op) {
    weft__unpark_own(op->owner); // an operation completes on the thread that submitted it
}

// ---- A stream's errors ----------------------------------------------------------------------

static bool is_fatal(int64_t code) {
    switch (code) {
    case -ECONNRESET:
    case -ECONNABORTED:
    case -ETIMEDOUT:
    case -EHOSTUNREACH:
    case -EHOSTDOWN:
    case -ENETUNREACH:
    case -ENETDOWN:
    case -ENETRESET:
        return true;
    default:
        return false;
    }
}

// The kernel tells of a broken connection once, and a read or a write of somebody else finds an end
// instead. Hence this is done as soon as the driver says so, before either of them goes on. Reads
// and writes are of streams; the result of one that was interrupted is -ECANCELED here.
static void note_error(struct weft__handle *handle, const struct weft__op *op, int64_t result) {
    if (op->kind != WEFT__OP_READ && op->kind != WEFT__OP_WRITE)
        return;
    if (is_fatal(result))
        weft__store(&handle->error, (int)result, relaxed);
    else if (result == -EPIPE)
        weft__store(&handle->write_error, (int)result, relaxed);
}

static void op_done_at_handle(struct weft__op *op) {
    struct weft__turn *turn = op->owner;
    note_error(turn->handle, op, op->result);
    weft__unpark_own(turn->waiter);
}

// ---- Operations -----------------------------------------------------------------------------

static bool chooses(struct weft__waiter *self, enum weft__choice what) {
    return weft__driver_choose(self->driver, what, 2) == 1;
}

// `turn` is NULL when there is no handle that could be closed.
static int interruption(struct weft__waiter *self, struct weft__turn *turn) {
    if (turn && weft__turn_is_closing(turn))
        return -EBADF;
    return weft__interrupted(self);
}

static int64_t await(struct weft__waiter *self, struct weft__turn *turn, struct weft__op *op,
                     bool *ret_interrupted) {
    int reason = 0;
    while (op->is_pending) {
        if (reason == 0 && (reason = interruption(self, turn)) < 0)
            self->driver->class->cancel(self->driver, op);
        else
            weft__park(self, reason == 0 ? weft__interrupt_at(self) : INT64_MAX);
    }
    if (op->result != -ECANCELED || reason == 0)
        return op->result;
    *ret_interrupted = true;
    return reason;
}

int64_t weft__perform_start(struct weft__waiter *self, struct weft__op *op) {
    int injected = weft__fail(WEFT__FAIL_READ + op->kind);
    if (injected < 0)
        return injected;
    int64_t result = -EAGAIN;
    if (self->may_not_wait)
        op->flags |= WEFT__OP_INSIST; // there will be no second chance
    if (self->may_not_wait || !chooses(self, WEFT__PICK_INLINE))
        result = self->driver->class->try(self->driver, op);
    if (result != -EAGAIN)
        return result;
    if (self->may_not_wait)
        return -ENOMEM;
    op->owner = self;
    op->done = op_done;
    result = self->driver->class->submit(self->driver, op);
    return result < 0 ? result : -EAGAIN;
}

int64_t weft__perform(struct weft__waiter *self, struct weft__op *op, bool *ret_interrupted) {
    bool ignored;
    int64_t result = weft__perform_start(self, op);
    if (result != -EAGAIN)
        return result;
    return await(self, NULL, op, ret_interrupted ? ret_interrupted : &ignored);
}

int64_t weft__call_attempt(struct weft__call *call, struct weft__op *op) {
    int injected = weft__fail(WEFT__FAIL_READ + op->kind);
    op->fd = call->turn.handle->fd;
    op->serial = call->turn.handle->serial;
    op->flags |= WEFT__OP_INSIST;
    return injected < 0 ? injected : call->self->driver->class->try(call->self->driver, op);
}

int64_t weft__call_perform(struct weft__call *call, struct weft__op *op) {
    op->fd = call->turn.handle->fd;
    op->serial = call->turn.handle->serial;
    call->is_interrupted = false;
    int64_t result = weft__perform_start(call->self, op);
    if (result != -EAGAIN) {
        note_error(call->turn.handle, op, result);
        return result;
    }
    op->owner = &call->turn; // it is not done before we wait
    op->done = op_done_at_handle;
    weft__turn_waits(&call->turn);
    weft__waits(call->self, call->name, call->h, NULL);
    result = await(call->self, &call->turn, op, &call->is_interrupted);
    weft__turn_waited(&call->turn);
    return result;
}

static int fail(struct weft__call *call, int code, bool is_interrupted) {
    (void)weft__failed(call->self, call->name, call->h, code);
    if (is_interrupted)
        weft__failed_by_deadline(call->self, code);
    return code;
}

int weft__call_begin(struct weft__call *call, const char *name, int h, enum weft__side side,
                     unsigned kinds) {
    *call = (struct weft__call){.self = weft__self(), .name = name, .h = h};
    if (!call->self)
        return -ENOMEM;
    int error = weft__enter(call->self);
    if (error == 0)
        error = weft__turn_begin(&call->turn, call->self, h, side, kinds);
    return error < 0 ? fail(call, error, true) : 0;
}

int weft__call_enter(struct weft__call *call, const char *name, int h, unsigned kinds) {
    *call = (struct weft__call){.self = weft__self(), .name = name, .h = h};
    if (!call->self)
        return -ENOMEM;
    int error = weft__is_orphan() ? -ECHILD : 0;
    if (error == 0)
        error = weft__turn_begin(&call->turn, call->self, h, WEFT__SIDE_NONE, kinds);
    return error < 0 ? fail(call, error, false) : 0;
}

int64_t weft__call_end(struct weft__call *call, int64_t result) {
    weft__turn_end(&call->turn);
    if (result < 0)
        (void)fail(call, (int)result, call->is_interrupted);
    return result;
}

int64_t weft__ctl(struct weft__waiter *self, struct weft__ctl *ctl) {
    int injected = weft__fail(WEFT__FAIL_CTL);
    ctl->host = self->host;
    if (injected == 0)
        injected = weft__barred(self);
    return injected < 0 ? injected : self->driver->class->ctl(self->driver, ctl);
}

void weft__ctl_close(struct weft__waiter *self, int fd) {
    struct weft__ctl ctl = {.kind = WEFT__CTL_CLOSE, .fd = fd};
    (void)self->driver->class->ctl(self->driver, &ctl); // close(2) has no failure we could act on
}
