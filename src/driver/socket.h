// SPDX-License-Identifier: MIT
//
// What the real drivers share: one attempt at an operation on a real socket, and everything that
// never waits. Not here: waiting, which is what makes a driver.
#ifndef WEFT__SOCKET_H
#define WEFT__SOCKET_H

#include "driver/op.h"

// Makes one attempt that never waits: >= 0, a negative errno, or -EAGAIN. An attempt to connect
// begins the connection and leaves a note of that in op->slot, which is to stay there from `try` to
// `submit`: later attempts ask how it went. WEFT__OP_RESOLVE: -EAGAIN.
int64_t weft__socket_try(struct weft__op *op);

// All of struct weft__ctl on this machine.
int64_t weft__socket_ctl(struct weft__ctl *ctl);

// The poll(2) events that an op waits for, POLLIN and POLLOUT (EPOLLIN and EPOLLOUT are the same
// numbers); 0 for WEFT__OP_RESOLVE.
uint32_t weft__op_events(const struct weft__op *op);

// The bytes that an op's iov holds.
size_t weft__op_size(const struct weft__op *op);

// The entries of the contract that are the same on every real driver.
int64_t weft__real_now(struct weft__driver *d, enum weft__clock clock);
int64_t weft__real_ctl(struct weft__driver *d, struct weft__ctl *ctl);

// Begins what a submit has to begin: a connection that no `try` has begun. Returns -EAGAIN if the
// op has to wait, else its result, which the next `wait` delivers.
int64_t weft__socket_begin(struct weft__op *op);

// What a waiting op answers that is cancelled: -ECANCELED, but for a connect whose outcome is there
// already and was not looked at yet. That one has happened.
int64_t weft__socket_cancelled(struct weft__op *op);

#endif
