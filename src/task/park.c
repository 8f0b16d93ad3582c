// SPDX-License-Identifier: MIT
//
// Park and unpark, for tasks and plain threads, and the look at cancellation and deadline.
//
// 1. The word of a waiter counts the wakes that came, and has a bit for PARKED (it waits). `seen`,
//    the waiter's own, is the count as it last knew it. Park sets the bit if the count is still
//    that, and waits; if not, it takes the wakes that came instead. Unpark counts one more and
//    clears the bit; whoever found it set hands the waiter on, to its worker's queue or to the
//    driver of its thread. So a waiter is in at most one queue, and no wake is lost: either park
//    finds a new count, or unpark finds the bit. Wakes coalesce. (To be missed, a wake would have
//    to be followed by 2^30 - 1 others before the next park.)
// 2. What a waker wrote before unpark is seen after park: it counts with release, and the waiter
//    reads the count with acquire before it returns.
// 3. A wake may be late: the waker read a pointer to the waiter, which has gone on meanwhile.
//    Records are type-stable, so that is a spurious wake of whoever uses the record now.
// 4. A thread's record changes sides: it becomes task zero, a plain thread again, and is given back
//    when the thread ends. Its driver and its worker are therefore read only by wakers that found
//    PARKED, and `wakers` counts those under way: before either changes, the thread waits until
//    there are none (weft__wakers_drain). A waker that comes later does not find PARKED and reads
//    neither. The thread itself as a waker needs no such count. Nor does a task as a waiter: it
//    leaves PARKED by a wake alone, its timer's included, and its worker never changes.
// 5. Tasks and workers live until weft_stop. What a plain thread does with a task or a worker
//    stands between weft__foreign_enter and _leave, from the moment it reads the pointer;
//    weft_stop, once nothing leads to them any more, waits until nobody is in between.
// 6. Whoever wants to look at a parked task holds it: the bit PARKED becomes HELD. A wake counts as
//    always but, not finding PARKED, does not hand the task on; the holder does, when it lets go
//    and the count is another. So a task that is held does not run, and no wake is lost. PARKED is
//    set a moment before the task leaves its stack; the holder waits until it has left (view.c).
//    Task zero can be held, too: it is a task as long as its runtime can be found.
#include "task/park.h"

#include "driver/driver.h"
#include "os/os.h"
#include "task/block.h"
#include "task/worker.h"

#include <errno.h>

enum { PARKED = 1, HELD = 2, ONE_WAKE = 4 };

static WEFT__ATOMIC(uint32_t) foreign_count; // rule 5: of the process, as the handles are

static void park_thread(struct weft__waiter *self, int64_t until_ns) {
    while (weft__load(&self->word, acquire) & PARKED) {
        self->driver->class->wait(self->driver, until_ns);
        if (until_ns != INT64_MAX && weft__fresh_now(self) >= until_ns)
            break;
    }
}

// A task leaves its park by a wake alone; a thread also by itself, and then clears the bit.
void weft__park(struct weft__waiter *self, int64_t until_ns) {
    uint32_t seen = self->seen;
    if (weft__cas(&self->word, &seen, seen | PARKED, acq_rel)) {
        if (self->worker) {
            weft__worker_suspend(self->worker, until_ns);
        } else {
            park_thread(self, until_ns);
            weft__fetch_and(&self->word, ~(uint32_t)PARKED, acq_rel);
        }
    } else if (seen & (PARKED | HELD)) {
        PANIC("a call that waits was made in a signal handler, while another one waits");
    }
    self->seen = weft__load(&self->word, acquire);
}

// Counts a wake. Whether the waiter was parked and is to be handed on.
static bool count_wake(struct weft__waiter *waiter) {
    uint32_t word = weft__load(&waiter->word, relaxed);
    while (!weft__cas(&waiter->word, &word, (word + ONE_WAKE) & ~(uint32_t)PARKED, seq_cst))
        ;
    return word & PARKED;
}

static void wake_thread(struct weft__waiter *waiter) {
    weft__fetch_add(&waiter->wakers, 1, seq_cst);
    if (count_wake(waiter)) {
        if (waiter->worker)
            weft__worker_wake(waiter->worker, weft__task_of(waiter));
        else
            waiter->driver->class->wake(waiter->driver);
    }
    weft__fetch_sub(&waiter->wakers, 1, release);
}

static bool is_zero_here(struct weft__waiter *waiter) {
    struct weft__worker *worker = weft__this_worker();
    return worker && worker->zero == weft__task_of(waiter);
}

void weft__unpark(struct weft__waiter *waiter) {
    if (waiter->is_thread && !is_zero_here(waiter))
        wake_thread(waiter);
    else if (count_wake(waiter))
        weft__worker_wake(waiter->worker, weft__task_of(waiter));
}

void weft__unpark_own(struct weft__waiter *waiter) {
    if (waiter->worker)
        weft__unpark(waiter);
    else
        (void)count_wake(waiter);
}

void weft__waits(struct weft__waiter *self, const char *what, int handle, const char *where) {
    if (self->worker)
        weft__notes_of(self)->wait = (struct weft__wait){what, handle, where, self->worker->now};
}

bool weft__is_parked(struct weft__waiter *waiter) {
    return weft__load(&waiter->word, relaxed) & (PARKED | HELD);
}

bool weft__hold(struct weft__task *task, uint32_t *ret_seen) {
    uint32_t word = weft__load(&task->waiter.word, relaxed);
    *ret_seen = word & ~(uint32_t)PARKED;
    return word & PARKED && weft__cas(&task->waiter.word, &word, *ret_seen | HELD, acquire);
}

void weft__let_go(struct weft__task *task, uint32_t seen) {
    uint32_t word = seen | HELD;
    if (weft__cas(&task->waiter.word, &word, seen | PARKED, release))
        return;
    (void)weft__fetch_and(&task->waiter.word, ~(uint32_t)HELD, acq_rel);
    weft__worker_wake(task->waiter.worker, task);
}

void weft__let_lie(struct weft__task *task) {
    (void)weft__fetch_and(&task->waiter.word, ~(uint32_t)(PARKED | HELD), acq_rel);
}

void weft__wakers_drain(struct weft__waiter *self) {
    while (weft__load(&self->wakers, seq_cst) != 0)
        weft__os_yield();
}

void weft__foreign_enter(void) {
    if (!weft__this_worker())
        weft__fetch_add(&foreign_count, 1, seq_cst);
}

void weft__foreign_leave(void) {
    if (!weft__this_worker())
        weft__fetch_sub(&foreign_count, 1, release);
}

void weft__foreign_after_fork(void) {
    weft__store(&foreign_count, 0, relaxed);
}

// Who enters counts itself in and then reads a pointer; the caller has cleared the pointers and
// then, behind the fence, looks at the count. So whoever has found one is seen here.
void weft__foreign_drain(void) {
    weft__fence(seq_cst);
    while (weft__load(&foreign_count, seq_cst) != 0)
        weft__os_yield();
}

int64_t weft__fresh_now(struct weft__waiter *self) {
    int64_t now = self->driver->class->now(self->driver, WEFT__MONOTONIC);
    if (self->worker && now > self->worker->now)
        self->worker->now = now;
    return now;
}

int64_t weft__coarse_now(struct weft__waiter *self) {
    return self->worker ? self->worker->now : weft__fresh_now(self);
}

void weft__waiter_change_driver(struct weft__waiter *self, struct weft__driver *driver) {
    int64_t before = self->driver->class->now(self->driver, WEFT__MONOTONIC);
    int64_t after = driver->class->now(driver, WEFT__MONOTONIC);
    weft__block_shift(self, after - before);
    self->driver = driver;
}

static int refused(struct weft__waiter *self) {
#if WEFT_DEBUG
    return weft__count_refusal(self);
#else
    (void)self;
    return -ECANCELED;
#endif
}

int weft__interrupted(struct weft__waiter *self) {
    if (weft__is_orphan())
        return -ECHILD;
    bool is_cancelled = weft__load(&self->cancelled, acquire);
    if (!is_cancelled && self->deadline == INT64_MAX)
        return 0;
    if (is_cancelled && self->shields == 0)
        return refused(self);
    int64_t now = weft__coarse_now(self);
    if (is_cancelled && weft__block_cancel_at(self) <= now)
        return refused(self);
    return self->deadline <= now ? -ETIMEDOUT : 0;
}

int64_t weft__interrupt_at(struct weft__waiter *self) {
    int64_t at = self->deadline;
    if (self->shields > 0 && weft__load(&self->cancelled, acquire)) {
        int64_t end = weft__block_cancel_at(self);
        at = end < at ? end : at;
    }
    return at;
}
