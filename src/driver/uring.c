// SPDX-License-Identifier: MIT
// The io_uring driver: requests are queued without a system call, and one io_uring_enter(2) submits
// them, runs the kernel's deferred work and waits. One ring, driven by one thread.
// Not here: what a request looks like (uring_request.c), and how a ring is made (uring_probe.c).
//
// When the submission queue is full, the kernel is asked to take what is in it; should it refuse
// (it is short of memory), the operation stands in the backlog until a later wait. An operation in
// the backlog needs a place for its request or, if that is already in the ring, for the
// cancellation of it.
//
// Waking (driver/wake.h). A multishot poll on the eventfd stands in the ring. Every write to the
// eventfd is an edge that completes it once, so the eventfd is never read and the poll never made
// anew: a wake costs the woken side no system call.
#include "driver/uring.h"

#include "base/assert.h"
#include "driver/op.h"
#include "driver/socket.h"
#include "os/os.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

static const int64_t ASK_AGAIN_NS = 1000000;

static struct weft__uring *uring_of(struct weft__driver *d) {
    return WEFT__CONTAINER(d, struct weft__uring, driver);
}

// --- Queueing ---

// Behind an operation that already waits for a place, no place is asked for: the kernel has just
// refused, and asking is a system call.
static void queue_request(struct weft__uring *u, struct weft__uring_slot *slot) {
    struct io_uring_sqe *sqe = weft__list_is_empty(&u->backlog) ? weft__uring_sqe(u) : NULL;
    if (WEFT__LIKELY(sqe != NULL)) {
        weft__uring_prepare(u, slot, sqe);
        return;
    }
    slot->phase = WEFT__URING_BACKLOG;
    weft__list_push_back(&u->backlog, &slot->op->link);
}

static void prepare_cancel(struct weft__uring *u, const struct weft__uring_slot *slot,
                           struct io_uring_sqe *sqe) {
    io_uring_prep_cancel64(sqe, slot->name, 0);
    io_uring_sqe_set_data64(sqe, slot->name | WEFT__URING_CANCELS);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS; // the operation's own completion says it
    weft__own_add(&u->driver.stats.sqe[sqe->opcode], 1);
}

// Gives the backlog the places that are free.
static void queue_backlog(struct weft__uring *u) {
    struct weft__list *link;
    struct io_uring_sqe *sqe;
    while ((link = weft__list_first(&u->backlog)) != NULL && (sqe = weft__uring_sqe(u)) != NULL) {
        struct weft__op *op = WEFT__CONTAINER(link, struct weft__op, link);
        struct weft__uring_slot *slot = weft__uring_slot_find(u, op->slot);
        weft__list_remove(link);
        if (slot->phase == WEFT__URING_BACKLOG)
            weft__uring_prepare(u, slot, sqe);
        else
            prepare_cancel(u, slot, sqe);
    }
}

// --- Completing ---

// The slot is free before the callback, which may submit again and then finds it warm.
static void finish(struct weft__uring *u, struct weft__uring_slot *slot, int64_t result) {
    struct weft__op *op = slot->op;
    weft__uring_slot_free(u, slot);
    weft__op_deliver(&u->driver, op, result);
}

// A cancellation says only when it has failed. Mostly the operation had completed already. But one
// that the kernel was just moving from its poll to a thread of its own, or that sleeps there, is
// not found or not reached, and would then wait for ever: for that one it asks again, a little
// later.
static void cancel_missed(struct weft__uring *u, uint64_t name) {
    struct weft__uring_slot *slot = weft__uring_slot_find(u, name);
    if (slot == NULL || slot->phase == WEFT__URING_BACKLOG)
        return;
    if (weft__list_is_empty(&u->missed))
        u->ask_again_at = weft__clock_monotonic_ns() + ASK_AGAIN_NS;
    weft__list_push_back(&u->missed, &slot->op->link);
}

// Until when a wait may sleep.
static int64_t ask_again(struct weft__uring *u, int64_t until_ns) {
    if (weft__list_is_empty(&u->missed))
        return until_ns;
    if (weft__clock_monotonic_ns() < u->ask_again_at)
        return until_ns < u->ask_again_at ? until_ns : u->ask_again_at;
    weft__list_splice(&u->backlog, &u->missed);
    return until_ns;
}

// An operation in the backlog has no request in the ring, so whatever bears its name is a stray.
void weft__uring_complete(struct weft__uring *u, const struct io_uring_cqe *cqe) {
    if (cqe->user_data & WEFT__URING_CANCELS) {
        cancel_missed(u, cqe->user_data & ~WEFT__URING_CANCELS);
        return;
    }
    if (cqe->user_data == WEFT__URING_NAME_WAKE) {
        u->wake_is_armed = (cqe->flags & IORING_CQE_F_MORE) != 0;
        return;
    }
    struct weft__uring_slot *slot = weft__uring_slot_find(u, cqe->user_data);
    if (slot == NULL || slot->phase == WEFT__URING_BACKLOG) {
        u->strays++;
        return;
    }
    int64_t result;
    if (weft__uring_result(u, slot, cqe, &result)) {
        finish(u, slot, result);
        return;
    }
    queue_request(u, slot);
}

// Takes the completions that are there now, not those that the callbacks cause: `wait` is bounded.
static void reap(struct weft__uring *u) {
    struct io_uring_cqe cqe;
    for (unsigned count = io_uring_cq_ready(&u->ring); count > 0; count--) {
        if (weft__uring_next(u, &cqe))
            weft__uring_complete(u, &cqe);
    }
}

// --- Waiting ---

static void arm_wake(struct weft__uring *u) {
    struct io_uring_sqe *sqe = weft__uring_sqe(u);
    if (sqe == NULL)
        return;
    io_uring_prep_poll_multishot(sqe, u->wake.fd, POLLIN);
    io_uring_sqe_set_data64(sqe, WEFT__URING_NAME_WAKE);
    weft__own_add(&u->driver.stats.sqe[sqe->opcode], 1);
    u->wake_is_armed = true;
}

// Without the poll no wake could end the sleep, and the backlog needs a free place first.
static bool may_sleep(const struct weft__uring *u) {
    return io_uring_cq_ready(&u->ring) == 0 && u->wake_is_armed && weft__list_is_empty(&u->backlog);
}

// One system call at most, and none when there is nothing to submit, to run or to wait for. Only
// what was there before it is reason not to sleep: a request that completes at its submission ends
// the sleep before it begins.
static void uring_wait(struct weft__driver *d, int64_t until_ns) {
    struct weft__uring *u = uring_of(d);
    weft__own_add(&d->stats.waits, 1);
    bool has_results = weft__resolve_reap(d, &u->resolving) > 0;
    if (!u->wake_is_armed)
        arm_wake(u);
    until_ns = ask_again(u, until_ns);
    queue_backlog(u);
    bool is_asleep = until_ns > 0 && !has_results && may_sleep(u) &&
                     weft__wake_fall_asleep(&u->wake, WEFT__ON_FD);
    weft__uring_check(weft__uring_enter(u, is_asleep ? until_ns : 0));
    if (is_asleep)
        weft__wake_rise(&u->wake);
    else
        (void)weft__wake_take(&u->wake);
    reap(u);
}

static void uring_wake(struct weft__driver *d) {
    weft__wake_post(&uring_of(d)->wake);
}

// --- Operations ---

static int64_t uring_try(struct weft__driver *d, struct weft__op *op) {
    weft__own_add(&d->stats.tries, 1);
    return weft__uring_try(uring_of(d), op);
}

// No system call, unless the queue is full: requests are submitted together by the next wait.
static int uring_submit(struct weft__driver *d, struct weft__op *op) {
    struct weft__uring *u = uring_of(d);
    if (op->kind == WEFT__OP_RESOLVE)
        return weft__resolve_submit(d, &u->resolving, op);
    struct weft__uring_slot *slot = weft__uring_slot_take(u, op);
    if (slot == NULL)
        return -ENOMEM;
    weft__op_begin(d, op);
    queue_request(u, slot);
    return 0;
}

// The request for the cancellation goes into the same queue behind the operation's own, so it finds
// it. Whatever it answers, the operation completes once: with -ECANCELED if the kernel had not
// begun to move data, else with what it moved.
static void uring_cancel(struct weft__driver *d, struct weft__op *op) {
    struct weft__uring *u = uring_of(d);
    if (op->kind == WEFT__OP_RESOLVE) {
        weft__resolve_cancel(d, &u->resolving, op);
        return;
    }
    weft__own_add(&d->stats.cancels, 1);
    struct weft__uring_slot *slot = weft__uring_slot_find(u, op->slot);
    ASSERT(slot != NULL && slot->op == op);
    if (slot->phase == WEFT__URING_BACKLOG) { // the kernel does not know of it
        finish(u, slot, -ECANCELED);
        return;
    }
    if (slot->cancelled)
        return;
    slot->cancelled = true;
    struct io_uring_sqe *sqe = weft__uring_sqe(u);
    if (sqe != NULL)
        prepare_cancel(u, slot, sqe);
    else
        weft__list_push_back(&u->backlog, &op->link);
}

// --- The rest of the contract ---

// The kernel takes the poll for wakes along with the ring, a little later.
static void uring_stop(struct weft__driver *d) {
    struct weft__uring *u = uring_of(d);
    ASSERT(d->pending == 0);
    io_uring_queue_exit(&u->ring);
    close(u->wake.fd);
    weft__uring_table_free(u);
    weft__free(u);
}

static const struct weft__driver_class uring_class = {
    .name = "uring",
    .stop = uring_stop,
    .try = uring_try,
    .submit = uring_submit,
    .cancel = uring_cancel,
    .wait = uring_wait,
    .wake = uring_wake,
    .now = weft__real_now,
    .ctl = weft__real_ctl,
};

static int start(struct weft__uring *u, const char **ret_why) {
    u->driver.class = &uring_class;
    weft__list_init(&u->backlog);
    weft__list_init(&u->missed);
    *ret_why = "eventfd";
    u->wake.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (u->wake.fd < 0)
        return -errno;
    int result = weft__uring_open(u, ret_why);
    if (result < 0)
        close(u->wake.fd);
    return result;
}

int weft__uring_start(struct weft__driver **ret_driver, const char **ret_why) {
    const char *why = "memory";
    struct weft__uring *u = weft__alloc(sizeof *u);
    int result = u == NULL ? -ENOMEM : start(u, &why);
    if (result < 0) {
        weft__free(u);
        if (ret_why != NULL)
            *ret_why = why;
        return result;
    }
    *ret_driver = &u->driver;
    return 0;
}
