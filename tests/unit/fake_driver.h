// SPDX-License-Identifier: MIT
// A driver whose clock and operations are the test's own: what the layers above ask of a driver is
// written down, and each answer is the test's. One thread, no descriptors, no real time: a wait
// moves the clock to whatever comes next. Not a simulator: it has no network.
#ifndef TESTS_UNIT_FAKE_DRIVER_H
#define TESTS_UNIT_FAKE_DRIVER_H

#include "task_tools.h"

enum { FAKE_EVENTS = 256, FAKE_FD_FIRST = 1000000 };

// An operation that completes at some time.
struct fake_event {
    struct weft__op *op;
    int64_t at, result;
};

struct fake {
    struct weft__driver driver;
    int64_t now;
    bool is_woken;
    int next_fd, fds_open;
    size_t cancels;
    struct fake_event events[FAKE_EVENTS];
    size_t event_count;
    // The test's answers; NULL: -EAGAIN, waits for ever, 0, nothing.
    int submit_error; // not 0: submit takes nothing
    int64_t (*on_try)(struct fake *fake, struct weft__op *op);
    void (*on_submit)(struct fake *fake, struct weft__op *op);
    void (*on_cancel)(struct fake *fake, struct weft__op *op); // NULL: completes with -ECANCELED
    int64_t (*on_ctl)(struct fake *fake, struct weft__ctl *ctl);
    void (*on_wait)(struct fake *fake, int64_t until_ns);
    uint32_t (*on_choose)(struct fake *fake, enum weft__choice what, uint32_t n);
    void *context;
};

static inline struct fake *fake_of(struct weft__driver *d) {
    return WEFT__CONTAINER(d, struct fake, driver);
}

// The operation, which was submitted, will complete at that time.
static inline void fake_at(struct fake *fake, struct weft__op *op, int64_t at, int64_t result) {
    assert_true(fake->event_count < FAKE_EVENTS);
    fake->events[fake->event_count++] = (struct fake_event){op, at, result};
}

static inline void fake_forget(struct fake *fake, size_t index) {
    fake->events[index] = fake->events[--fake->event_count];
}

static inline void fake_complete(struct fake *fake, struct weft__op *op, int64_t result) {
    for (size_t i = 0; i < fake->event_count; i++)
        if (fake->events[i].op == op)
            fake_forget(fake, i--);
    assert_true(op->is_pending);
    op->is_pending = false;
    op->result = result;
    fake->driver.pending--;
    op->done(op);
}

static inline void fake_stop(struct weft__driver *d) {
    assert_int_equal(d->pending, 0);
}

static inline int64_t fake_try(struct weft__driver *d, struct weft__op *op) {
    struct fake *fake = fake_of(d);
    weft__own_add(&d->stats.tries, 1);
    return fake->on_try ? fake->on_try(fake, op) : -EAGAIN;
}

static inline int fake_submit(struct weft__driver *d, struct weft__op *op) {
    struct fake *fake = fake_of(d);
    if (fake->submit_error)
        return fake->submit_error;
    weft__own_add(&d->stats.submits, 1);
    d->pending++;
    op->is_pending = true;
    if (fake->on_submit)
        fake->on_submit(fake, op);
    return 0;
}

static inline void fake_cancel(struct weft__driver *d, struct weft__op *op) {
    struct fake *fake = fake_of(d);
    fake->cancels++;
    if (fake->on_cancel)
        fake->on_cancel(fake, op);
    else
        fake_complete(fake, op, -ECANCELED);
}

// The next event not later than `until_ns`, or FAKE_EVENTS.
static inline size_t fake_next(const struct fake *fake, int64_t until_ns) {
    size_t next = FAKE_EVENTS;
    for (size_t i = 0; i < fake->event_count; i++)
        if (fake->events[i].at <= until_ns) {
            next = i;
            until_ns = fake->events[i].at - 1;
        }
    return next;
}

static inline void fake_wait(struct weft__driver *d, int64_t until_ns) {
    struct fake *fake = fake_of(d);
    weft__own_add(&d->stats.waits, 1);
    if (fake->on_wait)
        fake->on_wait(fake, until_ns);
    bool is_woken = fake->is_woken;
    fake->is_woken = false;
    size_t next = fake_next(fake, is_woken || until_ns < fake->now ? fake->now : until_ns);
    if (next < FAKE_EVENTS) {
        struct fake_event event = fake->events[next];
        fake->now = event.at > fake->now ? event.at : fake->now;
        fake_complete(fake, event.op, event.result);
    } else if (!is_woken && until_ns > fake->now) {
        assert_true(until_ns != INT64_MAX); // else nothing would ever happen
        fake->now = until_ns;
    }
}

static inline void fake_wake(struct weft__driver *d) {
    fake_of(d)->is_woken = true;
}

static inline int64_t fake_now(struct weft__driver *d, enum weft__clock clock) {
    (void)clock;
    return fake_of(d)->now;
}

static inline int64_t fake_ctl(struct weft__driver *d, struct weft__ctl *ctl) {
    struct fake *fake = fake_of(d);
    int64_t result = fake->on_ctl ? fake->on_ctl(fake, ctl) : 0;
    if (ctl->kind == WEFT__CTL_CLOSE)
        fake->fds_open--;
    if (ctl->kind != WEFT__CTL_SOCKET || result < 0)
        return result;
    fake->fds_open++;
    return fake->next_fd++;
}

static inline uint32_t fake_choose(struct weft__driver *d, enum weft__choice what, uint32_t n) {
    struct fake *fake = fake_of(d);
    return fake->on_choose ? fake->on_choose(fake, what, n) : 0;
}

static const struct weft__driver_class fake_class = {
    .name = "fake",
    .stop = fake_stop,
    .try = fake_try,
    .submit = fake_submit,
    .cancel = fake_cancel,
    .wait = fake_wait,
    .wake = fake_wake,
    .now = fake_now,
    .ctl = fake_ctl,
    .choose = fake_choose,
};

// The driver of the case that runs, at one second past the beginning of time.
static struct fake fake;

static inline void fake_reset(void) {
    fake = (struct fake){.driver.class = &fake_class, .now = WEFT_SECOND, .next_fd = FAKE_FD_FIRST};
}

// A runtime on it, with the test as task zero.
static inline int fake_begin(void **state) {
    case_begin(state);
    fake_reset();
    expect(weft__runtime_start_on(weft__self(), &fake.driver, 1), 0);
    return 0;
}

static inline int fake_end(void **state) {
    case_end(state);
    assert_int_equal(fake.fds_open, 0);
    return 0;
}

// A handle over a descriptor of the fake's.
static inline int fake_handle(enum weft__kind kind) {
    fake.fds_open++;
    return opened(weft__handle_open(fake.next_fd++, kind, weft__handle_serial()));
}

#define CASE_ON_FAKE(fn) cmocka_unit_test_setup_teardown(fn, fake_begin, fake_end)

#endif
