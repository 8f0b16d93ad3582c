// SPDX-License-Identifier: MIT
//
// The driver of a plain thread: it waits for a few operations at a time (one; two while connections
// race) in ppoll(2), or on a futex when there is no descriptor to wait for. Not for many
// operations: each wait costs a look at all of them.
//
// It sleeps on the futex or on an eventfd among the polled descriptors, and wakes as driver/wake.h
// says. The eventfd is made when the first op has to wait and stays until stop, except that the
// child of a fork(2), which shares it with the parent, makes one of its own: the parent would read
// the child's wakes. Where none can be had (EMFILE) the thread stays AWAKE and sleeps 10 ms at a
// time.
#include "driver/resolver.h"
#include "driver/socket.h"
#include "driver/wake.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum {
    INLINE_POLLS = 4,
    NAP_NS = 10000000,
    NS_PER_SECOND = 1000000000,
};

struct thread_driver {
    struct weft__driver driver;
    struct weft__list waiting;  // ops on descriptors
    struct weft__list finished; // ops whose result is known
    size_t waiting_count;
    struct weft__resolve_queue resolving;
    struct pollfd *polls; // [0] is the eventfd, then the waiting ops in their order
    size_t polls_capacity;
    struct pollfd inline_polls[INLINE_POLLS];
    struct weft__wake wake;
    uint32_t wake_era; // the value of `era` when wake.fd was made
};

// Counts the forks between the first ancestor and this process.
static WEFT__ATOMIC(uint32_t) era;

static void forked(void) {
    weft__fetch_add(&era, 1, relaxed);
}

static struct thread_driver *thread_of(struct weft__driver *d) {
    return WEFT__CONTAINER(d, struct thread_driver, driver);
}

static void thread_wake(struct weft__driver *d) {
    weft__wake_post(&thread_of(d)->wake);
}

// ---- The eventfd ----------------------------------------------------------------------------

static void close_wake_fd(struct thread_driver *t) {
    if (t->wake.fd >= 0)
        close(t->wake.fd);
    t->wake.fd = -1;
}

// After a fork(2) it is the parent's, and must not be polled and read here, not even for a look.
static void drop_parents_wake_fd(struct thread_driver *t) {
    if (t->wake_era != weft__load(&era, relaxed))
        close_wake_fd(t);
}

static bool has_wake_fd(struct thread_driver *t) {
    if (t->wake.fd >= 0)
        return true;
    t->wake.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    t->wake_era = weft__load(&era, relaxed);
    return t->wake.fd >= 0;
}

static void drain_wake_fd(struct thread_driver *t) {
    uint64_t wakes;
    if (t->polls[0].revents != 0)
        (void)!read(t->wake.fd, &wakes, sizeof wakes);
}

// ---- Waiting --------------------------------------------------------------------------------

static void wait_on_futex(struct thread_driver *t, int64_t until_ns) {
    if (until_ns <= 0) {
        (void)weft__wake_take(&t->wake);
    } else if (weft__wake_fall_asleep(&t->wake, WEFT__ON_FUTEX)) {
        weft__futex_wait(&t->wake.word, WEFT__ON_FUTEX, until_ns);
        weft__wake_rise(&t->wake);
    }
}

static void finish(struct thread_driver *t, struct weft__op *op, int64_t result) {
    t->waiting_count--;
    weft__op_finish(&t->finished, op, result);
}

// Attempts the ops whose descriptors answered; they stand in the order of t->polls.
static void attempt_ready(struct thread_driver *t) {
    struct weft__list *next, *link = weft__list_first(&t->waiting);
    for (size_t i = 1; link != NULL; i++, link = next) {
        next = weft__list_next(&t->waiting, link);
        struct weft__op *op = WEFT__CONTAINER(link, struct weft__op, link);
        int64_t result = t->polls[i].revents != 0 ? weft__socket_try(op) : -EAGAIN;
        if (result != -EAGAIN)
            finish(t, op, result);
    }
}

static size_t fill_polls(struct thread_driver *t) {
    t->polls[0] = (struct pollfd){.fd = t->wake.fd, .events = POLLIN}; // ppoll skips -1
    size_t count = 1;
    for (struct weft__list *link = weft__list_first(&t->waiting); link != NULL;
         link = weft__list_next(&t->waiting, link)) {
        const struct weft__op *op = WEFT__CONTAINER(link, struct weft__op, link);
        short events = (short)weft__op_events(op);
        t->polls[count++] = (struct pollfd){.fd = op->fd, .events = events};
    }
    return count;
}

static int64_t nap_until(int64_t until_ns) {
    int64_t nap = weft__clock_monotonic_ns() + NAP_NS;
    return nap < until_ns ? nap : until_ns;
}

// ppoll(2) has refused for good (EINVAL: RLIMIT_NOFILE is lower than the number of descriptors):
// naps, then has every op attempted.
static void nap_instead(struct thread_driver *t, size_t count, int64_t until_ns) {
    uint32_t seen = weft__load(&t->wake.word, relaxed);
    if (until_ns > 0 && seen != WEFT__WOKEN)
        weft__futex_wait(&t->wake.word, seen, nap_until(until_ns));
    for (size_t i = 0; i < count; i++)
        t->polls[i].revents = i == 0 ? 0 : POLLERR;
}

static void poll_until(struct thread_driver *t, int64_t until_ns) {
    size_t count = fill_polls(t);
    int64_t left = until_ns > 0 ? until_ns - weft__clock_monotonic_ns() : 0;
    left = left > 0 ? left : 0;
    struct timespec timeout = {.tv_sec = left / NS_PER_SECOND, .tv_nsec = left % NS_PER_SECOND};
    if (ppoll(t->polls, count, until_ns == INT64_MAX ? NULL : &timeout, NULL) >= 0)
        return;
    if (errno != EINTR)
        nap_instead(t, count, until_ns);
}

static void wait_in_poll(struct thread_driver *t, int64_t until_ns) {
    drop_parents_wake_fd(t);
    bool is_asleep =
        until_ns > 0 && has_wake_fd(t) && weft__wake_fall_asleep(&t->wake, WEFT__ON_FD);
    if (is_asleep) {
        poll_until(t, until_ns);
        weft__wake_rise(&t->wake);
    } else { // only a look, or a wake was there, or there is no eventfd
        bool may_nap = until_ns > 0 && t->wake.fd < 0 && !weft__wake_take(&t->wake);
        poll_until(t, may_nap ? nap_until(until_ns) : 0);
        (void)weft__wake_take(&t->wake);
    }
    drain_wake_fd(t);
    attempt_ready(t);
}

static void thread_wait(struct weft__driver *d, int64_t until_ns) {
    struct thread_driver *t = thread_of(d);
    weft__own_add(&d->stats.waits, 1);
    if (weft__resolve_reap(d, &t->resolving) > 0 || !weft__list_is_empty(&t->finished))
        until_ns = 0;
    if (weft__list_is_empty(&t->waiting))
        wait_on_futex(t, until_ns);
    else
        wait_in_poll(t, until_ns);
    weft__op_deliver_all(d, &t->finished);
}

// ---- Operations -----------------------------------------------------------------------------

static int64_t thread_try(struct weft__driver *d, struct weft__op *op) {
    weft__own_add(&d->stats.tries, 1);
    return weft__socket_try(op);
}

// Room for one more op, so that no wait has to allocate.
static int reserve_poll(struct thread_driver *t) {
    if (t->waiting_count + 2 <= t->polls_capacity)
        return 0;
    size_t capacity = t->polls_capacity * 2;
    struct pollfd *polls = weft__alloc_lasting(capacity * sizeof *polls);
    if (polls == NULL)
        return -ENOMEM;
    if (t->polls != t->inline_polls)
        weft__free(t->polls);
    t->polls = polls;
    t->polls_capacity = capacity;
    return 0;
}

static int thread_submit(struct weft__driver *d, struct weft__op *op) {
    struct thread_driver *t = thread_of(d);
    if (op->kind == WEFT__OP_RESOLVE)
        return weft__resolve_submit(d, &t->resolving, op);
    int error = reserve_poll(t);
    if (error != 0)
        return error;
    weft__op_begin(d, op);
    weft__list_push_back(&t->waiting, &op->link);
    t->waiting_count++;
    int64_t result = weft__socket_begin(op);
    if (result != -EAGAIN)
        finish(t, op, result);
    return 0;
}

static void thread_cancel(struct weft__driver *d, struct weft__op *op) {
    struct thread_driver *t = thread_of(d);
    if (op->kind == WEFT__OP_RESOLVE) {
        weft__resolve_cancel(d, &t->resolving, op);
        return;
    }
    if (!weft__op_is_finished(op))
        t->waiting_count--;
    weft__op_cancel(d, op, weft__socket_cancelled(op));
}

// ---- Start and stop -------------------------------------------------------------------------

static void thread_stop(struct weft__driver *d) {
    struct thread_driver *t = thread_of(d);
    ASSERT(d->pending == 0);
    close_wake_fd(t);
    if (t->polls != t->inline_polls)
        weft__free(t->polls);
    weft__free(t);
}

static const struct weft__driver_class thread_class = {
    .name = "thread",
    .stop = thread_stop,
    .try = thread_try,
    .submit = thread_submit,
    .cancel = thread_cancel,
    .wait = thread_wait,
    .wake = thread_wake,
    .now = weft__real_now,
    .ctl = weft__real_ctl,
};

int weft__thread_start(struct weft__driver **ret_driver, const char **ret_why) {
    const char *why = "memory";
    int error = weft__os_at_fork_child(forked);
    struct thread_driver *t = error == 0 ? weft__alloc_lasting(sizeof *t) : NULL;
    if (t == NULL) {
        if (ret_why != NULL)
            *ret_why = why;
        return error != 0 ? error : -ENOMEM;
    }
    t->driver.class = &thread_class;
    weft__list_init(&t->waiting);
    weft__list_init(&t->finished);
    t->polls = t->inline_polls;
    t->polls_capacity = INLINE_POLLS;
    t->wake.fd = -1;
    *ret_driver = &t->driver;
    return 0;
}
