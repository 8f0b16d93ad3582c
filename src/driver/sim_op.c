// SPDX-License-Identifier: MIT
// Operations on the simulated machine: attempts, the queues in which they wait, and the order in
// which they complete, which is by seed between queues and by arrival within one.
// Not here: what an attempt does (sim_tcp.c, sim_udp.c) and names (sim_name.c).
#include "driver/sim_net.h"

#include <string.h>
#include <sys/uio.h>

enum { STALL_MAX_NS = 10000000 };

// A queue's next look: its place among the touched ones is random, so that the order in which
// things became possible does not tell the order in which they happen.
static void take_turn(struct weft__sim *sim, struct weft__sim_queue *queue) {
    int64_t key = (int64_t)(weft__rng_next(&sim->scheduler) >> 1);
    weft__heap_insert(&sim->turns, &queue->turn, key);
}

static void end_stall(struct weft__sim *sim, struct weft__sim_event *event) {
    take_turn(sim, WEFT__CONTAINER(event, struct weft__sim_queue, later));
}

void weft__sim_touch(struct weft__sim_socket *s, struct weft__sim_queue *queue) {
    struct weft__sim *sim = s->sim;
    if (weft__list_is_empty(&queue->ops) || weft__heap_is_linked(&queue->turn) ||
        weft__sim_is_set(&queue->later))
        return;
    if (!weft__sim_strikes(sim, WEFT__SIM_STALLS)) {
        take_turn(sim, queue);
        return;
    }
    queue->later.fire = end_stall;
    int64_t ns = (int64_t)weft__sim_fault_below(sim, WEFT__SIM_STALLS, STALL_MAX_NS);
    weft__sim_set(sim, &queue->later, weft__sim_now(sim) + ns);
}

void weft__sim_touch_all(struct weft__sim_socket *s) {
    weft__sim_touch(s, &s->readers);
    weft__sim_touch(s, &s->writers);
    weft__sim_touch(s, &s->watchers);
}

// ---- Buffers ----

// One piece of the op's buffers: what lies behind `offset` there, at most *size bytes.
static char *piece_at(const struct weft__op *op, size_t offset, size_t *size) {
    const struct iovec *iov = op->iov;
    for (; offset >= iov->iov_len; iov++)
        offset -= iov->iov_len;
    if (*size > iov->iov_len - offset)
        *size = iov->iov_len - offset;
    return (char *)iov->iov_base + offset;
}

void weft__sim_scatter(const struct weft__op *op, size_t offset, const void *from, size_t size) {
    for (size_t done = 0, piece; done < size; done += piece) {
        piece = size - done;
        char *to = piece_at(op, offset + done, &piece);
        memcpy(to, (const char *)from + done, piece);
    }
}

void weft__sim_gather(const struct weft__op *op, size_t offset, void *to, size_t size) {
    for (size_t done = 0, piece; done < size; done += piece) {
        piece = size - done;
        const char *from = piece_at(op, offset + done, &piece);
        memcpy((char *)to + done, from, piece);
    }
}

// ---- Attempts ----

// What recv(2) and send(2) do is the protocol's business, whichever call it came by: recvmsg(2) on
// a stream is a read, and a write on a datagram socket is a datagram to its peer.

static uint32_t ready_events(const struct weft__sim_socket *s) {
    return s->type == WEFT__STREAM ? weft__sim_tcp_ready(s) : weft__sim_udp_ready(s);
}

static int64_t attempt_connect(struct weft__sim_socket *s, const struct weft__op *op) {
    return s->type == WEFT__STREAM ? weft__sim_tcp_connect(s, op->peer)
                                   : weft__sim_udp_connect(s, op->peer);
}

static int64_t attempt_read(struct weft__sim_socket *s, struct weft__op *op) {
    return s->type == WEFT__STREAM ? weft__sim_tcp_read(s, op) : weft__sim_udp_receive(s, op);
}

static int64_t attempt_write(struct weft__sim_socket *s, struct weft__op *op) {
    return s->type == WEFT__STREAM ? weft__sim_tcp_write(s, op) : weft__sim_udp_send(s, op);
}

static int64_t attempt_ready(const struct weft__sim_socket *s, const struct weft__op *op) {
    uint32_t events = ready_events(s) & op->events;
    return events != 0 ? (int64_t)events : -EAGAIN;
}

static int64_t attempt_on(struct weft__sim_socket *s, struct weft__op *op) {
    switch (op->kind) {
    case WEFT__OP_READ:
    case WEFT__OP_RECVMSG:
        return attempt_read(s, op);
    case WEFT__OP_WRITE:
    case WEFT__OP_SENDMSG:
        return attempt_write(s, op);
    case WEFT__OP_ACCEPT:
        return s->type == WEFT__STREAM ? weft__sim_tcp_accept(s, op) : -EOPNOTSUPP;
    case WEFT__OP_CONNECT:
        return attempt_connect(s, op);
    case WEFT__OP_READY:
        return attempt_ready(s, op);
    case WEFT__OP_RESOLVE:
        break;
    }
    PANIC("unknown kind of operation: %d", (int)op->kind);
}

static bool is_stalled(struct weft__sim *sim, const struct weft__op *op) {
    return !(op->flags & WEFT__OP_INSIST) && weft__sim_strikes(sim, WEFT__SIM_STALLS);
}

int64_t weft__sim_try(struct weft__driver *d, struct weft__op *op) {
    struct weft__sim *sim = weft__sim_of(d);
    weft__own_add(&d->stats.tries, 1);
    if (op->kind == WEFT__OP_RESOLVE)
        return -EAGAIN;
    struct weft__sim_socket *s = weft__sim_socket_at(sim, op->fd);
    int64_t result = s == NULL ? -EBADF : is_stalled(sim, op) ? -EAGAIN : attempt_on(s, op);
    weft__sim_trace(sim, WEFT__SIM_TRACE_TRY, s != NULL ? s->number : -1, result);
    return result;
}

// ---- Waiting and completing ----

// Writers wait behind writers only, and readers behind readers: one direction never holds up the
// other (contract of the layers above: any number of tasks may use one handle).
static struct weft__sim_queue *queue_of(struct weft__sim_socket *s, const struct weft__op *op) {
    switch (op->kind) {
    case WEFT__OP_READ:
    case WEFT__OP_RECVMSG:
    case WEFT__OP_ACCEPT:
        return &s->readers;
    case WEFT__OP_WRITE:
    case WEFT__OP_SENDMSG:
    case WEFT__OP_CONNECT:
        return &s->writers;
    default:
        return &s->watchers;
    }
}

// `done` is called when the pass is over, and never on another front's turn: whoever submitted the
// operation counts on being where it was.
void weft__sim_finish(struct weft__sim *sim, struct weft__op *op, int64_t result) {
    weft__sim_trace(sim, WEFT__SIM_TRACE_DONE, (int64_t)op->slot, result);
    weft__op_finish(&weft__sim_front_of(op->driver)->finished, op, result);
}

// Connecting begins here if no `try` has begun it; its outcome, like that of any operation that
// could complete at once, is for the next `wait`.
static int submit_on(struct weft__driver *d, struct weft__sim_socket *s, struct weft__op *op) {
    if (op->kind == WEFT__OP_CONNECT) {
        int64_t result = attempt_connect(s, op);
        if (result == -ENOMEM)
            return -ENOMEM;
        if (result != -EAGAIN) {
            weft__op_begin(d, op);
            weft__sim_finish(s->sim, op, result);
            return 0;
        }
    }
    weft__op_begin(d, op);
    struct weft__sim_queue *queue = queue_of(s, op);
    weft__list_push_back(&queue->ops, &op->link);
    weft__sim_touch(s, queue);
    return 0;
}

// Takes no memory: whatever waits is linked by its own fields. Only a connect that begins here can
// be refused, since a connection is memory.
int weft__sim_submit(struct weft__driver *d, struct weft__op *op) {
    struct weft__sim *sim = weft__sim_of(d);
    op->slot = ++sim->op_count;
    op->driver = d;
    if (op->kind == WEFT__OP_RESOLVE) {
        weft__sim_trace(sim, WEFT__SIM_TRACE_SUBMIT, (int64_t)op->slot, (int64_t)op->kind);
        weft__op_begin(d, op);
        weft__sim_resolve(sim, op);
        return 0;
    }
    struct weft__sim_socket *s = weft__sim_socket_at(sim, op->fd);
    weft__sim_trace(sim, WEFT__SIM_TRACE_SUBMIT, s != NULL ? s->number : -1, (int64_t)op->kind);
    if (s != NULL)
        return submit_on(d, s, op);
    weft__op_begin(d, op);
    weft__sim_finish(sim, op, -EBADF);
    return 0;
}

// A write that waits on a stream goes on when a third of the buffer is free, as Linux has it: else
// two ends that are both busy would pass crumbs.
static bool is_worth_trying(const struct weft__sim_socket *s, const struct weft__op *op) {
    bool is_write = op->kind == WEFT__OP_WRITE || op->kind == WEFT__OP_SENDMSG;
    bool is_stream = s->type == WEFT__STREAM && s->tcp.state == WEFT__SIM_ESTABLISHED;
    return !is_write || !is_stream || (ready_events(s) & WEFT__WRITABLE) != 0;
}

// The result of an operation that is cancelled too late: what it did, if it can be done now.
static int64_t result_of_late(struct weft__sim *sim, struct weft__op *op) {
    struct weft__sim_socket *s = weft__sim_socket_at(sim, op->fd);
    if (op->kind == WEFT__OP_RESOLVE || s == NULL ||
        weft__list_first(&queue_of(s, op)->ops) != &op->link || !is_worth_trying(s, op))
        return -ECANCELED;
    int64_t result = attempt_on(s, op);
    return result == -EAGAIN ? -ECANCELED : result;
}

// By chance the answer comes from the next `wait` and not at once, and then it may be that the
// operation was done meanwhile: callers must live with all of that. A finished operation has had
// its effect, and its result is on its way.
void weft__sim_cancel(struct weft__driver *d, struct weft__op *op) {
    struct weft__sim *sim = weft__sim_of(d);
    bool is_late = weft__op_is_finished(op) || weft__sim_strikes(sim, WEFT__SIM_LATE_CANCELS);
    weft__sim_trace(sim, WEFT__SIM_TRACE_CANCEL, (int64_t)op->slot, is_late);
    if (!is_late || weft__op_is_finished(op)) {
        weft__op_cancel(d, op, -ECANCELED);
        return;
    }
    weft__own_add(&d->stats.cancels, 1);
    weft__sim_finish(sim, op, result_of_late(sim, op));
}

// Completes the first operation that can; in `watchers` they wait for different things, elsewhere
// nobody can overtake the first.
static bool serve_one(struct weft__sim_queue *queue) {
    struct weft__sim_socket *s = queue->socket;
    struct weft__list *next, *link = weft__list_first(&queue->ops);
    for (; link != NULL; link = next) {
        next = queue == &s->watchers ? weft__list_next(&queue->ops, link) : NULL;
        struct weft__op *op = WEFT__CONTAINER(link, struct weft__op, link);
        int64_t result = is_worth_trying(s, op) ? attempt_on(s, op) : -EAGAIN;
        if (result == -EAGAIN)
            continue;
        weft__sim_finish(s->sim, op, result);
        weft__sim_touch(s, queue);
        return true;
    }
    return false;
}

// By seed the results are delivered after each one or in batches: a callback of the first may then
// cancel a second that could have completed, or comes too late. What a callback submits may be
// served at once, but one call completes no more than waited when it began. What other fronts have
// submitted is finished here and delivered there.
bool weft__sim_serve(struct weft__sim_front *front) {
    struct weft__sim *sim = front->sim;
    struct weft__driver *d = &front->driver;
    uint64_t own_before = d->stats.completions, before = weft__sim_completions(sim);
    size_t waiting = weft__sim_pending(sim);
    struct weft__heap_node *node;
    while (weft__sim_completions(sim) - before < waiting &&
           (node = weft__heap_pop_min(&sim->turns)) != NULL) {
        struct weft__sim_queue *queue = WEFT__CONTAINER(node, struct weft__sim_queue, turn);
        if (serve_one(queue) && weft__rng_below(&sim->scheduler, 2) == 0)
            weft__op_deliver_all(d, &front->finished);
    }
    weft__op_deliver_all(d, &front->finished);
    return d->stats.completions != own_before;
}
