// SPDX-License-Identifier: MIT
// The ring itself: its two queues, and io_uring_enter(2). liburing maps the memory and knows the
// layout; entering is done here, because its functions can neither tell the kernel that the timeout
// is a moment nor leave out the call when there is nothing to do. Not here: what goes through the
// ring (uring.c).
#include "driver/uring.h"

#include "base/assert.h"
#include "os/os.h"

#include <errno.h>

// Makes what is queued visible to the kernel; the kernel itself only looks during io_uring_enter.
// Returns how many requests it has to take.
static unsigned publish(struct io_uring *ring) {
    ring->sq.sqe_head = ring->sq.sqe_tail;
    io_uring_smp_store_release(ring->sq.ktail, ring->sq.sqe_tail);
    return io_uring_sq_ready(ring);
}

// These pass; the next wait tries again. Anything else means that the ring is gone (a seccomp
// filter installed later, its descriptor closed by somebody else) and with it every operation.
void weft__uring_check(int result) {
    if (result >= 0 || result == -EINTR || result == -ETIME || result == -EAGAIN ||
        result == -EBUSY || result == -ENOMEM)
        return;
    PANIC("io_uring_enter failed on a ring that had worked: errno %d", -result);
}

struct io_uring_sqe *weft__uring_sqe(struct weft__uring *u) {
    struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);
    if (WEFT__LIKELY(sqe != NULL))
        return sqe;
    unsigned count = publish(&u->ring);
    weft__uring_check(io_uring_enter2(u->ring.enter_ring_fd, count, 0, u->enter_flags, NULL, 0));
    return io_uring_get_sqe(&u->ring);
}

// The place is given back before the completion is looked at, so that a callback finds room.
bool weft__uring_next(struct weft__uring *u, struct io_uring_cqe *ret_cqe) {
    struct io_uring_cq *cq = &u->ring.cq;
    if (io_uring_cq_ready(&u->ring) == 0)
        return false;
    *ret_cqe = cq->cqes[*cq->khead & cq->ring_mask];
    io_uring_cq_advance(&u->ring, 1);
    return true;
}

static bool has_work_inside(const struct weft__uring *u) {
    unsigned flags = IO_URING_READ_ONCE(*u->ring.sq.kflags);
    return !u->has_task_flag || (flags & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0;
}

// The timeout of io_uring_enter(2) is a span, except on the kernels that also take a moment.
static struct __kernel_timespec timeout_until(const struct weft__uring *u, int64_t until_ns) {
    int64_t ns = until_ns < INT64_MAX - u->slack_ns ? until_ns + u->slack_ns : INT64_MAX;
    if ((u->timer_flags & IORING_ENTER_ABS_TIMER) == 0)
        ns -= weft__clock_monotonic_ns();
    if (ns < 0)
        ns = 0;
    return (struct __kernel_timespec){ns / 1000000000, ns % 1000000000};
}

int weft__uring_enter(struct weft__uring *u, int64_t until_ns) {
    unsigned count = publish(&u->ring);
    unsigned flags = IORING_ENTER_GETEVENTS | u->enter_flags;
    if (until_ns <= 0 && count == 0 && !has_work_inside(u))
        return 0;
    if (until_ns <= 0 || until_ns == INT64_MAX)
        return io_uring_enter2(u->ring.enter_ring_fd, count, until_ns > 0, flags, NULL, 0);
    struct __kernel_timespec timeout = timeout_until(u, until_ns);
    struct io_uring_getevents_arg arg = {.ts = (uint64_t)(uintptr_t)&timeout};
    flags |= IORING_ENTER_EXT_ARG | u->timer_flags;
    return io_uring_enter2(u->ring.enter_ring_fd, count, 1, flags, (sigset_t *)&arg, sizeof arg);
}
