// SPDX-License-Identifier: MIT
//
// Waiting and waking: the one place that asks "am I in a task?". Operations, scopes, turns at a
// handle and sleeps all wait through here. What they wait for is theirs: a wake carries no message,
// and every wait is a loop over its own condition.
#ifndef WEFT__PARK_H
#define WEFT__PARK_H

#include "task/waiter.h"

struct weft__task;

// Waits until weft__unpark, `until_ns` on the monotonic clock (INT64_MAX: never), or for no reason.
// Returns at once if an unpark came since the last park.
void weft__park(struct weft__waiter *self, int64_t until_ns);

// Ends the waiter's park, or else its next one. From any thread. The waiter may be gone already and
// its record in use by another: then that one wakes for no reason.
void weft__unpark(struct weft__waiter *waiter);
// The same on the waiter's own thread, which is awake: a plain thread's driver need not be told.
void weft__unpark_own(struct weft__waiter *waiter);

// Says what the parks that follow are for, for reports: `what` is static. `where`, if not NULL,
// must live until the next one says something else.
void weft__waits(struct weft__waiter *self, const char *what, int handle, const char *where);

// Whether it waits in a park at this moment.
bool weft__is_parked(struct weft__waiter *waiter);

// Holds a task in its park, so that its record and its stack stay as they are (park.c, rule 6);
// false: it does not wait, or somebody holds it already. From any thread; briefly, because a wake
// of it waits as well.
bool weft__hold(struct weft__task *task, uint32_t *ret_seen);
void weft__let_go(struct weft__task *task, uint32_t seen);
// Of one that waits or is held, and will never run again: its record may be used anew.
void weft__let_lie(struct weft__task *task);

// Waits until no wake of the calling thread's record is under way (park.c, rule 4).
void weft__wakers_drain(struct weft__waiter *self);

// Around what a plain thread does with a pointer to a waiter that may be a task, or to a worker, so
// that the runtime's memory stays (park.c, rule 5). Short sections that wait for nothing; they
// nest. On a worker's own thread they do nothing.
void weft__foreign_enter(void);
void weft__foreign_leave(void);
void weft__foreign_drain(void); // waits until nobody is in such a section
void weft__foreign_after_fork(void);

// What a call that may wait must answer on entry: -ECHILD, -ECANCELED, -ETIMEDOUT or 0. In a task
// it reads flags and the worker's clock; in a plain thread, inside a weft_within only, the clock.
int weft__interrupted(struct weft__waiter *self);

// When the waiter must look again at weft__interrupted: its deadline, or the end of a shield.
int64_t weft__interrupt_at(struct weft__waiter *self);

// The clock as the waiter's checks see it: a worker's is read once a turn.
int64_t weft__coarse_now(struct weft__waiter *self);
// The clock, read now; a worker's coarse one moves along.
int64_t weft__fresh_now(struct weft__waiter *self);

// Gives a thread's record another driver; what it has open ends after as long as before, whatever
// the new one's clock says.
void weft__waiter_change_driver(struct weft__waiter *self, struct weft__driver *driver);

#endif
