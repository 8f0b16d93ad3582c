// SPDX-License-Identifier: MIT
//
// Single reads and writes, on connections and datagram sockets, and readiness. The composite ones
// are in composite.c.
#include "io/stream.h"

#include "task/park.h"

#include <errno.h>
#include <weft/io.h>

enum { CONNECTED = WEFT__KIND_STREAM | WEFT__KIND_DATAGRAM, IOV_COUNT_MAX = 1024 };

// The bytes in the buffers; -EINVAL when they are more than a result could say, or no buffers.
static int64_t total(const struct iovec *iov, int count) {
    size_t size = 0;
    if (count < 0 || count > IOV_COUNT_MAX || (count > 0 && !iov))
        return -EINVAL;
    for (int i = 0; i < count; i++) {
        if (iov[i].iov_len > (size_t)INT64_MAX - size)
            return -EINVAL;
        size += iov[i].iov_len;
    }
    return (int64_t)size;
}

// ---- Streams --------------------------------------------------------------------------------

// A stream's error is reported by the kernel once, to a read or a write as it happens, and what had
// been received stays readable. So it is remembered at the handle (call.c): reads take what is
// there and then answer it, without waiting for more.
static int64_t read_broken(struct weft__call *call, struct weft__op *op, int error) {
    int64_t result = weft__call_attempt(call, op);
    return result > 0 ? result : error;
}

// An -EPIPE that a read meets is the writes': so the kernel reports a reset that comes after the
// peer's end of stream (tcp_reset in Linux), and that end is true.
static int64_t read_stream(struct weft__call *call, struct weft__op *op) {
    struct weft__handle *handle = call->turn.handle;
    op->kind = WEFT__OP_READ;
    int64_t result;
    do {
        if (weft__load(&handle->is_read_shut, relaxed))
            return 0;
        int error = weft__load(&handle->error, relaxed);
        if (error < 0)
            return read_broken(call, op, error);
        result = weft__call_perform(call, op);
    } while (result == -EPIPE);
    return result == 0 ? weft__load(&handle->error, relaxed) : result;
}

static int64_t write_stream(struct weft__call *call, struct weft__op *op) {
    struct weft__handle *handle = call->turn.handle;
    int error = weft__load(&handle->error, relaxed);
    if (error == 0)
        error = weft__load(&handle->write_error, relaxed);
    if (error < 0)
        return error;
    op->kind = WEFT__OP_WRITE;
    int64_t result = weft__call_perform(call, op);
    error = weft__load(&handle->error, relaxed); // a read may have been told why meanwhile
    return result == -EPIPE && error < 0 ? error : result;
}

// ---- Both -----------------------------------------------------------------------------------

static int64_t read_datagram(struct weft__call *call, struct weft__op *op) {
    op->kind = WEFT__OP_RECVMSG;
    int64_t result = weft__call_perform(call, op);
    return result >= 0 && op->flags & WEFT__OP_TRUNCATED ? -EMSGSIZE : result;
}

// The buffers of one operation on a stream. The first one is not empty: were all empty that are
// left after the cut, the operation would move nothing, which means end of stream.
static struct weft__op stream_op(const struct iovec *iov, int count, uint32_t flags) {
    while (iov->iov_len == 0) {
        iov++;
        count--;
    }
    size_t used = count < WEFT__IOV_MAX ? (size_t)count : WEFT__IOV_MAX;
    return (struct weft__op){.iov = iov, .count = used, .flags = flags};
}

static int64_t read_any(struct weft__call *call, const struct iovec *iov, int count,
                        uint32_t flags) {
    if (call->turn.handle->kind == WEFT__KIND_STREAM) {
        struct weft__op op = stream_op(iov, count, flags);
        return read_stream(call, &op);
    }
    struct weft__op op = {.iov = iov, .count = (size_t)count, .flags = flags};
    return count > WEFT__IOV_MAX ? -EMSGSIZE : read_datagram(call, &op);
}

static int64_t write_any(struct weft__call *call, const struct iovec *iov, int count) {
    if (call->turn.handle->kind == WEFT__KIND_STREAM) {
        struct weft__op op = stream_op(iov, count, 0);
        return write_stream(call, &op);
    }
    struct weft__op op = {.kind = WEFT__OP_SENDMSG, .iov = iov, .count = (size_t)count};
    return count > WEFT__IOV_MAX ? -EMSGSIZE : weft__call_perform(call, &op);
}

// Begins a read or write of so many bytes. Returns 1 when it is to be performed, else what it
// answers: `if_empty` for no bytes of a stream, which wait for nothing and so are never refused. An
// empty datagram is something.
static int64_t begin(struct weft__call *call, const char *name, int h, enum weft__side side,
                     unsigned kinds, int64_t size, int if_empty) {
    int error;
    if (size <= 0) {
        error = weft__call_enter(call, name, h, kinds);
        if (error < 0)
            return error;
        bool is_stream = call->turn.handle->kind == WEFT__KIND_STREAM;
        int64_t result = weft__call_end(call, size < 0 ? size : is_stream ? if_empty : 0);
        if (size < 0 || is_stream)
            return result;
    }
    error = weft__call_begin(call, name, h, side, kinds);
    return error < 0 ? error : 1;
}

ssize_t weft__read(const char *name, int h, unsigned kinds, const struct iovec *iov, int count,
                   uint32_t flags) {
    struct weft__call call;
    if (h < 0)
        return h;
    int64_t begun = begin(&call, name, h, WEFT__SIDE_READ, kinds, total(iov, count), -EINVAL);
    return begun <= 0 ? begun : weft__call_end(&call, read_any(&call, iov, count, flags));
}

ssize_t weft__write(const char *name, int h, unsigned kinds, const struct iovec *iov, int count) {
    struct weft__call call;
    if (h < 0)
        return h;
    int64_t begun = begin(&call, name, h, WEFT__SIDE_WRITE, kinds, total(iov, count), 0);
    return begun <= 0 ? begun : weft__call_end(&call, write_any(&call, iov, count));
}

ssize_t weft_read(int h, void *buf, size_t size) {
    struct iovec iov = {buf, size};
    return weft__read("read", h, CONNECTED, &iov, 1, 0);
}

ssize_t weft_peek(int h, void *buf, size_t size) {
    struct iovec iov = {buf, size};
    return weft__read("peek", h, CONNECTED, &iov, 1, WEFT__OP_PEEK);
}

ssize_t weft_readv(int h, const struct iovec *iov, int count) {
    return weft__read("readv", h, CONNECTED, iov, count, 0);
}

ssize_t weft_write(int h, const void *buf, size_t size) {
    struct iovec iov = {(void *)buf, size};
    return weft__write("write", h, CONNECTED, &iov, 1);
}

ssize_t weft_writev(int h, const struct iovec *iov, int count) {
    return weft__write("writev", h, CONNECTED, iov, count);
}

int weft_ready(int h, int events) {
    struct weft__call call;
    if (h < 0)
        return h;
    int error = weft__call_begin(&call, "ready", h, WEFT__SIDE_NONE, WEFT__KIND_ANY);
    if (error < 0)
        return error;
    if (events == 0 || events & ~(WEFT_READ | WEFT_WRITE))
        return (int)weft__call_end(&call, -EINVAL);
    _Static_assert((int)WEFT_READ == WEFT__READABLE && (int)WEFT_WRITE == WEFT__WRITABLE, "");
    struct weft__op op = {.kind = WEFT__OP_READY, .events = (uint32_t)events};
    return (int)weft__call_end(&call, weft__call_perform(&call, &op));
}
