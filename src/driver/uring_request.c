// SPDX-License-Identifier: MIT
// An operation as a request of the ring, and the ring's answer as the operation's result. Data
// moves by RECV, SEND, RECVMSG, SENDMSG, ACCEPT and CONNECT; polls are for readiness, and for the
// rare kernel that answers "try again" to an ACCEPT or CONNECT.
// Not here: when a request is made, and which operation an answer belongs to (uring.c).
//
// When to attempt. A receive that finds nothing costs more than it can win, so an inline attempt is
// made only when the last completion said that more is pending (IORING_CQE_F_SOCK_NONEMPTY); when
// it said that nothing is, the request waits before its first attempt (IORING_RECVSEND_POLL_FIRST);
// when nothing is known, the request itself attempts first. A send mostly succeeds, so it is
// attempted inline, and a request means that it has just failed.
#include "driver/uring.h"

#include "base/assert.h"
#include "driver/socket.h"
#include "os/inet.h"

#include <errno.h>
#include <sys/uio.h>

// One request moves at most this much: the length field has 32 bits. Short counts are legal.
static const size_t most_bytes = (size_t)1 << 30;

// True when an attempt has shown that nothing more is there. A datagram shorter than the buffer
// shows nothing, and a look takes nothing away.
static bool is_empty_after(const struct weft__op *op, int64_t result) {
    if (result == -EAGAIN)
        return true;
    if (op->kind != WEFT__OP_READ || (op->flags & WEFT__OP_PEEK) != 0 || result < 0)
        return false;
    return (size_t)result < weft__op_size(op);
}

static int64_t try_input(struct weft__uring *u, struct weft__op *op) {
    if (weft__uring_hint(u, op) != WEFT__URING_MORE && !(op->flags & WEFT__OP_INSIST))
        return -EAGAIN;
    int64_t result = weft__socket_try(op);
    if (is_empty_after(op, result))
        weft__uring_set_hint(u, op, WEFT__URING_EMPTY);
    return result;
}

int64_t weft__uring_try(struct weft__uring *u, struct weft__op *op) {
    switch (op->kind) {
    case WEFT__OP_READ:
    case WEFT__OP_RECVMSG:
    case WEFT__OP_ACCEPT:
        return try_input(u, op);
    case WEFT__OP_WRITE:
    case WEFT__OP_SENDMSG:
    case WEFT__OP_READY:
        return weft__socket_try(op);
    default:
        return -EAGAIN;
    }
}

static void prepare_recv(struct weft__uring_slot *slot, struct io_uring_sqe *sqe) {
    const struct weft__op *op = slot->op;
    int flags = (op->flags & WEFT__OP_PEEK) != 0 ? MSG_PEEK : 0;
    if (op->kind == WEFT__OP_READ && op->count == 1) {
        size_t size = op->iov->iov_len < most_bytes ? op->iov->iov_len : most_bytes;
        io_uring_prep_recv(sqe, op->fd, op->iov->iov_base, size, flags);
        return;
    }
    slot->message = (struct msghdr){.msg_iov = (struct iovec *)op->iov, .msg_iovlen = op->count};
    if (op->kind == WEFT__OP_RECVMSG && op->peer != NULL) {
        slot->message.msg_name = &slot->peer;
        slot->message.msg_namelen = sizeof slot->peer;
    }
    io_uring_prep_recvmsg(sqe, op->fd, &slot->message, (unsigned)flags);
}

static void prepare_send(struct weft__uring_slot *slot, struct io_uring_sqe *sqe) {
    const struct weft__op *op = slot->op;
    if (op->kind == WEFT__OP_WRITE && op->count == 1) {
        size_t size = op->iov->iov_len < most_bytes ? op->iov->iov_len : most_bytes;
        io_uring_prep_send(sqe, op->fd, op->iov->iov_base, size, MSG_NOSIGNAL);
        return;
    }
    slot->message = (struct msghdr){.msg_iov = (struct iovec *)op->iov, .msg_iovlen = op->count};
    if (op->kind == WEFT__OP_SENDMSG && op->peer != NULL) {
        // No address has no length, which would mean the connected peer; 1 is what all refuse.
        unsigned size = weft__addr_to_sockaddr(op->peer, &slot->peer);
        slot->message.msg_name = &slot->peer;
        slot->message.msg_namelen = size != 0 ? size : 1;
    }
    io_uring_prep_sendmsg(sqe, op->fd, &slot->message, MSG_NOSIGNAL);
}

// One-shot, not multishot: that cannot tell the peers' addresses (io_uring_prep_accept(3)), and it
// takes connections that nobody has asked for, which another process on the listener might serve.
static void prepare_accept(struct weft__uring_slot *slot, struct io_uring_sqe *sqe) {
    bool is_asked = slot->op->peer != NULL;
    socklen_t *size = &slot->message.msg_namelen;
    *size = sizeof slot->peer;
    io_uring_prep_accept(sqe, slot->op->fd, is_asked ? (struct sockaddr *)&slot->peer : NULL,
                         is_asked ? size : NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

static void prepare_connect(struct weft__uring_slot *slot, struct io_uring_sqe *sqe) {
    socklen_t size = weft__addr_to_sockaddr(slot->op->peer, &slot->peer);
    io_uring_prep_connect(sqe, slot->op->fd, (struct sockaddr *)&slot->peer, size);
}

// A poll is one-shot; what it finds is attempted when it completes (result_of_poll), so that a
// readiness that somebody else has used up meanwhile is not reported.
static void prepare_poll(struct weft__uring_slot *slot, struct io_uring_sqe *sqe) {
    io_uring_prep_poll_add(sqe, slot->op->fd, weft__op_events(slot->op));
    slot->phase = WEFT__URING_POLL;
}

static void prepare_request(struct weft__uring *u, struct weft__uring_slot *slot,
                            struct io_uring_sqe *sqe) {
    switch (slot->op->kind) {
    case WEFT__OP_READ:
    case WEFT__OP_RECVMSG:
        prepare_recv(slot, sqe);
        if (slot->poll_first || weft__uring_hint(u, slot->op) == WEFT__URING_EMPTY)
            sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
        break;
    case WEFT__OP_WRITE:
    case WEFT__OP_SENDMSG:
        prepare_send(slot, sqe);
        sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
        break;
    case WEFT__OP_ACCEPT:
        prepare_accept(slot, sqe);
        break;
    default:
        ASSERT(slot->op->kind == WEFT__OP_CONNECT);
        prepare_connect(slot, sqe);
    }
}

void weft__uring_prepare(struct weft__uring *u, struct weft__uring_slot *slot,
                         struct io_uring_sqe *sqe) {
    slot->phase = WEFT__URING_REQUEST;
    if (slot->poll || slot->op->kind == WEFT__OP_READY)
        prepare_poll(slot, sqe);
    else
        prepare_request(u, slot, sqe);
    io_uring_sqe_set_data64(sqe, slot->name);
    weft__own_add(&u->driver.stats.sqe[sqe->opcode], 1);
}

// True for the answers that mean no more than "not now". -ECANCELED is among them: nobody but
// `cancel` may end an operation so. To connect(2), EAGAIN is a shortage, which polling cannot end.
static bool is_unfinished(const struct weft__op *op, int64_t result) {
    return result == -EINTR || result == -ECANCELED ||
           (result == -EAGAIN && op->kind != WEFT__OP_CONNECT);
}

// A second connect(2) on one socket answers something else, and an ACCEPT that does not wait would
// come back at once for ever; both are finished by polling.
static bool again(struct weft__uring_slot *slot, int64_t *ret_result) {
    if (slot->cancelled) {
        *ret_result = -ECANCELED;
        return true;
    }
    bool by_poll = slot->op->kind == WEFT__OP_ACCEPT || slot->op->kind == WEFT__OP_CONNECT;
    slot->poll = by_poll;
    slot->poll_first = !by_poll;
    return false;
}

// To a connection that the request has begun, connect(2) answers how it went (or EISCONN, when that
// was told before). weft__socket_try keeps a note in op->slot, which is ours.
static int64_t try_after_poll(struct weft__uring_slot *slot) {
    int64_t result = weft__socket_try(slot->op);
    slot->op->slot = slot->name;
    return slot->op->kind == WEFT__OP_CONNECT && result == -EISCONN ? 0 : result;
}

static bool result_of_poll(struct weft__uring_slot *slot, int res, int64_t *ret_result) {
    int64_t result = res < 0 ? res : try_after_poll(slot);
    if (result == -EAGAIN || is_unfinished(slot->op, result))
        return again(slot, ret_result);
    *ret_result = result;
    return true;
}

// For a stream the flag is exact. Datagram sockets never set it, so there its absence means
// nothing, nor does it for listeners of older kernels.
static void learn(struct weft__uring *u, const struct weft__op *op,
                  const struct io_uring_cqe *cqe) {
    enum weft__uring_hint_value value = WEFT__URING_UNKNOWN;
    if ((cqe->flags & IORING_CQE_F_SOCK_NONEMPTY) != 0)
        value = WEFT__URING_MORE;
    else if (op->kind == WEFT__OP_READ && cqe->res > 0)
        value = WEFT__URING_EMPTY;
    weft__uring_set_hint(u, op, value);
}

// A sender without an address of the Internet is no address.
static void take_peer(const struct weft__uring_slot *slot) {
    weft_addr *peer = slot->op->peer;
    if (peer != NULL && weft__addr_from_sockaddr(&slot->peer, slot->message.msg_namelen, peer) != 0)
        *peer = (weft_addr){0};
}

// What a completion says besides its number.
static void take_details(const struct weft__uring_slot *slot) {
    struct weft__op *op = slot->op;
    if (op->kind == WEFT__OP_RECVMSG || op->kind == WEFT__OP_ACCEPT)
        take_peer(slot);
    if (op->kind != WEFT__OP_RECVMSG)
        return;
    op->flags &= ~(uint32_t)WEFT__OP_TRUNCATED;
    if ((slot->message.msg_flags & MSG_TRUNC) != 0)
        op->flags |= WEFT__OP_TRUNCATED;
}

bool weft__uring_result(struct weft__uring *u, struct weft__uring_slot *slot,
                        const struct io_uring_cqe *cqe, int64_t *ret_result) {
    const struct weft__op *op = slot->op;
    if (slot->phase == WEFT__URING_POLL)
        return result_of_poll(slot, cqe->res, ret_result);
    if (is_unfinished(op, cqe->res))
        return again(slot, ret_result);
    if (op->kind == WEFT__OP_READ || op->kind == WEFT__OP_RECVMSG || op->kind == WEFT__OP_ACCEPT)
        learn(u, op, cqe);
    if (cqe->res >= 0)
        take_details(slot);
    *ret_result = cqe->res;
    return true;
}
