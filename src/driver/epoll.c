// SPDX-License-Identifier: MIT
//
// The driver of a worker without io_uring: one epoll(7), each descriptor registered once,
// edge-triggered in both directions, when an operation first waits for it. Not a reactor with
// callbacks per event: an operation completes when an attempt at it has succeeded.
//
// What is known about a registered descriptor stands in `ready`:
//
// 1. EPOLLIN or EPOLLOUT set: an attempt may succeed. Clear: an attempt is wasted, because one has
//    found nothing to read, or no room to write, and no event was collected since.
// 2. A bit is cleared by an attempt that answers -EAGAIN, or that moves less than was asked on a
//    stream (epoll(7): then the stream is exhausted too). An event sets and clears both, because
//    the kernel looks at the descriptor when it reports it. Whatever changes after the attempt or
//    the event makes a new edge and so a new event, collected by the next wait; that is why a clear
//    bit never hides anything for longer than until then.
// 3. A short read is no sign of exhaustion when something other than data is in the stream: its
//    end, an error, an urgent byte (a read stops in front of it, tcp(7)). Each is reported in the
//    event with the data (EPOLLRDHUP, EPOLLERR, EPOLLHUP, EPOLLPRI), and while one of these is set
//    a short read clears nothing; or it comes later and makes an edge of its own.
// 4. At registration the kernel reports what is ready already. The direction of the op that waits
//    starts clear, the other one set, since nobody has attempted it.
// 5. Other threads may read and write on the same descriptor. A bit may then be set for nothing,
//    which costs one attempt. It is never clear for nothing: new data makes an edge whether or not
//    the old was read.
// 6. An event names its descriptor by number and low half of the serial. If the state under that
//    number has another serial or none, the event is of a descriptor that is closed, or of one that
//    lives on elsewhere as a duplicate: ignored, or it would clear what is set.
#include "driver/epoll_state.h"
#include "driver/resolver.h"
#include "driver/socket.h"
#include "driver/wake.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>

#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441 // the same on every architecture
#endif

enum { EVENT_COUNT = 256, NS_PER_SECOND = 1000000000, NS_PER_MS = 1000000 };

#define INTERESTS (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET)
#define BOTH      ((uint32_t)(EPOLLIN | EPOLLOUT))
#define BROKEN    ((uint32_t)(EPOLLERR | EPOLLHUP))
#define NOT_DATA  (BROKEN | EPOLLRDHUP | EPOLLPRI) // point 3

// In place of a descriptor and a serial: no descriptor has this number.
#define OUR_OWN UINT64_MAX

struct epoll_driver {
    struct weft__driver driver;
    struct weft__epoll_table table;
    struct weft__list finished; // ops whose result is known
    struct weft__resolve_queue resolving;
    struct weft__wake wake;
    int epoll_fd;
    int timer_fd;    // -1: not needed yet
    bool has_pwait2; // epoll_pwait2(2) works here
    struct epoll_event events[EVENT_COUNT];
};

static struct epoll_driver *epoll_of(struct weft__driver *d) {
    return WEFT__CONTAINER(d, struct epoll_driver, driver);
}

// ---- Attempts -------------------------------------------------------------------------------

static bool is_stream(struct weft__epoll_state *state, int fd) {
    if (state->type == WEFT__EPOLL_UNKNOWN) {
        int type = 0;
        socklen_t length = sizeof type;
        bool is_known = getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0;
        state->type = is_known && type == SOCK_STREAM ? WEFT__EPOLL_STREAM : WEFT__EPOLL_OTHER;
    }
    return state->type == WEFT__EPOLL_STREAM;
}

// Points 2 and 3. A look at the data (WEFT__OP_PEEK) takes nothing away.
static bool has_exhausted(struct weft__epoll_state *state, const struct weft__op *op,
                          int64_t result) {
    if (result <= 0 || (state->ready & NOT_DATA) || (op->flags & WEFT__OP_PEEK))
        return false;
    if (op->kind != WEFT__OP_READ && op->kind != WEFT__OP_WRITE)
        return false;
    return (size_t)result < weft__op_size(op) && is_stream(state, op->fd);
}

static int64_t attempt(struct weft__epoll_state *state, struct weft__op *op) {
    int64_t result = weft__socket_try(op);
    if (result == -EAGAIN || has_exhausted(state, op, result))
        state->ready &= ~weft__op_events(op);
    return result;
}

// The state, if what it says is about this very handle.
static struct weft__epoll_state *known_state(const struct epoll_driver *e,
                                             const struct weft__op *op) {
    struct weft__epoll_state *state = weft__epoll_find(&e->table, op->fd);
    bool is_known = state != NULL && state->is_registered && state->serial == op->serial;
    return is_known ? state : NULL;
}

static int64_t epoll_try(struct weft__driver *d, struct weft__op *op) {
    weft__own_add(&d->stats.tries, 1);
    if (op->kind == WEFT__OP_RESOLVE)
        return -EAGAIN;
    struct weft__epoll_state *state = known_state(epoll_of(d), op);
    if (state == NULL || (op->flags & WEFT__OP_INSIST))
        return weft__socket_try(op);
    return state->ready & weft__op_events(op) ? attempt(state, op) : -EAGAIN;
}

// ---- Submit and cancel ----------------------------------------------------------------------

// EEXIST: this very socket was registered under an earlier serial; modifying it makes the kernel
// report afresh what is ready. Point 4.
static int attach(struct epoll_driver *e, struct weft__epoll_state *state,
                  const struct weft__op *op) {
    ASSERT(weft__list_is_empty(&state->waiting)); // no handle is closed while its ops wait
    uint64_t name = (uint64_t)(uint32_t)op->serial << 32 | (uint32_t)op->fd;
    struct epoll_event event = {.events = INTERESTS, .data.u64 = name};
    state->is_registered = false;
    if (epoll_ctl(e->epoll_fd, EPOLL_CTL_ADD, op->fd, &event) != 0 &&
        (errno != EEXIST || epoll_ctl(e->epoll_fd, EPOLL_CTL_MOD, op->fd, &event) != 0))
        return -errno;
    state->is_registered = true;
    state->serial = op->serial;
    state->type = WEFT__EPOLL_UNKNOWN;
    state->ready = BOTH & ~weft__op_events(op);
    return 0;
}

// An op that can be attempted is attempted here; its result is delivered by the next wait.
static void arm(struct epoll_driver *e, struct weft__epoll_state *state, struct weft__op *op) {
    weft__list_push_back(&state->waiting, &op->link);
    int64_t result = weft__socket_begin(op);
    if (result == -EAGAIN && (state->ready & weft__op_events(op)))
        result = attempt(state, op);
    if (result != -EAGAIN)
        weft__op_finish(&e->finished, op, result);
}

static int epoll_submit(struct weft__driver *d, struct weft__op *op) {
    struct epoll_driver *e = epoll_of(d);
    if (op->kind == WEFT__OP_RESOLVE)
        return weft__resolve_submit(d, &e->resolving, op);
    struct weft__epoll_state *state = known_state(e, op);
    if (state == NULL) {
        state = weft__epoll_get(&e->table, op->fd);
        int error = state != NULL ? attach(e, state, op) : -ENOMEM;
        if (error != 0)
            return error;
    }
    weft__op_begin(d, op);
    arm(e, state, op);
    return 0;
}

static void epoll_cancel(struct weft__driver *d, struct weft__op *op) {
    if (op->kind == WEFT__OP_RESOLVE)
        weft__resolve_cancel(d, &epoll_of(d)->resolving, op);
    else
        weft__op_cancel(d, op, weft__socket_cancelled(op));
}

// ---- Wait -----------------------------------------------------------------------------------

// Points 2 and 6.
static void take_event(struct epoll_driver *e, const struct epoll_event *event) {
    if (event->data.u64 == OUR_OWN)
        return;
    struct weft__epoll_state *state = weft__epoll_find(&e->table, (int)(uint32_t)event->data.u64);
    if (state == NULL || !state->is_registered ||
        (uint32_t)state->serial != (uint32_t)(event->data.u64 >> 32))
        return;
    state->ready = event->events & BROKEN ? event->events | BOTH : event->events;
    struct weft__list *next, *link = weft__list_first(&state->waiting);
    for (; link != NULL; link = next) {
        next = weft__list_next(&state->waiting, link);
        struct weft__op *op = WEFT__CONTAINER(link, struct weft__op, link);
        int64_t result = state->ready & weft__op_events(op) ? attempt(state, op) : -EAGAIN;
        if (result != -EAGAIN)
            weft__op_finish(&e->finished, op, result);
    }
}

static int call_pwait2(struct epoll_driver *e, const struct timespec *timeout) {
    return (int)syscall(SYS_epoll_pwait2, e->epoll_fd, e->events, EVENT_COUNT, timeout, NULL,
                        (size_t)0);
}

// One timerfd, edge-triggered like the rest, for deadlines finer than epoll_wait(2)'s milliseconds.
static bool arm_timer(struct epoll_driver *e, int64_t until_ns) {
    if (e->timer_fd < 0) {
        struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = OUR_OWN};
        int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
        if (fd >= 0 && epoll_ctl(e->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
            close(fd);
            fd = -1;
        }
        e->timer_fd = fd;
    }
    struct itimerspec at = {
        .it_value = {.tv_sec = until_ns / NS_PER_SECOND, .tv_nsec = until_ns % NS_PER_SECOND}};
    return e->timer_fd >= 0 && timerfd_settime(e->timer_fd, TFD_TIMER_ABSTIME, &at, NULL) == 0;
}

// Whole milliseconds by epoll_wait's timeout, rounded down; the rest, in the wait after that, by
// the timerfd, or as one millisecond where none can be had.
static int call_wait(struct epoll_driver *e, int64_t until_ns) {
    int64_t left = until_ns > 0 ? until_ns - weft__clock_monotonic_ns() : 0;
    int timeout = 0;
    if (until_ns == INT64_MAX)
        timeout = -1;
    else if (left >= NS_PER_MS)
        timeout = left / NS_PER_MS < INT32_MAX ? (int)(left / NS_PER_MS) : INT32_MAX;
    else if (left > 0)
        timeout = arm_timer(e, until_ns) ? -1 : 1;
    return epoll_wait(e->epoll_fd, e->events, EVENT_COUNT, timeout);
}

// epoll_pwait2 has worked at start; if it is refused later (a seccomp filter), epoll_wait takes
// over.
static int collect(struct epoll_driver *e, int64_t until_ns) {
    int count = -1;
    if (e->has_pwait2) {
        int64_t left = until_ns > 0 ? until_ns - weft__clock_monotonic_ns() : 0;
        left = left > 0 ? left : 0;
        struct timespec timeout = {.tv_sec = left / NS_PER_SECOND, .tv_nsec = left % NS_PER_SECOND};
        count = call_pwait2(e, until_ns == INT64_MAX ? NULL : &timeout);
        e->has_pwait2 = count >= 0 || errno == EINTR;
    }
    if (!e->has_pwait2)
        count = call_wait(e, until_ns);
    ASSERT(count >= 0 || errno == EINTR);
    return count;
}

static void epoll_wait_until(struct weft__driver *d, int64_t until_ns) {
    struct epoll_driver *e = epoll_of(d);
    weft__own_add(&d->stats.waits, 1);
    bool has_results =
        weft__resolve_reap(d, &e->resolving) > 0 || !weft__list_is_empty(&e->finished);
    bool is_asleep = until_ns > 0 && !has_results && weft__wake_fall_asleep(&e->wake, WEFT__ON_FD);
    int count = collect(e, is_asleep ? until_ns : 0);
    if (is_asleep)
        weft__wake_rise(&e->wake);
    else
        (void)weft__wake_take(&e->wake);
    for (int i = 0; i < count; i++)
        take_event(e, &e->events[i]);
    weft__op_deliver_all(d, &e->finished);
}

static void epoll_wake(struct weft__driver *d) {
    weft__wake_post(&epoll_of(d)->wake);
}

// ---- Start and stop -------------------------------------------------------------------------

static void close_fd(int fd) {
    if (fd >= 0)
        close(fd);
}

static void release(struct epoll_driver *e) {
    close_fd(e->timer_fd);
    close_fd(e->wake.fd);
    close_fd(e->epoll_fd);
    weft__epoll_table_free(&e->table);
    weft__free(e);
}

static void epoll_stop(struct weft__driver *d) {
    ASSERT(d->pending == 0);
    release(epoll_of(d));
}

static const struct weft__driver_class epoll_class = {
    .name = "epoll",
    .stop = epoll_stop,
    .try = epoll_try,
    .submit = epoll_submit,
    .cancel = epoll_cancel,
    .wait = epoll_wait_until,
    .wake = epoll_wake,
    .now = weft__real_now,
    .ctl = weft__real_ctl,
};

// The eventfd is edge-triggered: every write to it makes an event, read or not, so it is never
// read.
static int open_fds(struct epoll_driver *e, const char **ret_why) {
    *ret_why = "epoll_create1";
    e->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (e->epoll_fd < 0)
        return -errno;
    *ret_why = "eventfd";
    e->wake.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (e->wake.fd < 0)
        return -errno;
    *ret_why = "epoll_ctl";
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = OUR_OWN};
    if (epoll_ctl(e->epoll_fd, EPOLL_CTL_ADD, e->wake.fd, &event) != 0)
        return -errno;
    e->has_pwait2 = call_pwait2(e, &(struct timespec){0}) >= 0;
    return 0;
}

int weft__epoll_start(struct weft__driver **ret_driver, const char **ret_why) {
    const char *why = "memory";
    int error = -ENOMEM;
    struct epoll_driver *e = weft__alloc(sizeof *e);
    if (e != NULL) {
        e->driver.class = &epoll_class;
        weft__list_init(&e->finished);
        e->epoll_fd = e->wake.fd = e->timer_fd = -1;
        error = open_fds(e, &why);
        if (error == 0) {
            *ret_driver = &e->driver;
            return 0;
        }
        release(e);
    }
    if (ret_why != NULL)
        *ret_why = why;
    return error;
}
