// SPDX-License-Identifier: MIT
//
// One attempt at an operation on a real socket, by the system call that it is named after. Attempts
// are non-blocking by MSG_DONTWAIT and O_NONBLOCK, are repeated after EINTR, and raise no SIGPIPE.
// Not here: options, names and the rest of what never waits (socket_ctl.c).
#include "driver/socket.h"

#include "base/assert.h"
#include "os/inet.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

_Static_assert(sizeof(struct sockaddr_storage) == WEFT__SOCKADDR_SIZE, "os/inet.h");

enum { CONNECT_BEGUN = 1 }; // op->slot of a WEFT__OP_CONNECT

// The result of a system call in the library's terms.
static int64_t result_of(ssize_t n) {
    return n >= 0 ? n : errno == EWOULDBLOCK ? -EAGAIN : -errno;
}

static struct msghdr message_of(const struct weft__op *op) {
    return (struct msghdr){.msg_iov = (struct iovec *)op->iov, .msg_iovlen = op->count};
}

static int64_t try_read(struct weft__op *op) {
    int flags = MSG_DONTWAIT | (op->flags & WEFT__OP_PEEK ? MSG_PEEK : 0);
    if (op->count == 1)
        return result_of(recv(op->fd, op->iov[0].iov_base, op->iov[0].iov_len, flags));
    struct msghdr message = message_of(op);
    return result_of(recvmsg(op->fd, &message, flags));
}

static int64_t try_write(struct weft__op *op) {
    int flags = MSG_DONTWAIT | MSG_NOSIGNAL;
    if (op->count == 1)
        return result_of(send(op->fd, op->iov[0].iov_base, op->iov[0].iov_len, flags));
    struct msghdr message = message_of(op);
    return result_of(sendmsg(op->fd, &message, flags));
}

static int64_t try_recvmsg(struct weft__op *op) {
    struct sockaddr_storage from;
    struct msghdr message = message_of(op);
    message.msg_name = &from;
    message.msg_namelen = sizeof from;
    int flags = MSG_DONTWAIT | (op->flags & WEFT__OP_PEEK ? MSG_PEEK : 0);
    ssize_t n = recvmsg(op->fd, &message, flags);
    if (n < 0)
        return result_of(n);
    op->flags &= ~(uint32_t)WEFT__OP_TRUNCATED;
    if (message.msg_flags & MSG_TRUNC)
        op->flags |= WEFT__OP_TRUNCATED;
    // A sender without an address of the Internet is no address.
    if (op->peer != NULL && weft__addr_from_sockaddr(&from, message.msg_namelen, op->peer) != 0)
        *op->peer = (weft_addr){0};
    return n;
}

static int64_t try_sendmsg(struct weft__op *op) {
    struct sockaddr_storage to;
    struct msghdr message = message_of(op);
    if (op->peer != NULL) {
        message.msg_name = &to;
        message.msg_namelen = weft__addr_to_sockaddr(op->peer, &to);
        if (message.msg_namelen == 0)
            return -EINVAL;
    }
    return result_of(sendmsg(op->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL));
}

static int64_t try_accept(struct weft__op *op) {
    struct sockaddr_storage from;
    socklen_t length = sizeof from;
    int fd = accept4(op->fd, (struct sockaddr *)&from, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0 && op->peer != NULL && weft__addr_from_sockaddr(&from, length, op->peer) != 0)
        *op->peer = (weft_addr){0};
    return result_of(fd);
}

// connect(2) also tells how an earlier connect(2) went: EALREADY while it is under way, then 0 or
// why it failed, each once. That is better than SO_ERROR, which says 0 also while it is under way,
// and when somebody else has taken the error. EISCONN is success only for a connection that this op
// has begun.
static int64_t try_connect(struct weft__op *op) {
    struct sockaddr_storage to;
    socklen_t length = weft__addr_to_sockaddr(op->peer, &to);
    if (length == 0)
        return -EINVAL;
    bool is_begun = op->slot == CONNECT_BEGUN;
    op->slot = CONNECT_BEGUN;
    int64_t result = result_of(connect(op->fd, (struct sockaddr *)&to, length));
    if (result == -EINPROGRESS || result == -EALREADY)
        return -EAGAIN;
    return result == -EISCONN && is_begun ? 0 : result;
}

static int64_t try_ready(struct weft__op *op) {
    struct pollfd poll_fd = {.fd = op->fd, .events = (short)weft__op_events(op)};
    int n = poll(&poll_fd, 1, 0);
    if (n < 0)
        return result_of(n);
    if (poll_fd.revents & POLLNVAL)
        return -EBADF;
    // An error or a hang-up is something that both a read and a write will answer.
    bool is_broken = (poll_fd.revents & (POLLERR | POLLHUP)) != 0;
    uint32_t events = 0;
    if (is_broken || (poll_fd.revents & POLLIN))
        events |= WEFT__READABLE;
    if (is_broken || (poll_fd.revents & POLLOUT))
        events |= WEFT__WRITABLE;
    events &= op->events;
    return events != 0 ? (int64_t)events : -EAGAIN;
}

static int64_t try_once(struct weft__op *op) {
    switch (op->kind) {
    case WEFT__OP_READ:
        return try_read(op);
    case WEFT__OP_WRITE:
        return try_write(op);
    case WEFT__OP_RECVMSG:
        return try_recvmsg(op);
    case WEFT__OP_SENDMSG:
        return try_sendmsg(op);
    case WEFT__OP_ACCEPT:
        return try_accept(op);
    case WEFT__OP_CONNECT:
        return try_connect(op);
    case WEFT__OP_READY:
        return try_ready(op);
    case WEFT__OP_RESOLVE:
        return -EAGAIN;
    }
    PANIC("unknown kind of operation: %d", (int)op->kind);
}

int64_t weft__socket_try(struct weft__op *op) {
    int64_t result;
    do
        result = try_once(op);
    while (result == -EINTR);
    return result;
}

int64_t weft__socket_begin(struct weft__op *op) {
    bool is_new_connection = op->kind == WEFT__OP_CONNECT && op->slot != CONNECT_BEGUN;
    return is_new_connection ? weft__socket_try(op) : -EAGAIN;
}

int64_t weft__socket_cancelled(struct weft__op *op) {
    bool is_known = op->kind != WEFT__OP_CONNECT || weft__op_is_finished(op);
    int64_t result = is_known ? -EAGAIN : weft__socket_try(op);
    return result == -EAGAIN ? -ECANCELED : result;
}

uint32_t weft__op_events(const struct weft__op *op) {
    switch (op->kind) {
    case WEFT__OP_READ:
    case WEFT__OP_RECVMSG:
    case WEFT__OP_ACCEPT:
        return POLLIN;
    case WEFT__OP_WRITE:
    case WEFT__OP_SENDMSG:
    case WEFT__OP_CONNECT:
        return POLLOUT;
    case WEFT__OP_READY:
        return (op->events & WEFT__READABLE ? POLLIN : 0) |
               (op->events & WEFT__WRITABLE ? POLLOUT : 0);
    case WEFT__OP_RESOLVE:
        return 0;
    }
    PANIC("unknown kind of operation: %d", (int)op->kind);
}

size_t weft__op_size(const struct weft__op *op) {
    size_t size = 0;
    for (size_t i = 0; i < op->count; i++)
        size += op->iov[i].iov_len;
    return size;
}
